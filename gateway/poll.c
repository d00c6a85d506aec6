/* SPDX-License-Identifier: MIT */
/*
 * poll.c - what no callback has told: asked for. Statuses of messages that wait too long, incoming messages by get_answers.
 *
 * Every accepted send is in a heap by the time of its next question; sixteen bytes each, so a million may wait. One round
 * at a time asks about as many messages as one request holds; one request leaves per poll.every, when rules.c lets it,
 * which also counts what operators ask. The next question comes after half the message's age, so old messages cost little. At the end of validity and a margin a message that
 * nobody can tell about ends by lost_status: the ESME gets its receipt in any case.
 */
#include "gateway/internal.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/extra.h"
#include "gateway/zonetime.h"

enum {
    ROUND_MESSAGES = 1000,
    LOOK_AT_ONCE = 10000,      /* finished sends thrown away in one tick */
    SEND_MEMBERS = 100,        /* of a send that is in the store only, for all we know at first */
    INTERVAL_LEAST_MS = 15000, /* five questions about one message a minute are allowed [smsc-api 2.4] */
    INTERVAL_MOST_MS = 6 * 3600000,
    MINUTE_MS = 61000,
    BLIND_EVERY_MS = 1000,
    VALID_MOST_MS = 86400000, /* the aggregator's own longest validity */
    ERR_NO_STATUS = 245,      /* "status not received" [smsc-api 10] */
    FIRST_ANSWERS_HOURS = 1
};

struct asked { /* one message of a round */
    uint64_t upid, id, phone;
    size_t place; /* of its send in the round */
    bool pinned;
};

struct poll {
    struct upstream *up;
    struct heap due;         /* (mono ms, upid) */
    uint64_t next_status_ms; /* mono: when the next request may leave */
    /* the round under way */
    bool running, blind; /* blind: nobody can be asked, only what is overdue ends */
    bool held;           /* ready, and waits for the rules */
    struct rules *rules; /* shared while its request is under way: a reload may give the upstream others */
    unsigned looking;    /* sends being read from the store */
    bool broken;         /* a look-up failed: everything is asked again */
    struct asked asked[ROUND_MESSAGES];
    size_t asked_count;
    uint64_t upids[ROUND_MESSAGES]; /* they go back into the heap at its end */
    int64_t at_ms[ROUND_MESSAGES];
    bool cut[ROUND_MESSAGES]; /* it has more members than the round had room for */
    size_t members;           /* that sends in the store have had of late */
    size_t upid_count;
    /* incoming messages */
    uint64_t next_answers_ms; /* mono */
    bool asking_answers;
    struct rules *answers_rules; /* the same for this request */
    bool cursor_read;
    int64_t cursor; /* the highest id seen, -1 none ever */
};

static struct poll *poll_of(struct upstream *up)
{
    if (up->poll == NULL) {
        up->poll = calloc(1, sizeof *up->poll);
        if (up->poll != NULL) {
            up->poll->up = up;
            up->poll->cursor = -1;
            up->poll->members = SEND_MEMBERS;
        }
    }
    return up->poll;
}

void poll_destroy(struct upstream *up)
{
    if (up->poll == NULL)
        return;
    heap_finish(&up->poll->due);
    rules_destroy(up->poll->rules);
    rules_destroy(up->poll->answers_rules);
    free(up->poll);
    up->poll = NULL;
}

bool poll_waits(const struct upstream *up)
{
    return up->poll != NULL && up->poll->held;
}

static uint64_t status_after_ms(const struct upstream *up)
{
    return up->cfg == NULL ? 0 : up->cfg->poll_status_after_ms;
}

static int64_t lost_after_ms(const struct upstream *up)
{
    return up->cfg == NULL ? 3600000 : (int64_t)up->cfg->poll_lost_after_ms;
}

static void look_in(struct poll *poll, int64_t wait_ms, uint64_t upid)
{
    int64_t due_ms = (int64_t)clock_mono_ms() + (wait_ms > 0 ? wait_ms : 0);

    if (poll == NULL || heap_push(&poll->due, due_ms, upid) != 0)
        log_error("a send is not polled until the next start", "send=%llu", (unsigned long long)upid);
}

void poll_add(struct send *send)
{
    uint64_t after = status_after_ms(send->upstream);

    if (after == 0) /* never asked about: only its end is watched, but a validity may be short */
        after = MINUTE_MS;
    look_in(poll_of(send->upstream), send->at_ms + (int64_t)after - era_now_ms(send->upstream->gateway, send->upid),
            send->upid);
}

/* --- the end of waiting --------------------------------------------------------------------------------------------- */

/* On the clock of the send. */
static int64_t deadline_ms(struct upstream *up, const struct message *m, uint64_t upid, int64_t sent_ms)
{
    struct extra extra;
    int64_t at_ms = sent_ms;

    if (m->extra.len > 0 && m->extra.at[0] != ' ') { /* scheduled at the aggregator: its validity begins then */
        extra_read(m->extra.at, m->extra.len, &extra);
        int64_t scheduled_ms = extra_time(&extra) * 1000;
        if (scheduled_ms > at_ms)
            at_ms = scheduled_ms;
    }
    int64_t end_ms = at_ms + VALID_MOST_MS;
    /* the message may have been taken on an earlier clock */
    int64_t expires_ms = m->expires_ms + era_now_ms(up->gateway, upid) - era_now_ms(up->gateway, m->id);
    if (m->expires_ms != 0 && expires_ms < end_ms)
        end_ms = expires_ms;
    return end_ms + lost_after_ms(up);
}

static void give_up(struct gateway *gw, struct upstream *up, struct item *item)
{
    bool unknown = up->cfg != NULL && up->cfg->lost_status == CFG_LOST_UNKNOWN;

    log_warn("no status came", "sys=%s msg=%llu upstream=%s", account_by_number(gw, item->m->p.esme)->system_id,
             (unsigned long long)item->m->id, up->name);
    outcome_keep(gw, item,
                 &(struct outcome){ .final = unknown ? SMPP_STATE_UNKNOWN : SMPP_STATE_EXPIRED,
                                    .status = item->m->p.status,
                                    .err = ERR_NO_STATUS,
                                    .cost_e6 = -1 });
}

/* --- a round -------------------------------------------------------------------------------------------------------- */

static bool still_waits(const struct item *item, uint64_t upid)
{
    return item != NULL && item->m->p.state == MESSAGE_SENDING && item->m->p.upid == upid;
}

int64_t poll_wait_ms(uint64_t status_after_ms, int64_t age_ms, int64_t left_ms)
{
    int64_t least_ms = status_after_ms > INTERVAL_LEAST_MS ? (int64_t)status_after_ms : INTERVAL_LEAST_MS;
    int64_t wait_ms = age_ms / 2;

    if (wait_ms < least_ms)
        wait_ms = least_ms;
    if (wait_ms > INTERVAL_MOST_MS)
        wait_ms = INTERVAL_MOST_MS;
    if (wait_ms < left_ms)
        return wait_ms;
    return left_ms > 0 ? left_ms : INTERVAL_LEAST_MS;
}

/* ms until this send is looked at again; 0 when all its messages of the round have ended. */
static int64_t next_look_ms(struct poll *poll, uint64_t upid, int64_t sent_ms)
{
    struct upstream *up = poll->up;
    int64_t now_ms = era_now_ms(up->gateway, upid);
    int64_t earliest = INT64_MAX;

    for (size_t i = 0; i < poll->asked_count; i++) {
        struct item *item = book_find(up->gateway->book, poll->asked[i].id);

        if (poll->asked[i].upid != upid || !still_waits(item, upid))
            continue;
        int64_t deadline = deadline_ms(up, item->m, upid, sent_ms);
        if (deadline < earliest)
            earliest = deadline;
    }
    return earliest == INT64_MAX ? 0 : poll_wait_ms(status_after_ms(up), now_ms - sent_ms, earliest - now_ms);
}

/* `told`: the aggregator has answered, so what is overdue now is lost. Without an answer it gets the margin once more. */
static void round_end(struct poll *poll, bool told)
{
    struct upstream *up = poll->up;
    struct gateway *gw = up->gateway;

    for (size_t i = 0; i < poll->asked_count; i++) {
        struct asked *a = &poll->asked[i];
        struct item *item = book_find(gw->book, a->id);

        if (!a->pinned || !still_waits(item, a->upid))
            continue;
        int64_t overdue = era_now_ms(gw, a->upid) - deadline_ms(up, item->m, a->upid, poll->at_ms[a->place]);
        if (overdue >= 0 && (told || overdue >= lost_after_ms(up)))
            give_up(gw, up, item);
    }
    for (size_t i = 0; i < poll->upid_count; i++) {
        bool unread = poll->broken || poll->cut[i]; /* some of its messages could not be looked at */
        int64_t wait_ms = unread ? INTERVAL_LEAST_MS : next_look_ms(poll, poll->upids[i], poll->at_ms[i]);

        if (wait_ms != 0)
            look_in(poll, wait_ms, poll->upids[i]);
    }
    for (size_t i = 0; i < poll->asked_count; i++) {
        if (poll->asked[i].pinned)
            book_unpin(gw->book, book_find(gw->book, poll->asked[i].id));
    }
    poll->running = false;
}

/* The place of a reply's record in the round: records come in the order asked, so the search goes on where the last one
 * was found. */
static struct asked *place_of(struct poll *poll, const struct smsc_status *status, size_t *from)
{
    uint64_t upid, phone = message_phone(status->phone, strlen(status->phone));

    if (!send_id_read(status->id, &upid))
        return NULL;
    for (size_t n = 0; n < poll->asked_count; n++) {
        struct asked *a = &poll->asked[(*from + n) % poll->asked_count];

        if (a->upid == upid && a->phone == phone && a->pinned) {
            *from = (*from + n + 1) % poll->asked_count;
            return a;
        }
    }
    return NULL;
}

static void apply(struct poll *poll, const struct smsc_status_reply *reply)
{
    struct gateway *gw = poll->up->gateway;
    size_t from = 0;

    for (size_t i = 0; i < reply->count; i++) {
        struct asked *a = place_of(poll, &reply->items[i], &from);
        struct item *item = a == NULL ? NULL : book_find(gw->book, a->id);

        if (still_waits(item, a == NULL ? 0 : a->upid))
            report_polled(gw, item, &reply->items[i]);
    }
}

static void give_back(struct rules **rules, enum rule_method method)
{
    rules_end(*rules, method);
    rules_destroy(*rules);
    *rules = NULL;
}

static void on_statuses(void *owner, uint64_t cookie, const struct http_reply_in *http)
{
    struct gateway *gw = owner;
    struct upstream *up = upstream_by_number(gw, (uint16_t)cookie);
    struct smsc_status_reply reply;
    struct poll *poll = up->poll;
    bool told = false;

    up->asking--;
    give_back(&poll->rules, RULE_STATUS_MASS);
    if (http->outcome != HTTP_ANSWERED) {
        meters_count3(gw->meters.requests, up->name, "status_mass", "failed");
        log_warn("statuses not asked for", "upstream=%s reason=%s", up->name, http->why);
        round_end(poll, false);
        return;
    }
    smsc_parse_status(http->status, http->body, http->body_len, &reply);
    if (reply.kind == SMSC_REPLY_OK) {
        meters_count3(gw->meters.requests, up->name, "status_mass", "ok");
        rules_login_good(up->rules);
        apply(poll, &reply);
        told = true;
    } else {
        meters_count3(gw->meters.requests, up->name, "status_mass",
                      reply.kind == SMSC_REPLY_ERROR ? "error" : "unclear");
        log_warn("statuses not told", "upstream=%s error=%d reason=%s", up->name, reply.error_code, reply.error_text);
        if (reply.kind == SMSC_REPLY_ERROR && reply.error_code == 2)
            upstream_pause(up, PAUSE_LOGIN, UINT64_MAX);
        poll->next_status_ms = clock_mono_ms() + MINUTE_MS;
    }
    smsc_status_reply_finish(&reply);
    round_end(poll, told);
}

static bool can_ask(const struct upstream *up)
{
    return up->cfg != NULL && up->cfg->poll_status_after_ms != 0 && up->pause != PAUSE_LOGIN &&
           up->pause != PAUSE_BLOCKED;
}

/* The request of a round whose messages are pinned leaves, or is held until the rules let it. */
static void transmit(struct poll *poll)
{
    const char *ids[ROUND_MESSAGES], *phones[ROUND_MESSAGES];
    static char id_texts[ROUND_MESSAGES][24]; /* loop thread only */
    struct upstream *up = poll->up;
    struct gateway *gw = up->gateway;
    uint64_t now_ms = clock_mono_ms();
    char url[512];
    size_t count = 0;

    for (size_t i = 0; i < poll->asked_count; i++) {
        struct item *item = book_find(gw->book, poll->asked[i].id);

        if (!poll->asked[i].pinned || !still_waits(item, poll->asked[i].upid))
            continue;
        send_id_text(poll->asked[i].upid, id_texts[count]);
        ids[count] = id_texts[count];
        phones[count++] = item->m->dest.at;
    }
    if (count == 0 || !can_ask(up)) {
        poll->held = false;
        round_end(poll, false);
        return;
    }
    poll->held = rules_wait_ms(up->rules, RULE_STATUS_MASS, 0, now_ms) != 0;
    if (poll->held)
        return; /* the next tick tries again */
    struct smsc_login login = upstream_login(up);
    struct smsc_status_query query = { .ids = ids, .phones = phones, .count = count, .mass = true };

    buf_clear(&gw->body);
    smsc_build_status(&login, &query, &gw->body);
    struct http_request_out out = { .method = "POST",
                                    .url = upstream_url(up, SMSC_PATH_STATUS, url),
                                    .body = buf_text(&gw->body),
                                    .body_len = gw->body.len };
    poll->next_status_ms = now_ms + up->cfg->poll_every_ms;
    if (gw->body.failed || http_client_send(up->http_status, &out, on_statuses, gw, up->number) != 0) {
        round_end(poll, false);
        return;
    }
    poll->rules = rules_share(up->rules);
    rules_start(poll->rules, RULE_STATUS_MASS, 0, now_ms);
    up->asking++;
    for (size_t i = 0; i < poll->asked_count; i++) {
        const struct asked *a = &poll->asked[i];

        if (a->pinned && still_waits(book_find(gw->book, a->id), a->upid))
            trail_add(gw->watch.trail, a->id, TRAIL_ASKED, a->upid, 0);
    }
}

/* Every message of the round is in the book or gone. */
static void ask(struct poll *poll)
{
    struct gateway *gw = poll->up->gateway;

    for (size_t i = 0; i < poll->asked_count; i++) {
        struct item *item = book_find(gw->book, poll->asked[i].id);

        if (!still_waits(item, poll->asked[i].upid))
            continue;
        book_pin(gw->book, item);
        poll->asked[i].pinned = true;
        poll->asked[i].phone = message_phone(item->m->dest.at, item->m->dest.len);
    }
    if (poll->blind)
        round_end(poll, false);
    else
        transmit(poll);
}

static void on_messages_read(void *owner, uint64_t cookie, int err)
{
    struct upstream *up = upstream_by_number(owner, (uint16_t)cookie);

    up->poll->broken |= err != 0;
    ask(up->poll);
}

static void read_messages(struct poll *poll)
{
    struct gateway *gw = poll->up->gateway;
    uint64_t ids[ROUND_MESSAGES];
    size_t count = 0;

    for (size_t i = 0; i < poll->asked_count; i++) {
        if (book_find(gw->book, poll->asked[i].id) == NULL)
            ids[count++] = poll->asked[i].id;
    }
    if (count == 0) {
        ask(poll);
    } else if (book_fetch(gw->book, ids, count, on_messages_read, gw, poll->up->number) != 0) {
        poll->broken = true;
        round_end(poll, false);
    }
}

static void add_asked(struct poll *poll, size_t place, uint64_t id)
{
    if (poll->asked_count < ROUND_MESSAGES)
        poll->asked[poll->asked_count++] = (struct asked){ poll->upids[place], id, 0, place, false };
    else
        poll->cut[place] = true;
}

/* A send that memory has forgotten. */
static void on_send_read(void *owner, uint64_t cookie, int err, const struct store_send *row)
{
    struct upstream *up = upstream_by_number(owner, (uint16_t)(cookie & 0xFFFF));
    struct poll *poll = up->poll;
    size_t place = (size_t)(cookie >> 16);

    poll->broken |= err != 0;
    if (err == 0 && row != NULL) {
        poll->at_ms[place] = row->at_ms;
        poll->members = (poll->members * 7 + row->member_count + 7) / 8;
        for (size_t i = 0; i < row->member_count; i++)
            add_asked(poll, place, row->members[i].id);
    }
    if (--poll->looking == 0)
        read_messages(poll);
}

/* Gathers what is due, at most one request of messages and only whole sends. */
static void round_start(struct poll *poll, uint64_t now_ms)
{
    struct upstream *up = poll->up;
    struct gateway *gw = up->gateway;
    struct heap_entry entry;
    size_t room = ROUND_MESSAGES;

    poll->asked_count = poll->upid_count = 0;
    poll->broken = false;
    poll->blind = !can_ask(up);
    if (poll->blind) /* no request sets the pace */
        poll->next_status_ms = clock_mono_ms() + BLIND_EVERY_MS;
    poll->looking = 1; /* this function itself */
    for (unsigned n = 0; n < LOOK_AT_ONCE && room > 0 && poll->upid_count < ROUND_MESSAGES &&
                         heap_pop(&poll->due, (int64_t)now_ms, &entry);
         n++) {
        struct send *send = send_find(gw, entry.id);
        /* how many are in the store is a guess; what is cut comes again */
        size_t place = poll->upid_count, members = send == NULL ? poll->members : send->open_count;

        if (send == NULL && entry.id > gw->evicted_upid)
            continue; /* over */
        if (send != NULL && send->state != SEND_ACCEPTED)
            continue;         /* reconcile.c asks about it, and it comes here again when it is accepted */
        if (members > room) { /* the next round has room for it */
            look_in(poll, 0, entry.id);
            break;
        }
        poll->upids[place] = entry.id;
        poll->cut[place] = false;
        poll->at_ms[place] = send == NULL ? store_id_ms(entry.id) : send->at_ms;
        if (send == NULL) {
            if (store_find_send(gw->store, entry.id, on_send_read, gw, ((uint64_t)place << 16) | up->number) != 0) {
                look_in(poll, 0, entry.id); /* the store has enough to do: this round is full */
                break;
            }
            poll->looking++;
            poll->upid_count++;
            room -= members;
            continue;
        }
        poll->upid_count++;
        for (size_t i = 0; i < send->member_count && room > 0; i++) {
            if (send->members[i].done)
                continue;
            add_asked(poll, place, send->members[i].id);
            room--;
        }
    }
    if (poll->upid_count == 0)
        return;
    poll->running = true;
    if (--poll->looking == 0)
        read_messages(poll);
}

/* --- incoming messages ---------------------------------------------------------------------------------------------- */

static void cursor_key(const struct upstream *up, char out[96])
{
    snprintf(out, 96, "answers:%s", up->name);
}

static int64_t number_of(const char *text)
{
    int64_t v = 0;

    for (; *text >= '0' && *text <= '9' && v < INT64_MAX / 20; text++)
        v = v * 10 + (*text - '0');
    return *text == '\0' ? v : -1;
}

static int by_id(const void *a, const void *b)
{
    int64_t left = number_of(((const struct smsc_answer *)a)->id),
            right = number_of(((const struct smsc_answer *)b)->id);

    return left < right ? -1 : left > right;
}

/* What a callback has brought already is a repeat, and so it is counted. */
static void on_answer_kept(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;

    UNUSED(cookie);
    if (err == 0 || err == ERR_EXISTS)
        meters_count(gw->meters.callbacks, "incoming", err == 0 ? "polled" : "repeat");
}

/* Stores all, then moves the cursor: the store keeps the order, so no crash can leave a gap. */
static void take_answers(struct poll *poll, struct smsc_answers_reply *reply)
{
    struct upstream *up = poll->up;
    struct gateway *gw = up->gateway;
    int64_t cursor = poll->cursor, started_s = gw->started_ms / 1000;
    bool first = poll->cursor < 0;
    char key[96];

    qsort(reply->items, reply->count, sizeof *reply->items, by_id);
    for (size_t i = 0; i < reply->count; i++) {
        const struct smsc_answer *a = &reply->items[i];
        int64_t id = number_of(a->id), received_s = zonetime_read(a->received, up->cfg->timezone_h);
        struct incoming in = { .id = a->id,
                               .phone = a->phone,
                               .to = a->to_phone,
                               .text = a->message,
                               .sms_id = "",
                               .upstream = up,
                               .call = strcmp(a->message, "[waitcall]") == 0 && received_s != 0,
                               .ts_s = received_s };

        /* what came before this gateway ever ran belongs to whoever was there before */
        bool old = first && received_s != 0 && received_s < started_s - 60;
        int err = old ? 0 : incoming_take(gw, &in, STORE_KEEP, (struct store_done){ on_answer_kept, gw, 0 });
        if (err != 0) {
            log_error("incoming messages not stored: asked for again", "upstream=%s error=%s", up->name, err_name(err));
            break;
        }
        if (id > cursor)
            cursor = id;
    }
    if (first && cursor < 0)
        cursor = 0;
    if (cursor == poll->cursor)
        return;
    cursor_key(up, key);
    if (store_meta_set(gw->store, key, cursor, STORE_KEEP) == 0)
        poll->cursor = cursor;
}

static void on_answers(void *owner, uint64_t cookie, const struct http_reply_in *http)
{
    struct gateway *gw = owner;
    struct upstream *up = upstream_by_number(gw, (uint16_t)cookie);
    struct smsc_answers_reply reply;
    struct poll *poll = up->poll;

    poll->asking_answers = false;
    up->asking--;
    give_back(&poll->answers_rules, RULE_ANSWERS);
    if (http->outcome != HTTP_ANSWERED || up->cfg == NULL) {
        meters_count3(gw->meters.requests, up->name, "answers", "failed");
        log_warn("incoming messages not asked for", "upstream=%s reason=%s", up->name, http->why);
        return;
    }
    smsc_parse_answers(http->status, http->body, http->body_len, &reply);
    if (reply.kind == SMSC_REPLY_OK) {
        meters_count3(gw->meters.requests, up->name, "answers", "ok");
        rules_login_good(up->rules);
        take_answers(poll, &reply);
    } else {
        meters_count3(gw->meters.requests, up->name, "answers", reply.kind == SMSC_REPLY_ERROR ? "error" : "unclear");
        log_warn("incoming messages not told", "upstream=%s error=%d reason=%s", up->name, reply.error_code,
                 reply.error_text);
        if (reply.kind == SMSC_REPLY_ERROR && reply.error_code == 2)
            upstream_pause(up, PAUSE_LOGIN, UINT64_MAX);
        poll->next_answers_ms = clock_mono_ms() + MINUTE_MS;
    }
    smsc_answers_reply_finish(&reply);
}

static void ask_answers(struct poll *poll, uint64_t now_ms)
{
    struct upstream *up = poll->up;
    struct gateway *gw = up->gateway;
    char url[512], key[96], after[24] = "";

    if (!poll->cursor_read) {
        cursor_key(up, key);
        if (!store_meta_get(gw->store, key, &poll->cursor))
            poll->cursor = -1;
        poll->cursor_read = true;
    }
    if (poll->cursor >= 0)
        snprintf(after, sizeof after, "%lld", (long long)poll->cursor);
    struct smsc_login login = upstream_login(up);
    buf_clear(&gw->body);
    smsc_build_answers(&login, after, poll->cursor >= 0 ? 168 : FIRST_ANSWERS_HOURS, &gw->body);
    struct http_request_out out = { .method = "POST",
                                    .url = upstream_url(up, SMSC_PATH_GET, url),
                                    .body = buf_text(&gw->body),
                                    .body_len = gw->body.len };
    uint64_t rule_key = rules_key(buf_text(&gw->body), gw->body.len);
    if (rules_wait_ms(up->rules, RULE_ANSWERS, rule_key, now_ms) != 0)
        return; /* the next tick tries again */
    poll->next_answers_ms = now_ms + up->cfg->poll_incoming_ms;
    if (http_client_send(up->http_status, &out, on_answers, gw, up->number) == 0) {
        poll->answers_rules = rules_share(up->rules);
        rules_start(poll->answers_rules, RULE_ANSWERS, rule_key, now_ms);
        poll->asking_answers = true;
        up->asking++;
    }
}

void poll_tick(struct upstream *up, uint64_t now_ms)
{
    struct poll *poll = poll_of(up);

    if (poll == NULL || up->gateway->draining)
        return;
    if (poll->held)
        transmit(poll);
    else if (!poll->running && now_ms >= poll->next_status_ms && heap_next(&poll->due) <= (int64_t)now_ms)
        round_start(poll, now_ms);
    if (up->cfg != NULL && up->cfg->poll_incoming_ms != 0 && !poll->asking_answers && now_ms >= poll->next_answers_ms &&
        up->pause != PAUSE_LOGIN && up->pause != PAUSE_BLOCKED)
        ask_answers(poll, now_ms);
}
