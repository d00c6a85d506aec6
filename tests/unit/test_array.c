/* test_array.c - arrays that grow by doubling; a size that cannot be is a refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include "base/array.h"

static void items_stay_while_it_grows(void **state)
{
    uint32_t *numbers = NULL;
    size_t room = 0, grown = 0;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        size_t before = room;

        assert_true(array_room(&numbers, &room, i, sizeof *numbers));
        assert_true(room > i);
        grown += room != before;
        numbers[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(i, numbers[i]);
    assert_int_equal(8, grown); /* 8, 16, ... 1024 */
    free(numbers);
}

static void an_index_far_ahead_gets_room(void **state)
{
    char **names = NULL;
    size_t room = 0;

    (void)state;
    assert_true(array_room(&names, &room, 100, sizeof(char *)));
    assert_int_equal(128, room);
    free(names);
}

static void too_much_is_refused_and_nothing_changes(void **state)
{
    uint64_t *numbers = NULL;
    size_t room = 0;

    (void)state;
    assert_true(array_room(&numbers, &room, 0, sizeof *numbers));
    uint64_t *before = numbers;
    assert_false(array_room(&numbers, &room, SIZE_MAX / 16, sizeof *numbers));
    assert_false(array_room(&numbers, &room, SIZE_MAX - 1, sizeof *numbers));
    assert_ptr_equal(before, numbers);
    assert_int_equal(8, room);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_stay_while_it_grows),
        cmocka_unit_test(an_index_far_ahead_gets_room),
        cmocka_unit_test(too_much_is_refused_and_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
