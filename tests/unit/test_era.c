/* test_era.c - a wall clock that is set while we run: ages are what has passed, and nothing is removed for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "gateway/internal.h"

enum { HOUR = 3600000, DAY = 24 * HOUR };

static const int64_t start_ms = INT64_C(1790000000000);

static uv_loop_t loop;
static struct gateway gw;
static uint64_t mono_ms;
static int64_t offset_ms; /* of the wall clock */

static void set(void)
{
    clock_fake(mono_ms, start_ms + (int64_t)mono_ms + offset_ms);
}

static void pass(uint64_t ms)
{
    for (; ms > 0; ms -= ms < 1000 ? ms : 1000) { /* the gateway looks all the time */
        mono_ms += ms < 1000 ? ms : 1000;
        set();
        (void)era_wall_ms(&gw);
    }
}

static void jump(int64_t by_ms)
{
    offset_ms += by_ms;
    set();
    (void)era_wall_ms(&gw);
}

static int setup(void **state)
{
    struct store_opts opts = { .url = "memory:" };
    char why[256];

    (void)state;
    memset(&gw, 0, sizeof gw);
    mono_ms = 1000;
    offset_ms = 0;
    set();
    uv_loop_init(&loop);
    gw.loop = &loop;
    meters_register(&gw.meters);
    assert_int_equal(0, store_open(&loop, &opts, &gw.store, why));
    (void)era_wall_ms(&gw);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clock_fake_end();
    store_close(gw.store);
    uv_run(&loop, UV_RUN_DEFAULT);
    metrics_reset();
    return uv_loop_close(&loop);
}

static int64_t age(uint64_t id, int64_t since_ms)
{
    return era_now_ms(&gw, id) - since_ms;
}

static void ages_are_what_has_passed(void **state)
{
    const int64_t jumps[] = { DAY, -DAY, -HOUR, 400LL * DAY };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
        uint64_t before = store_next_id(gw.store);
        int64_t before_ms = era_wall_ms(&gw);

        pass(2 * HOUR);
        jump(jumps[i]);
        uint64_t after = store_next_id(gw.store);
        int64_t after_ms = era_wall_ms(&gw);

        assert_true(after > before);
        assert_int_equal(2 * HOUR, age(before, before_ms));
        assert_int_equal(0, age(after, after_ms));
        pass(HOUR);
        assert_int_equal(3 * HOUR, age(before, before_ms));
        assert_int_equal(HOUR, age(after, after_ms));
    }
    assert_int_equal(ARRAY_LEN(jumps), (int)gw.meters.clock_jumps->value);
}

static void jumps_add_up(void **state)
{
    uint64_t first = store_next_id(gw.store);
    int64_t first_ms = era_wall_ms(&gw);

    (void)state;
    jump(DAY);
    uint64_t second = store_next_id(gw.store);
    int64_t second_ms = era_wall_ms(&gw);
    jump(-2 * DAY);
    pass(HOUR);
    assert_int_equal(HOUR, age(first, first_ms));
    assert_int_equal(HOUR, age(second, second_ms));
}

static void a_clock_that_is_steered_has_not_jumped(void **state)
{
    uint64_t id = store_next_id(gw.store);
    int64_t since_ms = era_wall_ms(&gw);

    (void)state;
    for (int i = 0; i < 1000; i++)
        jump(500);
    assert_int_equal(0, (int)gw.meters.clock_jumps->value);
    assert_int_equal(500000, age(id, since_ms));
}

static void many_jumps_are_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * ERA_JUMPS_MAX; i++) {
        jump(i % 2 == 0 ? DAY : -DAY);
        (void)store_next_id(gw.store);
    }
    assert_int_equal(ERA_JUMPS_MAX, gw.era.count);
    uint64_t id = store_next_id(gw.store);
    int64_t since_ms = era_wall_ms(&gw);
    jump(DAY);
    pass(HOUR);
    assert_int_equal(HOUR, age(id, since_ms));
}

static void a_clock_set_ahead_removes_nothing_for_a_day(void **state)
{
    int64_t before_ms = era_retention_ms(&gw);

    (void)state;
    jump(400LL * DAY);
    assert_int_equal(before_ms, era_retention_ms(&gw));
    pass(23 * HOUR);
    assert_int_equal(before_ms + 23 * HOUR, era_retention_ms(&gw));
    jump(-400LL * DAY); /* it was a mistake */
    assert_int_equal(before_ms + 23 * HOUR, era_retention_ms(&gw));
    pass(30 * HOUR);
    assert_int_equal(era_wall_ms(&gw), era_retention_ms(&gw));

    jump(400LL * DAY); /* it was none */
    pass(25 * HOUR);
    assert_int_equal(era_wall_ms(&gw), era_retention_ms(&gw));
}

static void an_order_to_drop_means_what_waited_then(void **state)
{
    struct account account = { .system_id = "a", .dropped_at_ms = start_ms };
    struct account *one = &account;

    (void)state;
    HASH_ADD_STR(gw.accounts, system_id, one);
    jump(-HOUR);
    assert_int_equal(start_ms - HOUR, account.dropped_at_ms);
    assert_true(era_wall_ms(&gw) > account.dropped_at_ms); /* what comes now is not dropped */
    HASH_DEL(gw.accounts, one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ages_are_what_has_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(jumps_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_is_steered_has_not_jumped, setup, teardown),
        cmocka_unit_test_setup_teardown(many_jumps_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_set_ahead_removes_nothing_for_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(an_order_to_drop_means_what_waited_then, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
