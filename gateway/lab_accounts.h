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
/* A subscriber's message made by the administration for one account says so in its sms_id: LAB_MARK and the system_id. */
#define LAB_MARK "esme:"
bool lab_account_is(const struct account *account);
/* The account named so; NULL: none, or such a mark has no meaning on this way. */
struct account *lab_account_marked(struct gateway *gw, const struct incoming *in);
/* Where a message of the simulated network goes that answers nothing: by the first rule of `incoming` that leads to an
 * account of mode "lab", else to the first of them. It never reaches a live account. NULL: there is none any more. */
struct account *lab_account_for(struct gateway *gw, const struct incoming *in);
/* The settings of a listener: those of the configuration or the lab's own. */
const struct cfg_callbacks *listener_cfg(const struct listener *listener);
/* After all upstreams and listeners are gone. */
void lab_accounts_finish(struct gateway *gw);

#endif
