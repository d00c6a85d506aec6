/*
 * core.h - the simulated aggregator without sockets: a request and the time go in, a reply comes out.
 *
 * Private to lab/. Everything here is pure but for memory: the caller passes `now_ms` (wall milliseconds that never jump)
 * and collects events (statuses, replies of subscribers) by lab_advance. simulator.c adds HTTP to it.
 * Ceilings: messages live in a ring of `max_messages` (the oldest go, finished first when they still waited for their
 * status); limits and counters live in fixed tables.
 * Facts: the aggregator's API as described in its documents; what they leave open is marked "assumed" where decided.
 */
#ifndef LAB_CORE_H
#define LAB_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"

/* ---- behaviour: one row per setting in behaviour.c ---- */

enum { LAB_TEXT_MAX = 512 };

struct lab_behaviour {
    /* the account */
    char login[LAB_TEXT_MAX], password[LAB_TEXT_MAX], api_key[LAB_TEXT_MAX];
    char balance[LAB_TEXT_MAX], currency[LAB_TEXT_MAX], price[LAB_TEXT_MAX];
    char sender[LAB_TEXT_MAX], senders[LAB_TEXT_MAX], forbidden[LAB_TEXT_MAX], group1[LAB_TEXT_MAX];
    char callback_url[LAB_TEXT_MAX], incoming_number[LAB_TEXT_MAX];
    double timezone_h, test_mode;
    /* the network */
    double delay_min_ms, delay_max_ms, delivered, reply_ratio, intermediate, read_ratio;
    char failures[LAB_TEXT_MAX], delay_shape[LAB_TEXT_MAX], latency_shape[LAB_TEXT_MAX];
    /* the service and its faults */
    double latency_min_ms, latency_max_ms, error_rate, error_code, http_500, drop_before, drop_after, empty, cut, hang;
    double slow_read, slow_reply, slow_bytes_s;
    double blocked;
    char imgcode[LAB_TEXT_MAX];
    double ip_limit;
    /* rules */
    double day_limit, number_limit;
    char hours[LAB_TEXT_MAX];
    double limits, duplicates, flood, concurrent, time_factor, max_lines;
    /* the clock of the account and its network */
    double time_s, speed;
    /* callbacks */
    double callback_statuses, callback_incoming, callback_lost, callback_twice, callback_repeat_s, callback_attempts,
        callback_connections, callback_timeout_ms;
};

void lab_behaviour_init(struct lab_behaviour *b);
/* The whole as one flat JSON object. */
void lab_behaviour_read(const struct lab_behaviour *b, struct buf *out);
/* "h1-h2", both may be NULL. False: it is something else. */
bool lab_hours_read(const char *text, unsigned *out_from, unsigned *out_until);
/* A partial flat object in; nothing changes when a key is unknown or a value out of range (ERR_SYNTAX, ERR_RANGE with a
 * sentence in why). */
int lab_behaviour_write(struct lab_behaviour *b, const char *json, size_t len, char why[256]) MUST_CHECK;

/* ---- messages ---- */

enum lab_type {
    LAB_SMS = 0,
    LAB_FLASH = 1,
    LAB_BINARY = 2,
    LAB_PUSH = 3,
    LAB_HLR = 4,
    LAB_PING = 5,
    LAB_MMS = 6,
    LAB_CALL = 7,
    LAB_MAIL = 8,
    LAB_VIBER = 10,
    LAB_SOC = 12,
    LAB_TELEGRAM = 13, /* assumed: the documents give no number */
    LAB_WHATSAPP = 14  /* assumed */
};

/* Status codes of the documents. */
enum {
    LAB_NOT_FOUND = -3,
    LAB_STOPPED = -2,
    LAB_WAITING = -1,
    LAB_AT_OPERATOR = 0,
    LAB_DELIVERED = 1,
    LAB_READ = 2,
    LAB_EXPIRED = 3,
    LAB_CLICKED = 4,
    LAB_IMPOSSIBLE = 20,
    LAB_INVALID = 22,
    LAB_PROHIBITED = 23,
    LAB_NO_MONEY = 24,
    LAB_UNAVAILABLE = 25
};

/* Oddities of one message, chosen by magic numbers (table in network.c). */
enum {
    LAB_ODD_LOST = 1,
    LAB_ODD_TWICE = 2,
    LAB_ODD_BAD_HASH = 4,
    LAB_ODD_ECHO = 8,
    LAB_ODD_EARLY = 16,
    LAB_ODD_REVERSED = 32
};

struct lab_message {
    uint64_t serial; /* counts from 1 over the life of the simulator: the "global id"; 0: slot empty */
    char *strings;   /* owned: phone, id, sender, text, comment, extras one after another, each with its NUL */
    const char *phone, *id, *sender, *text, *comment, *extras; /* into strings; extras: form encoded */
    int64_t accepted_ms, last_ms, due_ms, delay_ms;
    int64_t cost_e6;
    uint32_t heap_pos; /* place in the heap + 1, 0 = nothing is due */
    uint32_t chain;    /* next slot + 1 with the same index bucket */
    uint32_t link;     /* number of the short link in it, 0 = none */
    uint32_t job;      /* that has sent it, 0 = none */
    int16_t status, final_status;
    int16_t after_status; /* follows the final one; LAB_NO_STATUS: none */
    uint16_t err, final_err;
    uint16_t parts;
    uint8_t type;
    uint8_t odd;
    uint8_t phase; /* 0 not yet at the operator, 1 there, 2 final, 3 nothing more */
    bool deleted;
    bool refused; /* never sent, never paid */
};

enum { LAB_NO_STATUS = -100 };

struct lab_heap_entry {
    int64_t due_ms;
    uint32_t slot;
};

struct lab_duplicate { /* a (phone, id) accepted again: what the gateway must never cause */
    char phone[48], id[48];
    uint32_t times;
};

struct lab_seen {
    uint64_t key; /* 0 = free */
    uint32_t times;
};

enum { LAB_DUPLICATES_MAX = 100 };

struct lab_messages {
    struct lab_message *ring;
    size_t max;
    uint64_t next_serial;
    uint32_t *index; /* slot + 1 by (phone, id) */
    size_t index_size;
    struct lab_heap_entry *heap;
    size_t heap_len;
    struct lab_seen *seen; /* every (phone, id) ever accepted, up to a ceiling */
    size_t seen_size, seen_count;
    uint64_t unseen; /* accepted after the table was full: not watched for repeats */
    uint64_t unique, repeats;
    struct lab_duplicate duplicates[LAB_DUPLICATES_MAX];
    size_t duplicate_count;
};

/* ---- rules: "more than N within a window" ---- */

struct lab_rate {
    uint64_t key;
    int64_t since_ms;
    uint32_t count;
};

enum { LAB_RATE_SETS = 1 << 18, LAB_RATE_WAYS = 4, LAB_ADDRESSES_MAX = 256 };

struct lab_address { /* an address that sends requests */
    char ip[48];
    int64_t blocked_until_ms;
    int64_t auth_since_ms, errors_since_ms;
    uint32_t auth_errors, errors;
};

/* ---- everything ---- */

struct lab_answer { /* a subscriber's message or confirming call, for get_answers */
    uint64_t id;
    char phone[48], to[48], sms_id[48];
    char *text; /* owned */
    int64_t sent_ms, received_ms;
};

struct lab_link {
    char *url;        /* owned */
    uint64_t message; /* serial */
    /* clicks: all; on the day of the last one and the day before; in its month and the one before */
    uint32_t clicks, today, yesterday, month_clicks, month_before;
    int64_t day, month; /* of the last one, in the account's zone */
};

struct lab_record { /* a contact, group, template, ... of records.h */
    uint32_t id;
    uint8_t kind;
    uint8_t error;              /* of a job's last send */
    uint32_t runs;              /* of a job */
    char *form;                 /* owned: its fields, form encoded */
    int64_t created_ms, due_ms; /* due: a job's next send; INT64_MAX none */
    char sms_id[48];            /* of a job's last send */
};

enum { LAB_ANSWER_TEXT_MAX = 128 << 10 }; /* bytes; above any text that can be sent */
enum { LAB_ANSWERS_MAX = 1000, LAB_LINKS_MAX = 10000, LAB_RECORDS_MAX = 1000, LAB_ACCOUNTS_MAX = 16 };

enum lab_event_kind { LAB_EVENT_STATUS, LAB_EVENT_INCOMING, LAB_EVENT_WAITCALL };

struct lab_event {
    enum lab_event_kind kind;
    const struct lab *lab;             /* whose account */
    const struct lab_message *message; /* STATUS */
    const struct lab_answer *answer;   /* INCOMING, WAITCALL */
    bool bad_hash;
};

typedef void lab_event_fn(void *owner, const struct lab_event *event);

struct lab_counters {
    uint64_t requests, accepted_requests, accepted, parts, refused, faults;
    uint64_t by_error[10];
    uint64_t early_finished;
};

struct lab_posts { /* callbacks of one account: the transport counts them */
    uint64_t sent, answered, refused, repeated, given_up, not_found, dropped;
    int last_status;
};

struct lab {
    struct lab_behaviour b;
    uint64_t seed;
    uint64_t draws; /* numbers the draws that belong to requests, not to messages */
    struct lab_messages messages;
    struct lab_rate *rates;  /* fixed table: rules by request */
    struct lab_rate *phones; /* fixed table: messages per subscriber */
    struct lab_address addresses[LAB_ADDRESSES_MAX];
    int64_t balance_e6;
    uint32_t next_id;
    uint64_t next_answer, first_answer;
    struct lab_answer answers[LAB_ANSWERS_MAX];
    struct lab_link *links;
    uint32_t link_count;
    int64_t spent_e6;
    struct lab_record *records;
    uint32_t record_count, next_record;
    struct lab *others; /* further accounts of the service, each with settings and messages of its own */
    struct lab *first;  /* of all accounts; itself, if it is the first */
    bool is_user;       /* made by users.php */
    bool is_gone;    /* a user forgotten by a reset: its place waits for the next one, for replies still point here */
    int64_t paid_e6; /* by users.php */
    int64_t jobs_due_ms;                  /* the next job; INT64_MAX none */
    unsigned under_way, status_under_way; /* requests without their answer: the transport counts them */
    struct lab_counters n;
    struct lab_posts posts;
    lab_event_fn *on_event;
    void *owner;
};

struct lab *lab_create(uint64_t seed, size_t max_messages, lab_event_fn *on_event, void *owner);
void lab_destroy(struct lab *lab);
/* A further account: settings of the first one, changed by a flat JSON object. From then on it is on its own: messages,
 * money, limits, blocks, faults, counters. Returns 0, ERR_FULL, ERR_NOMEM, or what lab_settings_write does. */
int lab_add_account(struct lab *lab, const char *json, size_t len, char why[256]) MUST_CHECK;
/* By login; NULL: there is none. "" is the first one. */
struct lab *lab_account_named(struct lab *lab, const char *login);
/* Forgets messages, counters, limits, blocks and the accounts made by users.php; behaviour and seed stay. */
void lab_reset(struct lab *lab);

/* ---- requests ---- */

struct lab_request {
    const char *method, *path, *query, *content_type, *body;
    size_t body_len;
    const char *peer; /* "127.0.0.1:50000" */
    const char *host; /* for short links; may be NULL */
    int64_t now_ms;
};

enum lab_fault {
    LAB_FAULT_NONE,
    LAB_FAULT_500,
    LAB_FAULT_DROP,
    LAB_FAULT_EMPTY,
    LAB_FAULT_CUT,
    LAB_FAULT_HANG,
    LAB_FAULT_SLOW
};

struct lab_reply {
    int status;
    const char *content_type;
    char *location; /* 302; owned */
    struct buf body;
    struct lab *account;  /* whose request it was; NULL: no method was asked for */
    enum lab_fault fault; /* what the transport does with the reply */
    uint64_t latency_ms;
};

/* Any request to the service, never failing: what is not understood gets the documented error. /lab/ requests are
 * answered by admin.c. `reply` must be initialised by lab_reply_init and ended by lab_reply_finish. */
void lab_serve(struct lab *lab, const struct lab_request *request, struct lab_reply *reply);
void lab_reply_init(struct lab_reply *reply);
void lab_reply_finish(struct lab_reply *reply);

/* Lets statuses due until now happen, at most `most` of them, calling on_event. Returns when to call again, or
 * INT64_MAX when nothing waits. */
int64_t lab_advance(struct lab *lab, int64_t now_ms, size_t most);
int64_t lab_next_due(const struct lab *lab);
/* Starts the life of a message just added: status, final_status and so on are set. */
void lab_message_start(struct lab *lab, struct lab_message *message, int64_t at_ms, int64_t now_ms);
/* What a job has accepted and not yet handed on stays so: status -2. */
void lab_stop_job(struct lab *lab, uint32_t job, int64_t now_ms);
/* Room in the ring for one more: the oldest leaves, finished at once when it still waited. */
void lab_make_room(struct lab *lab, int64_t now_ms);
/* Behaviour with the present balance in it, and back. */
void lab_settings_read(struct lab *lab, struct buf *out);
int lab_settings_write(struct lab *lab, const char *json, size_t len, char why[256]) MUST_CHECK;
/* A subscriber's message; calls on_event. ERR_RANGE: longer than LAB_ANSWER_TEXT_MAX; ERR_NOMEM. */
int lab_incoming(struct lab *lab, const char *phone, const char *to, const char *text, const char *sms_id,
                 int64_t now_ms);
/* Moves the counters of a short link's days and months on to `now_ms`. */
void lab_link_age(const struct lab *lab, struct lab_link *link, int64_t now_ms);
/* The confirming call of a subscriber. */
int lab_waitcall(struct lab *lab, const char *phone, int64_t now_ms);

/* ---- what a method sees ---- */

struct lab_call {
    struct lab *lab; /* the account that asks */
    bool authorised;
    bool internal; /* nobody has asked: a job, a code */
    uint32_t job;  /* whose send it is; 0 none */
    const struct lab_request *request;
    struct http_params params; /* query and body together, text in UTF-8 */
    int fmt;                   /* 0..3 */
    int64_t now_ms;
    struct lab_reply *reply;
    struct buf *out;         /* reply->body, UTF-8 until the end */
    int error;               /* answered so: feeds the rules */
    const char *error_words; /* instead of the usual text of the error */
    struct lab_address *address;
};

/* methods_*.c: one per path; authorisation and the general rules have been applied. */
void lab_method_send(struct lab_call *call);
void lab_method_status(struct lab_call *call);
void lab_method_balance(struct lab_call *call);
void lab_method_get(struct lab_call *call);
void lab_method_info(struct lab_call *call);
void lab_method_tinyurls(struct lab_call *call);
void lab_method_wait_call(struct lab_call *call);
/* jobs, phones, senders, users, templates, op_templates: records that can be added, changed, listed and deleted. */
void lab_method_desk(struct lab_call *call);
void lab_records_finish(struct lab *lab);
/* soap.php: one of seven operations as a request for the method that carries it out. False: it is none of them, or asks
 * for the WSDL; lab_soap_answer knows what to say then. End with lab_soap_finish in any case. */
struct lab_soap {
    const struct lab_soap_operation *op; /* NULL: none */
    struct lab_request inner;
    struct buf form; /* the inner request's body */
};
bool lab_soap_open(struct lab_soap *soap, const struct lab_request *request);
void lab_soap_answer(const struct lab_soap *soap, const struct lab_request *request, const struct buf *method_reply,
                     struct lab_reply *reply);
void lab_soap_finish(struct lab_soap *soap);
void lab_admin(struct lab *lab, const struct lab_request *request, struct lab_reply *reply);

/* The value of a parameter, "" when absent; whether it is given and not "0" or "". */
const char *lab_param(const struct lab_call *call, const char *name);
bool lab_flag(const struct lab_call *call, const char *name);
/* Unsigned decimal; `otherwise` when absent, ERR_SYNTAX when it is no number within 0..max. */
int lab_param_number(const struct lab_call *call, const char *name, long max, long otherwise, long *out) MUST_CHECK;
/* dd.mm.yyyy as the first millisecond of that day in the account's zone; left alone when absent. False: something else. */
bool lab_param_day(const struct lab_call *call, const char *name, int64_t *out_ms);
/* A hash of every parameter but the reply's form, for "identical request". */
uint64_t lab_call_hash(const struct lab_call *call);
/* The request as a call: parameters merged, charset applied, fmt read. False: nothing can be read (error 1). */
bool lab_call_open(struct lab_call *call);
void lab_call_close(struct lab_call *call);
/* Finds the account that asks, also when its password is wrong: its faults, blocks and limits are the ones that count.
 * The first one when none is named. */
void lab_call_identify(struct lab_call *call);
/* Authorisation, blocks, general rules. 0 or the error to answer. */
int lab_call_admit(struct lab_call *call);

/* ---- reply.c ---- */

/* The documented error in the form of fmt; `id` NULL: none. */
void lab_reply_error(struct lab_call *call, int error, const char *id);
const char *lab_error_text(int error);

/* One record in four forms. Members are named as in the documents. */
struct lab_field {
    const char *name;  /* element and member */
    const char *label; /* fmt=0; NULL: not shown there */
    const char *value;
    bool number;
};
void lab_json_member(struct buf *out, bool first, const char *name, const char *value, bool number);
void lab_xml_element(struct buf *out, const char *name, const char *value);
void lab_xml_text(struct buf *out, const char *text);
/* "k = v, k = v", "v,v", "<k>v</k>" each on a line, "{...}" by fmt. `root`: element around in fmt 2. */
void lab_record_write(struct buf *out, int fmt, const char *root, const struct lab_field *fields, size_t count);
/* A list of records: lines; `<root><item>..</item></root>`; array. Call begin, item for each, end. */
void lab_list_begin(struct buf *out, int fmt, const char *root);
void lab_list_item(struct buf *out, int fmt, bool first, const char *item, const struct lab_field *fields,
                   size_t count);
void lab_list_end(struct buf *out, int fmt, const char *root);

#define LAB_MONEY_MAX_E6 1000000000000000000 /* of a balance, either way: sums of two fit in 64 bits */
void lab_money(int64_t e6, char out[32]);
bool lab_id_is_number(const char *id); /* 1..2147483647: shown bare in JSON */
int lab_money_read(const char *text, int64_t *out_e6);
/* "DD.MM.YYYY hh:mm:ss" in the account's zone; `short_year` gives "DD.MM.YY hh:mm:ss". */
void lab_date(const struct lab *lab, int64_t ms, bool short_year, char out[24]);

/* ---- account.c ---- */

bool lab_auth(const struct lab *lab, const char *login, const char *psw, const char *apikey);
/* Counts one request under `key`; true when it is more than `most` within window_ms (scaled by the time factor). */
bool lab_rate_over(struct lab *lab, const char *rule, uint64_t key, uint32_t most, int64_t window_ms, int64_t now_ms);
struct lab_address *lab_address_of(struct lab *lab, const char *peer, int64_t now_ms);
void lab_address_auth_failed(struct lab *lab, struct lab_address *address, int64_t now_ms);
void lab_address_send_done(struct lab *lab, struct lab_address *address, bool error, int64_t now_ms);
/* The number of this message among those to the subscriber, from 1; *out_flood: over the flood rule. */
uint32_t lab_phone_count(struct lab *lab, const char *phone, int64_t now_ms, bool *out_flood);

/* ---- network.c ---- */

struct lab_operator {
    const char *prefix, *country, *name, *region, *mcc, *mnc;
    int tz;
    unsigned digits;      /* length of a whole number */
    unsigned price_share; /* price in percent of the account's */
};
/* The longest matching prefix; NULL: no such country. */
const struct lab_operator *lab_operator_of(const char *phone);
const struct lab_operator *lab_operators(size_t *out_count);

struct lab_outcome {
    int refuse;      /* the send is answered with this error (0 = accepted) */
    int status, err; /* final; status LAB_AT_OPERATOR: none ever comes */
    int64_t delay_ms;
    bool read_later; /* status 2 follows */
    uint8_t odd;
    enum lab_fault fault;
    bool fault_before; /* the fault hits before the request is accepted */
};
/* What happens to the n-th message to `phone` with this text: depends on nothing but these and the seed. */
void lab_outcome_of(const struct lab *lab, const char *phone, const char *text, uint32_t n, struct lab_outcome *out);
/* A time from least to most in the distribution of that name (uniform, exponential, normal), by two draws. */
int64_t lab_spread(const char *shape, double least, double most, double draw, double other);
bool lab_shape_is_known(const char *shape);
/* 0..1, from the seed and the key alone. */
double lab_draw(uint64_t seed, uint64_t key, uint32_t what);
uint64_t lab_hash(const void *p, size_t len, uint64_t start);

/* ---- messages.c ---- */

int lab_messages_init(struct lab_messages *m, size_t max) MUST_CHECK;
void lab_messages_finish(struct lab_messages *m);
struct lab_message_new {
    const char *phone, *id, *sender, *text, *comment, *extras;
    size_t text_len;
};
/* Takes the next slot (the oldest message goes; the caller has finished it). NULL when memory is out. */
struct lab_message *lab_message_add(struct lab_messages *m, const struct lab_message_new *fresh);
/* The message that the next lab_message_add will push out, or NULL. */
struct lab_message *lab_message_oldest(struct lab_messages *m);
struct lab_message *lab_message_find(struct lab_messages *m, const char *phone, const char *id);
struct lab_message *lab_message_by_serial(struct lab_messages *m, uint64_t serial);
void lab_message_schedule(struct lab_messages *m, struct lab_message *message, int64_t due_ms);
void lab_message_unschedule(struct lab_messages *m, struct lab_message *message);
void lab_message_seen(struct lab_messages *m, const char *phone, const char *id);

/* ---- charset.c ---- */

enum lab_charset { LAB_CP1251, LAB_UTF8, LAB_KOI8R, LAB_CHARSET_COUNT };
/* By its name in a request or URL; LAB_CHARSET_COUNT when unknown. */
enum lab_charset lab_charset_named(const char *name);
void lab_to_utf8(enum lab_charset from, const char *in, size_t len, struct buf *out);
void lab_from_utf8(enum lab_charset to, const char *in, size_t len, struct buf *out);
/* Cyrillic in Latin letters: 1 "translit", 2 "mpaHc/Ium". */
void lab_translit(int table, const char *in, size_t len, struct buf *out);

/* ---- callback.c ---- */

struct lab_post { /* one HTTP request to the client's handler; owned strings */
    char *url, *body;
    size_t body_len;
    const char *content_type;
};
/* ERR_NOT_FOUND when the account has no handler. End with lab_post_finish. */
int lab_post_build(const struct lab *lab, const struct lab_event *event, struct lab_post *out) MUST_CHECK;
void lab_post_finish(struct lab_post *post);

#endif
