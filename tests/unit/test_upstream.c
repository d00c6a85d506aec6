/*
 * test_upstream.c - from the claim to the request: what the store has refused must not leave. And what becomes of messages
 * whose upstream is not configured any more.
 */
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

/* --- an upstream without a configuration ------------------------------------------------------------------------- */

static int setup_gone(void **state)
{
    (void)state;
    world_open();
    return 0;
}

enum { HOUR_MS = 3600000 };

/* A message of so many hours ago that is in the store and not in memory, as after a start. */
static uint64_t stored(int hours, enum message_state state, uint64_t upid)
{
    int64_t then_ms = clock_wall_ms() - (int64_t)hours * HOUR_MS;
    struct message *m = message((uint64_t)then_ms * 1000000 + 1, "79990000001");

    m->accepted_ms = then_ms;
    m->registered_delivery = 1;
    m->p.state = (uint8_t)state;
    m->p.upid = upid;
    assert_int_equal(0, store_put(gw.store, m, STORE_PLAIN, (struct store_done){ 0 }));
    uint64_t id = m->id;
    message_destroy(m);
    store_flush(gw.store);
    account_get(&gw, "a")->queued++;
    return id;
}

static void look(void)
{
    for (int i = 0; i < 10; i++) {
        upstream_tick(up, clock_mono_ms() + 1);
        store_flush(gw.store);
        for (int k = 0; k < 100; k++)
            uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void what_waits_for_it_ends_after_give_up(void **state)
{
    uint64_t old = stored(25, MESSAGE_QUEUED, 0), young = stored(23, MESSAGE_QUEUED, 0);
    struct account *account = account_get(&gw, "a");

    (void)state;
    assert_null(up->cfg);
    assert_int_equal(0, queue_add(&gw, account, up, false, young, false));
    assert_int_equal(0, queue_add(&gw, account, up, false, old, false));
    look();
    struct item *item = book_find(gw.book, old);
    assert_non_null(item);
    assert_int_equal(SMPP_STATE_EXPIRED, item->m->p.final);
    assert_int_equal(MESSAGE_DELIVERING, item->m->p.state);
    assert_int_equal(1, account->deliveries.count);
    assert_int_equal(1, account->queued);
    assert_int_equal(young, lane_peek(&account->queues->lane, 0));
    assert_int_equal(1, account->queues->lane.count - account->queues->holes);
}

static void unclear(uint64_t id, uint64_t upid)
{
    struct send *send = send_create(&gw, up, upid, 1);

    assert_non_null(send);
    send->members[0] = (struct send_member){ .id = id, .phone = 79990000001u, .cost_e6 = -1 };
    send->at_ms = (int64_t)(upid / 1000000);
    send->state = SEND_UNCLEAR;
    send->holds_slot = send->repeated = true;
    queue_phone_take(up, 79990000001u);
    reconcile_add(send, 0);
}

static void nobody_can_be_asked_the_receipt_says_so_after_give_up(void **state)
{
    uint64_t id = (uint64_t)(clock_wall_ms() - 25LL * HOUR_MS) * 1000000 + 5;

    (void)state;
    unclear(stored(25, MESSAGE_SENDING, id), id);
    look();
    assert_int_equal(0, HASH_COUNT(gw.sends));
    assert_int_equal(0, up->unclear_count);
    assert_false(queue_phone_busy(up, 79990000001u));
    assert_int_equal(0, account_get(&gw, "a")->queued);
    assert_int_equal(1, account_get(&gw, "a")->deliveries.count);
    struct item *item = book_find(gw.book, lane_peek(&account_get(&gw, "a")->deliveries, 0));
    assert_int_equal(SMPP_STATE_UNKNOWN, item->m->p.final);
}

static void until_then_it_waits_for_its_configuration(void **state)
{
    uint64_t id = (uint64_t)(clock_wall_ms() - 23LL * HOUR_MS) * 1000000 + 5;

    (void)state;
    unclear(stored(23, MESSAGE_SENDING, id), id);
    look();
    assert_int_equal(1, HASH_COUNT(gw.sends));
    assert_int_equal(1, up->unclear.count);
    assert_true(queue_phone_busy(up, 79990000001u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_message_does_not_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(its_neighbours_do, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_for_it_ends_after_give_up, setup_gone, teardown),
        cmocka_unit_test_setup_teardown(nobody_can_be_asked_the_receipt_says_so_after_give_up, setup_gone, teardown),
        cmocka_unit_test_setup_teardown(until_then_it_waits_for_its_configuration, setup_gone, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
