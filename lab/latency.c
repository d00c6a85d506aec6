/* SPDX-License-Identifier: MIT */
/* latency.c - durations counted in buckets whose width grows with the value. */
#include "lab/latency.h"

#include <math.h>
#include <stddef.h>

/* Below LATENCY_SUB each microsecond has its bucket; above, each power of two has LATENCY_SUB / 2 of them. */
static size_t bucket_of(uint64_t us)
{
    unsigned shift = 0;

    while ((us >> shift) >= LATENCY_SUB)
        shift++;

    size_t at = (size_t)(us >> shift) + (size_t)shift * (LATENCY_SUB / 2);

    return at < LATENCY_BUCKETS ? at : LATENCY_BUCKETS - 1;
}

/* The highest value that falls into the bucket. */
static uint64_t value_of(size_t at)
{
    if (at < LATENCY_SUB)
        return at;

    uint64_t shift = (at - LATENCY_SUB) / (LATENCY_SUB / 2) + 1;
    uint64_t low = at - shift * (LATENCY_SUB / 2);

    return ((low + 1) << shift) - 1;
}

void latency_add(struct latency *l, uint64_t us)
{
    l->count++;
    l->sum_us += us;
    if (us > l->max_us)
        l->max_us = us;
    l->buckets[bucket_of(us)]++;
}

uint64_t latency_at(const struct latency *l, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)l->count), seen = 0;

    if (l->count == 0)
        return 0;
    if (wanted == 0)
        wanted = 1;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += l->buckets[i];
        if (seen >= wanted && i + 1 < LATENCY_BUCKETS) /* the last one has no upper end */
            return value_of(i) < l->max_us ? value_of(i) : l->max_us;
    }
    return l->max_us;
}
