/*
 * upgrade.h - this process replaced by a new one of the same program while it serves.
 *
 * The new process checks everything first; what is wrong then changes nothing here. Afterwards this one lets go of its
 * work (drain.c), closes the store, gives it away and ends. Should the new one fail even then, this program begins anew.
 * Loop thread only. Spec: interface.md 1 (signals); how the two talk is handover.h.
 */
#ifndef GATEWAY_UPGRADE_H
#define GATEWAY_UPGRADE_H

#include <uv.h>

#include "gateway/gateway.h"
#include "gateway/handover.h"

enum upgrade_end {
    UPGRADE_NONE,   /* there was none: the gateway was stopped */
    UPGRADE_TAKEN,  /* the new process serves */
    UPGRADE_FAILED, /* the store was given away and nobody serves: begin anew */
    UPGRADE_STOPPED /* the new process has been told to stop */
};

struct upgrade;

/* `on_stopped`: the gateway has stopped for the upgrade, destroy it. `on_over` then: all is done, the loop may end.
 * Returns NULL when out of memory. */
struct upgrade *upgrade_create(uv_loop_t *loop, struct gateway *gw, const struct sockets *sockets,
                               void (*on_stopped)(void *owner), void (*on_over)(void *owner, enum upgrade_end how),
                               void *owner);
/* As if the administration had asked. */
void upgrade_begin(struct upgrade *upgrade);
/* The gateway shall stop for good. False: no upgrade keeps it from draining. True: on_over will come. */
bool upgrade_stop(struct upgrade *upgrade);
void upgrade_destroy(struct upgrade *upgrade); /* NULL is welcome */

#endif
