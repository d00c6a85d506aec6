/*
 * latency.h - a histogram of durations with three significant digits from a microsecond to hours, in fixed memory.
 *
 * Buckets are linear within each power of two, so a percentile is never off by more than one in a thousand.
 */
#ifndef LAB_LATENCY_H
#define LAB_LATENCY_H

#include <stdint.h>

enum { LATENCY_SUB = 1024, LATENCY_POWERS = 26, LATENCY_BUCKETS = LATENCY_SUB * (LATENCY_POWERS + 1) };

struct latency {
    uint64_t count, sum_us, max_us;
    uint32_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, uint64_t us);
/* The duration that `share` (0..1) of all do not exceed, in microseconds; 0 when there are none. */
uint64_t latency_at(const struct latency *l, double share);

#endif
