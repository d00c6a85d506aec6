/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - messages that have waited here too long: past their validity, or never taken within give_up.
 *
 * The front of a queue is looked at when it is taken. While an upstream is paused, or a queue is long, nothing is taken
 * for hours, so a cursor walks over the messages in memory as well, a bounded number a tick. Those that are in the store
 * only are read when nothing is taken at all and their ids say that it is time; from an upstream that is configured no more
 * nothing ever will be taken.
 */
#include "gateway/internal.h"

enum { PER_TICK = 2000 };

bool sweep_expired(struct upstream *up, struct item *item)
{
    const struct message *m = item->m;
    int64_t now_ms = era_now_ms(up->gateway, m->id);
    int64_t since_ms = m->p.due_ms > m->accepted_ms ? m->p.due_ms : m->accepted_ms; /* scheduled ones begin when due */
    bool given_up = now_ms - since_ms > (int64_t)upstream_give_up_ms(up);

    if (m->p.state != MESSAGE_QUEUED || item->fresh || !(given_up || (m->expires_ms != 0 && m->expires_ms <= now_ms)))
        return false;
    book_pin(up->gateway->book, item);
    outcome_keep(up->gateway, item, &(struct outcome){ .final = SMPP_STATE_EXPIRED, .status = -100, .cost_e6 = -1 });
    book_unpin(up->gateway->book, item);
    return true;
}

/* Has it waited for give_up, as far as its id tells? A scheduled one may have come later. */
static bool is_old(struct upstream *up, uint64_t id)
{
    return era_now_ms(up->gateway, id) - store_id_ms(id) > (int64_t)upstream_give_up_ms(up);
}

/* Its place would be passed over when it is taken; where nothing is taken, it would be read again and again. */
static bool has_left(const struct queue *q, const struct item *item)
{
    return item->m->p.state != MESSAGE_QUEUED || item->m->p.upstream != q->upstream->number;
}

static void sweep(struct queue *q, bool still)
{
    struct upstream *up = q->upstream;

    for (size_t i = 0; i < PER_TICK && i < q->lane.count; i++) {
        if (q->swept >= q->lane.count)
            q->swept = 0;
        size_t at = q->swept++;
        uint64_t id = lane_peek(&q->lane, at);
        struct item *item = id == 0 ? NULL : book_find(up->gateway->book, id);

        if (item != NULL) {
            sweep_expired(up, item);
            if (still && has_left(q, item)) {
                size_t before = q->lane.count;

                queue_leave(q, at);
                q->swept -= q->swept < before - q->lane.count ? q->swept : before - q->lane.count;
            }
        } else if (still && id != 0 && !q->loading && is_old(up, id)) {
            queue_load(q, at);
            return;
        }
    }
}

void sweep_tick(struct upstream *up)
{
    struct account *account, *next;
    bool still = up->cfg == NULL || up->retired || upstream_is_paused(up);

    HASH_ITER(hh, up->gateway->accounts, account, next)
    {
        for (struct queue *q = account->queues; q != NULL; q = q->sibling) {
            if (q->upstream == up)
                sweep(q, still);
        }
    }
}
