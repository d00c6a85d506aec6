/* SPDX-License-Identifier: MIT */
/*
 * rules.c - sliding windows over the requests of one login, and its two block rules.
 *
 * The times of the last `limit` requests are kept per (method, key); a request may leave when the oldest of them is a
 * window old. What has not been asked for a window is forgotten, so memory follows the traffic of one minute.
 */
#include "gateway/rules.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

enum {
    SEEN_MAX = 200000,    /* (method, key) pairs remembered; above it requests with a key wait */
    SEEN_TIMES_MAX = 100, /* the highest limit of a window */
    FLOOD_SETS = 8192,    /* of FLOOD_WAYS places each, 512 KiB together */
    FLOOD_WAYS = 4,
    RESERVE_MS = 2000
};

struct seen_key {
    uint64_t key;
    uint64_t method; /* + RULE_METHOD_COUNT for the window over any key; 64 bits so that no padding is hashed */
};

struct seen {
    struct seen_key id;
    UT_hash_handle hh; /* in order of the last request */
    uint32_t limit, count, next;
    uint64_t at_ms[]; /* ring of `limit` */
};

struct flood {
    uint64_t phone; /* 0 free */
    uint32_t run;   /* messages, each within the gap of the one before */
    uint32_t at;    /* the last, in units of 64 ms: enough for years */
};

struct rules {
    struct rules_limits limits;
    unsigned users;
    unsigned under_way, status_under_way;
    bool login_good;
    uint64_t reserved_until_ms; /* one slot is kept for a method other than send */
    unsigned reserved_slots;    /* while it is: slots left to sends */
    uint64_t crowded_until_ms;  /* status requests were refused: all under way count against their limit */
    struct seen *seen;
    uint32_t bad_count, bad_next; /* the run of refused sends */
    uint64_t bad_at_ms[RULES_BAD_SENDS_MAX];
    struct flood floods[FLOOD_SETS][FLOOD_WAYS];
};

void rules_defaults(struct rules_limits *out)
{
    *out = (struct rules_limits){
        .in_flight = 14,
        .status_in_flight = 4,
        .window_ms = 61000,
        .same = { [RULE_COST] = 5,
                  [RULE_STATUS] = 5,
                  [RULE_GET] = 3,
                  [RULE_ANSWERS] = 3,
                  [RULE_OPERATOR] = 3,
                  [RULE_TINYURL] = 3,
                  [RULE_WAIT_CALL] = 50 },
        .any = { [RULE_STATUS_MASS] = 1, [RULE_BALANCE] = 10, [RULE_STAT] = 3, [RULE_OPERATOR] = 99 },
        .flood_messages = 50,
        .flood_gap_ms = 30000,
        .bad_sends = 80, /* so that those under way then do not make a hundred */
        .bad_sends_window_ms = 601000,
    };
}

struct rules *rules_create(const struct rules_limits *limits)
{
    struct rules *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->users = 1;
    rules_configure(r, limits);
    return r;
}

struct rules *rules_share(struct rules *r)
{
    r->users++;
    return r;
}

static void forget_all(struct rules *r)
{
    struct seen *s, *next;

    HASH_ITER(hh, r->seen, s, next)
    {
        HASH_DEL(r->seen, s);
        free(s);
    }
}

void rules_destroy(struct rules *r)
{
    if (r == NULL || --r->users > 0)
        return;
    forget_all(r);
    free(r);
}

void rules_configure(struct rules *r, const struct rules_limits *limits)
{
    /* rings have the size of their limit: with another limit they start anew */
    if (memcmp(r->limits.same, limits->same, sizeof limits->same) != 0 ||
        memcmp(r->limits.any, limits->any, sizeof limits->any) != 0)
        forget_all(r);
    r->limits = *limits;
    if (r->limits.bad_sends > RULES_BAD_SENDS_MAX)
        r->limits.bad_sends = RULES_BAD_SENDS_MAX;
    r->bad_count = r->bad_next = 0;
}

const struct rules_limits *rules_limits_of(const struct rules *r)
{
    return &r->limits;
}

unsigned rules_under_way(const struct rules *r)
{
    return r->under_way;
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

static struct seen_key same_key(enum rule_method method, uint64_t key)
{
    return (struct seen_key){ key, (uint64_t)method };
}

static struct seen_key any_key(enum rule_method method)
{
    return (struct seen_key){ 0, (uint64_t)method + RULE_METHOD_COUNT };
}

static uint32_t ring_size(uint32_t limit)
{
    return limit > SEEN_TIMES_MAX ? SEEN_TIMES_MAX : limit;
}

static uint64_t last_of(const struct seen *s)
{
    return s->at_ms[(s->next + s->limit - 1) % s->limit];
}

static void forget_old(struct rules *r, uint64_t now_ms)
{
    struct seen *s, *next;

    HASH_ITER(hh, r->seen, s, next)
    {
        if (now_ms - last_of(s) < r->limits.window_ms)
            return; /* the rest is younger */
        HASH_DEL(r->seen, s);
        free(s);
    }
}

static uint64_t window_of(const struct rules *r, struct seen_key key)
{
    uint64_t chosen_ms = r->limits.window_of[key.method % RULE_METHOD_COUNT];

    return chosen_ms != 0 && chosen_ms < r->limits.window_ms ? chosen_ms : r->limits.window_ms;
}

static uint64_t window_wait(const struct rules *r, struct seen_key key, uint32_t limit, uint64_t now_ms)
{
    struct seen *s;

    if (limit == 0)
        return 0;
    HASH_FIND(hh, r->seen, &key, sizeof key, s);
    if (s == NULL)
        return HASH_COUNT(r->seen) < SEEN_MAX ? 0 : r->limits.window_ms - (now_ms - last_of(r->seen));
    if (s->count < s->limit)
        return 0;
    uint64_t age_ms = now_ms - s->at_ms[s->next]; /* the oldest of a full ring */
    uint64_t window_ms = window_of(r, key);
    return age_ms >= window_ms ? 0 : window_ms - age_ms;
}

static void window_count(struct rules *r, struct seen_key key, uint32_t limit, uint64_t now_ms)
{
    struct seen *s;

    if (limit == 0)
        return;
    HASH_FIND(hh, r->seen, &key, sizeof key, s);
    if (s != NULL) {
        HASH_DEL(r->seen, s); /* to the end of the order */
    } else {
        s = calloc(1, sizeof *s + ring_size(limit) * sizeof s->at_ms[0]);
        if (s == NULL)
            return; /* this one is not counted */
        s->id = key;
        s->limit = ring_size(limit);
    }
    s->at_ms[s->next] = now_ms;
    s->next = (s->next + 1) % s->limit;
    if (s->count < s->limit)
        s->count++;
    HASH_ADD(hh, r->seen, id, sizeof s->id, s);
    if (!TABLE_TOOK(s))
        free(s); /* what it counted is forgotten: at worst the aggregator says "too often" */
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static bool is_status(enum rule_method method)
{
    return method == RULE_STATUS || method == RULE_STATUS_MASS;
}

static uint64_t bad_sends_wait(const struct rules *r, uint64_t now_ms)
{
    if (r->limits.bad_sends == 0 || r->bad_count < r->limits.bad_sends)
        return 0;
    uint64_t age_ms = now_ms - r->bad_at_ms[r->bad_next];
    return age_ms >= r->limits.bad_sends_window_ms ? 0 : r->limits.bad_sends_window_ms - age_ms;
}

uint64_t rules_wait_ms(struct rules *r, enum rule_method method, uint64_t key, uint64_t now_ms)
{
    uint64_t wait_ms = 0, other_ms;
    unsigned slots = r->limits.in_flight;

    if (method == RULE_SEND) {
        if (now_ms < r->reserved_until_ms && slots > r->reserved_slots)
            slots = r->reserved_slots;
        wait_ms = bad_sends_wait(r, now_ms);
    } else {
        forget_old(r, now_ms);
        wait_ms = window_wait(r, same_key(method, key), r->limits.same[method], now_ms);
        other_ms = window_wait(r, any_key(method), r->limits.any[method], now_ms);
        if (other_ms > wait_ms)
            wait_ms = other_ms;
    }
    if (wait_ms > 0)
        return wait_ms;
    if (!r->login_good)
        slots = 1;
    if (is_status(method) && now_ms < r->crowded_until_ms && slots > r->limits.status_in_flight)
        slots = r->limits.status_in_flight;
    if (r->under_way >= slots) {
        if (method != RULE_SEND && r->login_good) {
            r->reserved_until_ms = now_ms + RESERVE_MS;
            r->reserved_slots = slots > 1 ? slots - 1 : 1;
        }
        return RULES_SLOT;
    }
    if (is_status(method) && r->status_under_way >= r->limits.status_in_flight)
        return RULES_SLOT;
    return 0;
}

void rules_start(struct rules *r, enum rule_method method, uint64_t key, uint64_t now_ms)
{
    r->under_way++;
    if (is_status(method))
        r->status_under_way++;
    if (method == RULE_SEND)
        return;
    r->reserved_until_ms = 0;
    window_count(r, same_key(method, key), r->limits.same[method], now_ms);
    window_count(r, any_key(method), r->limits.any[method], now_ms);
}

void rules_end(struct rules *r, enum rule_method method)
{
    if (r->under_way > 0)
        r->under_way--;
    if (is_status(method) && r->status_under_way > 0)
        r->status_under_way--;
}

uint64_t rules_repeat_wait_ms(const struct rules *r, uint64_t since_last_ms)
{
    return since_last_ms >= r->limits.window_ms ? 0 : r->limits.window_ms - since_last_ms;
}

void rules_status_crowded(struct rules *r, uint64_t now_ms)
{
    r->crowded_until_ms = now_ms + r->limits.window_ms;
}

void rules_login_good(struct rules *r)
{
    r->login_good = true;
}

void rules_login_unproven(struct rules *r)
{
    r->login_good = false;
}

void rules_send_result(struct rules *r, bool refused, uint64_t now_ms)
{
    if (!refused) {
        r->bad_count = r->bad_next = 0;
        return;
    }
    if (r->limits.bad_sends == 0)
        return;
    r->bad_at_ms[r->bad_next] = now_ms;
    r->bad_next = (r->bad_next + 1) % r->limits.bad_sends;
    if (r->bad_count < r->limits.bad_sends)
        r->bad_count++;
}

void rules_forgive(struct rules *r)
{
    r->bad_count = r->bad_next = 0;
}

/* --- the flood guard ---------------------------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ x >> 33;
}

static uint32_t unit_of(uint64_t ms)
{
    return (uint32_t)(ms >> 6);
}

/* In units, rounded up: the times kept are rounded down. */
static uint32_t gap_of(const struct rules *r)
{
    return unit_of(r->limits.flood_gap_ms + 63) + 1;
}

uint64_t rules_flood_wait_ms(const struct rules *r, uint64_t phone, uint64_t now_ms)
{
    const struct flood *set = r->floods[mixed(phone) % FLOOD_SETS];

    if (r->limits.flood_messages == 0)
        return 0;
    for (size_t i = 0; i < FLOOD_WAYS; i++) {
        if (set[i].phone != phone || set[i].run < r->limits.flood_messages)
            continue;
        uint64_t free_at_ms = ((uint64_t)set[i].at + 1 + gap_of(r)) << 6;

        return free_at_ms > now_ms ? free_at_ms - now_ms : 0;
    }
    return 0;
}

void rules_flood_count(struct rules *r, uint64_t phone, uint64_t now_ms)
{
    struct flood *set = r->floods[mixed(phone) % FLOOD_SETS];
    struct flood *place = &set[0];
    uint32_t now = unit_of(now_ms);
    uint32_t gap = gap_of(r);

    if (r->limits.flood_messages == 0)
        return;
    for (size_t i = 0; i < FLOOD_WAYS; i++) {
        struct flood *f = &set[i];

        if (f->phone == phone) {
            f->run = now - f->at >= gap ? 1 : f->run + 1;
            f->at = now;
            return;
        }
        /* the least worth keeping: free, over, or the shortest run, the oldest of equals */
        if (f->phone != 0 && now - f->at >= gap)
            f->phone = 0;
        if (place->phone != 0 && (f->phone == 0 || f->run < place->run || (f->run == place->run && f->at < place->at)))
            place = f;
    }
    *place = (struct flood){ phone, 1, now };
}

uint64_t rules_key(const char *text, size_t len)
{
    uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3ULL;
    return mixed(h);
}
