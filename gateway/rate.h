/*
 * rate.h - a token bucket that may go into debt.
 *
 * Pure; the caller passes "now" (mono ms). What is taken beyond the tokens there is a debt, and the time it takes to pay it
 * is the delay of whoever took it. No debt above the caller's budget is made.
 */
#ifndef GATEWAY_RATE_H
#define GATEWAY_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    double per_second; /* 0: no limit */
    double burst;      /* tokens a full bucket holds */
    double tokens;     /* lower than 0: debt */
    uint64_t at_ms;    /* when `tokens` was true; 0 not yet */
};

/* Live change: tokens are kept, up to the new burst. A burst of 0 is what the rate gives in 20 ms (what timers resolve),
 * at least one. */
void rate_configure(struct rate *rate, double per_second, double burst);
/* Takes one token if the delay is at most `budget_ms`. False: nothing was taken. */
bool rate_take(struct rate *rate, uint64_t now_ms, uint64_t budget_ms, uint64_t *out_delay_ms);
/* Whole tokens there are now, at most `most`. */
uint32_t rate_available(struct rate *rate, uint64_t now_ms, uint32_t most);
/* Takes `count` of those, or gives unused ones back (count below 0). */
void rate_spend(struct rate *rate, double count);
/* ms until one token is there. */
uint64_t rate_wait_ms(struct rate *rate, uint64_t now_ms);

#endif
