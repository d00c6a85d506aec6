/* SPDX-License-Identifier: MIT */
/*
 * deliver.c - receipts and incoming messages on their way to the ESME.
 *
 * Each account has one line of ids; a pump hands them to bound receivers in turn while their windows have room. A
 * delivery ends in exactly one way (on_end): delivered, refused for good, or due again later from the store. A receipt,
 * or a notification, waits while the submit_sm_resp of its message has not left yet. Incoming messages for a number that
 * no bind has in its address_range stand aside in a line of their own until somebody binds, so that they hold nothing
 * else up. What a delivery looks like is parcel.c's.
 */
#include "gateway/address_range.h"
#include "gateway/internal.h"
#include "gateway/parcel.h"

#include <stdlib.h>
#include <string.h>

enum {
    FETCH_IDS = 256,
    RETRY_MAX_MS = 300000,
    ANSWER_SOON_MS = 100, /* so long the line waits for an answer to leave; then the others go first */
    ANSWER_AGAIN_MS = 500,
    UNANSWERED_MAX = 3,    /* deliveries in a row without an answer before a session counts as dead */
    TRIM_EVERY_MS = 10000, /* to look at the age of what is not in memory */
    COOKIE_ASIDE = 1 << 16 /* beside an account's number */
};

static void on_front_read(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct account *account = account_by_number(gw, (uint16_t)cookie);

    if (account == NULL)
        return;
    struct lane *lane = (cookie & COOKIE_ASIDE) != 0 ? &account->aside : &account->deliveries;
    account->deliveries_loading = false;
    if (err != 0) {
        log_error("deliveries could not be read", "sys=%s error=%s", account->system_id, err_name(err));
        return; /* tried again by the next tick */
    }
    /* Unknown to the store by now: else it would be asked for again for ever. Others have not been looked for. */
    if (lane->count > 0 && lane_peek(lane, 0) == account->deliveries_front &&
        book_find(gw->book, account->deliveries_front) == NULL)
        lane_pop(lane);
    deliver_pump(account);
}

static void read_front(struct account *account, const struct lane *lane)
{
    struct gateway *gw = account->gateway;
    uint64_t cookie = account->number | (lane == &account->aside ? COOKIE_ASIDE : 0u);
    uint64_t ids[FETCH_IDS];
    size_t count = 0;

    if (account->deliveries_loading)
        return;
    for (size_t i = 0; i < lane->count && i < FETCH_IDS; i++) {
        uint64_t id = lane_peek(lane, i);

        if (book_find(gw->book, id) == NULL)
            ids[count++] = id;
    }
    account->deliveries_front = ids[0];
    if (book_fetch(gw->book, ids, count, on_front_read, gw, cookie) == 0)
        account->deliveries_loading = true;
}

void deliver_add(struct gateway *gw, struct account *account, uint64_t id, bool front)
{
    int err = front ? lane_push_front(&account->deliveries, id) : lane_push(&account->deliveries, id);

    UNUSED(gw);
    if (err != 0)
        log_error("delivery waits until the next start", "sys=%s msg=%llu", account->system_id, (unsigned long long)id);
    deliver_pump(account);
}

static bool same_session(struct smpp_session_ref a, struct smpp_session_ref b)
{
    return a.slot == b.slot && a.generation == b.generation;
}

static bool has_room(struct account *account, const struct bound *b)
{
    return b->type != SMPP_BIND_TX && smpp_deliver_room(account->gateway->smpp, b->ref) > 0;
}

static bool has_receiver(const struct account *account)
{
    for (size_t i = 0; i < account->bound_count; i++) {
        if (account->bounds[i].type != SMPP_BIND_TX)
            return true;
    }
    return false;
}

/* A receiver with room, in turn. */
static const struct bound *pick_receiver(struct account *account)
{
    for (size_t i = 0; i < account->bound_count; i++) {
        const struct bound *b = &account->bounds[(account->bound_next + i) % account->bound_count];

        if (has_room(account, b)) {
            account->bound_next = (account->bound_next + i + 1) % account->bound_count;
            return b;
        }
    }
    return NULL;
}

static const struct smpp_session_info *session_of(const struct account *account, const struct bound *b)
{
    return smpp_session_find(account->gateway->smpp, b->ref);
}

/* May this go there by the bind's address_range? */
static bool is_in_range(const struct account *account, const struct bound *b, const struct message *m)
{
    if (m->kind != MESSAGE_MO || account->cfg == NULL || account->cfg->address_range != CFG_RANGE_INCOMING)
        return true;
    const struct smpp_session_info *session = session_of(account, b);

    return session != NULL && address_range_has(session->address_range, m->dest.at);
}

/* A receiver that may have it, other than `but` (NULL: any). */
static bool has_receiver_for(const struct account *account, const struct message *m, const struct smpp_session_ref *but)
{
    for (size_t i = 0; i < account->bound_count; i++) {
        const struct bound *b = &account->bounds[i];

        if (b->type != SMPP_BIND_TX && (but == NULL || !same_session(b->ref, *but)) && is_in_range(account, b, m))
            return true;
    }
    return false;
}

/* The same with a look at what goes there: `any` is what pick_receiver found. NULL: none with room may have it. */
static const struct bound *receiver_for(struct account *account, const struct item *item, const struct bound *any)
{
    bool same = account->cfg != NULL && account->cfg->receipt_bind == CFG_SAME_BIND && item->has_ticket &&
                item->m->kind != MESSAGE_MO && !item->avoids;
    bool avoid = item->avoids && same_session(any->ref, item->avoid);

    for (size_t i = 0; (same || avoid) && i < account->bound_count; i++) {
        const struct bound *b = &account->bounds[i];

        if (has_room(account, b) &&
            (same ? same_session(b->ref, item->ticket.session) : !same_session(b->ref, item->avoid)) &&
            is_in_range(account, b, item->m))
            return b;
    }
    if (is_in_range(account, any, item->m))
        return any;
    for (size_t i = 0; i < account->bound_count; i++) {
        const struct bound *b = &account->bounds[(account->bound_next + i) % account->bound_count];

        if (has_room(account, b) && is_in_range(account, b, item->m)) {
            account->bound_next = (account->bound_next + i + 1) % account->bound_count;
            return b;
        }
    }
    return NULL;
}

/* What smpp_deliver returns, or ERR_EXISTS: it was too long for this bind, parts of it come in its place. */
static int hand_over(struct account *account, struct item *item, const struct bound *to)
{
    static struct parcel parcel; /* loop thread only; too large for the stack of a deep call */

    parcel_pack(account, item->m, to->interface_version, session_of(account, to), &parcel);
    if (!parcel.is_whole && item->m->kind == MESSAGE_MO && item->m->part_total <= 1) {
        int err = incoming_divide(account, item);

        if (err != ERR_RANGE) /* no header numbers so many: it goes out as it is */
            return err == 0 ? ERR_EXISTS : err;
    }
    return smpp_deliver(account->gateway->smpp, to->ref, &parcel.pdu, item->m->id);
}

static void close_delivery(struct gateway *gw, struct item *item, enum message_receipt how)
{
    struct message *m = item->m;

    m->p.receipt = (uint8_t)how;
    m->p.state = MESSAGE_CLOSED;
    int err = store_end(gw->store, &m->p, how == RECEIPT_DELIVERED ? clock_wall_ms() : 0, STORE_KEEP,
                        gateway_save_of(gw, m->id));
    if (err == 0)
        book_pin(gw->book, item);
    else
        log_error("delivery not saved: it will be repeated after a restart", "msg=%llu", (unsigned long long)m->id);
}

static int64_t waiting_since_ms(const struct message *m)
{
    if (m->kind != MESSAGE_MT) /* those waited from the start; a receipt delivered once more has an older outcome */
        return store_id_ms(m->id);
    return m->p.done_ms != 0 ? m->p.done_ms : m->accepted_ms;
}

/* What waited for a bind leaves at deliver_rate: an ESME that was away is not run over by its own backlog. */
static bool pace_allows(struct account *account)
{
    double rate = account->cfg == NULL ? 0 : account->cfg->deliver_rate;

    if (account->paced == 0 || rate <= 0)
        return true;
    uint64_t now_ms = clock_mono_ms();
    double most = rate / 5 < 1 ? 1 : rate / 5; /* two ticks of the gateway */

    account->pace_tokens += rate * (double)(now_ms - account->pace_at_ms) / 1000;
    account->pace_at_ms = now_ms;
    if (account->pace_tokens > most)
        account->pace_tokens = most;
    return account->pace_tokens >= 1;
}

static void pace_count(struct account *account)
{
    if (account->paced == 0)
        return;
    account->paced--;
    if (account->pace_tokens >= 1)
        account->pace_tokens -= 1;
}

uint64_t deliver_waiting(const struct account *account)
{
    return account->deliveries.count + account->aside.count;
}

void deliver_look_again(struct account *account)
{
    size_t count = account->aside.count;

    for (size_t i = count; i > 0; i--) {
        if (lane_push_front(&account->deliveries, lane_peek(&account->aside, i - 1)) != 0)
            log_error("delivery waits until the next start", "sys=%s msg=%llu", account->system_id,
                      (unsigned long long)lane_peek(&account->aside, i - 1));
    }
    lane_finish(&account->aside);
    account->aside = (struct lane){ 0 };
    if (count > 0 && account->paced == 0) {
        account->pace_tokens = 1;
        account->pace_at_ms = clock_mono_ms();
    }
    account->paced += count; /* they have waited for a bind too */
}

/* No bind's address_range has its number: it waits beside the line until somebody binds. */
static void set_aside(struct account *account, uint64_t id)
{
    if (lane_push(&account->aside, id) != 0) {
        log_error("delivery waits until the next start", "sys=%s msg=%llu", account->system_id, (unsigned long long)id);
    } else {
        log_info("incoming message waits for a bind with its address_range", "sys=%s msg=%llu", account->system_id,
                 (unsigned long long)id);
    }
    lane_pop(&account->deliveries);
    if (account->paced > 0)
        account->paced--;
}

void deliver_on_bound(struct account *account)
{
    const struct bound *newest = &account->bounds[account->bound_count - 1];
    bool first = newest->type != SMPP_BIND_TX;

    if (first)
        deliver_look_again(account);
    for (size_t i = 0; i + 1 < account->bound_count; i++)
        first = first && account->bounds[i].type == SMPP_BIND_TX;
    if (first) {
        account->paced = account->deliveries.count;
        account->pace_tokens = 1;
        account->pace_at_ms = clock_mono_ms();
    }
    deliver_pump(account);
}

/* Takes a delivery that cannot or must not go out off its line, for good. */
static void take_off(struct account *account, struct lane *lane, struct item *item, enum message_receipt how,
                     const char *reason)
{
    struct gateway *gw = account->gateway;

    lane_pop(lane);
    if (lane == &account->deliveries)
        pace_count(account);
    log_warn("delivery dropped", "sys=%s msg=%llu reason=%s", account->system_id, (unsigned long long)item->m->id,
             reason);
    book_pin(gw->book, item);
    close_delivery(gw, item, how);
    book_unpin(gw->book, item);
}

static void trail_delivery(const struct account *account, const struct item *item, const struct bound *to)
{
    struct gateway *gw = account->gateway;
    const struct smpp_session_info *session = smpp_session_find(gw->smpp, to->ref);

    trail_add(gw->watch.trail, item->m->id, TRAIL_DELIVER, session == NULL ? 0 : session->n, item->m->p.deliver_tries);
}

bool deliver_is_answered(struct gateway *gw, struct item *item)
{
    if (!item->has_ticket)
        return true;
    if (!item->answered && item->m->kind == MESSAGE_NOTE) { /* it has the ticket of the message it tells about */
        const struct item *leader = book_find(gw->book, item->m->p.leader);

        item->answered = leader == NULL || leader->answered; /* an unanswered one is pinned */
    }
    return item->answered && answer_left(gw, &item->ticket);
}

/* The front's answer is still held back, or stuck on a session that does not read. True: it was set aside, so that it
 * does not hold up what is behind it. A message with notifications keeps its place: they come before its receipt. */
static bool wait_for_answer(struct account *account, struct item *item)
{
    uint64_t now_ms = clock_mono_ms();
    bool in_order = item->m->kind == MESSAGE_NOTE || (item->m->registered_delivery & REG_INTERMEDIATE) != 0;

    if (item->waits_since_ms == 0)
        item->waits_since_ms = now_ms;
    if (in_order || now_ms - item->waits_since_ms < ANSWER_SOON_MS ||
        gateway_look_in(account->gateway, ANSWER_AGAIN_MS, item->m->id) != 0)
        return false;
    lane_pop(&account->deliveries);
    pace_count(account);
    account->postponed++;
    return true;
}

void deliver_pump(struct account *account)
{
    struct gateway *gw = account->gateway;

    while (account->deliveries.count > 0 && !account->deliveries_loading && !account->dividing && !gw->draining &&
           gw->hold < HOLD_DELIVERIES) {
        uint64_t id = lane_peek(&account->deliveries, 0);
        const struct bound *to = pick_receiver(account);

        if (to == NULL || !pace_allows(account))
            return; /* a free window, or the next tick, goes on */
        struct item *item = book_find(gw->book, id);
        if (item == NULL) {
            read_front(account, &account->deliveries);
            return;
        }
        if (item->m->p.state != MESSAGE_DELIVERING) {
            lane_pop(&account->deliveries);
            pace_count(account);
            continue;
        }
        if (waiting_since_ms(item->m) <= account->dropped_at_ms) {
            take_off(account, &account->deliveries, item, RECEIPT_DROPPED, "operator");
            continue;
        }
        if (!deliver_is_answered(gw, item)) {
            if (wait_for_answer(account, item))
                continue;
            gw->pump_deliveries = true; /* at the end of this turn the answer has left */
            return;
        }
        to = receiver_for(account, item, to);
        if (to == NULL && has_receiver_for(account, item->m, NULL))
            return; /* theirs are full: a place in their windows goes on */
        if (to == NULL) {
            set_aside(account, id);
            continue;
        }
        int err = hand_over(account, item, to);
        if (err == ERR_RANGE) { /* cannot be written as a PDU: our own mistake, never to be tried again */
            take_off(account, &account->deliveries, item, RECEIPT_REFUSED, "cannot be encoded");
            continue;
        }
        if (err == ERR_EXISTS) {
            lane_pop(&account->deliveries);
            pace_count(account);
            continue;
        }
        if (err != 0)
            return;
        lane_pop(&account->deliveries);
        pace_count(account);
        book_pin(gw->book, item);
        item->m->p.deliver_tries++;
        account->delivering++;
        trail_delivery(account, item, to);
    }
}

/* Temporary by the list of smpp-compat A.2. */
static bool is_temporary(uint32_t status)
{
    static const uint32_t temporary[] = { STATUS_RTHROTTLED,  STATUS_RSYSERR,    STATUS_RMSGQFUL,
                                          STATUS_RSUBMITFAIL, STATUS_RQUERYFAIL, STATUS_RDELIVERYFAILURE,
                                          STATUS_RUNKNOWNERR, STATUS_RX_T_APPN };

    for (size_t i = 0; i < ARRAY_LEN(temporary); i++) {
        if (temporary[i] == status)
            return true;
    }
    return false;
}

static void try_later(struct gateway *gw, struct account *account, struct item *item)
{
    unsigned tries = item->m->p.deliver_tries;
    uint64_t wait = account->cfg == NULL ? RETRY_MAX_MS : account->cfg->deliver_retry_ms;

    for (unsigned i = 1; i < tries && wait < RETRY_MAX_MS; i++)
        wait *= 2;
    if (wait > RETRY_MAX_MS)
        wait = RETRY_MAX_MS;
    account->postponed++;
    if (gateway_look_in(gw, wait, item->m->id) != 0) {
        account->postponed--;
        deliver_add(gw, account, item->m->id, false);
    }
}

static struct bound *bound_of(struct account *account, struct smpp_session_ref ref)
{
    for (size_t i = 0; i < account->bound_count; i++) {
        if (same_session(account->bounds[i].ref, ref))
            return &account->bounds[i];
    }
    return NULL;
}

static void put_back(struct account *account, uint64_t id)
{
    if (lane_push_front(&account->deliveries, id) != 0)
        log_error("delivery waits until the next start", "msg=%llu", (unsigned long long)id);
}

/* The session has not answered: another one gets the delivery at once, or this one later. After several in a row it counts
 * as dead; its other deliveries come back when it is closed. */
static void on_unanswered(struct account *account, struct item *item, const struct smpp_session_info *session)
{
    struct gateway *gw = account->gateway;
    struct bound *b = session == NULL ? NULL : bound_of(account, session->ref);
    bool another = session != NULL && has_receiver_for(account, item->m, &session->ref);

    log_warn("delivery not answered: it may arrive twice", "sys=%s msg=%llu", account->system_id,
             (unsigned long long)item->m->id);
    if (session != NULL) {
        item->avoids = true;
        item->avoid = session->ref;
    }
    if (another)
        put_back(account, item->m->id);
    else
        try_later(gw, account, item);
    if (b != NULL && ++b->unanswered >= UNANSWERED_MAX)
        smpp_session_close(gw->smpp, session->ref, "deliveries not answered");
}

void deliver_on_end(void *owner, const struct smpp_session_info *session, uint64_t cookie, enum smpp_deliver_end how,
                    uint32_t status)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie);

    if (item == NULL)
        return;
    struct account *account = account_by_number(gw, item->m->p.esme);
    struct bound *b = session == NULL ? NULL : bound_of(account, session->ref);
    bool lasting = item->m->kind != MESSAGE_NOTE || item->m->p.final != 0; /* a notification is tried once */

    account->delivering--;
    trail_add(gw->watch.trail, cookie, TRAIL_DELIVER_END, (uint64_t)how, status);
    if (b != NULL && (how == SMPP_DELIVER_ANSWERED || how == SMPP_DELIVER_NACKED))
        b->unanswered = 0;
    switch (how) {
    case SMPP_DELIVER_ANSWERED:
        if (status == STATUS_ROK) {
            if (item->m->kind == MESSAGE_MT)
                meters_count(gw->meters.receipts, account->system_id, smpp_state_stat(item->m->p.final));
            close_delivery(gw, item, RECEIPT_DELIVERED);
        } else if (lasting && is_temporary(status)) {
            try_later(gw, account, item);
        } else {
            log_warn("delivery refused", "sys=%s msg=%llu status=%s", account->system_id, (unsigned long long)cookie,
                     smpp_status_name(status));
            close_delivery(gw, item, RECEIPT_REFUSED);
        }
        break;
    case SMPP_DELIVER_NACKED: /* one more try, then it is final */
        if (lasting && item->m->p.deliver_tries < 2)
            try_later(gw, account, item);
        else
            close_delivery(gw, item, RECEIPT_REFUSED);
        break;
    case SMPP_DELIVER_TIMED_OUT:
        if (lasting)
            on_unanswered(account, item, session);
        else
            close_delivery(gw, item, RECEIPT_REFUSED);
        break;
    case SMPP_DELIVER_LOST:
        log_info("delivery unanswered when its session ended: it may arrive twice", "sys=%s msg=%llu",
                 account->system_id, (unsigned long long)cookie);
        put_back(account, cookie);
        gw->pump_deliveries = true; /* not before all are back: they come the newest first */
        break;
    }
    book_unpin(gw->book, item);
    if (how != SMPP_DELIVER_LOST)
        deliver_pump(account);
}

/* --- ceilings and operators ----------------------------------------------------------------------------------------- */

/* How long this delivery has waited. Whether its outcome was known before a jump of the clock or after it is not stored:
 * the shorter time counts. */
static int64_t waited_ms(struct gateway *gw, const struct message *m)
{
    int64_t wall_ms = era_wall_ms(gw), then_ms = era_now_ms(gw, m->id);

    return (then_ms < wall_ms ? then_ms : wall_ms) - waiting_since_ms(m);
}

static void trim_lane(struct account *account, struct lane *lane)
{
    struct gateway *gw = account->gateway;
    uint64_t mono_ms = clock_mono_ms(), *look_at_ms = &account->trim_at_ms[lane == &account->aside];

    while (account->cfg != NULL && lane->count > 0 && !account->deliveries_loading) {
        struct item *item = book_find(gw->book, lane_peek(lane, 0));
        bool over = deliver_waiting(account) > account->cfg->receipt_max;
        bool moves = lane == &account->deliveries && has_receiver(account); /* its front is not for long */

        if (item == NULL) {
            if (over || (!moves && mono_ms >= *look_at_ms)) {
                *look_at_ms = mono_ms + TRIM_EVERY_MS;
                read_front(account, lane);
            }
            return;
        }
        if (item->m->p.state != MESSAGE_DELIVERING) {
            lane_pop(lane);
            if (lane == &account->deliveries)
                pace_count(account);
            continue;
        }
        int64_t since_ms = waiting_since_ms(item->m);
        if (since_ms <= account->dropped_at_ms)
            take_off(account, lane, item, RECEIPT_DROPPED, "operator");
        else if (over)
            take_off(account, lane, item, RECEIPT_DROPPED, "receipt_max");
        else if (waited_ms(gw, item->m) >= (int64_t)account->cfg->receipt_hold_ms)
            take_off(account, lane, item, RECEIPT_DROPPED, "receipt_hold");
        else
            return;
    }
}

void deliver_trim(struct account *account)
{
    trim_lane(account, &account->aside); /* the older ones */
    trim_lane(account, &account->deliveries);
}

uint64_t deliver_drop_all(struct account *account)
{
    account->dropped_at_ms = clock_wall_ms();
    account->trim_at_ms[0] = account->trim_at_ms[1] = 0;
    log_warn("deliveries dropped by an operator", "sys=%s count=%llu", account->system_id,
             (unsigned long long)(deliver_waiting(account) + account->postponed));
    return deliver_waiting(account) + account->postponed;
}

struct redelivery {
    struct gateway *gw;
    uint64_t id;
    struct store_done done;
};

static void redelivery_end(struct redelivery *r, int err)
{
    struct store_done done = r->done;

    free(r);
    if (done.fn != NULL)
        done.fn(done.owner, done.cookie, err);
}

static void on_copy_saved(void *owner, uint64_t cookie, int err)
{
    struct redelivery *r = owner;
    struct gateway *gw = r->gw;
    struct item *item = book_find(gw->book, cookie); /* pinned */

    if (err == 0)
        deliver_add(gw, account_by_number(gw, item->m->p.esme), cookie, false);
    else
        item->m->p.state = MESSAGE_CLOSED;
    book_unpin(gw->book, item);
    redelivery_end(r, err);
}

/* A closed record is never opened again: a new one with the same outcome is delivered. */
static void on_original_read(void *owner, uint64_t cookie, int err)
{
    struct redelivery *r = owner;
    struct gateway *gw = r->gw;
    struct item *item = book_find(gw->book, r->id);

    UNUSED(cookie);
    if (err == 0 && (item == NULL || (item->m->kind != MESSAGE_MO && item->m->p.final == 0)))
        err = ERR_NOT_FOUND;
    else if (err == 0 && item->m->kind == MESSAGE_MO && item->m->text.len == 0)
        err = ERR_NOT_FOUND; /* its text has been removed (store.keep_text): an empty message would say another thing */
    else if (err == 0 && item->m->p.state == MESSAGE_DELIVERING)
        err = ERR_STATE;
    if (err != 0) {
        redelivery_end(r, err);
        return;
    }
    struct message facts = *item->m;
    facts.id = facts.p.id = store_next_id(gw->store);
    facts.kind = facts.kind == MESSAGE_MO ? MESSAGE_MO : MESSAGE_NOTE;
    facts.p.leader = item->m->id;
    facts.p.state = MESSAGE_DELIVERING;
    facts.p.receipt = RECEIPT_WAITING;
    facts.p.upid = 0;
    facts.p.deliver_tries = 0;
    struct message *m = message_create(&facts);
    struct item *copy = m == NULL ? NULL : book_add_take(gw->book, m);
    err = copy == NULL ? ERR_NOMEM
                       : store_put(gw->store, copy->m, STORE_PLAIN, (struct store_done){ on_copy_saved, r, facts.id });
    if (err == 0)
        return;
    if (copy != NULL) {
        copy->m->p.state = MESSAGE_CLOSED;
        book_unpin(gw->book, copy);
    }
    redelivery_end(r, err);
}

int deliver_redeliver(struct gateway *gw, uint64_t id, struct store_done done)
{
    struct redelivery *r = malloc(sizeof *r);

    if (r == NULL)
        return ERR_NOMEM;
    *r = (struct redelivery){ gw, id, done };
    int err = book_fetch(gw->book, &id, 1, on_original_read, r, 0);
    if (err != 0)
        free(r);
    return err;
}
