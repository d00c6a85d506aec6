/* SPDX-License-Identifier: MIT */
/* test_rate.c - token buckets: burst, debt, refusal, change while they run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/rate.h"

enum { START = 5000 };

static void no_rate_is_no_limit(void **state)
{
    struct rate r = { 0 };
    uint64_t delay_ms;

    (void)state;
    rate_configure(&r, 0, 0);
    for (int i = 0; i < 10000; i++) {
        assert_true(rate_take(&r, START, 0, &delay_ms));
        assert_int_equal(0, delay_ms);
    }
    assert_int_equal(77, rate_available(&r, START, 77));
    assert_int_equal(0, rate_wait_ms(&r, START));
}

static void the_burst_passes_at_once_then_each_waits_its_turn(void **state)
{
    struct rate r = { 0 };
    uint64_t delay_ms;

    (void)state;
    rate_configure(&r, 10, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(rate_take(&r, START, 1000, &delay_ms));
        assert_int_equal(0, delay_ms);
    }
    for (unsigned i = 1; i <= 10; i++) {
        assert_true(rate_take(&r, START, 1000, &delay_ms));
        assert_int_equal(i * 100, delay_ms);
    }
    assert_false(rate_take(&r, START, 1000, &delay_ms)); /* over the budget: nothing is taken */
    assert_true(rate_take(&r, START + 100, 1000, &delay_ms));
    assert_int_equal(1000, delay_ms);
}

static void without_a_budget_the_rate_is_exact(void **state)
{
    struct rate r = { 0 };
    uint64_t delay_ms;
    unsigned passed = 0;

    (void)state;
    rate_configure(&r, 100, 5);
    for (uint64_t t = 0; t < 10000; t++)
        passed += rate_take(&r, START + t, 0, &delay_ms);
    assert_in_range(passed, 1004, 1005);
}

static void available_and_spend_serve_batches(void **state)
{
    struct rate r = { 0 };

    (void)state;
    rate_configure(&r, 1000, 50);
    assert_int_equal(50, rate_available(&r, START, 100));
    rate_spend(&r, 50);
    assert_int_equal(0, rate_available(&r, START, 100));
    assert_int_equal(1, rate_wait_ms(&r, START));
    assert_int_equal(20, rate_available(&r, START + 20, 100));
    rate_spend(&r, -5); /* given back */
    assert_int_equal(25, rate_available(&r, START + 20, 100));
}

static void a_burst_of_none_still_reaches_the_rate(void **state)
{
    struct rate r = { 0 };
    uint32_t sent = 0;

    (void)state;
    rate_configure(&r, 5000, 0);
    for (uint64_t t = 0; t < 10000; t += 10) { /* a timer that is late by ten ms each time */
        uint32_t n = rate_available(&r, START + t, 1000);

        rate_spend(&r, n);
        sent += n;
    }
    assert_in_range(sent, 49900, 50100);
}

static void a_lower_rate_holds_from_now_on(void **state)
{
    struct rate r = { 0 };

    (void)state;
    rate_configure(&r, 1000, 500);
    assert_int_equal(500, rate_available(&r, START, 1000));
    rate_configure(&r, 10, 2);
    assert_int_equal(2, rate_available(&r, START, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(the_burst_passes_at_once_then_each_waits_its_turn),
        cmocka_unit_test(without_a_budget_the_rate_is_exact),
        cmocka_unit_test(available_and_spend_serve_batches),
        cmocka_unit_test(a_burst_of_none_still_reaches_the_rate),
        cmocka_unit_test(a_lower_rate_holds_from_now_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
