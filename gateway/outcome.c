/* SPDX-License-Identifier: MIT */
/*
 * outcome.c - how a message ends: the one place that decides about its receipt and closes it.
 *
 * Every road to an end (callback, poll, refusal, expiry) comes through outcome_reached, so each message ends once and
 * gets at most one receipt. What is not yet durable is undone when the store refuses it.
 */
#include "gateway/group.h"
#include "gateway/join.h"
#include "gateway/pace.h"

#include <stdlib.h>
#include <string.h>

bool outcome_of_status(int status, enum smpp_message_state *out_final)
{
    static const struct {
        int status;
        enum smpp_message_state final;
    } table[] = {
        /* [API statuses; interface.md 6.6] 0 in `final`: not final */
        { -2, 0 },
        { -1, 0 },
        { 0, 0 },
        { 1, SMPP_STATE_DELIVERED },
        { 2, SMPP_STATE_DELIVERED },
        { 3, SMPP_STATE_EXPIRED },
        { 4, SMPP_STATE_DELIVERED },
        { 20, SMPP_STATE_UNDELIVERABLE },
        { 22, SMPP_STATE_REJECTED },
        { 23, SMPP_STATE_REJECTED },
        { 24, SMPP_STATE_REJECTED },
        { 25, SMPP_STATE_UNDELIVERABLE },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].status == status) {
            *out_final = table[i].final;
            return true;
        }
    }
    return false;
}

/* "last": of the parts of a joined message only the last by number speaks. Parts that went their own way, as bytes or
 * not at all, each do. */
static bool speaks_for_all(const struct account *account, const struct message *m)
{
    bool joined = m->part_total > 1 && (m->p.leader != 0 || !m->binary);

    return !joined || account->cfg == NULL || account->cfg->receipts == CFG_RECEIPTS_EACH ||
           m->part_number == m->part_total;
}

static bool wants_receipt(const struct message *m)
{
    switch (m->registered_delivery & REG_RECEIPT_MASK) {
    case REG_RECEIPT:
        return true;
    case REG_ON_FAILURE:
        return m->p.final != SMPP_STATE_DELIVERED;
    case REG_ON_SUCCESS:
        return m->p.final == SMPP_STATE_DELIVERED;
    default:
        return false;
    }
}

/* The change is durable or has failed: waits for the caller's own `done` as well. */
struct closing {
    struct gateway *gw;
    struct progress before;
    struct store_done done;
    bool counted; /* was it still in account->queued? */
};

static void spend(struct account *account, const struct progress *before, const struct progress *after)
{
    if (before->state != MESSAGE_DIVIDED && after->state != MESSAGE_DIVIDED) /* its pieces are counted */
        (void)quota_spend(account, before->cost_e6, after->cost_e6 < 0 && before->cost_e6 > 0 ? 0 : after->cost_e6);
}

/* The end was not stored: it goes on. Its place may have been passed over meanwhile; a second one does no harm. */
static void undone(struct gateway *gw, struct item *item)
{
    const struct message *m = item->m;
    int err = 0;

    if (m->p.state == MESSAGE_QUEUED)
        err = queue_add(gw, account_by_number(gw, m->p.esme), upstream_by_number(gw, m->p.upstream), m->p.urgent, m->id,
                        true);
    else if (m->p.state == MESSAGE_SCHEDULED)
        err = heap_push(&gw->due, m->p.due_ms, m->id);
    else if (m->p.state == MESSAGE_PART)
        join_stored(gw, item);
    if (err != 0)
        log_error("message waits until the next start", "msg=%llu", (unsigned long long)m->id);
}

static void on_saved(void *owner, uint64_t cookie, int err)
{
    struct closing *closing = owner;
    struct gateway *gw = closing->gw;
    struct item *item = book_find(gw->book, cookie); /* pinned, so it is there */
    struct account *account = account_by_number(gw, item->m->p.esme);

    struct send *send = item->m->p.upid == 0 ? NULL : send_find(gw, item->m->p.upid);

    item->ending = false;
    if (err != 0) {
        spend(account, &item->m->p, &closing->before);
        item->m->p = closing->before;
        if (closing->counted && send != NULL && send->state == SEND_ACCEPTED)
            account->queued--; /* accepted upstream meanwhile */
        undone(gw, item);
    } else {
        struct send_member *member = send == NULL ? NULL : send_member_of(send, cookie);

        if (closing->counted)
            account->queued--;
        if (member != NULL)
            send_member_done(gw, send, member);
        struct upstream *up = upstream_by_number(gw, item->m->p.upstream);
        if (item->m->kind != MESSAGE_PIECE)
            meters_count3(gw->meters.messages, account->system_id, up == NULL ? "" : up->name,
                          smpp_state_stat(item->m->p.final));
        if (item->m->p.state == MESSAGE_DELIVERING)
            deliver_add(gw, account, cookie, false);
        group_on_final(gw, item->m);
    }
    struct store_done done = closing->done;
    free(closing);
    book_unpin(gw->book, item);
    if (done.fn != NULL)
        done.fn(done.owner, done.cookie, err);
}

int outcome_reached(struct gateway *gw, struct item *item, const struct outcome *outcome, unsigned flags,
                    struct store_done done)
{
    struct message *m = item->m;
    struct closing *closing = malloc(sizeof *closing);

    if (closing == NULL)
        return ERR_NOMEM;
    struct send *send = m->p.upid == 0 ? NULL : send_find(gw, m->p.upid);
    bool accepted = m->p.state == MESSAGE_SENDING && (send == NULL || send->state == SEND_ACCEPTED);
    if (m->p.state == MESSAGE_FOLLOWING || m->p.state == MESSAGE_DIVIDED)
        accepted = true; /* others count in their place */
    *closing = (struct closing){ gw, m->p, done, !accepted };

    m->p.final = (uint8_t)outcome->final;
    m->p.status = outcome->status;
    m->p.err = outcome->err;
    m->p.done_ms = outcome->done_ms != 0 ? outcome->done_ms : clock_wall_ms();
    if (outcome->cost_e6 >= 0) {
        m->p.cost_e6 = outcome->cost_e6;
    } else if (m->p.cost_e6 < 0 && send != NULL) { /* the reply told it; the message was out of memory since */
        const struct send_member *member = send_member_of(send, m->id);

        m->p.cost_e6 = member == NULL ? -1 : member->cost_e6;
    }
    m->p.due_ms = 0;
    bool receipt = !outcome->quiet && wants_receipt(m) && speaks_for_all(account_by_number(gw, m->p.esme), m);
    m->p.receipt = receipt ? RECEIPT_WAITING : RECEIPT_NOT_ASKED;
    m->p.state = receipt ? MESSAGE_DELIVERING : MESSAGE_CLOSED;

    struct store_done saved = { on_saved, closing, m->id };
    int err = receipt ? store_move(gw->store, &m->p, flags, saved) : store_end(gw->store, &m->p, 0, flags, saved);
    if (err != 0) {
        m->p = closing->before;
        free(closing);
        return err;
    }
    spend(account_by_number(gw, m->p.esme), &closing->before, &m->p); /* in the same commit */
    item->ending = true;
    book_pin(gw->book, item);
    pace_answer(gw, item, STATUS_ROK); /* the upstream has had it: the answer goes before any receipt */
    return 0;
}

void outcome_keep(struct gateway *gw, struct item *item, const struct outcome *outcome)
{
    int err = outcome_reached(gw, item, outcome, STORE_KEEP, (struct store_done){ 0 });

    /* still open in the store: the next start, or the next status poll, ends it */
    if (err != 0)
        log_error("outcome not saved", "msg=%llu error=%s", (unsigned long long)item->m->id, err_name(err));
}

void outcome_requeue(struct gateway *gw, struct item *item, uint64_t wait_ms, bool front)
{
    struct message *m = item->m;
    struct account *account = account_by_number(gw, m->p.esme);
    struct upstream *up = upstream_by_number(gw, m->p.upstream);

    m->p.state = MESSAGE_QUEUED;
    m->p.upid = 0; /* due_ms stays: since then it waits, see is_given_up */
    int err = store_move(gw->store, &m->p, STORE_KEEP, gateway_save_of(gw, m->id));
    if (err == 0)
        book_pin(gw->book, item);
    else /* the store says that it is under way: a restart finds its request refused, and queues it */
        log_error("return to the queue not saved", "msg=%llu error=%s", (unsigned long long)m->id, err_name(err));
    if (wait_ms > 0)
        (void)gateway_look_in(gw, wait_ms, m->id);
    else if (queue_add(gw, account, up, m->p.urgent, m->id, front) != 0)
        log_error("message waits until the next start", "msg=%llu", (unsigned long long)m->id);
}
