/*
 * era.h - the wall clock and its jumps: what time it is for a message taken before one.
 *
 * Points in time are stored as wall time, so that they outlive a restart. When the wall clock is set while we run, all of
 * them are wrong by the same amount: each jump begins an era, and ids, which always ascend, tell to which one a message
 * belongs. Ages are therefore what really has passed, whichever way the clock was set. Over a restart nothing is known of
 * jumps: there the stored times count.
 */
#ifndef GATEWAY_ERA_H
#define GATEWAY_ERA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway;

enum { ERA_JUMPS_MAX = 16 }; /* of one run; above it the oldest is forgotten: its messages see the later clock */

struct era_jump {
    uint64_t last_id; /* ids up to this one were given before it */
    int64_t by_ms;
    uint64_t at_ms; /* mono */
};

struct era {
    bool has_offset;
    int64_t offset_ms; /* wall minus mono */
    struct era_jump jumps[ERA_JUMPS_MAX];
    size_t count;
};

/* The wall clock as it is now. Notices a jump, so whoever gives ids or times asks here. */
int64_t era_wall_ms(struct gateway *gw);
/* The same on the clock that was in force when `id` was given: compare with times stored then. */
int64_t era_now_ms(struct gateway *gw, uint64_t id);
/* The same for removing what is old: a clock set ahead removes nothing for a day, for it may be set back. */
int64_t era_retention_ms(struct gateway *gw);

#endif
