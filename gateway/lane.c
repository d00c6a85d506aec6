/* SPDX-License-Identifier: MIT */
/* lane.c - the ring behind lane.h; grows by doubling, never shrinks below its use. */
#include "gateway/lane.h"

#include <assert.h>
#include <stdlib.h>

enum { LANE_FIRST = 64 };

void lane_finish(struct lane *lane)
{
    free(lane->ring);
    *lane = (struct lane){ 0 };
}

static int grow(struct lane *lane)
{
    size_t size = lane->size == 0 ? LANE_FIRST : lane->size * 2;
    uint64_t *ring = malloc(size * sizeof *ring);

    if (ring == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < lane->count; i++)
        ring[i] = lane_peek(lane, i);
    free(lane->ring);
    lane->ring = ring;
    lane->size = size;
    lane->head = 0;
    return 0;
}

int lane_push(struct lane *lane, uint64_t id)
{
    if (lane->count == lane->size && grow(lane) != 0)
        return ERR_NOMEM;
    lane->ring[(lane->head + lane->count) & (lane->size - 1)] = id;
    lane->count++;
    return 0;
}

int lane_push_front(struct lane *lane, uint64_t id)
{
    if (lane->count == lane->size && grow(lane) != 0)
        return ERR_NOMEM;
    lane->head = (lane->head + lane->size - 1) & (lane->size - 1);
    lane->ring[lane->head] = id;
    lane->count++;
    return 0;
}

uint64_t lane_peek(const struct lane *lane, size_t at)
{
    assert(at < lane->count);
    return lane->ring[(lane->head + at) & (lane->size - 1)];
}

void lane_put(struct lane *lane, size_t at, uint64_t id)
{
    assert(at < lane->count);
    lane->ring[(lane->head + at) & (lane->size - 1)] = id;
}

uint64_t lane_pop(struct lane *lane)
{
    uint64_t id = lane_peek(lane, 0);

    lane->head = (lane->head + 1) & (lane->size - 1);
    lane->count--;
    return id;
}
