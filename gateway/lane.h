/*
 * lane.h - a first-in first-out line of message ids, eight bytes each.
 *
 * What waits in large numbers waits as ids; the messages themselves are in the book while it has room and in the store
 * always. Bounded by the counts of the account that fills it (max_queued, receipt_max).
 */
#ifndef GATEWAY_LANE_H
#define GATEWAY_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lane {
    uint64_t *ring;
    size_t size; /* power of two, or 0 */
    size_t head;
    size_t count;
};

void lane_finish(struct lane *lane);
/* Behind all others. ERR_NOMEM. */
int lane_push(struct lane *lane, uint64_t id) MUST_CHECK;
/* Before all others: what was taken and has to go back, in reverse order. */
int lane_push_front(struct lane *lane, uint64_t id) MUST_CHECK;
/* The id at place `at` from the front (0 = next). */
uint64_t lane_peek(const struct lane *lane, size_t at);
uint64_t lane_pop(struct lane *lane);
/* The same place now holds this id. */
void lane_put(struct lane *lane, size_t at, uint64_t id);

#endif
