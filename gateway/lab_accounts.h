/*
 * lab_accounts.h - accounts of mode "lab": answered by a simulated network inside this process, never by an upstream.
 *
 * Their messages take the way of all others: an upstream of a reserved name stands for the simulated aggregator, which is
 * reached over loopback HTTP, and its callbacks come to a listener of their own. Nothing of it exists until an account
 * needs it. Who runs the simulator is the host's business (gateway_set_lab_host).
 */
#ifndef GATEWAY_LAB_ACCOUNTS_H
#define GATEWAY_LAB_ACCOUNTS_H

#include "gateway/internal.h"

#define LAB_UPSTREAM "(lab)" /* no name a file can have */

/* Makes what the lab accounts of `config` need, once. Returns 0 (also when there are none), or an error with a sentence:
 * then such accounts have no route. */
int lab_accounts_prepare(struct gateway *gw, const struct config *config, char why[256]) MUST_CHECK;
/* The settings of a listener: those of the configuration or the lab's own. */
const struct cfg_callbacks *listener_cfg(const struct listener *listener);
/* After all upstreams and listeners are gone. */
void lab_accounts_finish(struct gateway *gw);

#endif
