/* SPDX-License-Identifier: MIT */
/*
 * event.c - a callback becomes a durable change of its message, and only then an answer 200.
 *
 * A callback may overtake the reply that names its message: it is found by the id we chose before sending. What is not
 * in memory is read from the store; each step ends in event_step, which looks how far it can go now. Repeats and late
 * statuses are answered 200 and change nothing. Never 404 here: the aggregator takes that for "do not repeat".
 */
#include "gateway/extra.h"
#include "gateway/internal.h"
#include "gateway/lab_accounts.h"

#include <stdlib.h>
#include <string.h>

enum { HLR_BYTES_MAX = 2048 };

struct event {
    struct gateway *gw;
    struct http_exchange *exchange;
    struct smsc_event e;
    const char *kind;
    const char *what;  /* what became of it */
    char upstream[72]; /* that of the listener, "" the first */
    bool lab;          /* the listener is that of lab accounts */
    char mo_id[64];    /* of a message of the simulated network: it counts anew at each start, the store does not */
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
    struct event *ev = owner;
    struct item *item = book_find(ev->gw->book, cookie);

    if (err == ERR_EXISTS)
        err = 0;
    /* a repeat that came before the commit of the first: when that one failed, this one has to be repeated too */
    if (err == 0 && strcmp(ev->what, "repeat") == 0 && item != NULL && item->m->p.final == 0)
        err = ERR_IO;
    event_end(ev, err == 0 ? 200 : 503, err == 0 ? ev->what : "not_stored");
}

/* What the rows have no column for: keys pressed, the way through a voice menu, the operator's own error. */
static const char *aside_of(const struct smsc_event *e, char out[200])
{
    const struct {
        const char *name, *value;
    } fields[] = { { "dtmf", e->dtmf },         { "calltime", e->calltime }, { "callmenu", e->callmenu },
                   { "ringtime", e->ringtime }, { "syserr", e->syserr },     { "cmt", e->cmt } };
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (fields[i].value[0] == '\0' || len >= 190)
            continue;
        if (len == 0)
            len = (size_t)snprintf(out, 200, "status %d", e->status);
        size_t room = 199 - len - strlen(fields[i].name) - 2;
        size_t take = strlen(fields[i].value);

        if (take > room) {
            take = room;
            while (take > 0 && ((unsigned char)fields[i].value[take] & 0xC0) == 0x80)
                take--;
        }
        len += (size_t)snprintf(out + len, 200 - len, " %s=%.*s", fields[i].name, (int)take, fields[i].value);
    }
    return len == 0 ? NULL : out;
}

/* The upstream whose account this listener serves. */
static const char *upstream_of(const struct event *ev)
{
    if (ev->upstream[0] == '\0' && ev->gw->config->upstream_count > 0)
        return ev->gw->config->upstreams[0].name;
    return ev->upstream;
}

/* The event's values of the parameters that tlv_map names. */
static void pack_told(const struct event *ev, struct buf *out)
{
    const struct upstream *up = upstream_named(ev->gw, upstream_of(ev));

    buf_init(out, EXTRA_TOLD_BYTES);
    if (up != NULL && up->cfg != NULL)
        extra_pack_told(up->cfg->tlv_map, &ev->e.params, out);
}

static void apply_status(struct event *ev, struct item *item)
{
    const struct smsc_event *e = &ev->e;
    struct gateway *gw = ev->gw;
    char aside[200];
    struct buf hlr, told;
    struct report report = { .status = e->status,
                             .err = e->err,
                             .ts_ms = e->ts * 1000,
                             .has_flag = http_params_get(&e->params, "flag") != NULL,
                             .flag = e->flag,
                             .aside = aside_of(e, aside),
                             .told = &told };

    pack_told(ev, &told);
    if (smsc_money_read(e->cost, &report.cost_e6) != 0)
        report.cost_e6 = -1;
    buf_init(&hlr, HLR_BYTES_MAX);
    if (e->has_hlr) {
        report_hlr((const char *const[8]){ e->imsi, e->msc, e->mcc, e->mnc, e->cn, e->net, e->rcn, e->rnet }, &hlr);
        report.hlr = buf_text(&hlr);
    }
    book_pin(gw->book, item);
    int err =
        report_apply(gw, item, &report, STORE_PLAIN, (struct store_done){ on_status_saved, ev, ev->id }, &ev->what);
    book_unpin(gw->book, item);
    buf_finish(&hlr);
    buf_finish(&told);
    if (err == REPORT_NOTHING_TO_STORE)
        event_end(ev, 200, ev->what);
    else if (err != 0)
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

/* Whoever knows the secret of one listener speaks for its upstream's account, whatever other upstreams are the same
 * account (it calls back to one address), and for no other account. */
static bool is_theirs(const struct event *ev, uint16_t upstream)
{
    const struct upstream *up = upstream_by_number(ev->gw, upstream), *own = upstream_named(ev->gw, upstream_of(ev));

    return up != NULL && (own == NULL ? strcmp(up->name, upstream_of(ev)) == 0 : upstream_same_account(up, own));
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
    if (send != NULL && !is_theirs(ev, send->upstream))
        send = NULL;
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
    if (member == NULL || !is_theirs(ev, send->upstream->number)) {
        unknown_message(ev);
        return;
    }
    ev->id = member->id;
    with_message(ev);
}

/* --- incoming messages and confirming calls ----------------------------------------------------------------------- */

static void on_incoming_saved(void *owner, uint64_t cookie, int err)
{
    UNUSED(cookie);
    if (err == ERR_EXISTS)
        event_end(owner, 200, "repeat");
    else
        event_end(owner, err == 0 ? 200 : 503, err == 0 ? "stored" : "not_stored");
}

static void handle_incoming(struct event *ev)
{
    const struct smsc_event *e = &ev->e;
    struct buf told;
    struct incoming in = { .id = e->id,
                           .phone = e->phone,
                           .to = e->to,
                           .text = e->mes,
                           .sms_id = e->sms_id,
                           .upstream = upstream_named(ev->gw, upstream_of(ev)),
                           .lab = ev->lab,
                           .call = e->kind == SMSC_EVENT_WAITCALL,
                           .ts_s = e->ts,
                           .told = &told };

    if (ev->lab) {
        if (lab_account_for(ev->gw, &in) == NULL) {
            event_end(ev, 200, "no_lab_account");
            return;
        }
        snprintf(ev->mo_id, sizeof ev->mo_id, "lab-%lld-%.40s", (long long)ev->gw->started_ms, e->id);
        in.id = ev->mo_id;
    }
    pack_told(ev, &told);
    int err = incoming_take(ev->gw, &in, STORE_PLAIN, (struct store_done){ on_incoming_saved, ev, 0 });
    buf_finish(&told);
    if (err != 0)
        event_end(ev, 503, "busy");
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

void event_on_request(void *owner, struct http_exchange *exchange, const struct http_request_in *request)
{
    struct listener *listener = owner;
    struct gateway *gw = listener->gateway;
    const struct cfg_callbacks *cfg = listener_cfg(listener);
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
    ev->lab = listener->index == LISTENER_LAB;
    memcpy(ev->upstream, cfg->upstream, strnlen(cfg->upstream, sizeof ev->upstream - 1)); /* a reload may take theirs */
    if (ev->e.kind == SMSC_EVENT_STATUS)
        handle_status(ev);
    else
        handle_incoming(ev);
}
