/* SPDX-License-Identifier: MIT */
/*
 * resume.c - at start: what the store says was under way goes on.
 *
 * Queued messages go back to their queues in order of acceptance, held receipts to their accounts. A message in a
 * request follows that request's row: accepted, it waits for its status; refused or never made durable, it is queued
 * again; in flight or unclear, the upstream is asked before anything is sent.
 */
#include "gateway/group.h"
#include "gateway/internal.h"
#include "gateway/join.h"
#include "gateway/lab_accounts.h"

#include <stdlib.h>
#include <string.h>

struct travelling { /* an open message that says it is in a request */
    uint64_t id;
    struct progress p;
    bool found; /* its request's row has been seen */
    UT_hash_handle hh;
};

struct resume {
    struct gateway *gw;
    struct travelling *travelling;
    uint64_t queued, held, accepted, asked;
    bool failed;
};

static struct account *account_numbered(struct gateway *gw, uint16_t number)
{
    struct account *account = account_by_number(gw, number);

    if (account != NULL)
        return account;
    const char *name = store_name(gw->store, number);
    return name == NULL ? NULL : account_get(gw, name);
}

static struct upstream *upstream_numbered(struct gateway *gw, uint16_t number)
{
    struct upstream *up = upstream_by_number(gw, number);
    const char *name = store_name(gw->store, number);

    /* its configuration is gone: what travels there waits, nothing new is sent */
    if (up == NULL && name != NULL && upstream_create(gw, name, &up) != 0)
        return NULL;
    return up;
}

static void put_in_queue(struct resume *r, const struct progress *p, bool front)
{
    struct gateway *gw = r->gw;
    struct account *account = account_numbered(gw, p->esme);
    struct upstream *up = upstream_numbered(gw, p->upstream);

    if (account == NULL || up == NULL || queue_add(gw, account, up, p->urgent, p->id, front) != 0) {
        r->failed = true;
        return;
    }
    account->queued++;
    r->queued++;
}

static void on_open(void *owner, const struct progress *p)
{
    struct resume *r = owner;
    struct gateway *gw = r->gw;
    struct account *account = account_numbered(gw, p->esme);

    if (account == NULL) {
        r->failed = true;
        return;
    }
    group_resume(gw, p);
    switch ((enum message_state)p->state) {
    case MESSAGE_PART:
        account->queued++;
        join_resume(gw, p);
        break;
    case MESSAGE_FOLLOWING:
    case MESSAGE_DIVIDED:
        break;
    case MESSAGE_QUEUED:
        put_in_queue(r, p, false);
        break;
    case MESSAGE_SCHEDULED:
        account->queued++;
        r->failed |= heap_push(&gw->due, p->due_ms, p->id) != 0;
        break;
    case MESSAGE_SENDING: {
        struct travelling *t = malloc(sizeof *t);

        if (t == NULL) {
            r->failed = true;
            return;
        }
        *t = (struct travelling){ .id = p->id, .p = *p };
        HASH_ADD(hh, r->travelling, id, sizeof t->id, t);
        if (!TABLE_TOOK(t)) {
            free(t);
            r->failed = true;
        }
        break;
    }
    case MESSAGE_DELIVERING:
        r->failed |= lane_push(&account->deliveries, p->id) != 0;
        r->held++;
        break;
    default:
        log_error("message in a state this version does not know", "msg=%llu state=%u", (unsigned long long)p->id,
                  p->state);
        break;
    }
}

static void on_send(void *owner, const struct store_send *row)
{
    struct resume *r = owner;
    struct gateway *gw = r->gw;
    struct upstream *up = upstream_numbered(gw, row->upstream);

    if (row->state == SEND_REFUSED || up == NULL)
        return; /* its open members are queued again below */
    struct send *send = send_create(gw, up, row->upid, row->member_count);
    if (send == NULL) {
        r->failed = true;
        return;
    }
    /* the simulated network of lab accounts has forgotten what it had accepted: asked, it says so, and gets it again */
    bool forgotten = strcmp(up->name, LAB_UPSTREAM) == 0;
    send->state = row->state == SEND_IN_FLIGHT || forgotten ? SEND_UNCLEAR : row->state;
    send->tries = row->tries;
    send->at_ms = row->at_ms;
    send->replied_ms = row->replied_ms;
    send->cost_e6 = row->cost_e6;
    send->whole_count = row->whole_count;
    bool unclear = send->state == SEND_UNCLEAR;
    for (size_t i = 0; i < row->member_count; i++) {
        struct travelling *t;

        send->members[i] = (struct send_member){
            .id = row->members[i].id, .phone = row->members[i].phone, .done = true, .cost_e6 = -1
        };
        if (row->cost_e6 >= 0 && row->whole_count > 0) /* what each was told to cost is known no more: its share */
            send->members[i].cost_e6 = row->cost_e6 / (int64_t)row->whole_count;
        HASH_FIND(hh, r->travelling, &row->members[i].id, sizeof(uint64_t), t);
        if (t == NULL || t->p.upid != row->upid) {
            send->open_count--;
            continue;
        }
        t->found = true;
        send->members[i].done = false;
        if (unclear)
            account_numbered(gw, t->p.esme)->queued++;
    }
    if (send->open_count == 0) {
        send_drop(gw, send);
        return;
    }
    if (!unclear) {
        poll_add(send);
        r->accepted++;
        return;
    }
    r->asked++;
    send->holds_slot = true;
    send->repeated = true;
    for (size_t i = 0; i < send->member_count; i++)
        queue_phone_take(up, send->members[i].phone);
    reconcile_add(send, 0); /* which reads its messages first */
}

int resume_all(struct gateway *gw)
{
    static const struct store_resume_ops ops = { on_open, on_send };
    struct resume r = { .gw = gw };
    struct travelling *t, *next;

    int err = store_resume(gw->store, &ops, &r);
    /* newest first, each to the front: they are older than what is queued */
    for (t = r.travelling == NULL ? NULL : ELMT_FROM_HH(r.travelling->hh.tbl, r.travelling->hh.tbl->tail); t != NULL;
         t = next) {
        next = t->hh.prev;
        if (!t->found && err == 0) { /* its request never became durable, or was refused */
            t->p.state = MESSAGE_QUEUED;
            t->p.upid = 0;
            if (store_move(gw->store, &t->p, STORE_KEEP, (struct store_done){ 0 }) != 0)
                r.failed = true;
            put_in_queue(&r, &t->p, true);
        }
        HASH_DEL(r.travelling, t);
        free(t);
    }
    if (err == 0) {
        group_resumed(gw);
        join_resumed(gw);
    }
    if (err == 0 && r.failed)
        err = ERR_NOMEM;
    if (err == 0 && r.queued + r.held + r.accepted + r.asked > 0)
        log_info("resumed", "queued=%llu receipts_held=%llu sends_waiting=%llu sends_unclear=%llu",
                 (unsigned long long)r.queued, (unsigned long long)r.held, (unsigned long long)r.accepted,
                 (unsigned long long)r.asked);
    return err;
}
