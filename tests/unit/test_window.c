/* SPDX-License-Identifier: MIT */
/* test_window.c - requests under way: numbers, places, deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smpp/window.h"

static uint32_t add(struct smpp_window *w, uint64_t deadline_ms, uint64_t cookie)
{
    uint32_t sequence = 0;

    assert_int_equal(0, smpp_window_add(w, deadline_ms, cookie, &sequence));
    return sequence;
}

static void each_request_is_handed_back_once(void **state)
{
    struct smpp_window w;
    uint64_t cookie = 0;

    (void)state;
    smpp_window_init(&w, 3);
    assert_false(smpp_window_answer(&w, 1, &cookie));

    uint32_t a = add(&w, 100, 11), b = add(&w, 100, 12), c = add(&w, 100, 13);
    uint32_t unused;

    assert_int_equal(1, a);
    assert_int_equal(2, b);
    assert_int_equal(3, c);
    assert_int_equal(ERR_FULL, smpp_window_add(&w, 1, 1, &unused));
    assert_int_equal(0, smpp_window_room(&w));
    assert_true(smpp_window_answer(&w, b, &cookie));
    assert_int_equal(12, cookie);
    assert_false(smpp_window_answer(&w, b, &cookie));
    assert_false(smpp_window_answer(&w, 0, &cookie));
    assert_false(smpp_window_answer(&w, a + 4, &cookie)); /* the same place, another number */
    assert_false(smpp_window_answer(&w, 0x80000000u + a, &cookie));
    assert_int_equal(1, smpp_window_room(&w));
    assert_true(smpp_window_take_newest(&w, &cookie));
    assert_true(smpp_window_take_newest(&w, &cookie));
    assert_false(smpp_window_take_newest(&w, &cookie));
    smpp_window_finish(&w);
}

static void numbers_wrap_and_skip_those_in_use(void **state)
{
    struct smpp_window w;
    uint64_t cookie;

    (void)state;
    smpp_window_init(&w, 4);
    w.last = 0x7FFFFFFE;
    assert_int_equal(0x7FFFFFFF, add(&w, 1, 1));
    assert_int_equal(1, add(&w, 1, 2));
    assert_int_equal(2, smpp_window_next(&w));
    /* 0x7FFFFFFF still holds place 3, 1 holds place 1: the next ones go around them. */
    assert_int_equal(4, add(&w, 1, 3));
    assert_int_equal(6, add(&w, 1, 4));
    assert_true(smpp_window_answer(&w, 0x7FFFFFFF, &cookie));
    assert_int_equal(1, cookie);
    assert_int_equal(7, add(&w, 1, 5));
    while (smpp_window_take_newest(&w, &cookie))
        ;
    smpp_window_finish(&w);
}

static void the_newest_is_taken_first(void **state)
{
    struct smpp_window w;
    uint64_t cookie;

    (void)state;
    smpp_window_init(&w, 6); /* eight places: 6 7 8 9 10 11 go over their end */
    w.last = 5;
    for (uint32_t sequence = 6; sequence <= 11; sequence++)
        assert_int_equal(sequence, add(&w, 1, sequence));
    for (uint32_t sequence = 11; sequence >= 6; sequence--) {
        assert_true(smpp_window_take_newest(&w, &cookie));
        assert_int_equal(sequence, cookie);
    }
    assert_false(smpp_window_take_newest(&w, &cookie));
    smpp_window_finish(&w);
}

static void a_stuck_request_does_not_stop_the_others(void **state)
{
    struct smpp_window w;
    uint64_t cookie;

    (void)state;
    smpp_window_init(&w, 2);

    uint32_t stuck = add(&w, 1000, 42);

    for (uint64_t i = 0; i < 100; i++) {
        uint32_t sequence = add(&w, 1000, i);

        assert_int_not_equal(stuck, sequence);
        assert_true(smpp_window_answer(&w, sequence, &cookie));
        assert_int_equal(i, cookie);
    }
    assert_true(smpp_window_answer(&w, stuck, &cookie));
    assert_int_equal(42, cookie);
    smpp_window_finish(&w);
}

static void the_due_are_found_and_the_others_stay(void **state)
{
    struct smpp_window w;
    uint64_t cookie;

    (void)state;
    smpp_window_init(&w, 8);
    assert_int_equal(UINT64_MAX, w.earliest_ms);
    add(&w, 300, 3);
    add(&w, 100, 1);
    add(&w, 200, 2);
    assert_int_equal(100, w.earliest_ms);
    assert_false(smpp_window_take_due(&w, 99, &cookie));
    assert_true(smpp_window_take_due(&w, 200, &cookie));
    assert_true(smpp_window_take_due(&w, 200, &cookie));
    assert_false(smpp_window_take_due(&w, 200, &cookie));
    assert_int_equal(300, w.earliest_ms);
    assert_int_equal(1, w.count);
    assert_true(smpp_window_take_due(&w, 300, &cookie));
    assert_int_equal(3, cookie);
    assert_int_equal(UINT64_MAX, w.earliest_ms);
    smpp_window_finish(&w);
}

static void no_memory_before_the_first_request(void **state)
{
    struct smpp_window w;

    (void)state;
    smpp_window_init(&w, 1000);
    assert_null(w.slots);
    assert_int_equal(1, smpp_window_next(&w));
    assert_null(w.slots);
    smpp_window_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_is_handed_back_once),
        cmocka_unit_test(numbers_wrap_and_skip_those_in_use),
        cmocka_unit_test(the_newest_is_taken_first),
        cmocka_unit_test(a_stuck_request_does_not_stop_the_others),
        cmocka_unit_test(the_due_are_found_and_the_others_stay),
        cmocka_unit_test(no_memory_before_the_first_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
