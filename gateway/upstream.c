/* SPDX-License-Identifier: MIT */
/*
 * upstream.c - from waiting messages to requests and back: one upstream account of the aggregator.
 *
 * A request leaves only after its send row is durable, so that after a crash nobody has to guess what may have left, and
 * only when rules.c lets it. What the reply says is reply.c's business; an outcome that is unknown, reconcile.c's.
 */
#include "gateway/extra.h"
#include "gateway/internal.h"
#include "gateway/pace.h"
#include "gateway/read_sm.h"
#include "gateway/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_MAX = SEND_MEMBERS_MAX,
    AHEAD = 4,            /* times the connections: claims made in advance */
    UNCLEAR_MAX = 500,    /* sends whose outcome is unknown; above it nothing new is sent */
    UNCLAIM_MS = 5000,    /* a pause longer than this gives claims back to the queues */
    FAILURES_BROKEN = 3,  /* unanswered requests in a row that break an address */
    GIVE_UP_MS = 86400000 /* the default of retry.give_up [config/schema.c] */
};

int upstream_create(struct gateway *gw, const char *name, struct upstream **out)
{
    struct upstream *up = calloc(1, sizeof *up);

    if (up == NULL)
        return ERR_NOMEM;
    up->gateway = gw;
    snprintf(up->name, sizeof up->name, "%s", name);
    struct rules_limits limits;
    rules_defaults(&limits);
    up->rules = rules_create(&limits);
    if (up->rules == NULL) {
        free(up);
        return ERR_NOMEM;
    }
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

static struct rules_limits limits_of(const struct cfg_upstream *cfg)
{
    struct rules_limits limits;

    rules_defaults(&limits);
    limits.in_flight = cfg->connections;
    limits.status_in_flight = cfg->status_connections;
    limits.window_ms = cfg->limits.window_ms;
    limits.same[RULE_STATUS] = cfg->limits.status;
    limits.any[RULE_STATUS_MASS] = limits.same[RULE_STATUS_MASS] = cfg->limits.status_mass;
    limits.any[RULE_BALANCE] = cfg->limits.balance;
    limits.same[RULE_GET] = limits.same[RULE_ANSWERS] = cfg->limits.get;
    /* whoever polls more often than the table says has a reason: an aggregator, or a test, that allows it */
    limits.window_of[RULE_STATUS_MASS] = cfg->poll_every_ms * cfg->limits.status_mass;
    limits.window_of[RULE_ANSWERS] = cfg->poll_incoming_ms * cfg->limits.get;
    limits.any[RULE_OPERATOR] = cfg->limits.info;
    limits.same[RULE_OPERATOR] = cfg->limits.info_same;
    limits.same[RULE_COST] = cfg->limits.cost;
    limits.any[RULE_STAT] = cfg->limits.stat;
    limits.same[RULE_TINYURL] = cfg->limits.tinyurl;
    limits.same[RULE_WAIT_CALL] = cfg->limits.wait_call;
    limits.flood_messages = cfg->limits.flood_messages;
    limits.flood_gap_ms = cfg->limits.flood_gap_ms;
    limits.bad_sends = cfg->limits.bad_sends;
    limits.bad_sends_window_ms = cfg->limits.bad_sends_window_ms;
    return limits;
}

static bool same_login(const struct cfg_upstream *a, const struct cfg_upstream *b)
{
    return strcmp(a->login, b->login) == 0 && strcmp(a->api_key, b->api_key) == 0 &&
           (a->login[0] != '\0' || a->api_key[0] != '\0');
}

struct message_text upstream_service(const struct cfg_upstream *cfg)
{
    const char *host = strstr(cfg->urls[0], "://");

    host = host == NULL ? cfg->urls[0] : host + 3;
    if (strncasecmp(host, "www", 3) == 0) {
        const char *rest = host + 3 + strspn(host + 3, "0123456789");
        if (*rest == '.')
            host = rest + 1;
    }
    return (struct message_text){ (char *)(uintptr_t)host, strcspn(host, "/") };
}

bool upstream_same_account(const struct upstream *a, const struct upstream *b)
{
    if (a == b || a->cfg == NULL || b->cfg == NULL)
        return a == b;
    struct message_text x = upstream_service(a->cfg), y = upstream_service(b->cfg);
    return same_login(a->cfg, b->cfg) && x.len == y.len && strncasecmp(x.at, y.at, x.len) == 0;
}

/* The rules count per login: whoever else uses the same one counts together with us. */
static void follow_rules(struct upstream *up, const struct cfg_upstream *cfg)
{
    struct rules_limits limits = limits_of(cfg);

    for (struct upstream *other = up->gateway->upstreams; other != NULL; other = other->next) {
        if (other == up || other->cfg == NULL || other->rules == up->rules || !same_login(other->cfg, cfg))
            continue;
        if (up->in_flight > 0) /* its requests under way are counted where they began */
            break;
        rules_destroy(up->rules);
        up->rules = rules_share(other->rules);
        break;
    }
    rules_configure(up->rules, &limits);
}

static int client_for(struct gateway *gw, const struct http_client_opts *opts, struct http_client **at)
{
    if (*at == NULL)
        return http_client_create(gw->loop, opts, at);
    http_client_configure(*at, opts);
    return 0;
}

int upstream_configure(struct upstream *up, const struct cfg_upstream *cfg)
{
    struct gateway *gw = up->gateway;
    struct http_client_opts opts = {
        .max_inflight = cfg->connections,
        .connect_timeout_ms = cfg->connect_timeout_ms,
        .timeout_ms = cfg->timeout_ms,
        .proxy = cfg->proxy,
        .ca_file = cfg->ca_file,
    };
    struct http_client_opts status_opts = opts;

    status_opts.max_inflight = cfg->status_connections;
    int err = client_for(gw, &opts, &up->http);
    if (err == 0)
        err = client_for(gw, &status_opts, &up->http_status);
    if (err != 0)
        return err; /* as it was before: one that has never had a configuration sends nothing */
    bool new_login = up->cfg == NULL || !same_login(up->cfg, cfg) || strcmp(up->cfg->password, cfg->password) != 0;
    follow_rules(up, cfg);
    up->cfg = cfg;
    up->url = 0;
    memset(up->urls, 0, sizeof up->urls);
    up->questions = (struct question_way){ .asking = up->questions.asking };
    rate_configure(&up->rate, cfg->rate, cfg->burst);
    if (new_login) {
        rules_login_unproven(up->rules);
        if (up->pause == PAUSE_LOGIN)
            up->pause = PAUSE_NONE;
    }
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
        rules_destroy(up->rules);
        free(up);
    }
}

size_t upstream_url_count(const struct upstream *up)
{
    size_t n = 0;

    while (n < UPSTREAM_URLS_MAX && up->cfg->urls[n] != NULL)
        n++;
    return n;
}

const char *upstream_url_at(struct upstream *up, size_t url, const char *path, char out[512])
{
    const char *base = up->cfg->urls[url < upstream_url_count(up) ? url : up->url];
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/')
        len--;
    snprintf(out, 512, "%.*s%s", (int)len, base, path);
    return out;
}

const char *upstream_url(struct upstream *up, const char *path, char out[512])
{
    return upstream_url_at(up, up->url, path, out);
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
    memset(up->urls, 0, sizeof up->urls);
    up->questions = (struct question_way){ .asking = up->questions.asking };
    rules_forgive(up->rules);
    log_info("upstream resumed", "upstream=%s", up->name);
    upstream_pump(up);
}

uint64_t upstream_retry_ms(const struct upstream *up, unsigned failures)
{
    double wait = (double)up->cfg->retry_first_ms * pow(up->cfg->retry_factor, failures);

    return wait > (double)up->cfg->retry_max_ms ? up->cfg->retry_max_ms : (uint64_t)wait;
}

uint64_t upstream_give_up_ms(const struct upstream *up)
{
    return up->cfg == NULL ? GIVE_UP_MS : up->cfg->retry_give_up_ms;
}

/* After requests that were not answered: wait longer each time. */
static void back_off(struct upstream *up)
{
    if (up->cfg == NULL)
        return; /* taken out of the configuration meanwhile: nothing is sent any more */
    uint64_t wait_ms = upstream_retry_ms(up, up->failures);

    if (up->failures < 1000)
        up->failures++;
    upstream_pause(up, PAUSE_BACKOFF, wait_ms);
}

/* The next address whose circuit is closed takes over; sticky, so that a reserve stays in use while it works. */
static bool next_url(struct upstream *up, uint64_t now_ms)
{
    size_t count = upstream_url_count(up);

    for (size_t i = 1; i < count; i++) {
        size_t k = (up->url + i) % count;

        if (up->urls[k].broken_until_ms > now_ms)
            continue;
        log_warn("upstream address changed", "upstream=%s from=%s to=%s", up->name, up->cfg->urls[up->url],
                 up->cfg->urls[k]);
        up->url = k;
        return true;
    }
    return false;
}

void upstream_failed(struct upstream *up, size_t which, bool reached)
{
    if (up->cfg == NULL || which >= upstream_url_count(up))
        return;
    struct url_state *url = &up->urls[which];
    uint64_t now_ms = clock_mono_ms();

    if (url->failures < 1000)
        url->failures++;
    if (reached && url->failures < FAILURES_BROKEN)
        return; /* one bad answer among good ones stops nobody */
    url->broken_until_ms = now_ms + up->cfg->retry_max_ms;
    if (which != up->url && up->urls[up->url].broken_until_ms <= now_ms)
        return; /* a request from before the change of address */
    if (next_url(up, now_ms))
        return;
    for (size_t i = 0; i < UPSTREAM_URLS_MAX; i++) /* all broken: each is tried again after the pause */
        up->urls[i].broken_until_ms = 0;
    next_url(up, now_ms);
    back_off(up);
}

void upstream_works(struct upstream *up, size_t which)
{
    up->failures = 0;
    if (which < UPSTREAM_URLS_MAX)
        up->urls[which] = (struct url_state){ 0 };
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static uint32_t valid_minutes(struct gateway *gw, const struct message *m)
{
    int64_t left_ms = m->expires_ms - era_now_ms(gw, m->id);

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
    out->valid_minutes = valid_minutes(up->gateway, m);
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
    smsc_build_send(&login, &request, out); /* the parameters; over SOAP they are elements of the same names */
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

    send->at_ms = era_wall_ms(gw);
    send->left_ms = clock_mono_ms();
    send->url = (uint8_t)up->url;
    send->tries++;
    send_leave(send);
    send_id_text(send->upid, id);
    request.id = id;
    buf_clear(&gw->body);
    int err = fill_request(send, lines, &request, &extra) ? 0 : ERR_GONE;
    if (err == 0) {
        const struct wire *wire = wire_of(up->cfg);

        wire->build_send(&login, &request, &gw->body);
        struct http_request_out out = wire_request(wire, upstream_url(up, wire->send_path, url), &gw->body);

        err = gw->body.failed ? ERR_FULL : http_client_send(up->http, &out, reply_on_send, gw, send->upid);
    }
    if (err != 0) { /* nothing has left: treat it as a request that was not sent */
        struct http_reply_in none = { .outcome = HTTP_NOT_SENT, .why = err_text(err) };

        reply_on_send(gw, send->upid, &none);
    }
}

bool upstream_is_paused(struct upstream *up)
{
    if (up->pause == PAUSE_NONE)
        return false;
    if (up->paused_until_ms == UINT64_MAX || clock_mono_ms() < up->paused_until_ms)
        return true;
    up->pause = PAUSE_NONE;
    return false;
}

bool upstream_is_broken(struct upstream *up)
{
    return up->cfg == NULL || up->failures > 0 || (upstream_is_paused(up) && up->pause != PAUSE_BACKOFF);
}

bool upstream_is_down(struct upstream *up)
{
    if (up->cfg == NULL)
        return true;
    if (upstream_is_paused(up)) /* a moment's pause that no failure caused ends by itself */
        return up->pause != PAUSE_BACKOFF || up->failures > 0;
    return up->failures > 0 && (up->in_flight > 0 || queue_waiting(up) > 0);
}

struct send *upstream_pop_ready(struct upstream *up)
{
    struct send *send = up->ready;

    if (send == NULL)
        return NULL;
    up->ready = send->next_ready;
    if (up->ready == NULL)
        up->ready_end = &up->ready;
    send->next_ready = NULL;
    return send;
}

/* May one more request leave now? After a failure one tries the way for all others. */
static bool may_transmit(struct upstream *up)
{
    if (up->cfg == NULL || gateway_holds_sends(up->gateway) || upstream_is_paused(up) ||
        up->requesting >= up->cfg->connections || (up->failures > 0 && up->requesting > 0))
        return false;
    uint64_t wait_ms = rules_wait_ms(up->rules, RULE_SEND, 0, clock_mono_ms());
    if (wait_ms != 0 && wait_ms != RULES_SLOT) {
        log_error("too many refused sends in a row: a pause, or the aggregator would block us", "upstream=%s ms=%llu",
                  up->name, (unsigned long long)wait_ms);
        upstream_pause(up, PAUSE_BLOCKED, wait_ms);
    }
    return wait_ms == 0;
}

static void transmit_ready(struct upstream *up)
{
    while (up->ready != NULL && may_transmit(up))
        transmit(upstream_pop_ready(up));
}

void upstream_ready(struct send *send)
{
    struct upstream *up = send->upstream;

    *up->ready_end = send;
    up->ready_end = &send->next_ready;
    transmit_ready(up);
}

/* Messages claimed in the turn they came in: one that the store refused was refused to its ESME too, and must not leave. */
static void leave_out_refused(struct send *send)
{
    struct gateway *gw = send->upstream->gateway;
    size_t kept = 0;

    for (size_t i = 0; i < send->member_count; i++) {
        struct send_member *member = &send->members[i];
        struct item *item = send_pinned(gw, member);

        if (item != NULL && item->m->p.state == MESSAGE_SENDING && item->m->p.upid == send->upid) {
            send->members[kept++] = *member;
            continue;
        }
        queue_phone_free(send->upstream, member->phone);
        send_unpin(gw, member);
        send->open_count--;
    }
    send->member_count = kept;
}

/* The claim is durable, or not. */
static void on_claimed(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct send *send = send_find(gw, cookie);

    if (send == NULL || gw->stopped)
        return; /* the next start asks about it */
    if (err == 0) {
        leave_out_refused(send);
        if (send->member_count > 0) {
            upstream_ready(send);
            return;
        }
        send->state = SEND_REFUSED; /* by the store, all of them */
        send_save(gw, send);
        send_free_slot(send);
        send_drop(gw, send);
        return;
    }
    struct upstream *up = send->upstream;
    send_free_slot(send);
    for (size_t i = send->member_count; i > 0; i--) {
        struct item *item = send_pinned(gw, &send->members[i - 1]);

        if (item != NULL && item->m->p.state == MESSAGE_SENDING) {
            item->m->p.state = MESSAGE_QUEUED;
            item->m->p.upid = 0;
            if (queue_add(gw, account_by_number(gw, item->m->p.esme), up, item->m->p.urgent, item->m->id, true) != 0)
                log_error("message waits until the next start", "msg=%llu", (unsigned long long)item->m->id);
        }
        send_unpin(gw, &send->members[i - 1]);
    }
    send_drop(gw, send);
    upstream_pause(up, PAUSE_BACKOFF, 500);
}

static int starting_add(struct gateway *gw, struct send *send)
{
    if (!array_room(&gw->starting, &gw->starting_size, gw->starting_count, sizeof(struct send *)))
        return ERR_NOMEM;
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
    send_claim(send);
    rate_spend(&up->rate, (double)count);
    uint64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < count; i++) {
        struct message *m = items[i]->m;

        send->members[i] = (struct send_member){
            .id = m->id, .phone = message_phone(m->dest.at, m->dest.len), .cost_e6 = -1, .pinned = true
        };
        rules_flood_count(up->rules, send->members[i].phone, now_ms);
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
    if (up->cfg == NULL || gateway_holds_sends(up->gateway) || upstream_is_paused(up) ||
        up->unclear_count >= UNCLEAR_MAX)
        return false;
    if (up->failures > 0)
        return up->in_flight == 0;
    if (up->in_flight < up->cfg->connections)
        return true;
    return up->in_flight < up->cfg->connections * (1 + AHEAD) &&
           (up->cfg->batch_max <= 1 || queue_waiting(up) >= up->cfg->batch_max);
}

/* How many messages the upstream's rate leaves; 0: *rate_wait_ms says until when none. */
static uint32_t rate_left(struct upstream *up)
{
    uint64_t now_ms = clock_mono_ms();
    uint32_t left = rate_available(&up->rate, now_ms, BATCH_MAX);

    if (left == 0)
        up->rate_wait_ms = rate_wait_ms(&up->rate, now_ms);
    return left;
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
    uint32_t most;

    up->rate_wait_ms = 0;
    transmit_ready(up);
    while (queue_has_work(up) && may_claim(up) && (most = rate_left(up)) > 0 && worth_it(up)) {
        size_t max = up->cfg->batch_max < most ? up->cfg->batch_max : most;
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

            /* a message accepted in this very turn was stored as SENDING already */
            if (item->m->p.state == MESSAGE_SENDING && !(item->fresh && item->put_upid == send->upid))
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

/* Lines whose cost the reply did not tell (SOAP knows of no op=1) share what it says of the whole, by the SMS each takes.
 * The status of each tells later what it was. */
static void share_cost(struct send *send, int64_t cost_e6)
{
    struct gateway *gw = send->upstream->gateway;
    uint64_t parts[BATCH_MAX], sum = 0;
    size_t last = 0, untold = 0;

    for (size_t i = 0; i < send->member_count; i++)
        untold += send->members[i].cost_e6 < 0;
    if (cost_e6 < 0 || untold == 0)
        return;
    for (size_t i = 0; i < send->member_count; i++) {
        struct item *item = send_pinned(gw, &send->members[i]);
        bool taken = item != NULL && !send->members[i].done && item->m->p.state == MESSAGE_SENDING;

        parts[i] = 0;
        if (send->members[i].cost_e6 >= 0) {
            cost_e6 -= send->members[i].cost_e6;
        } else if (taken) {
            parts[i] = send->member_count == 1 ? 1 : read_sm_parts(item->m);
            sum += parts[i];
            last = i;
        }
    }
    for (size_t i = 0; sum > 0 && cost_e6 >= 0 && i < send->member_count; i++) {
        int64_t share = i == last ? cost_e6 : cost_e6 / (int64_t)sum * (int64_t)parts[i];

        if (parts[i] == 0)
            continue;
        send->members[i].cost_e6 = share;
        cost_e6 -= share;
        sum -= parts[i];
    }
}

/* The reply has told what this message costs. Its row follows with its end, unless somebody's money is counted by it. */
static void price(struct gateway *gw, struct item *item, int64_t cost_e6)
{
    struct progress *p = &item->m->p;
    int64_t before_e6 = p->cost_e6;

    if (cost_e6 < 0)
        return;
    p->cost_e6 = cost_e6;
    if (!quota_spend(account_by_number(gw, p->esme), before_e6, cost_e6))
        return;
    if (store_move(gw->store, p, STORE_KEEP, (struct store_done){ 0 }) != 0)
        log_error("cost not saved", "msg=%llu", (unsigned long long)item->m->id);
}

void upstream_accepted(struct send *send, int64_t cost_e6)
{
    struct gateway *gw = send->upstream->gateway;

    send->state = SEND_ACCEPTED;
    send->replied_ms = clock_wall_ms();
    send->error = 0;
    if (cost_e6 >= 0)
        send->cost_e6 = cost_e6;
    share_cost(send, cost_e6);
    send_save(gw, send);
    send_free_slot(send); /* first: what waited behind these goes to the front of its queue */
    for (size_t i = send->member_count; i > 0; i--) {
        struct send_member *member = &send->members[i - 1];
        struct item *item = send_pinned(gw, member);

        if (item == NULL)
            continue;
        if (!member->done && item->m->p.state == MESSAGE_SENDING) {
            if (member->seen == SEEN_MISSING) { /* the upstream took the others, and says it does not know this one */
                member->done = true;
                send->open_count--;
                outcome_requeue(gw, item, 0, true);
            } else {
                account_by_number(gw, item->m->p.esme)->queued--;
                price(gw, item, member->cost_e6);
                pace_answer(gw, item, STATUS_ROK);
            }
        }
        send_unpin(gw, member);
    }
    if (send->open_count == 0)
        send_drop(gw, send);
    else
        poll_add(send);
}

void upstream_tick(struct upstream *up, uint64_t now_ms)
{
    const struct gateway *gw = up->gateway;

    up->meters.waiting->value = (double)queue_waiting(up);
    up->meters.in_flight->value = up->in_flight;
    reconcile_tick(up, now_ms);
    poll_tick(up, now_ms);
    if (up->ready != NULL && upstream_is_paused(up) &&
        (up->paused_until_ms - now_ms > UNCLAIM_MS || gw->config->route_count > 0))
        upstream_unclaim(up); /* they can be cancelled, or go another way, meanwhile */
    sweep_tick(up);
    route_away(up);
    money_tick(up, now_ms);
    upstream_pump(up);
}
