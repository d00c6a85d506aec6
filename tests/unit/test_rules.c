/* SPDX-License-Identifier: MIT */
/* test_rules.c - the aggregator's limits [smsc-api 1.5, 2.4], with a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/rules.h"

enum { START = 1000000 };

static struct rules *make(void)
{
    struct rules_limits limits;

    rules_defaults(&limits);
    struct rules *r = rules_create(&limits);
    assert_non_null(r);
    rules_login_good(r);
    return r;
}

/* A request that ends at once; returns what it would have had to wait. */
static uint64_t ask(struct rules *r, enum rule_method method, uint64_t key, uint64_t now_ms)
{
    uint64_t wait_ms = rules_wait_ms(r, method, key, now_ms);

    if (wait_ms == 0) {
        rules_start(r, method, key, now_ms);
        rules_end(r, method);
    }
    return wait_ms;
}

static void each_window_lets_through_what_is_published(void **state)
{
    static const struct {
        enum rule_method method;
        unsigned same_key, any_key; /* how many pass in one minute, 0 = all that are tried here */
    } table[] = {
        { RULE_COST, 5, 0 },    { RULE_STATUS, 5, 0 },     { RULE_STATUS_MASS, 1, 1 }, { RULE_BALANCE, 10, 10 },
        { RULE_GET, 3, 0 },     { RULE_ANSWERS, 3, 0 },    { RULE_STAT, 3, 3 },        { RULE_OPERATOR, 3, 99 },
        { RULE_TINYURL, 3, 0 }, { RULE_WAIT_CALL, 50, 0 }, { RULE_OTHER, 0, 0 },
    };
    enum { TRIES = 200 };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (int any = 0; any < 2; any++) {
            struct rules *r = make();
            unsigned passed = 0, expected = any ? table[i].any_key : table[i].same_key;

            for (unsigned k = 0; k < TRIES; k++)
                passed += ask(r, table[i].method, any ? k : 7, START + k) == 0;
            assert_int_equal(expected == 0 ? TRIES : expected, passed);
            if (expected != 0) { /* the first has left the window: one more, not two */
                assert_int_not_equal(0, ask(r, table[i].method, any ? 900 : 7, START + 60999));
                assert_int_equal(0, ask(r, table[i].method, any ? 900 : 7, START + 61000));
                assert_int_not_equal(0, ask(r, table[i].method, any ? 901 : 7, START + 61000));
            }
            rules_destroy(r);
        }
    }
}

static void the_wait_told_is_the_time_until_it_passes(void **state)
{
    struct rules *r = make();

    (void)state;
    assert_int_equal(0, ask(r, RULE_STATUS_MASS, 0, START));
    assert_int_equal(61000 - 400, ask(r, RULE_STATUS_MASS, 0, START + 400));
    assert_int_equal(0, ask(r, RULE_STATUS_MASS, 0, START + 61000));
    rules_destroy(r);
}

static void an_operator_may_choose_a_shorter_window_for_one_method(void **state)
{
    struct rules_limits limits;

    (void)state;
    rules_defaults(&limits);
    limits.window_of[RULE_STATUS_MASS] = 1000;
    limits.window_of[RULE_GET] = 90000; /* longer: the aggregator's own stands */
    struct rules *r = rules_create(&limits);
    assert_non_null(r);
    rules_login_good(r);
    assert_int_equal(0, ask(r, RULE_STATUS_MASS, 1, START));
    assert_int_equal(600, ask(r, RULE_STATUS_MASS, 2, START + 400));
    assert_int_equal(0, ask(r, RULE_STATUS_MASS, 2, START + 1000));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(0, ask(r, RULE_GET, 1, START));
    assert_int_equal(1, ask(r, RULE_GET, 1, START + 60999));
    assert_int_equal(0, ask(r, RULE_GET, 1, START + 61000));
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(0, ask(r, RULE_BALANCE, 0, START));
    assert_int_not_equal(0, ask(r, RULE_BALANCE, 0, START + 2000)); /* the others keep theirs */
    rules_destroy(r);
}

static void fourteen_at_once_of_them_four_on_status(void **state)
{
    struct rules *r = make();

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(0, rules_wait_ms(r, RULE_STATUS, i, START));
        rules_start(r, RULE_STATUS, i, START);
    }
    assert_true(rules_wait_ms(r, RULE_STATUS, 9, START) == RULES_SLOT);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(0, rules_wait_ms(r, RULE_SEND, 0, START));
        rules_start(r, RULE_SEND, 0, START);
    }
    assert_true(rules_wait_ms(r, RULE_SEND, 0, START) == RULES_SLOT);
    rules_end(r, RULE_SEND);
    assert_int_equal(0, rules_wait_ms(r, RULE_SEND, 0, START));
    rules_destroy(r);
}

static void a_freed_slot_is_kept_for_the_method_that_was_refused(void **state)
{
    struct rules *r = make();

    (void)state;
    for (unsigned i = 0; i < 14; i++)
        rules_start(r, RULE_SEND, 0, START);
    assert_true(rules_wait_ms(r, RULE_BALANCE, 0, START) == RULES_SLOT);
    rules_end(r, RULE_SEND);
    assert_true(rules_wait_ms(r, RULE_SEND, 0, START) == RULES_SLOT);
    assert_int_equal(0, rules_wait_ms(r, RULE_BALANCE, 0, START));
    rules_start(r, RULE_BALANCE, 0, START);
    rules_end(r, RULE_BALANCE);
    assert_int_equal(0, rules_wait_ms(r, RULE_SEND, 0, START));
    rules_destroy(r);
}

static void an_unproven_login_gets_one_request_at_a_time(void **state)
{
    struct rules *r = make();

    (void)state;
    rules_login_unproven(r);
    assert_int_equal(0, rules_wait_ms(r, RULE_SEND, 0, START));
    rules_start(r, RULE_SEND, 0, START);
    assert_true(rules_wait_ms(r, RULE_SEND, 0, START) == RULES_SLOT);
    assert_true(rules_wait_ms(r, RULE_BALANCE, 0, START) == RULES_SLOT);
    rules_login_good(r);
    assert_int_equal(0, rules_wait_ms(r, RULE_SEND, 0, START));
    rules_destroy(r);
}

static void a_run_of_refused_sends_stops_before_a_hundred(void **state)
{
    struct rules *r = make();
    unsigned sent = 0;

    (void)state;
    while (rules_wait_ms(r, RULE_SEND, 0, START + sent) == 0 && sent < 200)
        rules_send_result(r, true, START + sent++);
    assert_in_range(sent + 14, 50, 99); /* even when those under way are refused as well */
    assert_int_not_equal(0, rules_wait_ms(r, RULE_SEND, 0, START + 590000));
    assert_int_equal(0, rules_wait_ms(r, RULE_SEND, 0, START + 602000));
    rules_forgive(r);
    assert_int_equal(0, rules_wait_ms(r, RULE_SEND, 0, START));
    rules_destroy(r);
}

static void one_good_send_ends_the_run(void **state)
{
    struct rules *r = make();

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        rules_send_result(r, i % 50 != 49, START + i);
        assert_int_equal(0, rules_wait_ms(r, RULE_SEND, 0, START + i));
    }
    rules_destroy(r);
}

static void the_same_send_waits_a_minute(void **state)
{
    struct rules *r = make();

    (void)state;
    assert_int_equal(61000, rules_repeat_wait_ms(r, 0));
    assert_int_equal(1, rules_repeat_wait_ms(r, 60999));
    assert_int_equal(0, rules_repeat_wait_ms(r, 61000));
    rules_destroy(r);
}

static void a_flood_to_one_subscriber_is_held_and_nobody_elses(void **state)
{
    struct rules *r = make();
    uint64_t now_ms = START;

    (void)state;
    for (unsigned i = 0; i < 50; i++, now_ms += 1000) {
        assert_int_equal(0, rules_flood_wait_ms(r, 79990000001, now_ms));
        rules_flood_count(r, 79990000001, now_ms);
    }
    uint64_t wait_ms = rules_flood_wait_ms(r, 79990000001, now_ms);
    assert_in_range(wait_ms, 28000, 30100);
    assert_int_equal(0, rules_flood_wait_ms(r, 79990000002, now_ms));
    now_ms += wait_ms;
    assert_int_equal(0, rules_flood_wait_ms(r, 79990000001, now_ms));
    rules_flood_count(r, 79990000001, now_ms); /* the gap was kept: a new run */
    assert_int_equal(0, rules_flood_wait_ms(r, 79990000001, now_ms + 1));
    rules_destroy(r);
}

static void slow_traffic_to_one_subscriber_is_no_flood(void **state)
{
    struct rules *r = make();

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(0, rules_flood_wait_ms(r, 5, START + i * 31000ULL));
        rules_flood_count(r, 5, START + i * 31000ULL);
    }
    rules_destroy(r);
}

static void a_flood_is_seen_among_many_subscribers(void **state)
{
    struct rules *r = make();
    uint64_t other = 79000000000;

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        rules_flood_count(r, 79990000001, START + i * 100);
        for (unsigned k = 0; k < 1000; k++)
            rules_flood_count(r, other++, START + i * 100);
    }
    assert_int_not_equal(0, rules_flood_wait_ms(r, 79990000001, START + 5000));
    rules_destroy(r);
}

static void a_changed_table_holds_at_once(void **state)
{
    struct rules *r = make();
    struct rules_limits limits = *rules_limits_of(r);

    (void)state;
    assert_int_equal(0, ask(r, RULE_STATUS_MASS, 0, START));
    limits.any[RULE_STATUS_MASS] = 2;
    limits.window_ms = 1000;
    limits.in_flight = 1;
    rules_configure(r, &limits);
    assert_int_equal(0, ask(r, RULE_STATUS_MASS, 0, START));
    assert_int_equal(0, ask(r, RULE_STATUS_MASS, 0, START));
    assert_int_equal(1000, ask(r, RULE_STATUS_MASS, 0, START));
    rules_start(r, RULE_SEND, 0, START);
    assert_true(rules_wait_ms(r, RULE_SEND, 0, START) == RULES_SLOT);
    rules_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_window_lets_through_what_is_published),
        cmocka_unit_test(the_wait_told_is_the_time_until_it_passes),
        cmocka_unit_test(an_operator_may_choose_a_shorter_window_for_one_method),
        cmocka_unit_test(fourteen_at_once_of_them_four_on_status),
        cmocka_unit_test(a_freed_slot_is_kept_for_the_method_that_was_refused),
        cmocka_unit_test(an_unproven_login_gets_one_request_at_a_time),
        cmocka_unit_test(a_run_of_refused_sends_stops_before_a_hundred),
        cmocka_unit_test(one_good_send_ends_the_run),
        cmocka_unit_test(the_same_send_waits_a_minute),
        cmocka_unit_test(a_flood_to_one_subscriber_is_held_and_nobody_elses),
        cmocka_unit_test(slow_traffic_to_one_subscriber_is_no_flood),
        cmocka_unit_test(a_flood_is_seen_among_many_subscribers),
        cmocka_unit_test(a_changed_table_holds_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
