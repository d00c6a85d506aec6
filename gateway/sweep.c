/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - messages that have waited here too long: past their validity, or never taken within give_up.
 *
 * The front of a queue is looked at when it is taken. While an upstream is paused, or a queue is long, nothing is taken
 * for hours, so a cursor walks over the messages in memory as well, a bounded number a tick.
 */
#include "gateway/internal.h"

enum { PER_TICK = 2000 };

bool sweep_expired(struct upstream *up, struct item *item)
{
    const struct message *m = item->m;
    int64_t now_ms = era_now_ms(up->gateway, m->id);
    int64_t since_ms = m->p.due_ms > m->accepted_ms ? m->p.due_ms : m->accepted_ms; /* scheduled ones begin when due */
    bool given_up = up->cfg != NULL && now_ms - since_ms > (int64_t)up->cfg->retry_give_up_ms;

    if (m->p.state != MESSAGE_QUEUED || item->fresh || !(given_up || (m->expires_ms != 0 && m->expires_ms <= now_ms)))
        return false;
    book_pin(up->gateway->book, item);
    outcome_keep(up->gateway, item, &(struct outcome){ .final = SMPP_STATE_EXPIRED, .status = -100, .cost_e6 = -1 });
    book_unpin(up->gateway->book, item);
    return true;
}

static void sweep(struct queue *q)
{
    struct upstream *up = q->upstream;

    for (size_t i = 0; i < PER_TICK && i < q->lane.count; i++) {
        if (q->swept >= q->lane.count)
            q->swept = 0;
        struct item *item = book_find(up->gateway->book, lane_peek(&q->lane, q->swept++));

        if (item != NULL)
            sweep_expired(up, item); /* its place in the queue is passed over later */
    }
}

void sweep_tick(struct upstream *up)
{
    struct account *account, *next;

    HASH_ITER(hh, up->gateway->accounts, account, next)
    {
        for (struct queue *q = account->queues; q != NULL; q = q->sibling) {
            if (q->upstream == up)
                sweep(q);
        }
    }
}
