/* test_lane.c - the line of ids and the heap of due times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "gateway/heap.h"
#include "gateway/lane.h"

static void ids_leave_in_order_of_arrival_across_growth(void **state)
{
    struct lane lane = { 0 };

    (void)state;
    for (uint64_t id = 1; id <= 1000; id++) {
        assert_int_equal(0, lane_push(&lane, id));
        if (id % 3 == 0)
            assert_int_equal(id / 3, lane_pop(&lane)); /* keeps the head away from the ring's start */
    }
    assert_int_equal(1000 - 333, lane.count);
    for (uint64_t id = 334; id <= 1000; id++) {
        assert_int_equal(id, lane_peek(&lane, 0));
        assert_int_equal(id, lane_pop(&lane));
    }
    lane_finish(&lane);
}

static void what_goes_back_to_the_front_leaves_first(void **state)
{
    struct lane lane = { 0 };

    (void)state;
    assert_int_equal(0, lane_push_front(&lane, 3));
    assert_int_equal(0, lane_push(&lane, 4));
    assert_int_equal(0, lane_push_front(&lane, 2));
    assert_int_equal(0, lane_push_front(&lane, 1));
    assert_int_equal(4, lane_peek(&lane, 3));
    for (uint64_t id = 1; id <= 4; id++)
        assert_int_equal(id, lane_pop(&lane));
    lane_finish(&lane);
}

static void the_heap_gives_what_is_due_earliest_first_and_nothing_early(void **state)
{
    struct heap heap = { 0 };
    struct heap_entry entry;
    int64_t last = 0;

    (void)state;
    assert_int_equal(INT64_MAX, heap_next(&heap));
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(0, heap_push(&heap, (int64_t)(i * 7919 % 500), i));
    assert_int_equal(0, heap_next(&heap));
    for (int i = 0; i < 250; i++) {
        assert_true(heap_pop(&heap, 249, &entry));
        assert_true(entry.due_ms >= last);
        last = entry.due_ms;
    }
    assert_false(heap_pop(&heap, 249, &entry));
    assert_int_equal(250, heap_next(&heap));
    heap_finish(&heap);
}

static void equal_times_leave_in_id_order(void **state)
{
    struct heap heap = { 0 };
    struct heap_entry entry;

    (void)state;
    for (uint64_t id = 100; id > 0; id--)
        assert_int_equal(0, heap_push(&heap, 5, id));
    for (uint64_t id = 1; id <= 100; id++) {
        assert_true(heap_pop(&heap, 5, &entry));
        assert_int_equal(id, entry.id);
    }
    heap_finish(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_leave_in_order_of_arrival_across_growth),
        cmocka_unit_test(what_goes_back_to_the_front_leaves_first),
        cmocka_unit_test(the_heap_gives_what_is_due_earliest_first_and_nothing_early),
        cmocka_unit_test(equal_times_leave_in_id_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
