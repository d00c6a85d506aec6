/*
 * admin.h - the administration listener: JSON over HTTP, metrics, events and the dashboard [interface.md 4, 5, 6].
 *
 * One table of routes (admin.c); each handler stands in the file of its subject. A request is let in by its address
 * (allow_from), then by the bearer token or a browser session got with it. Without a token in the configuration no token
 * is asked; then only names and addresses of this machine itself are served, so that no web page can reach it by a name
 * of its own making.
 */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/internal.h"

enum {
    ADMIN_ARGS = 2,
    ADMIN_LOGINS = 32,
    ADMIN_LISTENERS = 16,
    ADMIN_BODY_MAX = 1 << 20,
    ADMIN_REPLY_MAX = 64 << 20,
    ADMIN_HISTORY = 300
};

struct admin_login { /* a browser that has shown the token */
    char key[65];
    uint64_t until_ms; /* mono */
};

struct admin_stream;  /* admin_events.c */
struct admin_waiting; /* admin_submit.c */

struct admin_rates { /* admin_events.c: per second, over the last beat */
    double accepted, answered, sent, delivered, callbacks;
    uint32_t p50_us, p99_us;
};

struct admin {
    struct gateway *gw;
    struct http_server *servers[ADMIN_LISTENERS];
    size_t server_count;
    uint16_t port;
    struct admin_login logins[ADMIN_LOGINS];
    unsigned login_next;
    unsigned wrong_logins; /* in a row */
    uint64_t locked_until_ms;
    struct admin_stream *streams;
    unsigned stream_count;
    uv_timer_t beat;
    uint64_t beat_ns;
    uint64_t beat_counts[TRAIL_COUNT];
    struct admin_rates rates;
    struct admin_rates history[ADMIN_HISTORY]; /* of the last beats, a ring */
    unsigned history_next, history_count;
    struct admin_waiting *waiting; /* by sequence number */
    uint32_t next_sequence;
    bool closing;
};

struct admin_call { /* one request at its handler; views live until http_reply */
    struct gateway *gw;
    struct http_exchange *exchange;
    const struct http_request_in *request;
    struct http_params query;
    char arg[ADMIN_ARGS][128]; /* what stood in the place of each "*" of the route */
};

/* Listens as the configuration says (nowhere is fine). Returns 0 or an error with a sentence. */
int admin_create(struct gateway *gw, char why[256]) MUST_CHECK;
void admin_configure(struct gateway *gw);
/* The next process shall answer: accepts no more connections, ends the streams. */
void admin_leave(struct gateway *gw);
unsigned admin_connections(const struct gateway *gw);
void admin_destroy(struct gateway *gw);

/* Replies. */
void admin_reply(struct http_exchange *exchange, int status, struct buf *json);
void admin_fail(struct http_exchange *exchange, int status, const char *error, const char *hint);

/* admin_json.c: the shapes of interface.md 6.2, appended. */
void admin_add_time(struct buf *out, int64_t wall_ms); /* null for 0 */
void admin_add_string(struct buf *out, const char *name, const char *value);
void admin_add_message(struct gateway *gw, const struct message *m, struct buf *out); /* without the closing brace */
void admin_add_session(const struct smpp_session_info *session, struct buf *out);
void admin_add_upstream(struct upstream *up, struct buf *out);
void admin_add_status(struct gateway *gw, struct buf *out);
const char *admin_state_name(const struct message *m);
/* "delivered", "DELIVRD", "queued" ... -> what store_find asks for; false when it is none. */
bool admin_state_read(const char *text, uint8_t *out_state, uint8_t *out_final);
/* ISO 8601, a date, milliseconds or seconds since 1970; false when it is none. */
bool admin_time_read(const char *text, int64_t *out_ms);

/* timeline.c: "[...]"; `send` and notes may be missing. */
struct timeline {
    const struct message *m;
    const struct store_send *send; /* NULL: none */
    const struct store_line *notes;
    size_t note_count;
};
void timeline_write(struct gateway *gw, const struct timeline *timeline, struct buf *out);

/* Handlers, by file. */
void admin_health(struct admin_call *call); /* admin_live.c */
void admin_ready(struct admin_call *call);
void admin_metrics(struct admin_call *call);
void admin_status(struct admin_call *call);
void admin_sessions(struct admin_call *call);
void admin_session_end(struct admin_call *call);
void admin_session_capture(struct admin_call *call);
void admin_session_conformance(struct admin_call *call);
void admin_upstreams(struct admin_call *call);
void admin_upstream_pause(struct admin_call *call);
void admin_upstream_resume(struct admin_call *call);
void admin_reload(struct admin_call *call);
void admin_drain(struct admin_call *call);
void admin_upgrade(struct admin_call *call);
void admin_backup(struct admin_call *call);
void admin_lab_incoming(struct admin_call *call);
void admin_lab_read(struct admin_call *call);
void admin_lab_write(struct admin_call *call);
void admin_messages(struct admin_call *call); /* admin_messages.c */
void admin_message(struct admin_call *call);
void admin_submit(struct admin_call *call); /* admin_submit.c */
void admin_cancel(struct admin_call *call);
void admin_redeliver(struct admin_call *call); /* admin_deliveries.c */
void admin_deliveries(struct admin_call *call);
void admin_deliveries_drop(struct admin_call *call);
void admin_session_alert(struct admin_call *call); /* admin_face.c */
void admin_outbind(struct admin_call *call);
void admin_explain(struct admin_call *call); /* explain.c */
void admin_events(struct admin_call *call);  /* admin_events.c */
void admin_smsc(struct admin_call *call);    /* admin_smsc.c */
void admin_page(struct admin_call *call);    /* admin_page.c */
void admin_openapi(struct admin_call *call);
bool admin_token_is(struct admin *admin, const char *given);

/* admin_page.c */
void admin_login(struct admin_call *call);
void admin_logout(struct admin_call *call);

/* admin_submit.c: tickets of HTTP exchanges. */
bool admin_is_ticket(const struct smpp_ticket *ticket);
void admin_answered(struct gateway *gw, const struct smpp_ticket *ticket, uint32_t status, const char *message_id);
void admin_submit_finish(struct admin *admin);
/* A submit_sm of interface.md 6.1; views into `params` and `text`. Returns 0, or ERR_SYNTAX with error and hint. */
struct admin_sm {
    struct account *account;
    struct smpp_pdu pdu;
    struct buf text;
    char hint[320];
};
int admin_sm_read(struct gateway *gw, const struct http_params *params, struct admin_sm *out) MUST_CHECK;
void admin_sm_finish(struct admin_sm *sm);
/* The session such a message seems to come by. */
struct smpp_session_info admin_sm_session(const struct account *account, const char *peer);
const char *admin_status_hint(uint32_t status);

/* admin_events.c */
void admin_events_start(struct admin *admin);
void admin_events_finish(struct admin *admin);

/* admin_page.c */
bool admin_is_logged_in(struct admin *admin, struct http_exchange *exchange);

#endif
