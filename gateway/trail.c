/* SPDX-License-Identifier: MIT */
/* trail.c - a ring of events; looking up walks it backwards. */
#include "gateway/trail.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct trail *trail_create(size_t size)
{
    struct trail *trail = calloc(1, sizeof *trail);

    if (trail == NULL)
        return NULL;
    trail->ring = calloc(size, sizeof *trail->ring);
    trail->size = size;
    if (trail->ring == NULL) {
        free(trail);
        return NULL;
    }
    return trail;
}

void trail_destroy(struct trail *trail)
{
    if (trail == NULL)
        return;
    free(trail->ring);
    free(trail);
}

void trail_add(struct trail *trail, uint64_t id, enum trail_what what, uint64_t a, int64_t b)
{
    if (trail == NULL)
        return;
    trail->counts[what]++;
    trail->ring[trail->next] = (struct trail_event){ id, clock_wall_ms(), a, (int32_t)b, (uint32_t)what };
    trail->next = trail->next + 1 == trail->size ? 0 : trail->next + 1;
}

size_t trail_find(const struct trail *trail, uint64_t id, struct trail_event *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0, at = trail->next; i < trail->size && count < max; i++) {
        at = at == 0 ? trail->size - 1 : at - 1; /* a division for each would triple the time of a look */
        const struct trail_event *e = &trail->ring[at];

        if (e->what == TRAIL_NONE)
            break;
        if (e->id == id)
            out[count++] = *e;
    }
    for (size_t i = 0; i < count / 2; i++) {
        struct trail_event swap = out[i];

        out[i] = out[count - 1 - i];
        out[count - 1 - i] = swap;
    }
    return count;
}
