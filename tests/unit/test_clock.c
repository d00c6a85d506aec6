/* SPDX-License-Identifier: MIT */
/* test_clock.c - the fake stands still, the real one never goes back, ISO text is right at the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

static void the_fake_stands_still(void **state)
{
    (void)state;
    clock_fake(5, -7);
    assert_int_equal(5, clock_mono_ms());
    assert_int_equal(-7, clock_wall_ms());
    clock_fake(6, 8);
    assert_int_equal(6, clock_mono_ms());
    clock_fake_end();
    assert_true(clock_wall_ms() > 1700000000000);
}

static void monotonic_never_goes_back(void **state)
{
    uint64_t last = clock_mono_ns();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void iso_text(void **state)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 1709164800123, "2024-02-29T00:00:00.123Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { INT64_MAX, "1970-01-01T00:00:00.000Z" }, /* beyond four digits of year: not a time we can write */
        { 253402300800000, "1970-01-01T00:00:00.000Z" },
    };
    char text[CLOCK_ISO_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clock_iso(cases[i].wall_ms, text);
        assert_string_equal(cases[i].text, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_stands_still),
        cmocka_unit_test(monotonic_never_goes_back),
        cmocka_unit_test(iso_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
