/* test_queue.c - what goes into the next request: urgent first, fair, one message a phone, order kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "gateway/store/fake.h"
#include "upstream_world.h"

static uint64_t next_id;

static int setup(void **state)
{
    (void)state;
    next_id = 1;
    world_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return world_close();
}

static struct item *wait_for_turn(const char *system_id, const char *phone, const char *text, bool urgent)
{
    struct account *account = account_get(&gw, system_id);
    struct message facts = { .id = next_id,
                             .accepted_ms = clock_wall_ms(),
                             .public_id = next_id,
                             .kind = MESSAGE_MT,
                             .dest = { (char *)(uintptr_t)phone, strlen(phone) },
                             .text = { (char *)(uintptr_t)text, strlen(text) },
                             .p = { .id = next_id,
                                    .state = MESSAGE_QUEUED,
                                    .urgent = urgent,
                                    .esme = account->number,
                                    .upstream = up->number } };
    struct item *item = book_add_take(gw.book, message_create(&facts));

    next_id++;
    assert_int_equal(0, queue_add(&gw, account, up, urgent, item->m->id, false));
    return item;
}

static void gather_and_expect(size_t max, const uint64_t *ids, size_t count)
{
    struct item *items[16];

    assert_int_equal(count, queue_gather(up, items, max));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(ids[i], items[i]->m->id);
}

#define EXPECT(max, ...)                                                                                               \
    gather_and_expect(max, (const uint64_t[]){ __VA_ARGS__ }, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8)

static void urgent_goes_before_bulk(void **state)
{
    (void)state;
    wait_for_turn("a", "79990000001", "bulk", false);
    wait_for_turn("a", "79990000002", "bulk", false);
    wait_for_turn("b", "79990000003", "urgent", true);
    EXPECT(2, 3, 1);
    EXPECT(2, 2);
    assert_false(queue_has_work(up));
}

static void accounts_take_turns(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char phone[32];

        snprintf(phone, sizeof phone, "7999000000%d", i);
        wait_for_turn("a", phone, "many", false);
    }
    wait_for_turn("b", "79990000010", "few", false);
    wait_for_turn("b", "79990000011", "few", false);
    EXPECT(10, 1, 6, 2, 7, 3, 4, 5);
}

static void a_phone_is_in_one_request_at_a_time_and_keeps_its_order(void **state)
{
    (void)state;
    wait_for_turn("a", "79990000001", "first", false);
    wait_for_turn("a", "79990000001", "second", false);
    wait_for_turn("a", "+79990000001", "third", false);
    wait_for_turn("a", "79990000002", "other", false);
    EXPECT(10, 1, 4);
    struct item *none[1];
    assert_int_equal(0, queue_gather(up, none, 1));
    queue_phone_free(up, 79990000001u);
    EXPECT(10, 2);
    queue_phone_free(up, 79990000001u);
    EXPECT(10, 3);
}

static void what_cannot_share_a_list_travels_alone(void **state)
{
    (void)state;
    wait_for_turn("a", "79990000001", "plain", false);
    struct item *binary = wait_for_turn("a", "79990000002", "bin", false);
    binary->m->binary = true;
    binary->m->channel = SMSC_BINARY;
    struct item *failed = wait_for_turn("a", "79990000003", "plain", false);
    failed->together = 1;
    wait_for_turn("a", "79990000004", "plain", false);
    EXPECT(10, 1);
    EXPECT(10, 2);
    EXPECT(10, 3);
    EXPECT(10, 4);
}

static void closed_and_expired_messages_are_passed_over(void **state)
{
    (void)state;
    wait_for_turn("a", "79990000001", "cancelled", false)->m->p.state = MESSAGE_CLOSED;
    struct item *expired = wait_for_turn("a", "79990000002", "expired", false);
    expired->m->expires_ms = 1;
    wait_for_turn("a", "79990000003", "good", false);
    EXPECT(10, 3);
    assert_int_equal(SMPP_STATE_EXPIRED, expired->m->p.final);
}

/* cancel_sm while the disk is full: the message is passed over while its end is being stored, and that fails. */
static void an_end_that_is_not_stored_leaves_it_in_its_queue(void **state)
{
    struct item *item = wait_for_turn("a", "79990000001", "text", false);
    struct outcome outcome = { .final = SMPP_STATE_DELETED, .status = -100, .cost_e6 = -1 };
    struct item *none[1];

    (void)state;
    assert_int_equal(0, store_put(gw.store, item->m, STORE_PLAIN, (struct store_done){ 0 }));
    store_flush(gw.store);
    fake_store_fail(gw.store, 1);
    assert_int_equal(0, outcome_reached(&gw, item, &outcome, STORE_PLAIN, (struct store_done){ 0 }));
    assert_int_equal(0, queue_gather(up, none, 1));
    store_flush(gw.store);
    while (store_waiting(gw.store) > 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    EXPECT(1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(urgent_goes_before_bulk, setup, teardown),
        cmocka_unit_test_setup_teardown(accounts_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(a_phone_is_in_one_request_at_a_time_and_keeps_its_order, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_share_a_list_travels_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(closed_and_expired_messages_are_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_that_is_not_stored_leaves_it_in_its_queue, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
