/* SPDX-License-Identifier: MIT */
/*
 * event.c - a callback becomes a durable change of its message, and only then an answer 200.
 *
 * A callback may overtake the reply that names its message: it is found by the id we chose before sending. What is not
 * in memory is read from the store; each step ends in event_step, which looks how far it can go now. Repeats and late
 * statuses are answered 200 and change nothing. Never 404 here: the aggregator takes that for "do not repeat".
 */
#include "gateway/internal.h"

#include <stdlib.h>
#include <string.h>

struct event {
    struct gateway *gw;
    struct http_exchange *exchange;
    struct smsc_event e;
    const char *kind;
    uint64_t upid, id; /* the send, the message */
};

static void event_end(struct event *ev, int http_status, const char *outcome)
{
    meters_count(ev->gw->meters.callbacks, ev->kind, outcome);
    http_reply(ev->exchange, http_status, "text/plain", http_status == 200 ? "OK" : outcome,
               http_status == 200 ? 2 : strlen(outcome));
    smsc_event_finish(&ev->e);
    free(ev);
}

/* --- status ------------------------------------------------------------------------------------------------------- */

static void on_status_saved(void *owner, uint64_t cookie, int err)
{
    UNUSED(cookie);
    event_end(owner, err == 0 ? 200 : 503, err == 0 ? "stored" : "not_stored");
}

static struct outcome outcome_of_event(const struct smsc_event *e, enum smpp_message_state final)
{
    struct outcome outcome = { .final = final, .status = e->status, .err = e->err, .cost_e6 = -1 };

    if (smsc_money_read(e->cost, &outcome.cost_e6) != 0)
        outcome.cost_e6 = -1;
    if (e->ts > 0)
        outcome.done_ms = e->ts * 1000;
    return outcome;
}

static void apply_status(struct event *ev, struct item *item)
{
    struct gateway *gw = ev->gw;
    struct message *m = item->m;
    enum smpp_message_state final = 0;

    outcome_of_status(ev->e.status, &final);
    if (m->p.state == MESSAGE_DELIVERING || m->p.state == MESSAGE_CLOSED) {
        char note[64];

        snprintf(note, sizeof note, "late status %d err %d", ev->e.status, ev->e.err);
        if (ev->e.status != m->p.status && store_note(gw->store, m->id, clock_wall_ms(), note) != 0)
            log_warn("late status not noted", "msg=%llu", (unsigned long long)m->id);
        event_end(ev, 200, "repeat");
        return;
    }
    if (final == 0) {
        event_end(ev, 200, "not_final");
        return;
    }
    struct outcome outcome = outcome_of_event(&ev->e, final);
    book_pin(gw->book, item);
    int err = outcome_reached(gw, item, &outcome, STORE_PLAIN, (struct store_done){ on_status_saved, ev, m->id });
    book_unpin(gw->book, item);
    if (err != 0)
        event_end(ev, 503, "busy");
}

static void unknown_message(struct event *ev)
{
    log_warn("status for a message we do not know", "id=%s status=%d", ev->e.id, ev->e.status);
    event_end(ev, 200, "unknown_id");
}

static void on_message_read(void *owner, uint64_t cookie, int err)
{
    struct event *ev = owner;
    struct item *item = book_find(ev->gw->book, ev->id);

    UNUSED(cookie);
    if (err != 0)
        event_end(ev, 503, "not_read");
    else if (item == NULL)
        unknown_message(ev);
    else
        apply_status(ev, item);
}

static void with_message(struct event *ev)
{
    struct item *item = book_find(ev->gw->book, ev->id);

    if (item != NULL)
        apply_status(ev, item);
    else if (book_fetch(ev->gw->book, &ev->id, 1, on_message_read, ev, 0) != 0)
        event_end(ev, 503, "busy");
}

/* A send that memory has forgotten: its members stand in the store. */
static void on_send_read(void *owner, uint64_t cookie, int err, const struct store_send *send)
{
    struct event *ev = owner;
    uint64_t phone = message_phone(ev->e.phone, strlen(ev->e.phone));

    UNUSED(cookie);
    if (err != 0) {
        event_end(ev, 503, "not_read");
        return;
    }
    for (size_t i = 0; send != NULL && i < send->member_count; i++) {
        if (send->member_count == 1 || send->members[i].phone == phone) {
            ev->id = send->members[i].id;
            with_message(ev);
            return;
        }
    }
    unknown_message(ev);
}

static void handle_status(struct event *ev)
{
    struct gateway *gw = ev->gw;
    enum smpp_message_state final;

    if (!outcome_of_status(ev->e.status, &final)) {
        event_end(ev, 400, "unknown_status");
        return;
    }
    if (!send_id_read(ev->e.id, &ev->upid)) {
        unknown_message(ev);
        return;
    }
    struct send *send = send_find(gw, ev->upid);
    if (send == NULL) {
        if (store_find_send(gw->store, ev->upid, on_send_read, ev, 0) != 0)
            event_end(ev, 503, "busy");
        return;
    }
    struct send_member *member = send_member_for(send, message_phone(ev->e.phone, strlen(ev->e.phone)));
    if (member == NULL) {
        unknown_message(ev);
        return;
    }
    ev->id = member->id;
    with_message(ev);
}

void event_apply_polled(struct gateway *gw, struct send *send, struct send_member *member,
                        const struct smsc_status *status)
{
    enum smpp_message_state final = 0;
    struct item *item = member == NULL ? NULL : book_find(gw->book, member->id);

    UNUSED(send);
    if (item == NULL || !outcome_of_status(status->status, &final) || final == 0 || item->m->p.state != MESSAGE_SENDING)
        return;
    book_pin(gw->book, item);
    outcome_keep(gw, item,
                 &(struct outcome){ .final = final,
                                    .status = status->status,
                                    .err = status->err,
                                    .cost_e6 = status->cost_e6,
                                    .done_ms = status->last_ts * 1000 });
    book_unpin(gw->book, item);
}

/* --- incoming messages and confirming calls ----------------------------------------------------------------------- */

static void on_incoming_saved(void *owner, uint64_t cookie, int err)
{
    struct event *ev = owner;
    struct gateway *gw = ev->gw;
    struct item *item = book_find(gw->book, cookie);

    if (item != NULL && err == 0) {
        item->m->p.state = MESSAGE_DELIVERING;
        deliver_add(gw, account_by_number(gw, item->m->p.esme), cookie, false);
    } else if (item != NULL) {
        item->m->p.state = MESSAGE_CLOSED;
    }
    if (item != NULL)
        book_unpin(gw->book, item);
    if (err == ERR_EXISTS)
        event_end(ev, 200, "repeat");
    else
        event_end(ev, err == 0 ? 200 : 503, err == 0 ? "stored" : "not_stored");
}

static void store_incoming(struct event *ev, struct account *account, const char *text)
{
    struct gateway *gw = ev->gw;
    struct message facts = {
        .id = store_next_id(gw->store),
        .accepted_ms = clock_wall_ms(),
        .kind = MESSAGE_MO,
        .source_ton = 1,
        .source_npi = 1,
        .dest_ton = 1,
        .dest_npi = 1,
        .source = { (char *)(uintptr_t)ev->e.phone, strlen(ev->e.phone) },
        .dest = { (char *)(uintptr_t)ev->e.to, strlen(ev->e.to) },
        .text = { (char *)(uintptr_t)text, strlen(text) },
        .p = { .state = MESSAGE_DELIVERING,
               .receipt = RECEIPT_WAITING,
               .esme = account->number,
               .status = -100,
               .cost_e6 = -1 },
    };

    facts.public_id = facts.p.id = facts.id;
    struct message *m = message_create(&facts);
    struct item *item = m == NULL ? NULL : book_add_take(gw->book, m);
    int err = item == NULL ? ERR_NOMEM
                           : store_put(gw->store, item->m, STORE_IF_NEW,
                                       (struct store_done){ on_incoming_saved, ev, item->m->id });
    if (err == 0)
        return;
    if (item != NULL) {
        item->m->p.state = MESSAGE_CLOSED;
        book_unpin(gw->book, item);
    }
    event_end(ev, 503, "busy");
}

static void handle_incoming(struct event *ev)
{
    struct gateway *gw = ev->gw;
    bool call = ev->e.kind == SMSC_EVENT_WAITCALL;
    const char *text = call ? "[waitcall]" : ev->e.mes;
    struct account *account = route_incoming(gw, ev->e.to, text);
    char key[160];

    if (account == NULL) {
        log_warn("incoming message without a route", "to=%s", ev->e.to);
        event_end(ev, 503, "no_route"); /* not lost: the aggregator repeats it until a route is configured */
        return;
    }
    if (call)
        snprintf(key, sizeof key, "call:%.60s:%lld", ev->e.phone, (long long)ev->e.ts);
    else
        snprintf(key, sizeof key, "mo:%.100s", ev->e.id);
    if (store_once(gw->store, key, STORE_PLAIN, (struct store_done){ 0 }) != 0)
        event_end(ev, 503, "busy");
    else
        store_incoming(ev, account, text); /* durable together with the key, or not at all */
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

void event_on_request(void *owner, struct http_exchange *exchange, const struct http_request_in *request)
{
    struct listener *listener = owner;
    struct gateway *gw = listener->gateway;
    const struct cfg_callbacks *cfg = &gw->config->callbacks[listener->index];
    static const char *const kinds[] = { "status", "incoming", "waitcall" };
    struct webhook_opts opts = { .hash = (enum webhook_hash)cfg->hash,
                                 .secret = cfg->secret,
                                 .charset = (enum webhook_charset)cfg->charset,
                                 .format = (enum webhook_format)cfg->format };
    const char *why = "";

    if (strcmp(request->path, cfg->path) != 0) {
        http_reply(exchange, 404, "text/plain", "no such path", 12);
        return;
    }
    if (strcmp(request->method, "POST") != 0) {
        http_reply(exchange, 405, "text/plain", "POST", 4);
        return;
    }
    struct event *ev = calloc(1, sizeof *ev);
    if (ev == NULL) {
        http_reply(exchange, 503, "text/plain", "busy", 4);
        return;
    }
    ev->gw = gw;
    ev->exchange = exchange;
    enum webhook_result result = webhook_open(&opts, http_header(exchange, "Content-Type"), request->query,
                                              request->body, request->body_len, &ev->e, &why);
    if (result != WEBHOOK_OK) {
        int status = result == WEBHOOK_BAD_HASH ? 403 : 400;

        meters_count(gw->meters.callbacks, "unknown", result == WEBHOOK_BAD_HASH ? "bad_hash" : "not_understood");
        log_warn("callback refused", "from=%s status=%d reason=%s", request->peer, status, why);
        http_reply(exchange, status, "text/plain", why, strlen(why));
        free(ev);
        return;
    }
    ev->kind = kinds[ev->e.kind];
    if (ev->e.kind == SMSC_EVENT_STATUS)
        handle_status(ev);
    else
        handle_incoming(ev);
}
