/* SPDX-License-Identifier: MIT */
/*
 * quota.c - counts of a day or a month, and when the next one begins.
 *
 * A period is a number that only grows: days since 1970, or months since year 0 with a mark, both in the account's time
 * zone. Two named numbers in the store hold an account's counts, the period standing in front of the SMS. A clock that
 * is set back does not begin an old period anew.
 */
#include "gateway/quota.h"

#include "gateway/internal.h"

enum { DAY_MS = 86400000, MONTHLY = 1 << 22, COUNT_BITS = 40 };

#define COUNT_MASK ((INT64_C(1) << COUNT_BITS) - 1)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970 of the first of a month, counted from March so that leap days come last [proleptic Gregorian]. */
static int64_t day_of_month(int64_t months)
{
    int64_t march = months - 2; /* months since March of year 0 */
    int64_t year = floor_div(march, 12), month = march - year * 12;
    int64_t era = floor_div(year, 400), y = year - era * 400;

    return era * 146097 + y * 365 + y / 4 - y / 100 + (153 * month + 2) / 5 - 719468;
}

static int64_t month_of_day(int64_t day)
{
    int64_t months = 1970 * 12 + floor_div(day, 31);

    while (day_of_month(months + 1) <= day)
        months++;
    return months;
}

static int64_t zone_ms(const struct cfg_esme *cfg)
{
    return (int64_t)(cfg->quota_timezone_h * 3600000);
}

static uint32_t period_at(const struct cfg_esme *cfg, int64_t now_ms)
{
    int64_t day = floor_div(now_ms + zone_ms(cfg), DAY_MS);

    return cfg->quota_per == CFG_PER_DAY ? (uint32_t)day : (uint32_t)month_of_day(day) | MONTHLY;
}

int64_t quota_ends_ms(const struct account *account, int64_t now_ms)
{
    const struct cfg_esme *cfg = account->cfg;
    uint32_t period = period_at(cfg, now_ms);
    int64_t day =
        (period & MONTHLY) != 0 ? day_of_month((int64_t)(period & ~(uint32_t)MONTHLY) + 1) : (int64_t)period + 1;

    return day * DAY_MS - zone_ms(cfg);
}

static void show(struct account *account)
{
    struct quota *q = &account->quota;

    if (q->used_messages == NULL)
        return;
    q->used_messages->value = (double)q->messages;
    q->used_money->value = (double)q->money_e6 / 1e6;
}

static void make_dirty(struct account *account)
{
    struct quota *q = &account->quota;

    show(account);
    if (q->dirty)
        return;
    q->dirty = true;
    q->next_dirty = account->gateway->dirty_quotas;
    account->gateway->dirty_quotas = account;
}

void quota_tick(struct account *account, int64_t now_ms)
{
    struct quota *q = &account->quota;

    if (!quota_has(account->cfg))
        return;
    uint32_t period = period_at(account->cfg, now_ms);
    if (period == q->period || (((period ^ q->period) & MONTHLY) == 0 && period < q->period))
        return;
    q->period = period;
    q->messages = 0;
    q->money_e6 = 0;
    q->told = false;
    make_dirty(account);
}

static void key_of(const struct account *account, const char *what, char out[48])
{
    snprintf(out, 48, "quota_%s_%u", what, account->number);
}

void quota_configure(struct account *account)
{
    const struct cfg_esme *cfg = account->cfg;
    struct gateway *gw = account->gateway;
    struct quota *q = &account->quota;
    int64_t value;
    char key[48];

    if (!quota_has(cfg) && q->used_messages == NULL)
        return;
    if (q->used_messages == NULL) {
        const char *id = account->system_id;

        q->used_messages = metric_cell(gw->meters.quota_used, METRIC_VALUES(id, "messages"));
        q->used_money = metric_cell(gw->meters.quota_used, METRIC_VALUES(id, "money"));
        q->limit_messages = metric_cell(gw->meters.quota_limit, METRIC_VALUES(id, "messages"));
        q->limit_money = metric_cell(gw->meters.quota_limit, METRIC_VALUES(id, "money"));
        q->refused = metric_cell(gw->meters.quota_refused, METRIC_VALUES(id));
        key_of(account, "sms", key);
        if (store_meta_get(gw->store, key, &value)) {
            q->period = (uint32_t)(value >> COUNT_BITS);
            q->messages = (uint64_t)(value & COUNT_MASK);
            key_of(account, "money", key);
            if (store_meta_get(gw->store, key, &value))
                q->money_e6 = value;
        }
    }
    q->limit_messages->value = cfg == NULL ? 0 : (double)cfg->quota_messages;
    q->limit_money->value = cfg == NULL ? 0 : cfg->quota_money;
    q->told = false;
    quota_tick(account, clock_wall_ms());
    show(account);
}

bool quota_admits(struct account *account, uint64_t sms, uint32_t *out_status)
{
    static const uint32_t statuses[] = { [CFG_QUOTA_RSUBMITFAIL] = STATUS_RSUBMITFAIL,
                                         [CFG_QUOTA_RTHROTTLED] = STATUS_RTHROTTLED,
                                         [CFG_QUOTA_RMSGQFUL] = STATUS_RMSGQFUL };
    const struct cfg_esme *cfg = account->cfg;
    struct quota *q = &account->quota;

    if (!quota_has(cfg))
        return true;
    quota_tick(account, clock_wall_ms());
    double money = (double)q->money_e6 / 1e6;
    double expected = money + (double)q->price_e6 / 1e6 * (double)(account->queued + sms);
    bool too_many = cfg->quota_messages > 0 && q->messages + sms > cfg->quota_messages;
    bool too_dear = cfg->quota_money > 0 && (money >= cfg->quota_money || expected > cfg->quota_money);
    if (!too_many && !too_dear)
        return true;
    q->refused->value += (double)sms;
    if (!q->told)
        log_warn("quota used up", "sys=%s messages=%llu money=%.4f waiting=%llu", account->system_id,
                 (unsigned long long)q->messages, money, (unsigned long long)account->queued);
    q->told = true;
    *out_status = statuses[cfg->quota_status];
    return false;
}

void quota_count(struct account *account, int64_t sms)
{
    struct quota *q = &account->quota;

    if (!quota_has(account->cfg))
        return;
    if (sms >= 0)
        q->messages += (uint64_t)sms;
    else
        q->messages -= (uint64_t)-sms < q->messages ? (uint64_t)-sms : q->messages;
    make_dirty(account);
}

bool quota_spend(struct account *account, int64_t before_e6, int64_t after_e6)
{
    struct quota *q = &account->quota;

    if (account->cfg == NULL || account->cfg->quota_money <= 0 || after_e6 < 0 || after_e6 == before_e6)
        return false;
    quota_tick(account, clock_wall_ms());
    q->money_e6 += after_e6 - (before_e6 < 0 ? 0 : before_e6);
    if (after_e6 > 0)
        q->price_e6 = after_e6;
    make_dirty(account);
    return true;
}

void quota_flush(struct gateway *gw)
{
    char key[48];

    while (gw->dirty_quotas != NULL) {
        struct account *account = gw->dirty_quotas;
        struct quota *q = &account->quota;

        gw->dirty_quotas = q->next_dirty;
        q->dirty = false;
        key_of(account, "sms", key);
        int err = store_meta_set(gw->store, key, (int64_t)q->period << COUNT_BITS | ((int64_t)q->messages & COUNT_MASK),
                                 STORE_KEEP);
        key_of(account, "money", key);
        if (err == 0)
            err = store_meta_set(gw->store, key, q->money_e6, STORE_KEEP);
        if (err != 0)
            log_error("quota not saved", "sys=%s error=%s", account->system_id, err_name(err));
    }
}
