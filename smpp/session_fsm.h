/*
 * session_fsm.h - the states of one session and what moves it.
 *
 * Pure: no I/O, clock or memory. The session carries out the actions of the step it is given. TLS and PROXY headers come
 * before ST_OPEN ends and are no states of their own: without them no PDU can arrive.
 * Spec: SMPP34 2.2, 7.2.
 */
#ifndef SMPP_SESSION_FSM_H
#define SMPP_SESSION_FSM_H

#include <stdbool.h>

enum smpp_state {
    ST_NONE,
    ST_OPEN, /* connected, not bound */
    ST_BOUND_TX,
    ST_BOUND_RX,
    ST_BOUND_TRX,
    ST_UNBINDING, /* we sent unbind and wait for its answer */
    ST_FINISHING, /* unbound by agreement: answers still owed are given first */
    ST_LINGER,    /* nothing more will be said: output leaves, then the connection closes */
    ST_CLOSED,
    ST_COUNT
};

enum smpp_event {
    EV_NONE,
    EV_BOUND_TX, /* we granted the bind */
    EV_BOUND_RX,
    EV_BOUND_TRX,
    EV_UNBIND,      /* our wish: drain, operator, inactivity */
    EV_PEER_UNBIND, /* the peer's wish */
    EV_UNBIND_RESP, /* the peer agreed to ours */
    EV_ANSWERED,    /* no answer is owed any more, or the time for them is over */
    EV_HANG_UP,     /* say what is queued, then close */
    EV_LOST,        /* a timer ran out, the socket failed or ended */
    EV_COUNT
};

enum smpp_do {
    DO_NOTHING = 0,
    DO_ANSWER = 1, /* the bind_resp or unbind_resp of this event, at once */
    DO_SEND_UNBIND = 2,
    DO_FINISH = 4,       /* wait for answers owed, then EV_ANSWERED */
    DO_ANSWER_LATER = 8, /* remember to answer this unbind with EV_ANSWERED */
    DO_LINGER = 16,      /* flush, then wait a moment for the peer to close */
    DO_CLOSE = 32        /* now */
};

struct smpp_step {
    enum smpp_state next; /* ST_NONE: the event cannot happen in this state, a bug in the caller */
    unsigned actions;     /* set of enum smpp_do */
};

struct smpp_step smpp_fsm_step(enum smpp_state state, enum smpp_event event);
bool smpp_state_is_bound(enum smpp_state state);    /* TX, RX or TRX */
bool smpp_state_can_deliver(enum smpp_state state); /* RX or TRX */
const char *smpp_state_name(enum smpp_state state); /* "BOUND_TX" */

#endif
