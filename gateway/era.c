/* SPDX-License-Identifier: MIT */
/*
 * era.c - the jumps of the wall clock [see era.h].
 *
 * A jump is a change of the difference between the two clocks by more than five seconds at once; what adds up slowly is a
 * clock being steered and counts as time. A turn of the loop may pass before one is noticed: what was taken in it belongs
 * to the era before.
 */
#include "gateway/era.h"

#include <string.h>

#include "gateway/internal.h"

enum { JUMP_MS = 5000, DAY_MS = 86400000 };

static void add(struct gateway *gw, int64_t by_ms, uint64_t now_ms)
{
    struct era *era = &gw->era;
    struct account *account, *next;

    if (era->count == ERA_JUMPS_MAX) {
        memmove(&era->jumps[0], &era->jumps[1], (ERA_JUMPS_MAX - 1) * sizeof era->jumps[0]);
        era->count--;
    }
    era->jumps[era->count++] = (struct era_jump){ store_last_id(gw->store), by_ms, now_ms };
    gw->meters.clock_jumps->value += 1;
    log_warn("the wall clock has jumped", "by_ms=%lld", (long long)by_ms);
    HASH_ITER(hh, gw->accounts, account, next)
    {
        if (account->dropped_at_ms != 0) /* else what comes now would count as older than the order to drop */
            account->dropped_at_ms += by_ms;
    }
}

int64_t era_wall_ms(struct gateway *gw)
{
    struct era *era = &gw->era;
    uint64_t now_ms = clock_mono_ms();
    int64_t wall_ms = clock_wall_ms();
    int64_t offset_ms = wall_ms - (int64_t)now_ms;
    int64_t jump_ms = offset_ms - era->offset_ms;

    era->offset_ms = offset_ms;
    if (!era->has_offset)
        era->has_offset = true;
    else if (jump_ms > JUMP_MS || jump_ms < -JUMP_MS)
        add(gw, jump_ms, now_ms);
    return wall_ms;
}

int64_t era_now_ms(struct gateway *gw, uint64_t id)
{
    int64_t now_ms = era_wall_ms(gw);

    for (size_t i = gw->era.count; i > 0 && id <= gw->era.jumps[i - 1].last_id; i--)
        now_ms -= gw->era.jumps[i - 1].by_ms;
    return now_ms;
}

int64_t era_retention_ms(struct gateway *gw)
{
    int64_t wall_ms = era_wall_ms(gw);
    uint64_t now_ms = clock_mono_ms();
    int64_t least_ms = wall_ms;

    /* the lowest reading of the day's clocks */
    for (size_t i = gw->era.count; i > 0 && now_ms - gw->era.jumps[i - 1].at_ms < DAY_MS; i--) {
        wall_ms -= gw->era.jumps[i - 1].by_ms;
        if (wall_ms < least_ms)
            least_ms = wall_ms;
    }
    return least_ms;
}
