/* SPDX-License-Identifier: MIT */
/*
 * reply.c - what an answer to a send means for its messages and for the upstream: one table.
 *
 * An error reply says that nothing was accepted: its messages are refused or sent again under a new id. No reply, or one
 * that cannot be understood, says nothing at all and goes to reconcile.c. A refused batch is sent again in halves, so one
 * bad line costs its neighbours a few requests and never their delivery.
 */
#include "gateway/pace.h"
#include "gateway/wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RECONCILE_FIRST_MS = 1000 };

enum verdict {
    REFUSE,        /* the message, with a receipt that says so; a batch: in halves until it is one message */
    REQUEUE,       /* sent again as soon as the upstream may send */
    REQUEUE_LATER, /* after the window of identical requests */
    ASK            /* reconcile.c */
};

#define BY_LIMITS 0

static const struct rule {
    int error;
    enum verdict verdict;
    bool refused_send; /* counts towards the block after a hundred */
    enum upstream_pause pause;
    uint64_t pause_ms; /* UINT64_MAX: until somebody ends it; BY_LIMITS: limits.block */
    uint32_t
        command_status; /* for an ESME that waits for the upstream's word [smsc-api 18.6]; ROK: it goes on waiting */
} rules[] = {
    /* [smsc-api 1.5, 3.5] */
    { 1, REFUSE, true, PAUSE_NONE, 0, STATUS_RSUBMITFAIL },
    { 2, REQUEUE, false, PAUSE_LOGIN, UINT64_MAX,
      STATUS_RSYSERR }, /* five of these block the address: the first one stops us */
    { 3, REQUEUE, false, PAUSE_MONEY, 60000, STATUS_RSUBMITFAIL },
    { 4, REQUEUE, false, PAUSE_BLOCKED, BY_LIMITS, STATUS_RSYSERR },
    { 5, REFUSE, true, PAUSE_NONE, 0, STATUS_RINVEXPIRY },
    { 6, REFUSE, true, PAUSE_NONE, 0, STATUS_RSUBMITFAIL },
    { 7, REFUSE, true, PAUSE_NONE, 0, STATUS_RINVDSTADR },
    { 8, REFUSE, true, PAUSE_NONE, 0, STATUS_RINVDSTADR },
    { 9, REQUEUE_LATER, false, PAUSE_NONE, 0, STATUS_ROK },
};

static const struct rule *rule_of(int error)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i].error == error)
            return &rules[i];
    }
    return &rules[0]; /* an error newer than our table */
}

static void pause_by(struct upstream *up, const struct rule *rule)
{
    uint64_t block_ms = up->cfg == NULL ? 600000 : up->cfg->limits.block_ms;

    upstream_pause(up, rule->pause, rule->pause_ms == BY_LIMITS ? block_ms : rule->pause_ms);
}

void reply_login_error(struct upstream *up, int error)
{
    const struct rule *rule = rule_of(error);

    if (rule->pause == PAUSE_NONE || error == 3)
        return;
    log_error(error == 2 ? "upstream refuses our login: stopped until resume or reload"
                         : "upstream has blocked our address: a pause",
              "upstream=%s error=%d", up->name, error);
    pause_by(up, rule);
}

static void requeue_later(struct gateway *gw, struct upstream *up, struct item *item)
{
    uint64_t window_ms = rules_limits_of(up->rules)->window_ms;

    /* its phone stays busy, so that later messages do not overtake it */
    queue_phone_take(up, message_phone(item->m->dest.at, item->m->dest.len));
    item->holds_phone = true;
    book_pin(gw->book, item);
    outcome_requeue(gw, item, window_ms, false);
}

/* What becomes of the members when the upstream has not taken the request. */
static void members_refused(struct send *send, enum verdict verdict, int error)
{
    struct upstream *up = send->upstream;
    struct gateway *gw = up->gateway;
    size_t together = send->member_count / 2; /* of a refused batch */
    size_t ended = 0;

    send->state = SEND_REFUSED;
    send->replied_ms = clock_wall_ms();
    send->error = error;
    send_save(gw, send);
    send_free_slot(send); /* first: what waited behind these goes to the front of its queue, they before it */
    for (size_t i = send->member_count; i > 0; i--) {
        struct send_member *member = &send->members[i - 1];
        struct item *item = send_pinned(gw, member);

        if (item == NULL)
            continue;
        if (member->done || item->m->p.state != MESSAGE_SENDING) {
            send_unpin(gw, member);
            continue;
        }
        uint32_t told = error == 0 ? STATUS_ROK : rule_of(error)->command_status;
        if (told != STATUS_ROK && pace_waits(item) && (verdict != REFUSE || send->member_count == 1)) {
            pace_answer(gw, item, told);
            outcome_keep(
                gw, item,
                &(struct outcome){
                    .final = SMPP_STATE_REJECTED, .status = -100, .err = error, .cost_e6 = -1, .quiet = true });
            ended++;
        } else if (verdict == REFUSE && send->member_count == 1) {
            ended++;
            outcome_keep(
                gw, item,
                &(struct outcome){ .final = SMPP_STATE_REJECTED, .status = -100, .err = error, .cost_e6 = -1 });
        } else if (verdict == REQUEUE_LATER) {
            requeue_later(gw, up, item);
        } else {
            if (verdict == REFUSE)
                item->together = (uint16_t)together;
            outcome_requeue(gw, item, 0, true);
        }
        send_unpin(gw, member);
    }
    if (ended == 0 || send->open_count == 0) /* those that ended here still do so through this send */
        send_drop(gw, send);
    else
        send->open_count = ended;
}

void upstream_unclaim(struct upstream *up)
{
    struct send *send;

    while ((send = upstream_pop_ready(up)) != NULL) {
        send_back(send);
        if (send->repeated)
            reconcile_add(send, 0); /* the first try may have arrived */
        else
            members_refused(send, REQUEUE, 0);
    }
}

/* Lines of an accepted request that were refused one by one [op=1]. */
static void lines_refused(struct send *send, const struct smsc_send_reply *reply)
{
    struct gateway *gw = send->upstream->gateway;

    for (size_t i = 0; i < reply->line_count; i++) {
        const struct smsc_line_result *line = &reply->lines[i];
        enum smpp_message_state final = 0;

        struct send_member *member = send_member_for(send, message_phone(line->phone, strlen(line->phone)));
        if (member == NULL)
            continue;
        member->cost_e6 = line->cost_e6;
        bool known = outcome_of_status(line->status, &final);
        /* over SOAP a wrong number has a status and no error */
        if (line->error == 0 && (!known || final == 0 || final == SMPP_STATE_DELIVERED))
            continue;
        struct item *item = book_find(gw->book, member->id);
        if (item == NULL || member->done || item->m->p.state != MESSAGE_SENDING)
            continue;
        if (!known || final == 0)
            final = SMPP_STATE_REJECTED;
        bool quiet = pace_waits(item);
        pace_answer(gw, item,
                    final == SMPP_STATE_UNDELIVERABLE || line->status == 22 ? STATUS_RINVDSTADR : STATUS_RSUBMITFAIL);
        outcome_keep(gw, item,
                     &(struct outcome){
                         .quiet = quiet, .final = final, .status = line->status, .err = line->error, .cost_e6 = -1 });
    }
}

static void on_error(struct send *send, const struct smsc_send_reply *reply)
{
    struct upstream *up = send->upstream;
    const struct rule *rule = rule_of(reply->error_code);
    enum verdict verdict = rule->verdict;
    enum upstream_pause pause = rule->pause;
    uint64_t now_ms = clock_mono_ms();

    log_warn("send refused", "upstream=%s send=%llu error=%d reason=%s messages=%zu", up->name,
             (unsigned long long)send->upid, reply->error_code, reply->error_text, send->member_count);
    if (rule->refused_send)
        rules_send_result(up->rules, true, now_ms);
    if (reply->error_code == 3 && up->cfg != NULL && up->cfg->no_money == CFG_MONEY_REFUSE) {
        verdict = REFUSE;
        pause = PAUSE_NONE;
    } else if (reply->error_code == 3) {
        up->broke_at_e6 = up->has_balance ? up->balance_e6 : 0;
        up->balance_due_ms = now_ms; /* asked for at once, and often until it has grown */
    }
    if (pause != PAUSE_NONE)
        pause_by(up, rule);
    reply_login_error(up, reply->error_code);
    if (reply->error_code == 9 && send->repeated) {
        verdict = ASK; /* perhaps the try before was accepted */
        send->slow = true;
    } else if (reply->error_code == 9 && strcasestr(reply->error_text, "concurrent") != NULL) {
        verdict = REQUEUE; /* somebody else uses the login too */
        upstream_pause(up, PAUSE_BACKOFF, up->cfg->retry_first_ms);
    } else if (send->repeated && verdict != REFUSE) {
        verdict = ASK; /* this try was not accepted; under a new id the one before would be forgotten */
    }
    if (verdict == ASK)
        reconcile_add(send, RECONCILE_FIRST_MS);
    else
        members_refused(send, verdict, reply->error_code);
}

static void on_ok(struct send *send, const struct smsc_send_reply *reply)
{
    struct upstream *up = send->upstream;

    rules_send_result(up->rules, false, clock_mono_ms());
    if (reply->has_balance)
        upstream_balance(up, reply->balance_e6);
    lines_refused(send, reply);
    upstream_accepted(send, reply->cost_e6);
}

static void on_nothing(struct send *send, const char *outcome, const char *why, uint64_t took_us)
{
    struct upstream *up = send->upstream;

    meters_count3(up->gateway->meters.requests, up->name, "send", outcome);
    log_warn("outcome of a send unknown", "upstream=%s send=%llu reason=%s", up->name, (unsigned long long)send->upid,
             why);
    /* a time-out: it may still be accepted */
    send->slow = up->cfg != NULL && took_us / 1000 + 200 >= up->cfg->timeout_ms;
    upstream_failed(up, send->url, true);
    reconcile_add(send, RECONCILE_FIRST_MS);
}

static void on_not_sent(struct send *send, const char *why)
{
    struct upstream *up = send->upstream;

    meters_count3(up->gateway->meters.requests, up->name, "send", "not_sent");
    log_warn("upstream not reached", "upstream=%s url=%s reason=%s", up->name,
             up->cfg == NULL ? "" : up->cfg->urls[send->url], why);
    upstream_failed(up, send->url, false);
    if (send->repeated)
        reconcile_add(send, RECONCILE_FIRST_MS); /* this try did not arrive, the one before may have */
    else
        members_refused(send, REQUEUE, 0);
}

static void trail_reply(const struct send *send, int what)
{
    for (size_t i = 0; i < send->member_count; i++)
        trail_add(send->upstream->gateway->watch.trail, send->members[i].id, TRAIL_REPLY, send->upid, what);
}

void reply_on_send(void *owner, uint64_t cookie, const struct http_reply_in *http)
{
    struct gateway *gw = owner;
    struct send *send = send_find(gw, cookie);
    struct smsc_send_reply reply;
    char why[96];

    if (send == NULL)
        return;
    struct upstream *up = send->upstream;
    send_back(send);
    if (http->outcome != HTTP_NOT_SENT)
        metric_observe(up->meters.send_seconds, (double)http->took_us / 1e6);
    if (http->outcome != HTTP_ANSWERED)
        trail_reply(send, http->outcome == HTTP_NOT_SENT ? TRAIL_NOT_SENT : TRAIL_NO_REPLY);
    if (http->outcome == HTTP_NOT_SENT) {
        on_not_sent(send, http->why);
    } else if (http->outcome == HTTP_UNKNOWN) {
        on_nothing(send, "unknown", http->why, http->took_us);
    } else {
        wire_of(up->cfg)->parse_send(http->status, http->body, http->body_len, &reply);
        trail_reply(send, reply.kind == SMSC_REPLY_OK      ? 0
                          : reply.kind == SMSC_REPLY_ERROR ? reply.error_code
                                                           : TRAIL_NO_REPLY);
        switch (reply.kind) {
        case SMSC_REPLY_OK:
            meters_count3(gw->meters.requests, up->name, "send", "ok");
            rules_login_good(up->rules);
            upstream_works(up, send->url);
            on_ok(send, &reply);
            break;
        case SMSC_REPLY_ERROR:
            meters_count3(gw->meters.requests, up->name, "send", "error");
            if (reply.error_code != 2)
                rules_login_good(up->rules);
            upstream_works(up, send->url);
            on_error(send, &reply);
            break;
        case SMSC_REPLY_UNCLEAR:
            snprintf(why, sizeof why, "http status %d, %zu bytes not understood", http->status, http->body_len);
            on_nothing(send, "unclear", why, http->took_us);
            break;
        }
        smsc_send_reply_finish(&reply);
    }
    upstream_pump(up);
}
