/*
 * rules.h - what the aggregator forbids, as one table, asked before each request under one login.
 *
 * Pure: knows no socket and no clock, the caller passes "now" (mono ms). Upstreams with the same login share one. A rule
 * of so many requests a minute is kept with a margin for the road (window_ms), because what counts is the arrival.
 * Spec: smsc-api 1.5, 2.4.
 */
#ifndef GATEWAY_RULES_H
#define GATEWAY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum rule_method {
    RULE_SEND,        /* identical sends: see rules_repeat_wait_ms */
    RULE_COST,        /* send.php with cost=1; key = the request */
    RULE_STATUS,      /* status.php for one message; key = the message */
    RULE_STATUS_MASS, /* status.php for several */
    RULE_BALANCE,
    RULE_GET,      /* get.php lists; key = the request */
    RULE_ANSWERS,  /* the list of incoming messages as poll.c asks for it; key = the request */
    RULE_STAT,     /* get.php get_stat */
    RULE_OPERATOR, /* info.php; key = the request */
    RULE_TINYURL,  /* key = the request */
    RULE_WAIT_CALL,
    RULE_OTHER,
    RULE_METHOD_COUNT
};

struct rules_limits {
    uint32_t in_flight;                    /* requests under the login at once */
    uint32_t status_in_flight;             /* of them, status.php */
    uint64_t window_ms;                    /* the aggregator's minute and a margin */
    uint64_t window_of[RULE_METHOD_COUNT]; /* shorter ones that the operator has chosen; 0 window_ms */
    uint32_t same[RULE_METHOD_COUNT];      /* identical requests in a window; 0 no limit */
    uint32_t any[RULE_METHOD_COUNT];       /* requests of the method in a window; 0 no limit */
    uint32_t flood_messages; /* to one subscriber, each within flood_gap_ms of the one before; 0 no limit */
    uint64_t flood_gap_ms;
    uint32_t bad_sends; /* refused sends in a row before a pause; 0 no limit. At most RULES_BAD_SENDS_MAX */
    uint64_t bad_sends_window_ms;
};

enum { RULES_BAD_SENDS_MAX = 1000 };

/* As published [smsc-api 2.4, 1.5]. */
void rules_defaults(struct rules_limits *out);

struct rules;

/* Counts its users: each create or share ends with one destroy. NULL when out of memory. */
struct rules *rules_create(const struct rules_limits *limits);
struct rules *rules_share(struct rules *rules);
void rules_destroy(struct rules *rules);
void rules_configure(struct rules *rules, const struct rules_limits *limits);
const struct rules_limits *rules_limits_of(const struct rules *rules);

/* 0: the request may leave now. RULES_SLOT: when one under way has ended. Else ms to wait. A refused method other than
 * RULE_SEND has the next free slot kept for it for a moment, or sends would never let it through. */
#define RULES_SLOT UINT64_MAX
uint64_t rules_wait_ms(struct rules *rules, enum rule_method method, uint64_t key, uint64_t now_ms);
/* It leaves now; end it once. */
void rules_start(struct rules *rules, enum rule_method method, uint64_t key, uint64_t now_ms);
void rules_end(struct rules *rules, enum rule_method method);
unsigned rules_under_way(const struct rules *rules);

/* The same send again (all parameters equal): ms to wait after the last time it left. */
uint64_t rules_repeat_wait_ms(const struct rules *rules, uint64_t since_last_ms);

/* A status request was refused as one of too many at once: for a window, all requests under way count against
 * status_in_flight when another is to leave. Whether sends count there is not documented. */
void rules_status_crowded(struct rules *rules, uint64_t now_ms);

/* What a reply said of the login. Until it is known to be good one request at a time is let through: five bad ones block
 * the address. */
void rules_login_good(struct rules *rules);
void rules_login_unproven(struct rules *rules);
/* How a send request ended: too many errors in a row block the address, so the run is broken before. */
void rules_send_result(struct rules *rules, bool refused, uint64_t now_ms);
/* An operator ends the pause after bad sends. */
void rules_forgive(struct rules *rules);

/* May a message to this subscriber leave now? 0, or ms to wait. Exact for up to some ten thousand subscribers in
 * flood_gap_ms; beyond, those seen only once may be forgotten. */
uint64_t rules_flood_wait_ms(const struct rules *rules, uint64_t phone, uint64_t now_ms);
void rules_flood_count(struct rules *rules, uint64_t phone, uint64_t now_ms);

/* A key for the text of a request. */
uint64_t rules_key(const char *text, size_t len);

#endif
