/* SPDX-License-Identifier: MIT */
/*
 * upstream.c - from waiting messages to requests and back: one upstream account of the aggregator.
 *
 * A request leaves only after its send row is durable, so that after a crash nobody has to guess what may have left. What
 * the reply says is decided by one table (reply_rules); a reply that cannot be understood, or none, goes to reconcile.c.
 */
#include "gateway/extra.h"
#include "gateway/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_MAX = 1000, AHEAD = 4 };

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply);

int upstream_create(struct gateway *gw, const char *name, struct upstream **out)
{
    struct upstream *up = calloc(1, sizeof *up);

    if (up == NULL)
        return ERR_NOMEM;
    up->gateway = gw;
    snprintf(up->name, sizeof up->name, "%s", name);
    up->number = store_intern(gw->store, name);
    up->ready_end = &up->ready;
    up->meters.send_seconds = metric_cell(gw->meters.upstream_seconds, METRIC_VALUES(name, "send"));
    up->meters.batch = metric_cell(gw->meters.batch, METRIC_VALUES(name));
    up->meters.waiting = metric_cell(gw->meters.queue, METRIC_VALUES("send", "", name));
    up->meters.in_flight = metric_cell(gw->meters.queue, METRIC_VALUES("in_flight", "", name));
    up->meters.balance = metric_cell(gw->meters.balance, METRIC_VALUES(name));
    up->next = gw->upstreams;
    gw->upstreams = up;
    gw->upstream_of[up->number] = up;
    *out = up;
    return 0;
}

int upstream_configure(struct upstream *up, const struct cfg_upstream *cfg)
{
    struct gateway *gw = up->gateway;
    struct http_client_opts opts = {
        .max_inflight = cfg->connections,
        .connect_timeout_ms = cfg->connect_timeout_ms,
        .timeout_ms = cfg->timeout_ms,
    };
    struct http_client_opts status_opts = opts;

    status_opts.max_inflight = cfg->status_connections;
    up->cfg = cfg;
    up->url = 0;
    if (up->http == NULL) {
        int err = http_client_create(gw->loop, &opts, &up->http);
        return err != 0 ? err : http_client_create(gw->loop, &status_opts, &up->http_status);
    }
    http_client_configure(up->http, &opts);
    http_client_configure(up->http_status, &status_opts);
    return 0;
}

struct upstream *upstream_by_number(struct gateway *gw, uint16_t number)
{
    return gw->upstream_of[number];
}

struct upstream *upstream_named(struct gateway *gw, const char *name)
{
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        if (strcmp(up->name, name) == 0)
            return up;
    }
    return NULL;
}

void upstream_destroy_all(struct gateway *gw)
{
    while (gw->upstreams != NULL) {
        struct upstream *up = gw->upstreams;

        gw->upstreams = up->next;
        if (up->http != NULL)
            http_client_destroy(up->http);
        if (up->http_status != NULL)
            http_client_destroy(up->http_status);
        queue_finish(up);
        heap_finish(&up->unclear);
        poll_destroy(up);
        free(up);
    }
}

const char *upstream_url(struct upstream *up, const char *path, char out[512])
{
    const char *base = up->cfg->urls[up->url];
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/')
        len--;
    snprintf(out, 512, "%.*s%s", (int)len, base, path);
    return out;
}

struct smsc_login upstream_login(const struct upstream *up)
{
    return (struct smsc_login){ up->cfg->login, up->cfg->password, up->cfg->api_key };
}

/* --- pauses ------------------------------------------------------------------------------------------------------- */

void upstream_pause(struct upstream *up, enum upstream_pause why, uint64_t for_ms)
{
    uint64_t until = for_ms == UINT64_MAX ? UINT64_MAX : clock_mono_ms() + for_ms;

    if (up->pause != PAUSE_NONE && up->paused_until_ms > until)
        return; /* already paused for longer */
    up->pause = why;
    up->paused_until_ms = until;
}

void upstream_resume(struct upstream *up)
{
    up->pause = PAUSE_NONE;
    up->paused_until_ms = 0;
    up->failures = 0;
    upstream_pump(up);
}

/* After a request that provably did not arrive: wait longer each time [retry of the configuration]. */
static void back_off(struct upstream *up)
{
    if (up->cfg == NULL)
        return; /* taken out of the configuration meanwhile: nothing is sent any more */
    double wait = (double)up->cfg->retry_first_ms * pow(up->cfg->retry_factor, up->failures);

    if (up->failures < 1000)
        up->failures++;
    if (wait > (double)up->cfg->retry_max_ms)
        wait = (double)up->cfg->retry_max_ms;
    upstream_pause(up, PAUSE_BACKOFF, (uint64_t)wait);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static uint32_t valid_minutes(const struct message *m)
{
    int64_t left_ms = m->expires_ms - clock_wall_ms();

    if (m->expires_ms == 0)
        return 0;
    if (left_ms < 60000)
        return 1;
    return left_ms >= 1440 * 60000LL ? 1440 : (uint32_t)((left_ms + 59999) / 60000);
}

static struct smsc_line line_of(const struct message *m)
{
    return (
        struct smsc_line){ .phone = m->dest.at, .sender = m->source.at, .text = m->text.at, .text_len = m->text.len };
}

/* What the members of a request have in common. */
static void fill_common(struct upstream *up, const struct message *m, struct smsc_send *out, struct extra *extra)
{
    out->kind = m->binary ? SMSC_BINARY : m->channel;
    extra_fill(up->cfg->extra, m->extra.at, m->extra.len, extra, out);
    out->valid_minutes = valid_minutes(m);
    out->pid = m->protocol_id;
    out->dcs = m->data_coding;
    out->has_pid_dcs = m->binary && (m->protocol_id != 0 || m->data_coding != 0);
}

void upstream_write_request(struct upstream *up, const struct message *m, struct buf *out)
{
    struct smsc_line line = line_of(m);
    struct smsc_send request = { .id = "s0", .lines = &line, .line_count = 1 };
    struct smsc_login login = upstream_login(up);
    struct extra extra;

    fill_common(up, m, &request, &extra);
    smsc_build_send(&login, &request, out);
}

/* The members' lines, from the book: they are pinned while the send holds its slot. */
static bool fill_request(const struct send *send, struct smsc_line *lines, struct smsc_send *out, struct extra *extra)
{
    struct gateway *gw = send->upstream->gateway;

    for (size_t i = 0; i < send->member_count; i++) {
        struct item *item = book_find(gw->book, send->members[i].id);

        if (item == NULL)
            return false;
        const struct message *m = item->m;
        lines[i] = line_of(m);
        if (i == 0)
            fill_common(send->upstream, m, out, extra);
        trail_add(gw->watch.trail, m->id, TRAIL_SENT, send->upid, send->tries);
    }
    out->lines = lines;
    out->line_count = send->member_count;
    return true;
}

static void transmit(struct send *send)
{
    struct upstream *up = send->upstream;
    struct gateway *gw = up->gateway;
    struct smsc_line lines[BATCH_MAX];
    struct smsc_send request = { 0 };
    struct smsc_login login = upstream_login(up);
    struct extra extra;
    char id[24], url[512];

    send->at_ms = clock_wall_ms();
    send->tries++;
    up->requesting++;
    send_id_text(send->upid, id);
    request.id = id;
    buf_clear(&gw->body);
    int err = fill_request(send, lines, &request, &extra) ? 0 : ERR_GONE;
    if (err == 0) {
        smsc_build_send(&login, &request, &gw->body);
        struct http_request_out out = { .method = "POST",
                                        .url = upstream_url(up, SMSC_PATH_SEND, url),
                                        .body = buf_text(&gw->body),
                                        .body_len = gw->body.len };

        err = gw->body.failed ? ERR_FULL : http_client_send(up->http, &out, on_reply, gw, send->upid);
    }
    if (err != 0) { /* nothing has left: treat it as a request that was not sent */
        struct http_reply_in none = { .outcome = HTTP_NOT_SENT, .why = err_text(err) };

        on_reply(gw, send->upid, &none);
    }
}

/* After a failure one request tries the way for all others. */
static unsigned most_requests(const struct upstream *up)
{
    return up->failures > 0 ? 1 : up->cfg->connections;
}

static bool is_paused(struct upstream *up)
{
    if (up->pause == PAUSE_NONE)
        return false;
    if (up->paused_until_ms == UINT64_MAX || clock_mono_ms() < up->paused_until_ms)
        return true;
    up->pause = PAUSE_NONE;
    return false;
}

static struct send *pop_ready(struct upstream *up)
{
    struct send *send = up->ready;

    up->ready = send->next_ready;
    if (up->ready == NULL)
        up->ready_end = &up->ready;
    send->next_ready = NULL;
    return send;
}

static void transmit_ready(struct upstream *up)
{
    while (up->ready != NULL && up->cfg != NULL && !up->gateway->draining && !is_paused(up) &&
           up->requesting < most_requests(up))
        transmit(pop_ready(up));
}

void upstream_ready(struct send *send)
{
    struct upstream *up = send->upstream;

    *up->ready_end = send;
    up->ready_end = &send->next_ready;
    transmit_ready(up);
}

/* The claim is durable, or not. */
static void on_claimed(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct send *send = send_find(gw, cookie);

    if (send == NULL || gw->stopped)
        return; /* the next start asks about it */
    if (err == 0) {
        upstream_ready(send);
        return;
    }
    struct upstream *up = send->upstream;
    for (size_t i = send->member_count; i > 0; i--) {
        struct item *item = book_find(gw->book, send->members[i - 1].id);

        if (item == NULL)
            continue;
        if (item->m->p.state == MESSAGE_SENDING) {
            item->m->p.state = MESSAGE_QUEUED;
            item->m->p.upid = 0;
            if (queue_add(gw, account_by_number(gw, item->m->p.esme), up, item->m->p.urgent, item->m->id, true) != 0)
                log_error("message waits until the next start", "msg=%llu", (unsigned long long)item->m->id);
        }
        book_unpin(gw->book, item);
    }
    send_free_slot(send);
    send_drop(gw, send);
    upstream_pause(up, PAUSE_BACKOFF, 500);
}

static int starting_add(struct gateway *gw, struct send *send)
{
    if (gw->starting_count == gw->starting_size) {
        size_t size = gw->starting_size == 0 ? 64 : gw->starting_size * 2;
        struct send **starting = realloc(gw->starting, size * sizeof(struct send *));

        if (starting == NULL)
            return ERR_NOMEM;
        gw->starting = starting;
        gw->starting_size = size;
    }
    gw->starting[gw->starting_count++] = send;
    return 0;
}

/* Makes a send of these pinned messages; it leaves when this turn's batch is durable. */
static void start(struct upstream *up, struct item **items, size_t count)
{
    struct gateway *gw = up->gateway;
    struct send *send = send_create(gw, up, store_next_id(gw->store), count);

    if (send == NULL || starting_add(gw, send) != 0) {
        if (send != NULL)
            send_drop(gw, send);
        for (size_t i = count; i > 0; i--) {
            queue_phone_free(up, message_phone(items[i - 1]->m->dest.at, items[i - 1]->m->dest.len));
            if (queue_add(gw, account_by_number(gw, items[i - 1]->m->p.esme), up, items[i - 1]->m->p.urgent,
                          items[i - 1]->m->id, true) != 0)
                log_error("message waits until the next start", "msg=%llu", (unsigned long long)items[i - 1]->m->id);
            book_unpin(gw->book, items[i - 1]);
        }
        upstream_pause(up, PAUSE_BACKOFF, 500);
        return;
    }
    send->holds_slot = true;
    up->in_flight++;
    for (size_t i = 0; i < count; i++) {
        struct message *m = items[i]->m;

        send->members[i] = (struct send_member){ m->id, message_phone(m->dest.at, m->dest.len), false };
        m->p.state = MESSAGE_SENDING;
        m->p.upid = send->upid;
        m->p.tries++;
    }
    metric_observe(up->meters.batch, (double)count);
}

/* Claims run ahead of the connections, so that one commit claims many and no connection waits for the disk. Batches ahead
 * must be full: a half-empty one fills up while it waits in the queue. */
static bool may_claim(struct upstream *up)
{
    if (up->cfg == NULL || up->gateway->draining || is_paused(up))
        return false;
    if (up->failures > 0)
        return up->in_flight == 0;
    if (up->in_flight < up->cfg->connections)
        return true;
    return up->in_flight < up->cfg->connections * (1 + AHEAD) &&
           (up->cfg->batch_max <= 1 || queue_waiting(up) >= up->cfg->batch_max);
}

/* A request is worth starting when the upstream is idle, the batch would be full, or its first message has waited for
 * `linger`. */
static bool worth_it(struct upstream *up)
{
    uint64_t linger = up->cfg->batch_linger_ms;

    if (up->cfg->batch_max <= 1 || linger == 0 || up->in_flight == 0 || queue_waiting(up) >= up->cfg->batch_max) {
        up->oldest_wait_ms = 0;
        return true;
    }
    uint64_t now = clock_mono_ms();
    if (up->oldest_wait_ms == 0)
        up->oldest_wait_ms = now;
    if (now - up->oldest_wait_ms >= linger) {
        up->oldest_wait_ms = 0;
        return true;
    }
    return false;
}

void upstream_pump(struct upstream *up)
{
    struct item *items[BATCH_MAX];

    transmit_ready(up);
    while (queue_has_work(up) && may_claim(up) && worth_it(up)) {
        size_t max = up->cfg->batch_max < BATCH_MAX ? up->cfg->batch_max : BATCH_MAX;
        size_t count = queue_gather(up, items, max < 1 ? 1 : max);

        if (count == 0)
            break;
        start(up, items, count);
    }
}

void upstream_flush(struct gateway *gw)
{
    for (size_t i = 0; i < gw->starting_count; i++) {
        struct send *send = gw->starting[i];
        struct store_member members[BATCH_MAX];
        int err = 0;

        for (size_t k = 0; k < send->member_count; k++)
            members[k] = (struct store_member){ send->members[k].id, send->members[k].phone };
        struct store_send row = { .upid = send->upid,
                                  .upstream = send->upstream->number,
                                  .state = SEND_IN_FLIGHT,
                                  .tries = 1,
                                  .at_ms = clock_wall_ms(),
                                  .cost_e6 = -1,
                                  .members = members,
                                  .member_count = send->member_count };

        for (size_t k = 0; k < send->member_count && err == 0; k++) {
            struct item *item = book_find(gw->book, send->members[k].id);

            /* a message accepted in this very turn was put as SENDING already */
            if (item->m->p.state == MESSAGE_SENDING && !item->fresh)
                err = store_move(gw->store, &item->m->p, STORE_PLAIN, (struct store_done){ 0 });
        }
        if (err == 0)
            err = store_send_put(gw->store, &row, STORE_PLAIN, (struct store_done){ on_claimed, gw, send->upid });
        if (err != 0)
            on_claimed(gw, send->upid, err);
    }
    gw->starting_count = 0;
}

/* --- replies ------------------------------------------------------------------------------------------------------ */

void upstream_accepted(struct send *send, int64_t cost_e6)
{
    struct gateway *gw = send->upstream->gateway;

    send->state = SEND_ACCEPTED;
    send->replied_ms = clock_wall_ms();
    send->error = 0;
    if (cost_e6 >= 0)
        send->cost_e6 = cost_e6;
    for (size_t i = 0; i < send->member_count; i++) {
        struct item *item = book_find(gw->book, send->members[i].id);

        if (item == NULL)
            continue;
        if (!send->members[i].done && item->m->p.state == MESSAGE_SENDING) {
            account_by_number(gw, item->m->p.esme)->queued--;
            if (send->member_count == 1 && cost_e6 >= 0)
                item->m->p.cost_e6 = cost_e6;
        }
        book_unpin(gw->book, item);
    }
    send_save(gw, send);
    send_free_slot(send);
    if (send->open_count == 0)
        send_drop(gw, send);
    else
        poll_add(send);
}

enum verdict { REFUSE, REQUEUE, REQUEUE_LATER, ALONE };

/* What becomes of the members when the aggregator has not taken the request. */
static void members_refused(struct send *send, enum verdict verdict, int error)
{
    struct upstream *up = send->upstream;
    struct gateway *gw = up->gateway;
    int64_t later = clock_wall_ms() + 61000; /* "more than one identical request within a minute" [API send, error 9] */

    send->state = SEND_REFUSED;
    send->replied_ms = clock_wall_ms();
    send->error = error;
    send_save(gw, send);
    for (size_t i = send->member_count; i > 0; i--) {
        struct send_member *member = &send->members[i - 1];
        struct item *item = book_find(gw->book, member->id);

        if (item == NULL)
            continue;
        if (member->done) {
            book_unpin(gw->book, item);
            continue;
        }
        switch (verdict) {
        case REFUSE:
            outcome_keep(
                gw, item,
                &(struct outcome){ .final = SMPP_STATE_REJECTED, .status = -100, .err = error, .cost_e6 = -1 });
            break;
        case ALONE:
            item->alone = true;
            outcome_requeue(gw, item, 0, true);
            break;
        case REQUEUE:
            outcome_requeue(gw, item, 0, true);
            break;
        case REQUEUE_LATER:
            outcome_requeue(gw, item, later, false);
            break;
        }
        book_unpin(gw->book, item);
    }
    send_free_slot(send);
    if (verdict != REFUSE) {
        send_drop(gw, send);
    } else if (send->open_count == 0) {
        send_drop(gw, send);
    }
}

void upstream_unclaim(struct upstream *up)
{
    while (up->ready != NULL) {
        struct send *send = pop_ready(up);

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

        struct send_member *member = send_member_for(send, message_phone(line->phone, strlen(line->phone)));
        struct item *item = member == NULL ? NULL : book_find(gw->book, member->id);
        if (item == NULL || member->done)
            continue;
        if (line->cost_e6 >= 0)
            item->m->p.cost_e6 = line->cost_e6;
        if (line->error == 0)
            continue;
        outcome_keep(gw, item,
                     &(struct outcome){
                         .final = SMPP_STATE_REJECTED, .status = line->status, .err = line->error, .cost_e6 = -1 });
    }
}

static void on_error_reply(struct send *send, const struct smsc_send_reply *reply)
{
    struct upstream *up = send->upstream;
    bool single = send->member_count == 1;

    log_warn("send refused", "upstream=%s send=%llu error=%d reason=%s messages=%zu", up->name,
             (unsigned long long)send->upid, reply->error_code, reply->error_text, send->member_count);
    switch (reply->error_code) {
    case 2: /* wrong login: five of these block the address for half an hour, so the first one stops us [API FAQ 99] */
        upstream_pause(up, PAUSE_LOGIN, UINT64_MAX);
        members_refused(send, REQUEUE, 2);
        break;
    case 3:
        upstream_pause(up, PAUSE_MONEY, 60000);
        members_refused(send, REQUEUE, 3);
        break;
    case 4:
        upstream_pause(up, PAUSE_BLOCKED, 10 * 60000);
        members_refused(send, REQUEUE, 4);
        break;
    case 9:
        if (send->repeated)
            reconcile_add(send, 1000); /* perhaps the first try was accepted */
        else
            members_refused(send, REQUEUE_LATER, 9);
        break;
    default:
        members_refused(send, single ? REFUSE : ALONE, reply->error_code);
        break;
    }
}

static void trail_reply(const struct send *send, int what)
{
    for (size_t i = 0; i < send->member_count; i++)
        trail_add(send->upstream->gateway->watch.trail, send->members[i].id, TRAIL_REPLY, send->upid, what);
}

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *http)
{
    struct gateway *gw = owner;
    struct send *send = send_find(gw, cookie);
    struct smsc_send_reply reply;

    if (send == NULL)
        return;
    struct upstream *up = send->upstream;
    up->requesting--;
    metric_observe(up->meters.send_seconds, (double)http->took_us / 1e6);
    if (http->outcome != HTTP_ANSWERED)
        trail_reply(send, http->outcome == HTTP_NOT_SENT ? TRAIL_NOT_SENT : TRAIL_NO_REPLY);
    if (http->outcome == HTTP_NOT_SENT) {
        meters_count3(gw->meters.requests, up->name, "send", "not_sent");
        log_warn("upstream not reached", "upstream=%s reason=%s", up->name, http->why);
        back_off(up);
        if (send->repeated)
            reconcile_add(send, 1000); /* this try did not arrive, the one before may have */
        else
            members_refused(send, REQUEUE, 0);
        upstream_pump(up);
        return;
    }
    if (http->outcome == HTTP_UNKNOWN) {
        meters_count3(gw->meters.requests, up->name, "send", "unknown");
        log_warn("outcome of a send unknown", "upstream=%s send=%llu reason=%s", up->name,
                 (unsigned long long)send->upid, http->why);
        back_off(up);
        reconcile_add(send, 1000);
        return;
    }
    smsc_parse_send(http->status, http->body, http->body_len, &reply);
    if (reply.kind != SMSC_REPLY_UNCLEAR)
        trail_reply(send, reply.kind == SMSC_REPLY_OK ? 0 : reply.error_code);
    else
        trail_reply(send, TRAIL_NO_REPLY);
    switch (reply.kind) {
    case SMSC_REPLY_OK:
        meters_count3(gw->meters.requests, up->name, "send", "ok");
        up->failures = 0;
        if (reply.has_balance) {
            up->balance_e6 = reply.balance_e6;
            up->has_balance = true;
            up->meters.balance->value = (double)reply.balance_e6 / 1e6;
        }
        lines_refused(send, &reply);
        upstream_accepted(send, reply.cost_e6);
        break;
    case SMSC_REPLY_ERROR:
        meters_count3(gw->meters.requests, up->name, "send", "error");
        up->failures = 0;
        on_error_reply(send, &reply);
        break;
    case SMSC_REPLY_UNCLEAR:
        meters_count3(gw->meters.requests, up->name, "send", "unclear");
        log_warn("reply not understood", "upstream=%s send=%llu http=%d bytes=%zu", up->name,
                 (unsigned long long)send->upid, http->status, http->body_len);
        back_off(up);
        reconcile_add(send, 1000);
        break;
    }
    smsc_send_reply_finish(&reply);
    upstream_pump(up);
}

void upstream_tick(struct upstream *up, uint64_t now_ms)
{
    up->meters.waiting->value = (double)queue_waiting(up);
    up->meters.in_flight->value = up->in_flight;
    reconcile_tick(up, now_ms);
    poll_tick(up, now_ms);
    upstream_pump(up);
}
