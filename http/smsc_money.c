/* SPDX-License-Identifier: MIT */
/*
 * smsc_money.c - the aggregator's decimal amounts as whole millionths; no floating point anywhere near money.
 *
 * Amounts come as text with a dot ("3215.3097"). Digits beyond the sixth decimal are below any price and are dropped.
 */
#include "http/smsc_api.h"

#include <inttypes.h>
#include <stdio.h>

enum { DECIMALS = 6, MILLION = 1000000 };

int smsc_money_read(const char *text, int64_t *out_e6)
{
    const char *p = text;
    int64_t whole = 0, part = 0;
    int decimals = 0, count = 0;
    bool minus = *p == '-';

    if (*p == '-' || *p == '+')
        p++;
    for (; *p >= '0' && *p <= '9'; p++, count++) {
        whole = whole * 10 + (*p - '0');
        if (whole > INT64_MAX / MILLION - 1)
            return ERR_SYNTAX;
    }
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9'; p++, count++) {
            if (decimals < DECIMALS) {
                part = part * 10 + (*p - '0');
                decimals++;
            }
        }
    }
    if (count == 0 || *p != '\0')
        return ERR_SYNTAX;
    for (; decimals < DECIMALS; decimals++)
        part *= 10;
    *out_e6 = minus ? -(whole * MILLION + part) : whole * MILLION + part;
    return 0;
}

void smsc_money_write(int64_t e6, char out[32])
{
    uint64_t v = e6 < 0 ? (uint64_t) - (e6 + 1) + 1 : (uint64_t)e6;
    int n = snprintf(out, 32, "%s%" PRIu64 ".%06" PRIu64, e6 < 0 ? "-" : "", v / MILLION, v % MILLION);

    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.')
        n--;
    out[n] = '\0';
}
