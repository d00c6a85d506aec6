/* SPDX-License-Identifier: MIT */
/*
 * session_fsm.c - which state follows which event [SMPP34 2.2, 7.2].
 *
 * A pair missing from the table reads as ST_NONE (0): a bug in the caller. Two unbinds crossing on the wire are in order:
 * the peer's is answered when everything else is, and the answer to ours no longer matters.
 */
#include "smpp/session_fsm.h"

#include <assert.h>

#define BOUND_ROW(self)                                                                                                \
    {                                                                                                                  \
        [EV_UNBIND] = { ST_UNBINDING, DO_SEND_UNBIND },                                                                \
        [EV_PEER_UNBIND] = { ST_FINISHING, DO_FINISH | DO_ANSWER_LATER }, [EV_ANSWERED] = { self, DO_NOTHING },        \
        [EV_HANG_UP] = { ST_LINGER, DO_LINGER }, [EV_LOST] = { ST_CLOSED, DO_CLOSE },                                  \
    }

static const struct smpp_step table[ST_COUNT][EV_COUNT] = {
    [ST_OPEN] = {
        [EV_BOUND_TX] = { ST_BOUND_TX, DO_ANSWER },
        [EV_BOUND_RX] = { ST_BOUND_RX, DO_ANSWER },
        [EV_BOUND_TRX] = { ST_BOUND_TRX, DO_ANSWER },
        [EV_UNBIND] = { ST_CLOSED, DO_CLOSE },
        [EV_HANG_UP] = { ST_LINGER, DO_LINGER },
        [EV_LOST] = { ST_CLOSED, DO_CLOSE }, /* includes the bind timeout */
    },
    [ST_BOUND_TX] = BOUND_ROW(ST_BOUND_TX),
    [ST_BOUND_RX] = BOUND_ROW(ST_BOUND_RX),
    [ST_BOUND_TRX] = BOUND_ROW(ST_BOUND_TRX),
    [ST_UNBINDING] = {
        [EV_UNBIND] = { ST_UNBINDING, DO_NOTHING },
        [EV_PEER_UNBIND] = { ST_FINISHING, DO_FINISH | DO_ANSWER_LATER }, /* crossed on the wire */
        [EV_UNBIND_RESP] = { ST_FINISHING, DO_FINISH },
        [EV_ANSWERED] = { ST_UNBINDING, DO_NOTHING },
        [EV_HANG_UP] = { ST_LINGER, DO_LINGER },
        [EV_LOST] = { ST_CLOSED, DO_CLOSE },
    },
    [ST_FINISHING] = {
        [EV_UNBIND] = { ST_FINISHING, DO_NOTHING },
        [EV_UNBIND_RESP] = { ST_FINISHING, DO_NOTHING }, /* to ours, sent before the peer's came */
        [EV_ANSWERED] = { ST_LINGER, DO_ANSWER | DO_LINGER },
        [EV_HANG_UP] = { ST_LINGER, DO_LINGER },
        [EV_LOST] = { ST_CLOSED, DO_CLOSE },
    },
    [ST_LINGER] = {
        [EV_UNBIND] = { ST_LINGER, DO_NOTHING },
        [EV_UNBIND_RESP] = { ST_LINGER, DO_NOTHING },
        [EV_ANSWERED] = { ST_LINGER, DO_NOTHING },
        [EV_HANG_UP] = { ST_LINGER, DO_NOTHING },
        [EV_LOST] = { ST_CLOSED, DO_CLOSE },
    },
};

struct smpp_step smpp_fsm_step(enum smpp_state state, enum smpp_event event)
{
    assert(state < ST_COUNT && event < EV_COUNT);
    return table[state][event];
}

bool smpp_state_is_bound(enum smpp_state state)
{
    return state == ST_BOUND_TX || state == ST_BOUND_RX || state == ST_BOUND_TRX;
}

bool smpp_state_can_deliver(enum smpp_state state)
{
    return state == ST_BOUND_RX || state == ST_BOUND_TRX;
}

const char *smpp_state_name(enum smpp_state state)
{
    static const char *const names[ST_COUNT] = { "NONE",      "OPEN",      "BOUND_TX", "BOUND_RX", "BOUND_TRX",
                                                 "UNBINDING", "FINISHING", "LINGER",   "CLOSED" };

    return state < ST_COUNT ? names[state] : names[ST_NONE];
}
