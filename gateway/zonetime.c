/* SPDX-License-Identifier: MIT */
/* zonetime.c - dates of the aggregator's lists [see zonetime.h]. */
#include "gateway/zonetime.h"

#include <stdbool.h>
#include <stddef.h>

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* As many digits as are there, at most `most`. */
static int64_t take_number(const char **at, unsigned most)
{
    int64_t v = 0;
    unsigned n = 0;

    for (; n < most && **at >= '0' && **at <= '9'; n++)
        v = v * 10 + (*(*at)++ - '0');
    return n == 0 ? -1 : v;
}

int64_t zonetime_read(const char *text, double timezone_h)
{
    static const char behind[] = ".. ::";
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    static const int days_of[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t v[6];

    for (size_t part = 0; part < 6; part++) {
        v[part] = take_number(&text, part == 2 ? 4 : 2);
        if (v[part] < 0 || (part < 5 && *text++ != behind[part]))
            return 0;
    }
    int64_t day = v[0], month = v[1], year = v[2];
    if (*text != '\0' || year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > days_of[month - 1] + (month == 2 && is_leap(year)) || v[3] > 23 || v[4] > 59 || v[5] > 60)
        return 0;
    int64_t whole = year - (month <= 2);                         /* the last year whose leap day, if any, is over */
    int64_t leaps = whole / 4 - whole / 100 + whole / 400 - 477; /* 477 before 1970 */
    int64_t days = (year - 1970) * 365 + leaps + before[month - 1] + day - 1;
    return days * 86400 + v[3] * 3600 + v[4] * 60 + v[5] - (int64_t)(timezone_h * 3600);
}
