/* SPDX-License-Identifier: MIT */
/*
 * queue.c - what waits for an upstream, and which of it goes into the next request.
 *
 * Urgent before bulk; among accounts one message each in turn, so nobody's bulk starves another; within an account in
 * order of acceptance. Messages of one request share everything but phone, sender and text, and never a phone. A phone
 * with a message under way keeps later ones waiting at busy_phone, so order to one destination holds across requests.
 */
#include "gateway/internal.h"

#include <stdlib.h>
#include <string.h>

enum { FETCH_IDS = 1000, PARKED_MAX = 64 };

static struct queue *queue_get(struct account *account, struct upstream *up, bool urgent)
{
    struct queue *q;

    for (q = account->queues; q != NULL; q = q->sibling) {
        if (q->upstream == up && q->urgent == urgent)
            return q;
    }
    q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->account = account;
    q->upstream = up;
    q->urgent = urgent;
    q->sibling = account->queues;
    account->queues = q;
    return q;
}

static void activate(struct queue *q)
{
    struct queue **ring = &q->upstream->active[q->urgent];

    if (q->active)
        return;
    q->active = true;
    q->upstream->active_count[q->urgent]++;
    if (*ring == NULL) {
        q->prev = q->next = q;
        *ring = q;
        return;
    }
    q->next = *ring; /* behind the others: before the next to be served */
    q->prev = (*ring)->prev;
    q->prev->next = q;
    q->next->prev = q;
}

static void deactivate(struct queue *q)
{
    struct queue **ring = &q->upstream->active[q->urgent];

    if (!q->active)
        return;
    q->active = false;
    q->upstream->active_count[q->urgent]--;
    if (q->next == q) {
        *ring = NULL;
    } else {
        q->prev->next = q->next;
        q->next->prev = q->prev;
        if (*ring == q)
            *ring = q->next;
    }
    q->prev = q->next = NULL;
}

int queue_add(struct gateway *gw, struct account *account, struct upstream *up, bool urgent, uint64_t id, bool front)
{
    struct queue *q = queue_get(account, up, urgent);

    UNUSED(gw);
    if (q == NULL)
        return ERR_NOMEM;
    int err = front ? lane_push_front(&q->lane, id) : lane_push(&q->lane, id);
    if (err == 0 && front && q->routed > 0) { /* all places have moved by one */
        q->routed++;
        q->routed_late++;
    }
    if (err == 0 && !q->loading)
        activate(q);
    return err;
}

static void pop(struct queue *q)
{
    if (lane_pop(&q->lane) == 0)
        q->holes--;
    q->routed -= q->routed > 0;
    q->routed_late -= q->routed_late > 0;
}

void queue_leave(struct queue *q, size_t at)
{
    lane_put(&q->lane, at, 0);
    q->holes++;
    while (q->lane.count > 0 && lane_peek(&q->lane, 0) == 0)
        pop(q);
}

/* Ids that were asked for and did not come are unknown to the store: they would be asked for again for ever. */
static void drop_unknown(struct queue *q)
{
    const struct gateway *gw = q->upstream->gateway;
    size_t at = 0;

    for (size_t i = 0; i < q->asked_count; i++) {
        if (book_find(gw->book, q->asked[i]) != NULL)
            continue;
        while (at < q->lane.count && lane_peek(&q->lane, at) != q->asked[i])
            at++;
        if (at == q->lane.count)
            return;
        lane_put(&q->lane, at, 0);
        q->holes++;
    }
    while (q->lane.count > 0 && lane_peek(&q->lane, 0) == 0)
        pop(q);
}

/* Reads of a queue's messages end here; the cookie is account number << 32 | upstream << 1 | urgent. */
static void on_read(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct account *account = account_by_number(gw, (uint16_t)(cookie >> 32));
    struct upstream *up = upstream_by_number(gw, (uint16_t)(cookie >> 1));
    struct queue *q = account == NULL || up == NULL ? NULL : queue_get(account, up, (cookie & 1) != 0);

    if (q == NULL)
        return;
    q->loading = false;
    if (err != 0) {
        log_error("queue could not be read", "sys=%s upstream=%s error=%s", account->system_id, up->name,
                  err_name(err));
        upstream_pause(up, PAUSE_BACKOFF, 1000);
    } else {
        drop_unknown(q);
    }
    free(q->asked);
    q->asked = NULL;
    if (q->lane.count > 0)
        activate(q);
    upstream_pump(up);
    if (err == 0)
        route_away_queue(q);
}

void queue_load(struct queue *q, size_t from)
{
    struct gateway *gw = q->upstream->gateway;
    uint64_t *ids = q->loading ? NULL : malloc(FETCH_IDS * sizeof *ids);
    size_t count = 0;

    if (ids == NULL)
        return; /* it stays active: tried again at the next turn */
    for (size_t i = from; i < q->lane.count && count < FETCH_IDS; i++) {
        uint64_t id = lane_peek(&q->lane, i);

        if (id != 0 && book_find(gw->book, id) == NULL)
            ids[count++] = id;
        else if (i - from >= FETCH_IDS)
            break;
    }
    uint64_t cookie = (uint64_t)q->account->number << 32 | (uint64_t)q->upstream->number << 1 | q->urgent;
    if (book_fetch(gw->book, ids, count, on_read, gw, cookie) != 0) {
        free(ids);
        return;
    }
    q->asked = ids;
    q->asked_count = count;
    q->loading = true;
    deactivate(q); /* again after the read */
}

static struct busy_phone *busy_find(struct upstream *up, uint64_t phone)
{
    struct busy_phone *b;

    HASH_FIND(hh, up->busy, &phone, sizeof phone, b);
    return b;
}

bool queue_phone_busy(const struct upstream *up, uint64_t phone)
{
    const struct busy_phone *b;

    HASH_FIND(hh, up->busy, &phone, sizeof phone, b);
    return b != NULL;
}

void queue_phone_take(struct upstream *up, uint64_t phone)
{
    struct busy_phone *b = busy_find(up, phone);

    if (b == NULL) {
        b = up->idle_busy;
        if (b != NULL)
            up->idle_busy = b->hh.next;
        else
            b = calloc(1, sizeof *b);
        if (b == NULL)
            return; /* order to this phone is not kept this once */
        *b = (struct busy_phone){ .phone = phone };
        HASH_ADD(hh, up->busy, phone, sizeof b->phone, b);
        if (!TABLE_TOOK(b)) {
            free(b);
            return; /* nor now */
        }
    }
    b->under_way++;
}

void queue_phone_free(struct upstream *up, uint64_t phone)
{
    struct gateway *gw = up->gateway;
    struct busy_phone *b = busy_find(up, phone);

    if (b == NULL || --b->under_way > 0)
        return;
    /* the parked go back to the front, oldest first, each to its own account's queue */
    for (size_t i = b->waiting.count; i > 0; i--) {
        uint64_t id = lane_peek(&b->waiting, i - 1);
        struct item *item = book_find(gw->book, id);

        if (item == NULL)
            continue;
        struct account *account = account_by_number(gw, item->m->p.esme);
        if (item->m->p.state == MESSAGE_QUEUED && queue_add(gw, account, up, item->m->p.urgent, id, true) != 0)
            log_error("message waits until the next start", "sys=%s msg=%llu", account->system_id,
                      (unsigned long long)id);
        book_unpin(gw->book, item);
    }
    lane_finish(&b->waiting);
    HASH_DEL(up->busy, b);
    b->hh.next = up->idle_busy;
    up->idle_busy = b;
}

bool queue_park(struct upstream *up, struct item *item)
{
    struct busy_phone *busy = busy_find(up, message_phone(item->m->dest.at, item->m->dest.len));

    if (busy == NULL || busy->waiting.count >= PARKED_MAX || lane_push(&busy->waiting, item->m->id) != 0)
        return false;
    book_pin(up->gateway->book, item);
    return true;
}

static bool can_join(const struct item *first, const struct item *item)
{
    const struct message *a = first->m, *b = item->m;

    return a->channel == b->channel && !a->binary && !b->binary && a->expires_ms == b->expires_ms &&
           a->extra.len == b->extra.len && memcmp(a->extra.at, b->extra.at, a->extra.len) == 0;
}

static bool can_list(const struct message *m)
{
    struct smsc_line line = {
        .phone = m->dest.at, .sender = m->source.at, .text = m->text.at, .text_len = m->text.len
    };

    return smsc_line_can_list(&line);
}

/* Too many to this subscriber: waits until the aggregator would not block it any more. Messages held for the same reason
 * become due together and in order, hence the rounded time. */
static bool hold_back(struct upstream *up, struct item *item, uint64_t wait_ms)
{
    uint64_t due_ms = ((clock_mono_ms() + wait_ms) / 100 + 2) * 100;

    if (heap_push(&up->gateway->later, (int64_t)due_ms, item->m->id) != 0)
        return false;
    log_warn("held: too many messages to one subscriber", "upstream=%s msg=%llu ms=%llu", up->name,
             (unsigned long long)item->m->id, (unsigned long long)wait_ms);
    return true;
}

enum take { TAKEN, NOT_NOW, AGAIN };

/* Tries the front of one queue. AGAIN: the front has gone (parked, closed), look at the next. */
static enum take take_one(struct queue *q, struct item **out, size_t count)
{
    struct upstream *up = q->upstream;
    struct gateway *gw = up->gateway;
    uint64_t id = lane_peek(&q->lane, 0);
    struct item *item = id == 0 ? NULL : book_find(gw->book, id);

    if (item == NULL && id != 0) {
        queue_load(q, 0);
        return NOT_NOW;
    }
    if (item == NULL || item->m->p.state != MESSAGE_QUEUED || item->m->p.upstream != up->number ||
        sweep_expired(up, item)) {
        pop(q);
        return AGAIN;
    }
    if (count > 0 && item->together != 0 && count >= item->together)
        return NOT_NOW;
    if (count > 0 && (!can_join(out[0], item) || !can_list(item->m) || (count == 1 && !can_list(out[0]->m))))
        return NOT_NOW;
    uint64_t phone = message_phone(item->m->dest.at, item->m->dest.len);
    uint64_t flood_ms = rules_flood_wait_ms(up->rules, phone, clock_mono_ms());
    if (flood_ms > 0 && hold_back(up, item, flood_ms)) {
        pop(q);
        return AGAIN;
    }
    if (queue_phone_busy(up, phone)) {
        if (!queue_park(up, item))
            return NOT_NOW;
        pop(q);
        return AGAIN;
    }
    pop(q);
    queue_phone_take(up, phone);
    book_pin(gw->book, item);
    out[count] = item;
    return TAKEN;
}

size_t queue_gather(struct upstream *up, struct item **out, size_t max)
{
    size_t count = 0;

    for (int urgent = 1; urgent >= 0; urgent--) {
        size_t passed = 0; /* queues without a message for us, in a row */

        while (up->active[urgent] != NULL && count < max && passed < up->active_count[urgent]) {
            struct queue *q = up->active[urgent];
            enum take took = AGAIN;

            while (took == AGAIN && q->lane.count > 0)
                took = take_one(q, out, count);
            passed = took == TAKEN ? 0 : passed + 1;
            if (took == TAKEN && out[count]->together != 0 && out[count]->together < max)
                max = out[count]->together;
            if (took == TAKEN)
                count++;
            if (q->lane.count == 0)
                deactivate(q);
            else if (q->active)
                up->active[urgent] = q->next;
        }
    }
    return count;
}

bool queue_has_work(const struct upstream *up)
{
    return up->active[0] != NULL || up->active[1] != NULL;
}

uint64_t queue_waiting(const struct upstream *up)
{
    uint64_t sum = 0;

    for (int urgent = 0; urgent < 2; urgent++) {
        const struct queue *q = up->active[urgent];

        while (q != NULL) {
            sum += q->lane.count - q->holes;
            q = q->next == up->active[urgent] ? NULL : q->next;
        }
    }
    return sum;
}

void queue_finish(struct upstream *up)
{
    struct busy_phone *b, *next;

    HASH_ITER(hh, up->busy, b, next)
    {
        HASH_DEL(up->busy, b);
        lane_finish(&b->waiting);
        free(b);
    }
    while (up->idle_busy != NULL) {
        b = up->idle_busy;
        up->idle_busy = b->hh.next;
        free(b);
    }
}
