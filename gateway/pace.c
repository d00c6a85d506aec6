/* SPDX-License-Identifier: MIT */
/* pace.c - answers that are held back [see pace.h]: a heap of (mono due, message) beside the items themselves. */
#include "gateway/pace.h"

#include "gateway/face.h"

bool pace_admit(struct account *account, unsigned count, uint64_t *out_until_ms)
{
    uint64_t now_ms = clock_mono_ms(), delay_ms;

    *out_until_ms = 0;
    if (!rate_take(&account->rate, now_ms, account->cfg->delay_budget_ms, &delay_ms)) {
        account->meters.throttled->value += count;
        return false;
    }
    if (count > 1)
        rate_spend(&account->rate, count - 1); /* a set is taken or refused as a whole; it may run into debt */
    if (delay_ms > 0)
        *out_until_ms = now_ms + delay_ms;
    return true;
}

static bool wants_upstream_word(const struct gateway *gw, const struct item *item)
{
    const struct message *m = item->m;
    const struct account *account = account_by_number((struct gateway *)(uintptr_t)gw, m->p.esme);

    if (gateway_holds_sends(gw) || account->cfg == NULL ||
        (m->p.state != MESSAGE_QUEUED && m->p.state != MESSAGE_SENDING))
        return false; /* what waits for its time or its other parts is answered with the promise */
    return account->cfg->acknowledge == CFG_SENT || (m->esm_class & ESM_MODE_MASK) == ESM_MODE_FORWARD;
}

bool pace_hold(struct gateway *gw, struct item *item)
{
    uint64_t now_ms = clock_mono_ms(), due_ms = item->answer_at_ms;

    if (!item->has_ticket || item->answered || item->in_set || gw->hold >= HOLD_DELIVERIES)
        return false; /* before the next process takes over nothing stays unanswered */
    item->waits_sent = wants_upstream_word(gw, item);
    if (item->waits_sent)
        due_ms = now_ms + account_by_number(gw, item->m->p.esme)->cfg->acknowledge_within_ms;
    if (due_ms <= now_ms || heap_push(&gw->paced, (int64_t)due_ms, item->m->id) != 0) {
        item->waits_sent = false;
        return false;
    }
    item->held = true;
    book_pin(gw->book, item);
    return true;
}

bool pace_waits(const struct item *item)
{
    return item->held && item->waits_sent;
}

static void release(struct gateway *gw, struct item *item, uint32_t status)
{
    item->held = item->waits_sent = false;
    submit_answer(gw, item, status);
    book_unpin(gw->book, item);
}

void pace_answer(struct gateway *gw, struct item *item, uint32_t status)
{
    if (pace_waits(item))
        release(gw, item, status);
}

void pace_release(struct gateway *gw)
{
    struct heap_entry entry;

    while (heap_pop(&gw->paced, INT64_MAX, &entry)) {
        struct item *item = book_find(gw->book, entry.id);

        if (item != NULL && item->held)
            release(gw, item, STATUS_ROK);
    }
}

uint64_t pace_turn(struct gateway *gw)
{
    uint64_t now_ms = clock_mono_ms();
    struct heap_entry entry;

    while (heap_pop(&gw->paced, (int64_t)now_ms, &entry)) {
        struct item *item = book_find(gw->book, entry.id);

        if (item != NULL && item->held) /* it is stored: that promise is what can be given now */
            release(gw, item, STATUS_ROK);
    }
    return gw->paced.count == 0 ? UINT64_MAX : (uint64_t)heap_next(&gw->paced) - now_ms;
}
