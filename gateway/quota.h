/*
 * quota.h - what an account may have in a day or a month: SMS, money, or both.
 *
 * Counted when a message is taken (each part of a long text) and when its cost becomes known. The counts travel in the
 * same commit as what they count, so neither a crash nor a restart gives anything for free. Loop thread only.
 */
#ifndef GATEWAY_QUOTA_H
#define GATEWAY_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct account;
struct gateway;
struct metric_cell;

struct quota {
    uint32_t period; /* of the counts, see quota.c; 0: none yet */
    uint64_t messages;
    int64_t money_e6;
    int64_t price_e6; /* of the message priced last; 0 unknown */
    bool told;        /* the log knows that it is used up */
    bool dirty;       /* to be stored at the end of the turn */
    struct account *next_dirty;
    struct metric_cell *used_messages, *used_money, *limit_messages, *limit_money, *refused;
};

/* Follows the account's configuration; reads what the store knows the first time. */
void quota_configure(struct account *account);
static inline bool quota_has(const struct cfg_esme *cfg)
{
    return cfg != NULL && (cfg->quota_messages > 0 || cfg->quota_money > 0);
}
/* May the account submit `sms` more? What waits is reckoned at the price of the message priced last. False: refused and
 * counted as such; *out_status says how. */
bool quota_admits(struct account *account, uint64_t sms, uint32_t *out_status);
/* So many have been taken, or (below 0) could not be stored after all. */
void quota_count(struct account *account, int64_t sms);
/* A message's cost is now `after_e6`, and was `before_e6` (-1 unknown). True when the account's money is counted: then
 * the message's progress has to be stored with it. */
bool quota_spend(struct account *account, int64_t before_e6, int64_t after_e6);
/* A new day or month may have begun. */
void quota_tick(struct account *account, int64_t now_ms);
/* When the counts begin again, wall ms. */
int64_t quota_ends_ms(const struct account *account, int64_t now_ms);
/* Gives this turn's counts to the store; before store_flush. */
void quota_flush(struct gateway *gw);

#endif
