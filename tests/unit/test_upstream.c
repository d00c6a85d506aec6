/* test_upstream.c - from the claim to the request: what the store has refused must not leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "upstream_world.h"

static int setup(void **state)
{
    (void)state;
    world_open();
    return upstream_configure(up, &gw.config->upstreams[0]);
}

static int teardown(void **state)
{
    (void)state;
    return world_close();
}

static struct message *message(uint64_t id, const char *phone)
{
    struct message facts = { .id = id,
                             .public_id = id,
                             .kind = MESSAGE_MT,
                             .accepted_ms = clock_wall_ms(),
                             .dest = { (char *)(uintptr_t)phone, strlen(phone) },
                             .text = { (char *)(uintptr_t) "text", 4 },
                             .p = { .id = id,
                                    .state = MESSAGE_QUEUED,
                                    .esme = account_get(&gw, "a")->number,
                                    .upstream = up->number,
                                    .cost_e6 = -1 } };

    return message_create(&facts);
}

/* One turn's end, and what the store says to it. */
static void turn(void)
{
    upstream_pump(up);
    submit_flush(&gw);
    upstream_flush(&gw);
    store_flush(gw.store);
    for (int i = 0; i < 100 && store_waiting(gw.store) > 0; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

/* The id is taken: the store refuses this message alone, and commits the claim of its request. */
static void occupy(uint64_t id)
{
    struct message *other = message(id, "79990000009");

    assert_int_equal(0, store_put(gw.store, other, STORE_PLAIN, (struct store_done){ 0 }));
    store_flush(gw.store);
    message_destroy(other);
}

static void a_refused_message_does_not_leave(void **state)
{
    uint64_t id = store_next_id(gw.store);

    (void)state;
    occupy(id);
    assert_int_equal(0, submit_take(&gw, message(id, "79990000001"), NULL));
    turn();
    assert_int_equal(0, HASH_COUNT(gw.sends));
    assert_int_equal(0, up->in_flight);
    assert_int_equal(0, up->requesting);
    assert_int_equal(0, account_get(&gw, "a")->queued);
    assert_false(queue_phone_busy(up, 79990000001u));
}

static void its_neighbours_do(void **state)
{
    uint64_t first = store_next_id(gw.store), second = store_next_id(gw.store), third = store_next_id(gw.store);

    (void)state;
    occupy(second);
    assert_int_equal(0, submit_take(&gw, message(first, "79990000001"), NULL));
    assert_int_equal(0, submit_take(&gw, message(second, "79990000002"), NULL));
    assert_int_equal(0, submit_take(&gw, message(third, "79990000003"), NULL));
    turn();
    assert_int_equal(1, HASH_COUNT(gw.sends));
    assert_int_equal(2, gw.sends->member_count);
    assert_int_equal(first, gw.sends->members[0].id);
    assert_int_equal(third, gw.sends->members[1].id);
    assert_int_equal(1, up->requesting);
    assert_false(queue_phone_busy(up, 79990000002u));
    assert_true(queue_phone_busy(up, 79990000003u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_message_does_not_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(its_neighbours_do, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
