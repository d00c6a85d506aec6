/* test_book.c - the working set: pins, the ceiling, and copies the reader took too early. Memory store, real loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>
#include "gateway/book.h"

static uv_loop_t loop;
static struct store *store;
static struct book *book;
static int fetched, fetch_err;

static int setup(void **state)
{
    struct store_opts opts = { .url = "memory:" };
    char why[256];

    (void)state;
    fetched = 0;
    uv_loop_init(&loop);
    assert_int_equal(0, store_open(&loop, &opts, &store, why));
    book = book_create(store, 4, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    book_destroy(book);
    store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static struct message *make(uint64_t id)
{
    struct message facts = { .id = id,
                             .public_id = id,
                             .kind = MESSAGE_MT,
                             .dest = { "7999", 4 },
                             .text = { "x", 1 },
                             .p = { .id = id, .state = MESSAGE_QUEUED, .esme = 1 } };

    return message_create(&facts);
}

static void on_fetched(void *owner, uint64_t cookie, int err)
{
    (void)owner;
    (void)cookie;
    fetched++;
    fetch_err = err;
}

static void fetch(uint64_t id)
{
    int before = fetched;

    assert_int_equal(0, book_fetch(book, &id, 1, on_fetched, NULL, 0));
    assert_int_equal(before, fetched); /* never from inside the call */
    while (fetched == before)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(0, fetch_err);
}

static void put(uint64_t id)
{
    struct message *m = make(id);

    assert_int_equal(0, store_put(store, m, STORE_PLAIN, (struct store_done){ 0 }));
    store_flush(store);
    while (store_waiting(store) > 0)
        uv_run(&loop, UV_RUN_ONCE);
    message_destroy(m);
}

static void the_ceiling_forgets_the_oldest_unpinned(void **state)
{
    struct item *pinned = book_add_take(book, make(1));

    (void)state;
    for (uint64_t id = 2; id <= 7; id++)
        book_unpin(book, book_add_take(book, make(id)));
    assert_ptr_equal(pinned, book_find(book, 1));
    assert_null(book_find(book, 2));
    assert_null(book_find(book, 3));
    for (uint64_t id = 4; id <= 7; id++)
        assert_non_null(book_find(book, id));
    assert_int_equal(5, book_count(book));
    book_unpin(book, pinned);
    assert_null(book_find(book, 4));
}

static bool keeps_ticket(void *owner, struct item *item)
{
    (void)owner;
    return item->has_ticket;
}

static void what_must_stay_is_kept_above_the_ceiling(void **state)
{
    (void)state;
    book_set_keep(book, keeps_ticket, NULL);
    for (uint64_t id = 1; id <= 6; id++) {
        struct item *item = book_add_take(book, make(id));

        item->has_ticket = id <= 5;
        book_unpin(book, item);
    }
    for (uint64_t id = 1; id <= 5; id++)
        assert_non_null(book_find(book, id));
    assert_null(book_find(book, 6)); /* the first that may go */
    assert_int_equal(5, book_count(book));
    book_find(book, 3)->has_ticket = false;
    book_unpin(book, book_add_take(book, make(7)));
    assert_null(book_find(book, 3));
    assert_int_equal(4, book_count(book));
}

static void a_closed_message_is_forgotten_by_its_last_unpin(void **state)
{
    struct item *item = book_add_take(book, make(1));

    (void)state;
    book_pin(book, item);
    item->m->p.state = MESSAGE_CLOSED;
    book_unpin(book, item);
    assert_non_null(book_find(book, 1));
    book_unpin(book, item);
    assert_null(book_find(book, 1));
    assert_int_equal(0, book_bytes(book));
}

static void what_was_forgotten_can_be_fetched(void **state)
{
    (void)state;
    put(42);
    fetch(42);
    assert_non_null(book_find(book, 42));
    fetch(43);
    assert_null(book_find(book, 43));
}

static void a_copy_read_meanwhile_does_not_replace_the_one_in_the_book(void **state)
{
    (void)state;
    put(42);
    uint64_t id = 42;
    assert_int_equal(0, book_fetch(book, &id, 1, on_fetched, NULL, 0));
    struct message *newer = make(42);
    newer->p.state = MESSAGE_CLOSED;
    book_unpin(book, book_add_take(book, newer)); /* closed while the look-up was under way */
    while (fetched == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_null(book_find(book, 42)); /* the old copy did not come back to life */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_ceiling_forgets_the_oldest_unpinned, setup, teardown),
        cmocka_unit_test_setup_teardown(what_must_stay_is_kept_above_the_ceiling, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_message_is_forgotten_by_its_last_unpin, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_forgotten_can_be_fetched, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_read_meanwhile_does_not_replace_the_one_in_the_book, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
