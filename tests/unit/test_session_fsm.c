/* SPDX-License-Identifier: MIT */
/* test_session_fsm.c - the session's states [SMPP34 2.2]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smpp/session_fsm.h"

#define STEP_IS(state, event, next_state, what)                                                                        \
    do {                                                                                                               \
        struct smpp_step step_ = smpp_fsm_step(state, event);                                                          \
        assert_int_equal(next_state, step_.next);                                                                      \
        assert_int_equal(what, step_.actions);                                                                         \
    } while (0)

static void binds_lead_from_open_only(void **state)
{
    (void)state;
    STEP_IS(ST_OPEN, EV_BOUND_TX, ST_BOUND_TX, DO_ANSWER);
    STEP_IS(ST_OPEN, EV_BOUND_RX, ST_BOUND_RX, DO_ANSWER);
    STEP_IS(ST_OPEN, EV_BOUND_TRX, ST_BOUND_TRX, DO_ANSWER);
    for (int s = ST_BOUND_TX; s < ST_COUNT; s++) {
        STEP_IS((enum smpp_state)s, EV_BOUND_TX, ST_NONE, DO_NOTHING);
        STEP_IS((enum smpp_state)s, EV_BOUND_TRX, ST_NONE, DO_NOTHING);
    }
}

static void the_peer_unbinds_after_its_answers(void **state)
{
    (void)state;
    for (int s = ST_BOUND_TX; s <= ST_UNBINDING; s++)
        STEP_IS((enum smpp_state)s, EV_PEER_UNBIND, ST_FINISHING, DO_FINISH | DO_ANSWER_LATER);
    STEP_IS(ST_FINISHING, EV_ANSWERED, ST_LINGER, DO_ANSWER | DO_LINGER);
    STEP_IS(ST_LINGER, EV_LOST, ST_CLOSED, DO_CLOSE);
}

static void we_unbind_and_wait_for_the_answer(void **state)
{
    (void)state;
    STEP_IS(ST_BOUND_RX, EV_UNBIND, ST_UNBINDING, DO_SEND_UNBIND);
    STEP_IS(ST_UNBINDING, EV_UNBIND, ST_UNBINDING, DO_NOTHING); /* asked twice: one unbind */
    STEP_IS(ST_UNBINDING, EV_UNBIND_RESP, ST_FINISHING, DO_FINISH);
    STEP_IS(ST_UNBINDING, EV_LOST, ST_CLOSED, DO_CLOSE);
    STEP_IS(ST_OPEN, EV_UNBIND, ST_CLOSED, DO_CLOSE);
}

/* Whatever happens to a connection can happen in every state it has: no pair may be missing. */
static void every_live_state_knows_these(void **state)
{
    static const enum smpp_event always[] = { EV_UNBIND, EV_HANG_UP, EV_LOST };

    (void)state;
    for (int s = ST_OPEN; s < ST_CLOSED; s++) {
        for (size_t e = 0; e < sizeof always / sizeof always[0]; e++)
            assert_int_not_equal(ST_NONE, smpp_fsm_step((enum smpp_state)s, always[e]).next);
        assert_int_equal(ST_CLOSED, smpp_fsm_step((enum smpp_state)s, EV_LOST).next);
    }
    for (int e = EV_NONE; e < EV_COUNT; e++)
        STEP_IS(ST_CLOSED, (enum smpp_event)e, ST_NONE, DO_NOTHING);
}

static void names_and_questions(void **state)
{
    (void)state;
    for (int s = ST_NONE; s < ST_COUNT; s++)
        assert_non_null(smpp_state_name((enum smpp_state)s));
    assert_string_equal("BOUND_TRX", smpp_state_name(ST_BOUND_TRX));
    assert_string_equal("CLOSED", smpp_state_name(ST_CLOSED));
    assert_true(smpp_state_is_bound(ST_BOUND_TX));
    assert_false(smpp_state_is_bound(ST_UNBINDING));
    assert_false(smpp_state_can_deliver(ST_BOUND_TX));
    assert_true(smpp_state_can_deliver(ST_BOUND_RX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binds_lead_from_open_only),
        cmocka_unit_test(the_peer_unbinds_after_its_answers),
        cmocka_unit_test(we_unbind_and_wait_for_the_answer),
        cmocka_unit_test(every_live_state_knows_these),
        cmocka_unit_test(names_and_questions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
