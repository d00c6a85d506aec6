/*
 * session.h - one peer connected to the server: its state, window, timers and what it is owed.
 *
 * Private to server.c, session.c and dispatch.c. A session is made by server.c, ends in smpp_session_end and is freed in
 * server.c when its link has let go of it; in between its slot is empty already, so no ticket finds it.
 */
#ifndef SMPP_SESSION_H
#define SMPP_SESSION_H

#include "smpp/link.h"
#include "smpp/server.h"
#include "smpp/session_fsm.h"
#include "smpp/window.h"

struct smpp_outbind; /* what to say when connected, only for a connection we made */

struct smpp_session {
    struct smpp_link link;
    struct smpp_server *server;
    struct smpp_alarm alarm; /* the earliest of the deadlines below, or a moment before it */
    enum smpp_state state;
    struct smpp_session_info info; /* the windows in it are filled in when somebody looks */
    struct smpp_window window;     /* our deliver_sm and data_sm */
    char *names;                   /* what info's strings of the bind point at; NULL before bind */
    struct smpp_outbind *outbind;
    uint32_t in_limit; /* requests of the peer under way at once */
    uint32_t in_count;
    uint32_t peer_unbind; /* sequence number of the unbind to answer, if owes_unbind */
    uint32_t our_unbind;  /* sequence number of ours */
    uint64_t connected_ms;
    uint64_t last_in_ms;
    uint64_t asked_until_ms;  /* enquire_link: answer due; only if asked > 0 */
    uint64_t probed_until_ms; /* any sign of life due; UINT64_MAX: not asked for */
    uint64_t bind_again_ms;   /* the owner is asked about `bind` again then; UINT64_MAX: none waits */
    struct buf bind;          /* the undecided bind as a PDU */
    uint64_t until_ms;        /* end of UNBINDING, FINISHING, LINGER */
    uint64_t paused_until_ms; /* the peer must take some output until then */
    size_t paused_unsent;     /* what was waiting when that was set */
    const char *why;          /* it ends, or will end, because */
    const char *doom;         /* ends it from the alarm: found inside a call into the room */
    uint8_t asked;            /* enquire_links without a sign of life since */
    uint8_t strikes;          /* PDUs refused before bind */
    uint8_t failed_binds;
    bool owes_unbind;
    bool was_bound;
    bool counted; /* in server->peers */
};

extern const struct smpp_link_ops smpp_session_link_ops;

/* Ready to be accepted or connected: state ST_OPEN, timers running. */
void smpp_session_start(struct smpp_session *s);
/* Before it is connected out: the outbind to send then. Returns 0, ERR_RANGE or ERR_NOMEM. */
int smpp_session_outbind(struct smpp_session *s, const char *system_id, const char *password) MUST_CHECK;
/* Frees what the session owns besides itself. */
void smpp_session_finish(struct smpp_session *s);
/* Closes now: unanswered deliveries end, the slot is given back. Repeats are harmless. */
void smpp_session_end(struct smpp_session *s, const char *why);
/* Carries out what the state machine says. */
void smpp_session_step(struct smpp_session *s, enum smpp_event event);
/* Says what is queued, then closes. */
void smpp_session_hang_up(struct smpp_session *s, const char *why);
/* A deadline may have come nearer. */
void smpp_session_rearm(struct smpp_session *s);
const struct smpp_session_info *smpp_session_facts(struct smpp_session *s);
void smpp_session_trouble(struct smpp_session *s, const char *what);

/* False: it has said its last word, an answer would come after the unbind_resp. */
bool smpp_session_can_answer(const struct smpp_session *s);
/* Queue a PDU that is a header, and a message_id unless that is NULL. */
void smpp_session_put(struct smpp_session *s, uint32_t command_id, uint32_t status, uint32_t sequence_number,
                      const char *message_id);
/* Queues any PDU. Returns 0, ERR_RANGE or ERR_FULL. */
int smpp_session_put_pdu(struct smpp_session *s, const struct smpp_pdu *pdu) MUST_CHECK;
/* One request of the peer less to answer. */
void smpp_session_answered(struct smpp_session *s);
/* Sends enquire_link. */
void smpp_session_ask(struct smpp_session *s, uint64_t now_ms);

/* dispatch.c: every request gets its one answer, or the owner's promise of it. */
void smpp_dispatch(struct smpp_session *s, const uint8_t *frame, size_t len);

/* session.c: the handlers in dispatch.c's table. Return the status to answer with, or SMPP_LATER. */
uint32_t smpp_handle_bind(struct smpp_session *s, const struct smpp_pdu *pdu);
uint32_t smpp_handle_unbind(struct smpp_session *s, const struct smpp_pdu *pdu);
uint32_t smpp_handle_enquire_link(struct smpp_session *s, const struct smpp_pdu *pdu);
uint32_t smpp_handle_outbind(struct smpp_session *s, const struct smpp_pdu *pdu);
uint32_t smpp_handle_message(struct smpp_session *s, const struct smpp_pdu *pdu);
/* Any PDU with the response bit; only its header matters here. */
void smpp_handle_response(struct smpp_session *s, const struct smpp_pdu *header);

#endif
