/*
 * server.h - ESMEs that bind to us: listening, sessions, answers, deliveries.
 *
 * One libuv loop and its thread own everything here. The room knows the protocol (states, timers, windows, framing) and
 * asks its owner who may bind and what to do with a request. A request is answered once, by the returned status or
 * later by smpp_answer with its ticket; a ticket is a value and answering a session that has died is harmless.
 * Output of one loop turn leaves in one write per connection.
 */
#ifndef SMPP_SERVER_H
#define SMPP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "smpp/pdu.h"

struct smpp_server;

enum smpp_bind_type { SMPP_BIND_NONE, SMPP_BIND_TX, SMPP_BIND_RX, SMPP_BIND_TRX };

/* A session by value: slot and generation. {0,0} is nobody. */
struct smpp_session_ref {
    uint32_t slot;
    uint32_t generation;
};

/* Where an answer goes. */
struct smpp_ticket {
    struct smpp_session_ref session;
    uint32_t sequence_number;
    uint32_t command_id; /* of the request */
};

struct smpp_session_info {
    struct smpp_session_ref ref;
    uint64_t n;    /* session number shown to operators, counts from 1 */
    void *account; /* from smpp_grant */
    enum smpp_bind_type type;
    uint8_t interface_version; /* as bound, 0x33 / 0x34 / 0x50 after normalisation */
    const char *system_id;
    const char *system_type;
    const char *address_range; /* of the bind, "" none */
    const char *address;       /* "127.0.0.1:51234" */
    bool tls;
    int64_t since_ms;    /* wall time of the connection */
    uint32_t in_window;  /* requests of the peer we have not answered yet */
    uint32_t out_window; /* our deliver_sm the peer has not answered yet */
    uint64_t pdus_in, pdus_out;
    uint64_t last_in_ms; /* loop clock: when it last sent anything */
    uint32_t bind_asked; /* only in on_bind: how often it has answered SMPP_LATER to this bind */
};

struct smpp_grant { /* filled by on_bind when it returns STATUS_ROK */
    void *account;
    uint32_t window;         /* requests of the peer under way at once; above it STATUS_RMSGQFUL; 0 = 1000 */
    uint32_t deliver_window; /* our deliver_sm under way at once; 0 = 10 */
    uint8_t announced;       /* sc_interface_version of bind_resp to a bind of 3.4 or above; 0 = the bind's own */
    uint32_t again_ms;       /* only with SMPP_LATER */
};

enum smpp_deliver_end {
    SMPP_DELIVER_ANSWERED,  /* `status` is the peer's */
    SMPP_DELIVER_NACKED,    /* generic_nack, `status` is the peer's */
    SMPP_DELIVER_TIMED_OUT, /* no answer within response_timeout */
    SMPP_DELIVER_LOST       /* the session ended first */
};

#define SMPP_LATER UINT32_MAX /* on_request: will be answered by smpp_answer; on_bind: see there */

/* Calls up. All on the loop thread; none is made from inside a call into this room, except on_deliver_end from
 * smpp_session_close, and on_pdu for what a call sends: it looks and calls nothing here. The callee must not destroy the
 * server. */
struct smpp_server_ops {
    /* May it bind? Returns the bind_resp's status; fills *grant on STATUS_ROK. The session is not yet listed. SMPP_LATER:
     * not decided yet, it is asked again with the same bind after grant->again_ms (or the bind timeout ends it). */
    uint32_t (*on_bind)(void *owner, const struct smpp_bind *bind, const struct smpp_session_info *session,
                        struct smpp_grant *grant);
    /* bind_resp has been queued: deliveries may start. */
    void (*on_bound)(void *owner, const struct smpp_session_info *session);
    /* A bound session is gone (unbind, lost, closed). Its unanswered deliveries have been ended before. */
    void (*on_unbound)(void *owner, const struct smpp_session_info *session, const char *why);
    /* submit_sm, data_sm, submit_multi, query_sm, cancel_sm, replace_sm, broadcast_*: returns the status of the
     * answer (header-only answer unless STATUS_ROK), or SMPP_LATER. The PDU's views die on return. */
    uint32_t (*on_request)(void *owner, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                           const struct smpp_pdu *pdu);
    /* Exactly once for each smpp_deliver that returned 0. */
    void (*on_deliver_end)(void *owner, const struct smpp_session_info *session, uint64_t cookie,
                           enum smpp_deliver_end how, uint32_t status);
    /* Optional: each PDU in or out as bytes (capture, conformance, counting). */
    void (*on_pdu)(void *owner, const struct smpp_session_info *session, bool outgoing, const uint8_t *frame,
                   size_t len);
    /* Optional: connections refused or closed before a bind, malformed input, time-outs; `what` is a fixed phrase. */
    void (*on_trouble)(void *owner, const struct smpp_session_info *session, const char *what);
};

struct smpp_server_opts {
    const char *system_id; /* ours, in bind_resp */
    uint64_t bind_timeout_ms, enquire_link_interval_ms, inactivity_timeout_ms, response_timeout_ms; /* 0 = off */
    uint32_t max_sessions, max_sessions_per_address;
    size_t max_pdu_bytes;
    size_t max_output_bytes; /* per session; above it the peer is not reading: paused, then closed. 0 = 1 MiB */
    bool proxy_protocol;
};

int smpp_server_create(uv_loop_t *loop, const struct smpp_server_opts *opts, const struct smpp_server_ops *ops,
                       void *owner, struct smpp_server **out) MUST_CHECK;
/* Live change of the timers and limits; existing sessions follow. */
void smpp_server_configure(struct smpp_server *server, const struct smpp_server_opts *opts);
/* Listens on "host:port" ("[::1]:2775", port 0 = any free). *out_port: the port got. Returns 0, ERR_SYNTAX, ERR_IO
 * (errno text by uv: *out_why static). */
int smpp_server_listen(struct smpp_server *server, const char *address, bool tls, uint16_t *out_port,
                       const char **out_why) MUST_CHECK;
/* Listens on a socket somebody else has opened and keeps; a copy of the descriptor is used. As above otherwise. */
int smpp_server_listen_fd(struct smpp_server *server, int fd, bool tls, const char **out_why) MUST_CHECK;
/* Certificate, key and optional client CA for listeners with tls; called again it replaces them for new sessions.
 * Returns 0 or ERR_CONFIG with a sentence in why[256]. */
int smpp_server_tls(struct smpp_server *server, const char *certificate_file, const char *key_file,
                    const char *client_ca_file, char why[256]) MUST_CHECK;
/* Stops listening; connections there are stay. */
void smpp_server_quiesce(struct smpp_server *server);
/* Connections that have not bound yet (or were refused). */
size_t smpp_server_unbound(const struct smpp_server *server);
/* From now on a session that has been sent unbind may still submit until it answers; otherwise that is STATUS_RSYSERR. */
void smpp_server_take_last(struct smpp_server *server);
/* Stops listening, sends unbind to every bound session, closes each when it has answered or after `grace_ms`; calls
 * `on_done` when none is left. */
void smpp_server_drain(struct smpp_server *server, uint64_t grace_ms, void (*on_done)(void *owner));
/* Closes every handle; the memory is freed when libuv has let go of it (run the loop to the end). */
void smpp_server_destroy(struct smpp_server *server);

/* Answers a request. `message_id`: for submit_sm, data_sm, submit_multi with STATUS_ROK; else NULL. Returns 0, or
 * ERR_GONE when the session has ended. */
int smpp_answer(struct smpp_server *server, const struct smpp_ticket *ticket, uint32_t status, const char *message_id);
/* The same with a response built by the caller (query_sm_resp, submit_multi_resp with unsuccess list, TLVs);
 * sequence_number and command_id are set here. */
int smpp_answer_pdu(struct smpp_server *server, const struct smpp_ticket *ticket, struct smpp_pdu *response);
/* Has the answer been given to the operating system (or the session ended)? False: it still waits here, so a receipt
 * sent on another connection could overtake it. Only meaningful after smpp_answer. */
bool smpp_answer_left(const struct smpp_server *server, const struct smpp_ticket *ticket);

/* Sends deliver_sm or data_sm (pdu->command_id); the sequence number is chosen here. Returns 0 (then on_deliver_end will
 * come), ERR_GONE, ERR_STATE (not a receiver), ERR_FULL (window), ERR_BUSY (the peer does not read). */
int smpp_deliver(struct smpp_server *server, struct smpp_session_ref session, struct smpp_pdu *pdu,
                 uint64_t cookie) MUST_CHECK;
/* Free places in the session's deliver window, 0 when it cannot take any. */
uint32_t smpp_deliver_room(const struct smpp_server *server, struct smpp_session_ref session);
/* Sends a PDU that expects no answer (alert_notification). */
int smpp_notify(struct smpp_server *server, struct smpp_session_ref session, struct smpp_pdu *pdu);

/* Calls `each` for every session with a connection (bound or not). */
void smpp_sessions(struct smpp_server *server, void (*each)(void *arg, const struct smpp_session_info *session),
                   void *arg);
/* The session's facts, or NULL when it is gone. Valid until the loop turns. */
const struct smpp_session_info *smpp_session_find(struct smpp_server *server, struct smpp_session_ref session);
/* Sends unbind and closes after its answer (or response_timeout). `why` is a fixed phrase for on_unbound. */
void smpp_session_unbind(struct smpp_server *server, struct smpp_session_ref session, const char *why);
/* Asks the peer with enquire_link now; it is closed when it does not answer within `within_ms`. */
void smpp_session_probe(struct smpp_server *server, struct smpp_session_ref session, uint64_t within_ms);
/* It has been probed and has not shown a sign of life yet. */
bool smpp_session_is_probed(const struct smpp_server *server, struct smpp_session_ref session);
/* Closes at once. */
void smpp_session_close(struct smpp_server *server, struct smpp_session_ref session, const char *why);
/* Connects out to host:port, sends outbind (system_id, password) and serves the bind that follows on the connection. */
int smpp_server_outbind(struct smpp_server *server, const char *address, const char *system_id,
                        const char *password) MUST_CHECK;

#endif
