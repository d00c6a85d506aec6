/* SPDX-License-Identifier: MIT */
/*
 * reconcile.c - sends whose outcome is unknown: asked about, never guessed.
 *
 * Such a send keeps its messages pinned and their phones busy, but no place in flight. status.php is asked under the id
 * we chose: found means that the request was accepted; not found (-3) means that it was not, and the very same request
 * goes out again under the same id - after a pause and after asking once more, for what was slow may have arrived
 * meanwhile. Should the aggregator call it a repeat (error 9), the first may be there after all: it is asked about again. Of a batch the first, a middle and the last open
 * member are asked for; when their answers differ, all are, and each goes its own way.
 * Questions have an address and a back-off of their own: while nobody answers them, what is new is sent all the same.
 */
#include "gateway/internal.h"
#include "gateway/wire.h"

enum {
    ASK_AGAIN_MS = 15000,
    ASK_SLOWLY_MS = 60000,
    READ_AGAIN_MS = 1000,
    PROBE_MS = 200,    /* to the next look while one question tries the way for all */
    FAILURES_MOVE = 3, /* unanswered questions in a row that break an address */
    CANNOT_ASK_MS = 1000,
    NOBODY_ASKED_MS = 60000
};

void reconcile_add(struct send *send, uint64_t after_ms)
{
    struct upstream *up = send->upstream;

    if (send->unclear_ms == 0) {
        send->unclear_ms = clock_mono_ms();
        up->unclear_count++;
    }
    if (send->state != SEND_UNCLEAR) {
        send->state = SEND_UNCLEAR;
        send_save(up->gateway, send);
    }
    if (heap_push(&up->unclear, (int64_t)(clock_mono_ms() + after_ms), send->upid) != 0)
        log_error("unclear send waits until the next start", "send=%llu", (unsigned long long)send->upid);
}

/* A question that was not answered: again, later each time, never more often than five times a window. */
static void ask_again(struct send *send)
{
    uint64_t pause_ms = rules_limits_of(send->upstream->rules)->window_ms / 4;

    if (pause_ms > ASK_AGAIN_MS)
        pause_ms = ASK_AGAIN_MS;
    reconcile_add(send, send->asked < 4 ? pause_ms : pause_ms * (ASK_SLOWLY_MS / ASK_AGAIN_MS));
}

/* --- the way of the questions --------------------------------------------------------------------------------------- */

/* ms until a question may leave; 0 now. */
static uint64_t way_wait_ms(const struct upstream *up, uint64_t now_ms)
{
    const struct question_way *way = &up->questions;

    if (now_ms < way->until_ms)
        return way->until_ms - now_ms;
    return way->pauses > 0 && way->asking > 0 ? PROBE_MS : 0;
}

static size_t way_url(const struct upstream *up)
{
    return up->questions.moved ? up->questions.url : up->url;
}

static void way_failed(struct upstream *up, size_t which, bool reached)
{
    struct question_way *way = &up->questions;
    uint64_t now_ms = clock_mono_ms();

    if (up->cfg == NULL || which != way_url(up) || now_ms < way->until_ms)
        return; /* it left before the change of address, or before the pause */
    if (way->failures < FAILURES_MOVE)
        way->failures++;
    if (reached && way->failures < FAILURES_MOVE)
        return;
    size_t count = upstream_url_count(up);
    way->moved = true;
    way->url = (which + 1) % count;
    if (++way->tried < count)
        return; /* the others first */
    way->tried = 0;
    way->until_ms = now_ms + upstream_retry_ms(up, way->pauses);
    if (way->pauses == 0)
        log_warn("questions are not answered: they wait, sending goes on", "upstream=%s unclear=%zu", up->name,
                 up->unclear_count);
    if (way->pauses < 1000)
        way->pauses++;
}

static void way_works(struct upstream *up, size_t which)
{
    struct question_way *way = &up->questions;

    if (which != way_url(up))
        return;
    way->failures = way->tried = way->pauses = 0;
    way->until_ms = 0;
}

/* ms until "not found" is believed and the same request may leave again. After a time-out the aggregator may still be at
 * it, and after error 9 it has seen it: then its whole minute has to pass. */
static uint64_t repeat_wait_ms(const struct send *send)
{
    const struct upstream *up = send->upstream;
    uint64_t hold_ms = send->slow ? rules_limits_of(up->rules)->window_ms : up->cfg->limits.repeat_ms;
    int64_t age_ms = send->left_ms != 0 ? (int64_t)(clock_mono_ms() - send->left_ms) : clock_wall_ms() - send->at_ms;

    if (age_ms < 0 || (uint64_t)age_ms >= hold_ms)
        return age_ms < 0 ? hold_ms : 0; /* a clock set back: from now */
    return hold_ms - (uint64_t)age_ms;
}

static bool is_open(const struct gateway *gw, const struct send_member *member)
{
    const struct item *item = member->done ? NULL : book_find(gw->book, member->id);

    return item != NULL && item->m->p.state == MESSAGE_SENDING;
}

/* The next member to ask about: of the open ones first, middle and last, or all. NULL: this round is over. */
static struct send_member *next_to_ask(const struct gateway *gw, struct send *send)
{
    size_t open = 0, at = 0;

    for (size_t i = 0; i < send->member_count; i++)
        open += is_open(gw, &send->members[i]);
    for (size_t i = 0; i < send->member_count; i++) {
        struct send_member *member = &send->members[i];

        if (!is_open(gw, member))
            continue;
        bool sample = at == 0 || at == open / 2 || at == open - 1;
        at++;
        if ((send->ask_all || sample) && member->seen == SEEN_UNKNOWN)
            return member;
    }
    return NULL;
}

static void forget_answers(struct send *send, enum member_seen which)
{
    for (size_t i = 0; i < send->member_count; i++) {
        if (send->members[i].seen == which)
            send->members[i].seen = SEEN_UNKNOWN;
    }
}

/* Nobody could say for give_up: the receipt says so. */
static bool given_up(struct send *send)
{
    struct gateway *gw = send->upstream->gateway;
    uint64_t waited_ms = clock_mono_ms() - send->unclear_ms;
    int64_t age_ms = era_now_ms(gw, send->upid) - send->at_ms;

    /* one that nobody asks about any more must not live as long as we are started anew: its age counts */
    if (send->upstream->cfg == NULL && age_ms > 0 && (uint64_t)age_ms > waited_ms)
        waited_ms = (uint64_t)age_ms;
    if (waited_ms < upstream_give_up_ms(send->upstream))
        return false;
    log_error("outcome of a send never known", "upstream=%s send=%llu", send->upstream->name,
              (unsigned long long)send->upid);
    for (size_t i = 0; i < send->member_count; i++) {
        struct item *item = send_pinned(gw, &send->members[i]);

        if (item == NULL)
            continue;
        if (is_open(gw, &send->members[i]))
            outcome_keep(gw, item, &(struct outcome){ .final = SMPP_STATE_UNKNOWN, .status = -100, .cost_e6 = -1 });
        send_unpin(gw, &send->members[i]);
    }
    send_free_slot(send);
    if (send->open_count == 0)
        send_drop(gw, send);
    return true;
}

static void repeat(struct send *send)
{
    struct upstream *up = send->upstream;

    log_info("unclear send was not accepted: sent again under the same id", "upstream=%s send=%llu", up->name,
             (unsigned long long)send->upid);
    forget_answers(send, SEEN_MISSING);
    send->repeated = true;
    send->slow = false;
    send->state = SEND_IN_FLIGHT;
    send->at_ms = clock_wall_ms(); /* of this try, should the next start have to ask */
    send->left_ms = clock_mono_ms();
    send_save(up->gateway, send);
    send_claim(send);
    upstream_ready(send);
}

/* All members of this round have been asked for. */
static void decide(struct send *send)
{
    struct gateway *gw = send->upstream->gateway;
    struct upstream *up = send->upstream;
    size_t found = 0, missing = 0;

    for (size_t i = 0; i < send->member_count; i++) {
        const struct send_member *member = &send->members[i];

        /* a member that ended meanwhile was reported by the upstream itself */
        found += member->done || member->seen == SEEN_FOUND || !is_open(gw, member);
        missing += is_open(gw, member) && member->seen == SEEN_MISSING;
    }
    if (missing == 0) {
        log_info("unclear send was accepted", "upstream=%s send=%llu", up->name, (unsigned long long)send->upid);
        upstream_accepted(send, -1);
        return;
    }
    if (found > 0 && !send->ask_all) {
        send->ask_all = true;
        reconcile_add(send, 0);
        return;
    }
    uint64_t wait_ms = repeat_wait_ms(send);
    if (wait_ms > 0) { /* what is slow may still arrive: not found counts only after the window */
        forget_answers(send, SEEN_MISSING);
        send->asked++;
        reconcile_add(send, wait_ms);
        return;
    }
    if (found > 0) {
        log_info("unclear send was accepted in part", "upstream=%s send=%llu missing=%zu", up->name,
                 (unsigned long long)send->upid, missing);
        upstream_accepted(send, -1);
        return;
    }
    if (upstream_is_paused(up) || gateway_holds_sends(up->gateway))
        reconcile_add(send, 1000);
    else
        repeat(send);
}

static void on_status(void *owner, uint64_t cookie, const struct http_reply_in *http)
{
    struct gateway *gw = owner;
    struct send *send = send_find(gw, cookie);
    struct smsc_status_reply reply = { 0 };

    if (send == NULL)
        return;
    struct upstream *up = send->upstream;
    rules_end(up->rules, RULE_STATUS);
    up->questions.asking--;
    send->asking = false;
    struct send_member *member = next_to_ask(gw, send);
    if (http->outcome == HTTP_ANSWERED)
        wire_of(up->cfg)->parse_status(http->status, http->body, http->body_len, &reply);
    if (http->outcome != HTTP_ANSWERED || reply.kind != SMSC_REPLY_OK || reply.count == 0) {
        bool error = http->outcome == HTTP_ANSWERED && reply.kind == SMSC_REPLY_ERROR;

        meters_count3(gw->meters.requests, up->name, "status", error ? "error" : "unclear");
        if (error)
            reply_login_error(up, reply.error_code);
        if (error && reply.error_code == 9)
            rules_status_crowded(up->rules, clock_mono_ms());
        if (error)
            way_works(up, send->ask_url);
        else
            way_failed(up, send->ask_url, http->outcome != HTTP_NOT_SENT);
        if (send->asked == 0)
            log_warn("outcome of a send could not be asked for", "upstream=%s send=%llu error=%d reason=%s", up->name,
                     (unsigned long long)send->upid, error ? reply.error_code : 0,
                     http->outcome != HTTP_ANSWERED ? http->why : "not understood");
        trail_add(gw->watch.trail, send->asked_id, TRAIL_NOT_TOLD, 0, error ? reply.error_code : 0);
        send->asked++;
        ask_again(send);
    } else {
        struct smsc_status status = reply.items[0];

        rules_login_good(up->rules);
        way_works(up, send->ask_url);
        upstream_works(up, send->ask_url);
        meters_count3(gw->meters.requests, up->name, "status", status.status == -3 ? "not_found" : "found");
        if (member != NULL && member->id == send->asked_id)
            member->seen = status.status == -3 ? SEEN_MISSING : SEEN_FOUND;
        if (member != NULL && member->id == send->asked_id && status.status != -3)
            member->cost_e6 = status.cost_e6;
        if (status.status == -3)
            trail_add(gw->watch.trail, send->asked_id, TRAIL_TOLD, 0, -3);
        if (member != NULL && status.status != -3)
            report_polled(gw, book_find(gw->book, member->id), &status);
        reconcile_add(send, 0);
    }
    smsc_status_reply_finish(&reply);
    upstream_pump(up);
}

/* Asks about one member. False: not now, for the rules' sake; *out_wait_ms. */
static bool ask(struct send *send, struct send_member *member, uint64_t *out_wait_ms)
{
    struct upstream *up = send->upstream;
    struct gateway *gw = up->gateway;
    const struct item *item = book_find(gw->book, member->id);
    char id[24], url[512];
    uint64_t now_ms = clock_mono_ms();

    uint64_t key = rules_key((const char *)&member->id, sizeof member->id);
    uint64_t wait_ms = way_wait_ms(up, now_ms);
    if (wait_ms != 0) {
        *out_wait_ms = wait_ms;
        return false;
    }
    wait_ms = rules_wait_ms(up->rules, RULE_STATUS, key, now_ms);
    if (wait_ms != 0) {
        *out_wait_ms = wait_ms == RULES_SLOT ? 20 : wait_ms;
        return false;
    }
    send_id_text(send->upid, id);
    struct smsc_login login = upstream_login(up);
    const struct wire *wire = wire_of(up->cfg);
    buf_clear(&gw->body);
    wire->build_status(&login, item->m->dest.at, id, &gw->body);
    struct http_request_out out =
        wire_request(wire, upstream_url_at(up, way_url(up), wire->status_path, url), &gw->body);
    if (http_client_send(up->http_status, &out, on_status, gw, send->upid) != 0) {
        *out_wait_ms = 100;
        return false;
    }
    rules_start(up->rules, RULE_STATUS, key, now_ms);
    trail_add(gw->watch.trail, member->id, TRAIL_ASKED, send->upid, 0);
    send->asking = true;
    send->asked_id = member->id;
    send->ask_url = (uint8_t)way_url(up);
    up->questions.asking++;
    return true;
}

/* --- members that only the store has: after a restart ------------------------------------------------------------- */

static void on_members_read(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct send *send = send_find(gw, cookie);

    if (send == NULL)
        return;
    send->reading = false;
    if (err != 0) {
        log_error("messages of an unclear send could not be read", "send=%llu error=%s", (unsigned long long)send->upid,
                  err_name(err));
        reconcile_add(send, READ_AGAIN_MS);
        return;
    }
    for (size_t i = 0; i < send->member_count; i++) {
        struct send_member *member = &send->members[i];

        if (member->done)
            continue;
        send_pin(gw, member);
        if (!member->pinned) /* unknown to the store: nothing of it is open */
            send_member_done(gw, send, member);
    }
    reconcile_add(send, 0);
}

/* Nothing can be decided about members that are not in memory. False: they are being read. */
static bool has_members(struct send *send)
{
    struct gateway *gw = send->upstream->gateway;
    uint64_t ids[SEND_MEMBERS_MAX];
    size_t count = 0;

    if (send->reading)
        return false;
    for (size_t i = 0; i < send->member_count; i++) {
        if (!send->members[i].done && !send->members[i].pinned)
            ids[count++] = send->members[i].id;
    }
    if (count == 0)
        return true;
    if (book_fetch(gw->book, ids, count, on_members_read, gw, send->upid) == 0)
        send->reading = true;
    else
        reconcile_add(send, READ_AGAIN_MS);
    return false;
}

static void step(struct send *send)
{
    uint64_t wait_ms = 0;

    if (send->asking || !has_members(send) || given_up(send))
        return;
    const struct upstream *up = send->upstream;
    struct send_member *member = next_to_ask(up->gateway, send);
    if (member == NULL)
        decide(send);
    else if (up->cfg == NULL) /* its configuration is gone: it waits for it, or for its end */
        reconcile_add(send, NOBODY_ASKED_MS);
    else if (up->pause == PAUSE_LOGIN || up->pause == PAUSE_BLOCKED)
        reconcile_add(send, CANNOT_ASK_MS);
    else if (!ask(send, member, &wait_ms))
        reconcile_add(send, wait_ms);
}

void reconcile_tick(struct upstream *up, uint64_t now_ms)
{
    struct heap_entry entry;

    if (up->gateway->stopped)
        return;
    for (unsigned i = 0; i < 1000 && heap_pop(&up->unclear, (int64_t)now_ms, &entry); i++) {
        struct send *send = send_find(up->gateway, entry.id);

        if (send != NULL && send->state == SEND_UNCLEAR)
            step(send);
    }
}
