/* SPDX-License-Identifier: MIT */
/* rate.c - the bucket behind rate.h: filled by the clock when it is looked at, never by a timer. */
#include "gateway/rate.h"

#include <math.h>

void rate_configure(struct rate *rate, double per_second, double burst)
{
    double least = fmax(1, per_second * 0.02);

    rate->per_second = per_second;
    rate->burst = fmax(burst, burst <= 0 ? least : 1);
    if (rate->at_ms == 0 || rate->tokens > rate->burst)
        rate->tokens = rate->burst;
}

static void fill(struct rate *rate, uint64_t now_ms)
{
    if (rate->at_ms == 0)
        rate->at_ms = now_ms;
    if (now_ms <= rate->at_ms)
        return;
    rate->tokens = fmin(rate->burst, rate->tokens + (double)(now_ms - rate->at_ms) * rate->per_second / 1000);
    rate->at_ms = now_ms;
}

bool rate_take(struct rate *rate, uint64_t now_ms, uint64_t budget_ms, uint64_t *out_delay_ms)
{
    *out_delay_ms = 0;
    if (rate->per_second <= 0)
        return true;
    fill(rate, now_ms);
    double debt = 1 - rate->tokens; /* after taking one */
    double delay_ms = debt <= 0 ? 0 : debt * 1000 / rate->per_second;
    if (delay_ms > (double)budget_ms)
        return false;
    rate->tokens -= 1;
    *out_delay_ms = (uint64_t)ceil(delay_ms);
    return true;
}

uint32_t rate_available(struct rate *rate, uint64_t now_ms, uint32_t most)
{
    if (rate->per_second <= 0)
        return most;
    fill(rate, now_ms);
    if (rate->tokens < 1)
        return 0;
    return rate->tokens >= (double)most ? most : (uint32_t)rate->tokens;
}

void rate_spend(struct rate *rate, double count)
{
    if (rate->per_second > 0)
        rate->tokens -= count;
}

uint64_t rate_wait_ms(struct rate *rate, uint64_t now_ms)
{
    if (rate->per_second <= 0)
        return 0;
    fill(rate, now_ms);
    return rate->tokens >= 1 ? 0 : (uint64_t)ceil((1 - rate->tokens) * 1000 / rate->per_second);
}
