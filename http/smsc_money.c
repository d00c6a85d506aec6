/* SPDX-License-Identifier: MIT */
/*
 * smsc_money.c - the aggregator's decimal amounts as whole millionths; no floating point anywhere near money.
 *
 * Amounts come as text with a dot ("3215.3097"). Digits beyond the sixth decimal are below any price and are dropped.
 */
#include "http/smsc_api.h"

#include <string.h>

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
    int decimals = DECIMALS;
    char text[32];
    size_t at = sizeof text;

    for (; decimals > 0 && v % 10 == 0; decimals--)
        v /= 10;
    text[--at] = '\0';
    for (int i = 0; i < decimals; i++, v /= 10)
        text[--at] = (char)('0' + v % 10);
    if (decimals > 0)
        text[--at] = '.';
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    if (e6 < 0)
        text[--at] = '-';
    memcpy(out, text + at, sizeof text - at);
}
