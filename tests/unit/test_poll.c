/* SPDX-License-Identifier: MIT */
/* test_poll.c - when a message without a status is asked about again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/internal.h"

enum { SECOND = 1000, MINUTES = 60000, HOURS = 3600000 };

static const int64_t FOREVER = INT64_MAX / 2;

static void questions_come_at_growing_intervals(void **state)
{
    int64_t age_ms = 10 * MINUTES, last_ms = 0; /* the first question, after status_after */
    unsigned questions = 1;

    (void)state;
    for (; age_ms < 24 * HOURS; questions++) {
        int64_t wait_ms = poll_wait_ms(10 * MINUTES, age_ms, FOREVER);

        assert_true(wait_ms >= last_ms);
        last_ms = wait_ms;
        age_ms += wait_ms;
    }
    assert_in_range(questions, 8, 20); /* a day without a status costs a dozen questions, not a hundred and forty */
    assert_int_equal(6 * HOURS, last_ms);
}

static void no_message_is_asked_about_more_often_than_allowed(void **state)
{
    (void)state;
    for (int64_t age_ms = 0; age_ms < 10 * MINUTES; age_ms += 7 * SECOND) {
        assert_true(poll_wait_ms(SECOND, age_ms, FOREVER) >= 15 * SECOND); /* five a minute [smsc-api 2.4] */
        assert_true(poll_wait_ms(SECOND, age_ms, 0) >= 15 * SECOND);
    }
    assert_int_equal(15 * SECOND, poll_wait_ms(SECOND, 0, FOREVER));
    assert_int_equal(40 * SECOND, poll_wait_ms(40 * SECOND, 0, FOREVER));
    assert_int_equal(50 * SECOND, poll_wait_ms(SECOND, 100 * SECOND, FOREVER));
}

static void the_end_of_its_time_is_looked_at_when_it_comes(void **state)
{
    (void)state;
    assert_int_equal(2 * MINUTES, poll_wait_ms(10 * MINUTES, 1 * HOURS, 2 * MINUTES));
    assert_int_equal(30 * MINUTES, poll_wait_ms(10 * MINUTES, 1 * HOURS, 31 * MINUTES));
    assert_int_equal(15 * SECOND,
                     poll_wait_ms(10 * MINUTES, 25 * HOURS, -5 * MINUTES)); /* over, and nobody could be asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_come_at_growing_intervals),
        cmocka_unit_test(no_message_is_asked_about_more_often_than_allowed),
        cmocka_unit_test(the_end_of_its_time_is_looked_at_when_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
