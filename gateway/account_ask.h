/*
 * account_ask.h - a method of an upstream's account, asked by the running gateway within the aggregator's limits.
 *
 * The administration API and wait-call over SMPP come here.
 */
#ifndef GATEWAY_ACCOUNT_ASK_H
#define GATEWAY_ACCOUNT_ASK_H

#include "gateway/account_methods.h"
#include "gateway/internal.h"

/* The answer's views die on return. */
typedef void account_ask_fn(void *owner, const struct account_answer *answer);

/* `fn` is called once when 0 is returned, never from inside this call; with the gateway's end it may be called as
 * unanswered. Else ERR_SYNTAX (parameters), ERR_BUSY (a limit: *out_wait_ms says for how long), ERR_FULL (requests under
 * way), ERR_STATE (not configured), with a sentence in `why`. */
int account_ask(struct upstream *up, const struct account_method *method, const struct smsc_param *given, size_t count,
                account_ask_fn *fn, void *owner, uint64_t *out_wait_ms, char why[200]) MUST_CHECK;

/* Each tick: questions that wait for a free place among the requests under way. */
void account_ask_tick(struct gateway *gw, uint64_t now_ms);
/* Those that still wait are unanswered. */
void account_ask_finish(struct gateway *gw);

#endif
