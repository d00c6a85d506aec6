/* SPDX-License-Identifier: MIT */
/* test_zonetime.c - dates of get_answers [smsc-api 12.2]. The C library's calendar is the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "gateway/zonetime.h"

static void each_day_is_what_the_calendar_says(void **state)
{
    (void)state;
    for (time_t at = 0; at < (time_t)4102444800; at += 86400 - 3) { /* to 2100: another second of each day */
        struct tm tm;
        char text[32];

        assert_non_null(gmtime_r(&at, &tm));
        strftime(text, sizeof text, "%d.%m.%Y %H:%M:%S", &tm);
        if (zonetime_read(text, 0) != (int64_t)at)
            fail_msg("%s is %lld", text, (long long)zonetime_read(text, 0));
    }
}

static void the_zone_counts(void **state)
{
    (void)state;
    int64_t utc = zonetime_read("29.02.2028 12:00:00", 0);

    assert_int_equal(1835438400, utc);
    assert_int_equal(utc - 3 * 3600, zonetime_read("29.02.2028 12:00:00", 3));
    assert_int_equal(utc + 5 * 3600, zonetime_read("29.02.2028 12:00:00", -5));
    assert_int_equal(utc - 19800, zonetime_read("29.02.2028 12:00:00", 5.5));
    assert_int_equal(zonetime_read("31.12.2026 22:30:00", 0), zonetime_read("01.01.2027 01:30:00", 3));
}

static void what_is_no_date_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "yesterday",
        "22.11.2026",
        "22.11.2026 10:20",
        "22.11.2026 10:20:",
        "22.11.2026 10:20:30 ",
        "22.11.2026 10:20:30Z",
        "2026-11-22 10:20:30",
        "22.11.2026T10:20:30",
        "22/11/2026 10:20:30",
        "00.11.2026 10:20:30",
        "31.11.2026 10:20:30",
        "29.02.2027 10:20:30",
        "29.02.2100 10:20:30",
        "22.00.2026 10:20:30",
        "22.13.2026 10:20:30",
        "22.11.1969 10:20:30",
        "22.11.26 10:20:30",
        "22.11.20261 10:20:30",
        "22.11.2026 24:00:00",
        "22.11.2026 10:60:00",
        "22.11.2026 10:20:61",
        "22.11.2026 10:20:300",
        "-2.11.2026 10:20:30",
        "122.11.2026 10:20:30",
        ".11.2026 10:20:30",
        "22.11.2026  10:20:30",
        "99999999999999999999.11.2026 10:20:30",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (zonetime_read(bad[i], 3) != 0)
            fail_msg("\"%s\" was taken for a date", bad[i]);
    }
    assert_int_equal(zonetime_read("05.03.2026 07:08:09", 3),
                     zonetime_read("5.3.2026 7:8:9", 3)); /* digits may be fewer */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_day_is_what_the_calendar_says),
        cmocka_unit_test(the_zone_counts),
        cmocka_unit_test(what_is_no_date_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
