/* SPDX-License-Identifier: MIT */
/* test_descriptors.c - descriptors in use are counted without listing them, to the last one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/descriptors.h"

static void descriptors_are_counted_to_the_last(void **state)
{
    enum { LIMIT = 100 };
    struct rlimit limit;

    (void)state;
    assert_int_equal(0, close_range(3, ~0U, 0)); /* what the test's parent left open */
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC), last = first;

    assert_true(first >= 0 && first < LIMIT / 2);
    uint64_t before = descriptors_in_use(first, LIMIT);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = LIMIT;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
    for (int fd = dup(first); fd >= 0; fd = dup(first)) {
        last = fd;
        assert_int_equal(fd + 1 < LIMIT ? fd + 1 : LIMIT, descriptors_lowest_free(first, LIMIT));
        assert_int_equal(before + (uint64_t)(fd - first), descriptors_in_use(first, LIMIT));
    }
    assert_int_equal(LIMIT - 1, last);
    for (int fd = first + 1; fd <= last; fd++)
        assert_int_equal(0, close(fd));
    assert_int_equal(first + 1, descriptors_lowest_free(first, LIMIT));
    assert_int_equal(0, close(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(descriptors_are_counted_to_the_last) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
