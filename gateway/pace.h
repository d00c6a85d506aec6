/*
 * pace.h - when a submit_sm is answered: at once, later for its account's rate, or after the upstream's word.
 *
 * A message above the rate is taken and stored like any other; its answer waits, so the ESME's window slows it down. No
 * answer is ever earlier than the commit it promises. Loop thread only.
 */
#ifndef GATEWAY_PACE_H
#define GATEWAY_PACE_H

#include "gateway/internal.h"

/* May this account submit `count` more messages now? False: the answer is ESME_RTHROTTLED (counted here). *out_until_ms:
 * mono time before which the answer is not given, 0 = at once. */
bool pace_admit(struct account *account, unsigned count, uint64_t *out_until_ms);
/* The item is durable: true when its answer waits (the item stays pinned until it is given); else the caller answers. */
bool pace_hold(struct gateway *gw, struct item *item);
/* Does the ESME wait for the upstream's word about this message? */
bool pace_waits(const struct item *item);
/* That word, or the promise in its place. Does nothing when nobody waits. */
void pace_answer(struct gateway *gw, struct item *item, uint32_t status);
/* Gives every answer that waits: what is stored is promised. */
void pace_release(struct gateway *gw);
/* Gives the answers that are due. Returns ms until the next, UINT64_MAX none. */
uint64_t pace_turn(struct gateway *gw);

#endif
