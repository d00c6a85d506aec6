/* SPDX-License-Identifier: MIT */
/* test_smpptime.c - times of SMPP [SMPP34 7.1.1] against a table and against the C library's own calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "smpp/smpptime.h"

#define NOW INT64_C(1706700896789) /* 2024-01-31 11:34:56.789 UTC */

static struct smpp_str view(const char *s)
{
    return (struct smpp_str){ s, strlen(s) };
}

static int64_t utc_ms(int year, int month, int day, int hour, int minute, int second)
{
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };

    tm.tm_hour = hour;
    tm.tm_min = minute;
    tm.tm_sec = second;
    return (int64_t)timegm(&tm) * 1000;
}

static void good_times_are_read(void **state)
{
    const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        { "", 0 },
        { "240131113456700+", utc_ms(2024, 1, 31, 11, 34, 56) + 700 },
        { "240229000000000+", utc_ms(2024, 2, 29, 0, 0, 0) }, /* leap year */
        { "000229235959900+", utc_ms(2000, 2, 29, 23, 59, 59) + 900 },
        { "691231235959000+", utc_ms(2069, 12, 31, 23, 59, 59) },
        { "700101000001000+", 1000 },
        { "991231235959000+", utc_ms(1999, 12, 31, 23, 59, 59) },
        { "700101000000000+", 1 },                               /* never the 0 of an empty field */
        { "240131143456012+", utc_ms(2024, 1, 31, 11, 34, 56) }, /* Moscow, three hours ahead */
        { "240131083456012-", utc_ms(2024, 1, 31, 11, 34, 56) }, /* three hours behind */
        { "240131171956023+", utc_ms(2024, 1, 31, 11, 34, 56) }, /* Kathmandu, 5:45 */
        { "240301000000048+", utc_ms(2024, 2, 29, 12, 0, 0) },   /* across the leap day */
        { "231231120000048-", utc_ms(2024, 1, 1, 0, 0, 0) },     /* across the year */
        { "000000000000000R", NOW },
        { "000000000001000R", NOW + 1000 },
        { "000000000100000R", NOW + 60 * 1000 },
        { "000000010000000R", NOW + 3600 * 1000 },
        { "000001000000000R", NOW + 86400 * INT64_C(1000) },
        { "000100000000000R", utc_ms(2024, 2, 29, 11, 34, 56) + 789 }, /* 31 January and a month */
        { "010100000000000R", utc_ms(2025, 2, 28, 11, 34, 56) + 789 },
        { "010000000000000R", utc_ms(2025, 1, 31, 11, 34, 56) + 789 },
        { "001200000000000R", utc_ms(2025, 1, 31, 11, 34, 56) + 789 },
        { "020610233429000R", utc_ms(2026, 7, 31, 11, 34, 56) + 789 + /* the specification's own example */
                                  (((10 * 24 + 23) * 60 + 34) * 60 + 29) * INT64_C(1000) },
        { "000000480000000R", NOW + 48 * 3600 * INT64_C(1000) },
        { "999999999999000R",
          utc_ms(2131, 4, 30, 11, 34, 56) + 789 + (((99 * 24 + 99) * 60 + 99) * 60 + 99) * INT64_C(1000) },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = -1;

        if (smpp_time_read(view(rows[i].text), NOW, &ms) != 0 || ms != rows[i].ms)
            fail_msg("\"%s\" gave %lld, want %lld", rows[i].text, (long long)ms, (long long)rows[i].ms);
    }
}

static void malformed_times_are_refused(void **state)
{
    static const char *const rows[] = {
        "0",
        "240131113456",      /* short forms are not SMPP */
        "240131113456000",   /* no sign */
        "2401311134560000+", /* 17 */
        "240131113456000Z",
        "240131113456000r",
        "240131113456000 ",
        "2401311134560 0+",
        "+40131113456000+",
        "24013111345600-+",
        "240001113456000+", /* month 0 */
        "241301113456000+", /* month 13 */
        "240100113456000+", /* day 0 */
        "240132113456000+",
        "240431113456000+", /* April has 30 */
        "230229113456000+", /* no leap year */
        "240131243456000+",
        "240131116056000+",
        "240131113460000+",
        "240131113456049+", /* more than 12 hours */
        "240131113456099-",
        "000000010000100R", /* tenths and quarters mean nothing in a relative time */
        "000000010000001R",
        "00000001000000AR",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 4711;

        if (smpp_time_read(view(rows[i]), NOW, &ms) != ERR_SYNTAX || ms != 4711)
            fail_msg("\"%s\" was taken as %lld", rows[i], (long long)ms);
    }
    int64_t ms = 4711;
    assert_int_equal(ERR_SYNTAX, smpp_time_read((struct smpp_str){ "2401311134560\0000+", 16 }, NOW, &ms));
}

static void digits_are_written(void **state)
{
    const struct {
        int64_t ms;
        int width, offset;
        const char *want;
    } rows[] = {
        { NOW, 10, 0, "2401311134" },
        { NOW, 12, 0, "240131113456" },
        { NOW, 10, 180, "2401311434" },
        { NOW, 12, 345, "240131171956" },
        { NOW, 10, -720, "2401302334" },
        { NOW, 10, 780, "2402010034" },
        { 0, 12, 0, "700101000000" },
        { -1, 12, 0, "691231235959" },
        { 951782400000, 12, 0, "000229000000" },
        { 4107542399999, 12, 0, "000228235959" }, /* 2100 is no leap year: the next day is 1 March */
        { 4107542400000, 12, 0, "000301000000" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[13];

        memset(out, 'x', sizeof out);
        smpp_time_digits(rows[i].ms, rows[i].width, rows[i].offset, out);
        assert_string_equal(rows[i].want, out);
    }
}

/* Every day of a century: written by us and by gmtime_r, read back to the same instant. */
static void every_day_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 36525; day++) {
        int64_t ms = day * INT64_C(86400000) + day * 7919 % 86400 * 1000 + day % 10 * 100;
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        char ours[17], theirs[13];
        int64_t back = -1;

        gmtime_r(&seconds, &tm);
        assert_int_equal(12, strftime(theirs, sizeof theirs, "%y%m%d%H%M%S", &tm));
        smpp_time_absolute(ms, ours);
        assert_memory_equal(theirs, ours, 12);
        assert_int_equal('0' + ms / 100 % 10, ours[12]);
        assert_string_equal("00+", ours + 13);
        assert_int_equal(0, smpp_time_read(view(ours), NOW, &back));
        if (ms != 0)
            assert_true(back == ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_times_are_read),
        cmocka_unit_test(malformed_times_are_refused),
        cmocka_unit_test(digits_are_written),
        cmocka_unit_test(every_day_agrees_with_the_c_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
