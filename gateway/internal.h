/*
 * internal.h - what the files of this room share: the gateway, its accounts, upstreams and sends.
 *
 * Loop thread only. Objects are found by number or id across asynchronous boundaries, never by pointer. The way of a
 * message: submit.c -> queue.c -> upstream.c -> event.c (or reconcile.c) -> outcome.c -> deliver.c.
 */
#ifndef GATEWAY_INTERNAL_H
#define GATEWAY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/table.h"
#include "config/config.h"
#include "gateway/book.h"
#include "gateway/descriptors.h"
#include "gateway/era.h"
#include "gateway/gateway.h"
#include "gateway/heap.h"
#include "gateway/keeping.h"
#include "gateway/lane.h"
#include "gateway/message.h"
#include "gateway/meters.h"
#include "gateway/profile.h"
#include "gateway/quota.h"
#include "gateway/rate.h"
#include "gateway/rules.h"
#include "gateway/store.h"
#include "gateway/watch.h"
#include "http/http.h"
#include "smpp/smpp.h"

struct account;
struct upstream;
struct admin;

/* Messages of one account that wait for one upstream: urgent and bulk are two queues. */
struct queue {
    struct account *account;
    struct upstream *upstream;
    bool urgent;
    struct lane lane; /* an id of 0 is a hole: that one has gone another way */
    size_t holes;
    bool loading; /* some of it is being read from the store: `asked`, in the order of the lane */
    uint64_t *asked;
    size_t asked_count;
    bool active;               /* linked in the upstream's ring of queues with work */
    struct queue *prev, *next; /* that ring */
    struct queue *sibling;     /* the account's other queues */
    size_t swept;              /* sweep.c: how far it has looked */
    size_t routed;             /* route.c: how far it has looked, while the upstream does not work */
    size_t routed_late;        /* of those the first, come back to the front since: not looked at */
    unsigned route_epoch;      /* of the gateway, when it began */
};

struct bound { /* one session of an account */
    struct smpp_session_ref ref;
    enum smpp_bind_type type;
    uint8_t interface_version;
    unsigned unanswered; /* deliveries in a row without an answer */
    bool replaced;       /* asked to leave for a newer bind */
};

struct account { /* an ESME; kept while it has messages even when the configuration no longer names it */
    struct gateway *gateway;
    const struct cfg_esme *cfg; /* NULL: not configured any more; set by account_configure */
    struct profile profile;     /* resolved from cfg */
    char system_id[72];
    uint16_t number; /* store_intern */
    struct bound *bounds;
    size_t bound_count, bound_size, bound_next; /* bound_next: round robin over receivers */
    struct queue *queues;
    uint64_t queued;  /* accepted from it, not yet accepted upstream and not final */
    struct rate rate; /* of submits */
    struct quota quota;
    struct lane deliveries; /* ids waiting for a receiver */
    struct lane aside;      /* incoming messages for numbers no bind has in its address_range */
    uint64_t delivering;    /* deliver_sm under way */
    uint64_t postponed;     /* deliveries waiting for their next try */
    bool deliveries_loading;
    uint64_t deliveries_front; /* the first of them when their reading began */
    bool dividing;             /* parts of the message at the front are being stored: the line waits for them */
    uint64_t paced;      /* deliveries at the front of the line that waited for a bind: they leave at deliver_rate */
    double pace_tokens;  /* of them that may leave now */
    uint64_t pace_at_ms; /* mono */
    uint64_t
        trim_at_ms[2];     /* mono: when to look at the age of a front that is not in memory; of deliveries, of aside */
    int64_t dropped_at_ms; /* wall: deliveries older than this were dropped by an operator; 0 none */
    struct account_meters meters;
    UT_hash_handle hh; /* by system_id */
};

enum upstream_pause { PAUSE_NONE, PAUSE_BACKOFF, PAUSE_LOGIN, PAUSE_BLOCKED, PAUSE_MONEY, PAUSE_OPERATOR };

struct busy_phone { /* a destination with a message under way: later ones wait here, so that order is kept */
    uint64_t phone;
    unsigned under_way;
    struct lane waiting;
    UT_hash_handle hh;
};

enum { UPSTREAM_URLS_MAX = 8 };

struct url_state {     /* one address of an upstream, and its circuit breaker */
    unsigned failures; /* in a row */
    uint64_t broken_until_ms;
};

/* Where questions about unclear sends go. Their failures are their own: a status method that does not work stops nothing
 * that is sent. */
struct question_way {
    bool moved; /* to an address of their own, `url`; else to that of the sends */
    size_t url;
    unsigned failures; /* in a row */
    unsigned tried;    /* addresses since the last pause */
    unsigned pauses;   /* in a row: the next is longer, and meanwhile one question tries the way for all */
    unsigned asking;   /* questions under way */
    uint64_t until_ms; /* mono: end of the pause */
};

struct upstream {
    struct gateway *gateway;
    const struct cfg_upstream *cfg; /* NULL: not configured any more: nothing is sent */
    char name[72];
    uint16_t number;
    struct http_client *http;        /* sends */
    struct http_client *http_status; /* status.php and the rest: its own limit */
    struct rules *rules;             /* of its login; shared by upstreams with the same one */
    size_t url;                      /* which of cfg->urls is in use */
    struct url_state urls[UPSTREAM_URLS_MAX];
    unsigned in_flight;              /* sends claimed: being made durable, ready or under way */
    unsigned requesting;             /* of those, HTTP requests under way */
    struct send *ready, **ready_end; /* durable claims waiting for a connection, first to leave first */
    size_t unclear_count;            /* sends whose outcome is unknown */
    struct rate rate;
    uint64_t rate_wait_ms;   /* until the rate leaves something; 0 it is not what we wait for */
    struct queue *active[2]; /* rings of queues with work: [1] urgent, [0] bulk; points at the next to be served */
    size_t active_count[2];
    struct busy_phone *busy;
    struct busy_phone *idle_busy;
    bool was_broken; /* route.c */
    bool retired;    /* no longer configured: cfg is its last one, nothing new is sent */
    enum upstream_pause pause;
    uint64_t paused_until_ms; /* mono; UINT64_MAX until somebody ends it */
    unsigned failures;        /* in a row, for the backoff */
    uint64_t oldest_wait_ms;  /* mono: since when a batch is being gathered (linger), 0 not */
    struct heap unclear;      /* (mono due, upid): sends to ask about */
    struct question_way questions;
    unsigned asking;   /* requests of poll.c under way */
    struct poll *poll; /* poll.c */
    int64_t balance_e6;
    bool has_balance;
    bool balance_low, balance_asking;
    size_t balance_url;      /* of cfg->urls: where it was asked for */
    uint64_t balance_due_ms; /* mono: asked for then */
    int64_t broke_at_e6;     /* the balance that did not suffice */
    struct upstream_meters meters;
    struct upstream *next;
};

enum { SEND_MEMBERS_MAX = 1000 };

struct send_member {
    uint64_t id;
    uint64_t phone;
    bool done; /* outcome of this member is known: accepted lines of an accepted send wait for status with done false */
    int64_t cost_e6; /* of this line; -1 unknown */
    bool pinned;     /* its item in the book, for this send's sake */
    uint8_t seen;    /* enum member_seen: what status.php said while the send was unclear */
};

enum member_seen { SEEN_UNKNOWN, SEEN_FOUND, SEEN_MISSING };

struct send { /* one request upstream; in memory while any member is open and the table has room */
    uint64_t upid;
    struct upstream *upstream;
    uint8_t state; /* enum store_send_state */
    uint16_t tries;
    unsigned asked;  /* rounds of questions about its outcome */
    bool holds_slot; /* its messages are pinned and their phones busy */
    bool claimed;    /* counts in upstream->in_flight */
    bool under_way;  /* counts in upstream->requesting and in its rules */
    bool repeated;   /* sent again with the same id: error 9 then means "perhaps accepted" */
    bool slow;       /* the upstream may still be at it, or has seen it: a repeat waits for its whole minute */
    bool ask_all;    /* answers about some members differed: all are asked about */
    bool asking;     /* a status request is under way, about the member asked_id */
    bool reading;    /* its members are being read from the store */
    uint64_t asked_id;
    uint8_t url, ask_url;      /* of its last request, of its last question */
    uint64_t unclear_ms;       /* mono: since when its outcome is unknown, 0 not */
    int64_t at_ms, replied_ms; /* wall */
    uint64_t left_ms;          /* mono: at_ms of a request of this run, 0 an earlier one */
    int32_t error;
    int64_t cost_e6;
    size_t member_count, open_count;
    size_t whole_count; /* members of the request; after a start, those that have ended are not among `members` */
    struct send_member *members;
    struct send *next_ready;
    UT_hash_handle hh;
};

#define LISTENER_LAB SIZE_MAX

struct listener { /* one callbacks listener */
    struct gateway *gateway;
    size_t index; /* of config->callbacks, or LISTENER_LAB */
    struct http_server *server;
    int fd;   /* the set's (sockets.h); -1: none of it */
    bool tls; /* the server has certificates */
    struct listener *next;
};

struct leaving { /* a server that has a successor: it answers what came to it, then it ends */
    struct http_server *server;
    uint64_t until_ms; /* mono */
    struct leaving *next;
};

/* drain.c: what is held back while the next process waits for the store */
enum hold { HOLD_NOTHING, HOLD_SENDS, HOLD_DELIVERIES, HOLD_BINDS };

struct gateway {
    uv_loop_t *loop;
    struct config *config;
    struct store *store;
    struct book *book;
    struct smpp_server *smpp;
    struct account *accounts;
    struct account **account_of; /* by store number, 65536 places */
    struct upstream *upstreams;
    struct upstream **upstream_of; /* by store number */
    struct send *sends;
    size_t sends_max;
    uint64_t evicted_upid; /* sends above it that are not in memory are over */
    struct listener *listeners;
    struct leaving *leaving;
    struct item **fresh; /* accepted in this turn, not yet given to the store */
    size_t fresh_count, fresh_size;
    struct send **starting; /* gathered in this turn */
    size_t starting_count, starting_size;
    struct heap paced;         /* (mono ms, id): answers held back */
    struct heap due;           /* (wall ms, id): scheduled sends */
    struct heap later;         /* (mono ms, id): retries, parts that wait, postponed deliveries */
    struct failures *failures; /* logins, account.c */
    struct gateway_meters meters;
    struct buf scratch;        /* text under conversion */
    struct buf body;           /* request under construction */
    struct config *lab_config; /* lab_accounts.c: the settings of lab accounts' upstream and callbacks; NULL none */
    const struct gateway_lab_host *lab_host;
    struct question *questions; /* account_ask.c: waiting for a free connection */
    size_t question_count;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_timer_t tick;
    uv_timer_t linger;
    uv_timer_t hold_timer;
    unsigned handles;     /* of the five above, not yet closed */
    bool pump_deliveries; /* some account's delivery waits for its answer to leave */
    bool draining;
    bool stopped;
    bool handing_over; /* draining for the next process */
    enum hold hold;
    uint64_t hold_until_ms; /* mono: of this stage */
    struct sockets *sockets;
    bool own_sockets;
    const struct gateway_upgrader *upgrader; /* NULL: this process cannot be replaced */
    uint64_t drain_until_ms;
    void (*on_stopped)(void *owner);
    void *owner;
    int64_t started_ms;
    struct joins *joins;  /* join.c: long messages whose parts come in */
    struct group *groups; /* group.c: who waits for whose outcome */
    struct lane divided;  /* group.c: at start, messages to look after */
    struct multi *multis; /* multi.c: sets that wait for their answer */
    uint64_t started_mono_ms;
    struct admin *admin;
    struct watch watch;
    struct account *dirty_quotas; /* quota.c: to be stored at the end of the turn */
    unsigned route_epoch;         /* counts what changes ways: upstreams that fail or work again, new configurations */
    struct keeping keeping;
    struct era era;
    struct descriptors descriptors;
    struct store_stats store_seen;
    const struct gateway_lab *lab; /* NULL: no lab */
    struct config **retired;       /* reload.c: older configurations that removed upstreams still look at */
    size_t retired_count;
    char *config_file;              /* NULL: no file to reload */
    char *restart_needed;           /* keys of the last reload that wait for a restart; NULL none */
    uint32_t short_next, short_end; /* shortid.c: ids reserved and not yet used */
    uint16_t smpp_port, callback_port;
};

/* Nothing new goes upstream: we are stopping, or the next process shall. */
static inline bool gateway_holds_sends(const struct gateway *gw)
{
    return gw->draining || gw->hold != HOLD_NOTHING;
}

/* listen.c: both return 0, or an error with a sentence in why[256] */
int listen_smpp(struct gateway *gw, char why[256]) MUST_CHECK;
int listen_callbacks(struct gateway *gw, char why[256]) MUST_CHECK;
/* Callbacks listeners with TLS read their files again; what cannot be read is said in the log, and the last ones stay. */
void listen_renew_certificates(struct gateway *gw);
void listen_tick(struct gateway *gw, uint64_t now_ms); /* ends servers that have a successor and nothing to do */
/* After smpp_server_quiesce. */
int listen_smpp_again(struct gateway *gw, char why[256]) MUST_CHECK;
/* `index`: what the listeners look their settings up by. *out_port: the first one's, unless it is set already. */
int listen_callbacks_for(struct gateway *gw, const struct cfg_callbacks *cfg, size_t index, uint16_t *out_port,
                         char why[256]) MUST_CHECK;

/* account.c */
struct account *account_get(struct gateway *gw, const char *system_id); /* makes it when unknown; NULL out of memory */
struct account *account_by_number(struct gateway *gw, uint16_t number);
/* Follows a new configuration; NULL: none any more. */
void account_configure(struct account *account, const struct cfg_esme *cfg);
uint32_t account_on_bind(void *owner, const struct smpp_bind *bind, const struct smpp_session_info *session,
                         struct smpp_grant *grant);
void account_on_bound(void *owner, const struct smpp_session_info *session);
void account_on_unbound(void *owner, const struct smpp_session_info *session, const char *why);
void account_finish_all(struct gateway *gw);
bool account_address_allowed(const struct cfg_esme *cfg, const char *address);
/* The id as this account sees it. */
void account_id_text(const struct account *account, uint64_t public_id, char out[SMPP_ID_MAX + 1]);

/* shortid.c */
/* The next id of 8 hexadecimal digits; 0 when the store cannot promise it now. */
uint64_t shortid_next(struct gateway *gw);

/* route.c */
struct upstream *route_upstream(struct gateway *gw, const struct account *account, const struct message *m);
/* Whose number this is by `operators`; "" when no prefix fits. */
const char *route_operator(const struct config *config, const char *number);
/* NULL: no rule matches. */
/* The upstream does not work for now, or is configured no more: what waits for it, and was never sent, goes where the
 * routes lead without it. Cold messages are read from the store for it. */
void route_away(struct upstream *up);
void route_away_queue(struct queue *q); /* a part of it, again when queue_load has ended */
struct account *route_incoming(struct gateway *gw, const char *to, const char *text);
/* The same by one rule. */
struct account *route_incoming_by(struct gateway *gw, const struct cfg_incoming *rule, const char *to,
                                  const char *text);

/* answer.c: smpp_answer and its kin, for tickets of sessions and of HTTP exchanges alike */
int answer_ticket(struct gateway *gw, const struct smpp_ticket *ticket, uint32_t status, const char *message_id);
int answer_ticket_pdu(struct gateway *gw, const struct smpp_ticket *ticket, struct smpp_pdu *response);
bool answer_left(struct gateway *gw, const struct smpp_ticket *ticket);

/* listen.c */
struct smpp_server_opts gateway_smpp_opts(const struct gateway *gw);

/* submit.c */
struct reading; /* read_sm.h */
/* The message a PDU asks for, with its account and upstream: views into the PDU and into the gateway's scratch. */
uint32_t submit_read(struct gateway *gw, struct account *account, const struct smpp_session_info *session,
                     const struct smpp_pdu *pdu, struct reading *reading, struct message *m);
uint32_t submit_on_request(void *owner, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                           const struct smpp_pdu *pdu);
/* Takes a message into the turn's batch; `ticket` NULL when no ESME waits for the answer (then `done` is told). */
int submit_take(struct gateway *gw, struct message *m, const struct smpp_ticket *ticket);
/* Gives this turn's messages to the store. */
void submit_flush(struct gateway *gw);

/* queue.c */
int queue_add(struct gateway *gw, struct account *account, struct upstream *up, bool urgent, uint64_t id, bool front);
/* Takes up to `max` messages that may share one request; each is pinned. */
size_t queue_gather(struct upstream *up, struct item **out, size_t max);
/* A message to this phone is no longer under way. */
void queue_phone_free(struct upstream *up, uint64_t phone);
bool queue_phone_busy(const struct upstream *up, uint64_t phone);
/* Waits until its phone, which is busy, is free; then it is at the front of its queue again. False: no room for that. */
bool queue_park(struct upstream *up, struct item *item) MUST_CHECK;
/* Brings messages from place `from` of the lane on into the book. Until then the queue gives none. */
void queue_load(struct queue *q, size_t from);
/* The message at this place has gone another way. */
void queue_leave(struct queue *q, size_t at);
void queue_phone_take(struct upstream *up, uint64_t phone);
bool queue_has_work(const struct upstream *up);
uint64_t queue_waiting(const struct upstream *up);
void queue_finish(struct upstream *up);

/* upstream.c */
int upstream_create(struct gateway *gw, const char *name, struct upstream **out) MUST_CHECK;
int upstream_configure(struct upstream *up, const struct cfg_upstream *cfg) MUST_CHECK;
struct upstream *upstream_by_number(struct gateway *gw, uint16_t number);
struct upstream *upstream_named(struct gateway *gw, const char *name);
/* Host and port of the first address, a view; reserve hosts (www2...) are the same service. */
struct message_text upstream_service(const struct cfg_upstream *cfg);
/* Two names for one account of the aggregator, which calls back to one address? */
bool upstream_same_account(const struct upstream *a, const struct upstream *b);
/* Starts as many sends as rules and work allow; end of every turn. */
void upstream_pump(struct upstream *up);
/* Makes the sends gathered in this turn durable. */
void upstream_flush(struct gateway *gw);
void upstream_tick(struct upstream *up, uint64_t now_ms);
void upstream_pause(struct upstream *up, enum upstream_pause why, uint64_t for_ms);
void upstream_resume(struct upstream *up);
void upstream_destroy_all(struct gateway *gw);
const char *upstream_url(struct upstream *up, const char *path, char out[512]);
/* The same at another of its addresses; one that a reload has taken away: at the one in use. */
const char *upstream_url_at(struct upstream *up, size_t url, const char *path, char out[512]);
size_t upstream_url_count(const struct upstream *up);
/* ms to wait after so many failures in a row [retry of the configuration]. */
uint64_t upstream_retry_ms(const struct upstream *up, unsigned failures);
/* How long a message is tried for; of an upstream that is configured no more, the default. */
uint64_t upstream_give_up_ms(const struct upstream *up);
struct smsc_login upstream_login(const struct upstream *up);
/* Appends the body of a request that would send this message alone. */
void upstream_write_request(struct upstream *up, const struct message *m, struct buf *out);
/* The request of a durable send leaves as soon as a connection is free (first time or again with the same id). */
void upstream_ready(struct send *send);
/* The next of those; NULL none. */
struct send *upstream_pop_ready(struct upstream *up);
/* Claims that have not left go back to their queues. */
void upstream_unclaim(struct upstream *up);
/* The upstream has it: slot and phones are free, members wait for their status. */
void upstream_accepted(struct send *send, int64_t cost_e6);
/* A send was not answered at this address (`reached` false), or not as it should: the next one is tried, or all wait. */
void upstream_failed(struct upstream *up, size_t url, bool reached);
void upstream_balance(struct upstream *up, int64_t balance_e6);
void upstream_works(struct upstream *up, size_t url);
bool upstream_is_paused(struct upstream *up);
/* Paused for more than a moment: its circuit is open. */
bool upstream_is_broken(struct upstream *up);
/* Broken, and a message taken now would not be the one that tries the way again: another does, or it is not time yet. */
bool upstream_is_down(struct upstream *up);

/* money.c */
void money_tick(struct upstream *up, uint64_t now_ms);

/* sweep.c */
/* Ends what has waited longer than its validity or give_up, also while nothing can be sent. */
void sweep_tick(struct upstream *up);
/* Has this queued message waited too long? Then it has ended now. */
bool sweep_expired(struct upstream *up, struct item *item);

/* send.c */
struct send *send_create(struct gateway *gw, struct upstream *up, uint64_t upid, size_t member_count);
struct send *send_find(struct gateway *gw, uint64_t upid);
void send_drop(struct gateway *gw, struct send *send);
struct send_member *send_member_for(struct send *send, uint64_t phone);
struct send_member *send_member_of(struct send *send, uint64_t id);
/* One member needs no more; forgets the send after the last. */
void send_member_done(struct gateway *gw, struct send *send, struct send_member *member);
void send_save(struct gateway *gw, const struct send *send);
/* "s" and the number: what the upstream sees. */
void send_id_text(uint64_t upid, char out[24]);
bool send_id_read(const char *text, uint64_t *out_upid);
/* Claimed: it will leave as soon as it is durable and a connection is free. Then it leaves; at last it has come back. */
void send_claim(struct send *send);
void send_leave(struct send *send);
void send_back(struct send *send);
/* The member's item, when this send has it pinned; unpin it once. */
struct item *send_pinned(struct gateway *gw, const struct send_member *member);
void send_pin(struct gateway *gw, struct send_member *member);
void send_unpin(struct gateway *gw, struct send_member *member);
/* Nothing more is sent of it: slot and phones are free. */
void send_free_slot(struct send *send);

/* outcome.c */
struct outcome {
    enum smpp_message_state final;
    int status, err;   /* see struct progress */
    int64_t cost_e6;   /* -1 keep */
    int64_t done_ms;   /* 0 = now */
    const char *extra; /* HLR tail for the receipt, NULL none */
    bool quiet;        /* the ESME was told in the answer to its submit: no receipt */
};
/* The message has ended so: decides about its receipt and stores it (flags as store_move). `done` as in the store. The
 * item must be pinned by the caller for the time of the call. Returns 0 or the store's refusal (nothing changed). */
int outcome_reached(struct gateway *gw, struct item *item, const struct outcome *outcome, unsigned flags,
                    struct store_done done) MUST_CHECK;
/* The same where nobody waits and it must hold: kept until durable. */
void outcome_keep(struct gateway *gw, struct item *item, const struct outcome *outcome);
/* What a status code of the aggregator means; false for a code that is none. *out_final 0: not final yet. */
bool outcome_of_status(int status, enum smpp_message_state *out_final);
/* Back into its queue after `wait_ms` (0: now, at its front or its end). */
void outcome_requeue(struct gateway *gw, struct item *item, uint64_t wait_ms, bool front);

/* event.c */
void event_on_request(void *owner, struct http_exchange *exchange, const struct http_request_in *request);

/* report.c */
struct report {      /* a status of one message, whichever way it came */
    int status, err; /* the aggregator's */
    int64_t ts_ms;   /* of the change, wall; 0 unknown */
    int64_t cost_e6; /* -1 unknown */
    bool has_flag;
    unsigned flag;          /* [smsc-api 17.4] */
    const char *hlr;        /* " imsi:... rnet:..." or NULL */
    const struct buf *told; /* mapped parameters as TLVs, extra.h; NULL none */
    const char *aside;      /* a line for the timeline, or NULL */
    bool polled;            /* it was asked for */
};
enum { REPORT_NOTHING_TO_STORE = 1 };
/* Takes the status of a pinned item: ends the message, records a late one, tells of an intermediate one. Returns 0 (then
 * `done` is called when it is durable; ERR_EXISTS is as good as 0), REPORT_NOTHING_TO_STORE, or the store's refusal (then
 * nothing has changed). *out_what: "stored", "repeat", "late", "not_final". */
int report_apply(struct gateway *gw, struct item *item, const struct report *report, unsigned flags,
                 struct store_done done, const char **out_what) MUST_CHECK;
/* The HLR tail of a receipt [smsc-api 18.4] from imsi, msc, mcc, mnc, cn, net, rcn, rnet. */
void report_hlr(const char *const values[8], struct buf *out);
/* The type bits of a flag that follow from what was sent; its other bits tell of money and templates [smsc-api 17.4]. */
unsigned report_plain_flag(const struct message *m);
/* A status from status.php, kept until durable. */
void report_polled(struct gateway *gw, struct item *item, const struct smsc_status *status);

/* incoming.c */
struct incoming { /* what a subscriber sent or did; views */
    const char *id, *phone, *to, *text;
    const char *sms_id;              /* the send it answers, "" none */
    const struct upstream *upstream; /* the aggregator's account it came through; NULL: not configured any more */
    bool lab;                        /* from the simulated network of lab accounts */
    bool call;                       /* the confirming call: no id, text "[waitcall]" */
    int64_t ts_s;                    /* of the call, or when it was received; 0 unknown */
    const struct buf *told;          /* mapped parameters as TLVs, extra.h; NULL none */
};
/* Routes and stores it once for ever. `done`: 0 stored, ERR_EXISTS known already, else not stored. Calls back later, never
 * from inside. Returns 0, ERR_NOMEM or the store's refusal. Without sms_id the store is called before this returns, so
 * that what the caller stores next is durable after it. */
int incoming_take(struct gateway *gw, const struct incoming *in, unsigned flags, struct store_done done) MUST_CHECK;
/* A whole message that is too long for the bind it was to go to: parts with a user data header take its place at the front
 * of the line, and its own record is closed. Returns 0, ERR_RANGE when there would be more than 255, ERR_NOMEM or the
 * store's refusal (nothing has changed). */
int incoming_divide(struct account *account, struct item *item) MUST_CHECK;
/* The account that keeps what no rule routes. */
#define INCOMING_NO_ROUTE "(no route)"
/* Routes again what has no account: after a start or a reload. */
void incoming_reroute(struct gateway *gw);

/* poll.c */
/* The aggregator has taken this send and its members wait for their status. */
void poll_add(struct send *send);
void poll_tick(struct upstream *up, uint64_t now_ms);
void poll_destroy(struct upstream *up);
/* Does a request of poll.c wait for the rules? It goes first: who asks by hand, and often, must not starve receipts. */
bool poll_waits(const struct upstream *up);
/* ms to the next question about a send of this age whose messages may live `left_ms` more: half the age, at least
 * status_after and a quarter of the aggregator's minute, at most six hours, and one when their time is over. */
int64_t poll_wait_ms(uint64_t status_after_ms, int64_t age_ms, int64_t left_ms);

/* reply.c */
/* What the upstream answered to a send, or that it did not. */
void reply_on_send(void *owner, uint64_t cookie, const struct http_reply_in *reply);
/* The error of any reply that concerns the whole login (2, 4): pauses the upstream. */
void reply_login_error(struct upstream *up, int error);

/* reconcile.c */
void reconcile_add(struct send *send, uint64_t after_ms);
void reconcile_tick(struct upstream *up, uint64_t now_ms);

/* deliver.c */
void deliver_add(struct gateway *gw, struct account *account, uint64_t id, bool front);
void deliver_pump(struct account *account);
/* Has the answer to the request that brought this item left, or is there none to wait for? */
bool deliver_is_answered(struct gateway *gw, struct item *item);
void deliver_on_end(void *owner, const struct smpp_session_info *session, uint64_t cookie, enum smpp_deliver_end how,
                    uint32_t status);
void deliver_trim(struct account *account);
/* How many wait, those aside too; without those that wait for their next try. */
uint64_t deliver_waiting(const struct account *account);
/* What stands aside is looked at again: somebody has bound, or the configuration is another. */
void deliver_look_again(struct account *account);
/* A receiver has bound: what waited for it leaves at deliver_rate. */
void deliver_on_bound(struct account *account);
/* Drops everything that waits for this account. Returns how many deliveries that is. */
uint64_t deliver_drop_all(struct account *account);
/* Delivers the receipt of a closed message, or a closed incoming message, once more. `done`: 0, ERR_NOT_FOUND (unknown, or
 * nothing to deliver), ERR_STATE (it is on its way anyway), or the store's refusal. */
int deliver_redeliver(struct gateway *gw, uint64_t id, struct store_done done) MUST_CHECK;

/* resume.c */
int resume_all(struct gateway *gw) MUST_CHECK;

/* gateway.c: the message is looked at again after `wait_ms`, or at the next start when memory is out (said here). */
int gateway_look_in(struct gateway *gw, uint64_t wait_ms, uint64_t id);

/* Unpins the item named by the cookie: the callback of changes nobody else waits for. */
void gateway_saved(void *owner, uint64_t cookie, int err);
static inline struct store_done gateway_save_of(struct gateway *gw, uint64_t id)
{
    return (struct store_done){ gateway_saved, gw, id };
}

#endif
