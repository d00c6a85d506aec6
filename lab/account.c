/* SPDX-License-Identifier: MIT */
/*
 * account.c - who may ask and how often: credentials, limits per minute, blocked addresses, money as text.
 *
 * Limits count in a fixed table of sets: where more distinct requests come within a minute than there is room for, the
 * oldest of a set is forgotten, so memory stays the same and a rule may only become milder.
 */
#include "lab/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { AUTH_ERRORS = 5, SEND_ERRORS = 100 };
enum { MINUTE_MS = 60000, FLOOD_GAP_MS = 30000 };

static bool same(const char *a, const char *b)
{
    return a[0] != '\0' && strcmp(a, b) == 0;
}

bool lab_auth(const struct lab *lab, const char *login, const char *psw, const char *apikey)
{
    const struct lab_behaviour *b = &lab->b;
    char hash[41];

    if (lab->is_gone)
        return false;
    if (same(apikey, b->api_key))
        return true;
    if (login[0] == '\0') /* the key in the place of the password: official client 3.8 */
        return same(psw, b->api_key);
    if (strcasecmp(login, b->login) != 0)
        return false;
    if (same(psw, b->password))
        return true;
    webhook_hash_text(WEBHOOK_HASH_MD5, b->password, strlen(b->password), hash);
    if (same(psw, hash))
        return true;
    webhook_hash_text(WEBHOOK_HASH_SHA1, b->password, strlen(b->password), hash);
    return same(psw, hash);
}

static int64_t scaled(const struct lab *lab, int64_t ms)
{
    double v = (double)ms / lab->b.time_factor;

    return v < 1 ? 1 : (int64_t)v;
}

/* The entry of a key, fresh when it was not there or its window is over. */
static struct lab_rate *entry_of(struct lab_rate *table, uint64_t key, int64_t now_ms)
{
    struct lab_rate *set = &table[(key & (LAB_RATE_SETS - 1)) * LAB_RATE_WAYS];
    struct lab_rate *oldest = set;

    for (int i = 0; i < LAB_RATE_WAYS; i++) {
        if (set[i].key == key && set[i].count > 0)
            return &set[i];
        if (set[i].count == 0 || set[i].since_ms < oldest->since_ms)
            oldest = &set[i];
    }
    *oldest = (struct lab_rate){ key, now_ms, 0 };
    return oldest;
}

bool lab_rate_over(struct lab *lab, const char *rule, uint64_t key, uint32_t most, int64_t window_ms, int64_t now_ms)
{
    struct lab_rate *entry = entry_of(lab->rates, lab_hash(rule, strlen(rule), key), now_ms);

    if (entry->count == 0 || now_ms - entry->since_ms >= scaled(lab, window_ms)) {
        entry->since_ms = now_ms;
        entry->count = 0;
    }
    if (entry->count >= most)
        return true; /* a refused request does not prolong the window */
    entry->count++;
    return false;
}

uint32_t lab_phone_count(struct lab *lab, const char *phone, int64_t now_ms, bool *out_flood)
{
    struct lab_rate *entry = entry_of(lab->phones, lab_hash(phone, strlen(phone), 1), now_ms);
    uint32_t flood = (uint32_t)lab->b.flood;
    uint32_t n = ++entry->count;
    bool over = false;

    if (flood > 0 && lab->b.limits != 0) {
        /* the run of messages with short gaps is the key of a second count */
        struct lab_rate *run = entry_of(lab->rates, lab_hash(phone, strlen(phone), 2), now_ms);

        if (now_ms - run->since_ms >= scaled(lab, FLOOD_GAP_MS))
            run->count = 0;
        run->since_ms = now_ms;
        over = ++run->count > flood;
    }
    entry->since_ms = now_ms;
    *out_flood = over;
    return n;
}

struct lab_address *lab_address_of(struct lab *lab, const char *peer, int64_t now_ms)
{
    const char *colon = strrchr(peer, ':');
    size_t len = colon != NULL ? (size_t)(colon - peer) : strlen(peer);
    struct lab_address *oldest = &lab->addresses[0];

    if (len >= sizeof oldest->ip)
        len = sizeof oldest->ip - 1;
    for (int i = 0; i < LAB_ADDRESSES_MAX; i++) {
        struct lab_address *a = &lab->addresses[i];

        if (strncmp(a->ip, peer, len) == 0 && a->ip[len] == '\0' && len > 0)
            return a;
        if (a->errors_since_ms < oldest->errors_since_ms && a->blocked_until_ms <= now_ms)
            oldest = a;
    }
    memset(oldest, 0, sizeof *oldest);
    memcpy(oldest->ip, peer, len);
    oldest->errors_since_ms = oldest->auth_since_ms = now_ms;
    return oldest;
}

void lab_address_auth_failed(struct lab *lab, struct lab_address *address, int64_t now_ms)
{
    if (now_ms - address->auth_since_ms >= scaled(lab, 30 * MINUTE_MS)) {
        address->auth_since_ms = now_ms;
        address->auth_errors = 0;
    }
    if (++address->auth_errors >= AUTH_ERRORS && lab->b.limits != 0) {
        address->blocked_until_ms = now_ms + scaled(lab, 30 * MINUTE_MS);
        address->auth_errors = 0;
    }
}

void lab_address_send_done(struct lab *lab, struct lab_address *address, bool error, int64_t now_ms)
{
    if (!error || now_ms - address->errors_since_ms >= scaled(lab, 10 * MINUTE_MS)) {
        address->errors = 0;
        address->errors_since_ms = now_ms;
    }
    if (error && ++address->errors >= SEND_ERRORS && lab->b.limits != 0) {
        address->blocked_until_ms = now_ms + scaled(lab, 10 * MINUTE_MS);
        address->errors = 0;
    }
}

void lab_money(int64_t e6, char out[32])
{
    uint64_t v = e6 < 0 ? 0 - (uint64_t)e6 : (uint64_t)e6;
    unsigned long long whole = v / 1000000, part = v % 1000000 / 100; /* four decimals, as the service shows */
    int n = snprintf(out, 32, "%s%llu.%04llu", e6 < 0 ? "-" : "", whole, part);

    while (n > 0 && out[n - 1] == '0')
        out[--n] = '\0';
    if (n > 0 && out[n - 1] == '.')
        out[--n] = '\0';
}

int lab_money_read(const char *text, int64_t *out_e6)
{
    bool minus = *text == '-';
    int64_t v = 0;
    int decimals = -1, digits = 0;

    for (const char *p = text + minus; *p != '\0'; p++) {
        if (*p == '.' && decimals < 0) {
            decimals = 0;
        } else if (*p >= '0' && *p <= '9' && digits < 18) {
            digits++;
            if (decimals >= 6)
                continue;
            if (v > (INT64_MAX - 9) / 10)
                return ERR_RANGE;
            v = v * 10 + (*p - '0');
            decimals += decimals >= 0;
        } else {
            return ERR_SYNTAX;
        }
    }
    if (digits == 0)
        return ERR_SYNTAX;
    for (int i = decimals < 0 ? 0 : decimals; i < 6; i++) {
        if (v > INT64_MAX / 10)
            return ERR_RANGE;
        v *= 10;
    }
    *out_e6 = minus ? -v : v;
    return 0;
}
