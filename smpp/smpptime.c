/* SPDX-License-Identifier: MIT */
/*
 * smpptime.c - the times of SMPP: read strictly, written in the two forms receipts use [SMPP34 7.1.1].
 *
 * Knows the Gregorian calendar and nothing of the host's time zone or locale, so mktime and strftime are not used: a
 * gateway's answer must not change with TZ. Whether a time in the past is welcome is the caller's to say.
 */
#include "smpp/smpptime.h"

#include <assert.h>
#include <stdbool.h>

enum {
    TIME_CHARS = 16,
    QUARTERS_MAX = 48, /* of an hour: UTC+12 and UTC-12 [SMPP34 7.1.1] */
    CENTURY_SPLIT = 70
};

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

struct civil {
    int64_t year;
    int month, day; /* 1..12, 1..31 */
};

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01. The year is counted from March, so that the leap day is its last one. */
static int64_t days_of(struct civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static struct civil civil_of(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (int)((5 * day_of_year + 2) / 153);
    struct civil c = { year_of_era + era * 400, month < 10 ? month + 3 : month - 9,
                       (int)(day_of_year - (153 * month + 2) / 5 + 1) };

    if (c.month <= 2)
        c.year++;
    return c;
}

/* Splits into the day and the milliseconds inside it; rounds down, before 1970 too. */
static int64_t split_day(int64_t wall_ms, int64_t *out_rest_ms)
{
    int64_t days = wall_ms / DAY_MS;
    int64_t rest = wall_ms % DAY_MS;

    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    *out_rest_ms = rest;
    return days;
}

static int two(const char *at)
{
    return (at[0] - '0') * 10 + (at[1] - '0');
}

static int read_absolute(const char *s, int64_t *out_ms)
{
    struct civil c = { two(s), two(s + 2), two(s + 4) };
    int hour = two(s + 6), minute = two(s + 8), second = two(s + 10);
    int tenths = s[12] - '0', quarters = two(s + 13);

    c.year += c.year >= CENTURY_SPLIT ? 1900 : 2000;
    if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > month_days(c.year, c.month) || hour > 23 || minute > 59 ||
        second > 59 || quarters > QUARTERS_MAX)
        return ERR_SYNTAX;

    int64_t ms = days_of(c) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + tenths * 100;
    int64_t ahead_ms = quarters * 15 * MINUTE_MS;

    ms += s[15] == '+' ? -ahead_ms : ahead_ms; /* '+': that clock is ahead of UTC */
    *out_ms = ms == 0 ? 1 : ms;                /* 0 says "empty", and 1970 is over either way */
    return 0;
}

/* Years and months go by the calendar (31 January and one month is the end of February), the rest by the clock. The
 * fields may be larger than a calendar has: "48 hours" is a sensible wish. */
static int read_relative(const char *s, int64_t now_ms, int64_t *out_ms)
{
    int64_t rest_ms;

    if (s[12] != '0' || s[13] != '0' || s[14] != '0') /* 't' and 'nn' have no meaning here [SMPP34 7.1.1.2] */
        return ERR_SYNTAX;

    struct civil c = civil_of(split_day(now_ms, &rest_ms));
    int64_t months = c.year * 12 + (c.month - 1) + two(s) * 12 + two(s + 2);

    c.year = months / 12;
    c.month = (int)(months % 12) + 1;
    if (c.day > month_days(c.year, c.month))
        c.day = month_days(c.year, c.month);
    *out_ms = (days_of(c) + two(s + 4)) * DAY_MS + rest_ms + two(s + 6) * HOUR_MS + two(s + 8) * MINUTE_MS +
              two(s + 10) * SECOND_MS;
    return 0;
}

int smpp_time_read(struct smpp_str s, int64_t now_ms, int64_t *out_ms)
{
    if (s.len == 0) {
        *out_ms = 0;
        return 0;
    }
    if (s.len != TIME_CHARS)
        return ERR_SYNTAX;
    for (size_t i = 0; i < TIME_CHARS - 1; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return ERR_SYNTAX;
    }
    switch (s.at[TIME_CHARS - 1]) {
    case '+':
    case '-':
        return read_absolute(s.at, out_ms);
    case 'R':
        return read_relative(s.at, now_ms, out_ms);
    default:
        return ERR_SYNTAX;
    }
}

static char *put_two(char *to, int64_t v)
{
    *to++ = (char)('0' + v / 10 % 10);
    *to++ = (char)('0' + v % 10);
    return to;
}

void smpp_time_digits(int64_t wall_ms, int width, int offset_minutes, char out[13])
{
    int64_t rest_ms;
    struct civil c = civil_of(split_day(wall_ms + offset_minutes * MINUTE_MS, &rest_ms));
    char *to = out;

    assert(width == 10 || width == 12);
    to = put_two(to, c.year % 100);
    to = put_two(to, c.month);
    to = put_two(to, c.day);
    to = put_two(to, rest_ms / HOUR_MS);
    to = put_two(to, rest_ms / MINUTE_MS % 60);
    if (width == 12)
        to = put_two(to, rest_ms / SECOND_MS % 60);
    *to = '\0';
}

void smpp_time_absolute(int64_t wall_ms, char out[17])
{
    int64_t rest_ms;

    split_day(wall_ms, &rest_ms);
    smpp_time_digits(wall_ms, 12, 0, out);
    out[12] = (char)('0' + rest_ms / 100 % 10);
    out[13] = '0';
    out[14] = '0';
    out[15] = '+';
    out[16] = '\0';
}
