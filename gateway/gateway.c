/* SPDX-License-Identifier: MIT */
/*
 * gateway.c - the rooms put together: start, the order inside a loop turn, the end (its long way there is drain.c).
 *
 * Order of a turn: sockets are read and requests decided (callbacks of the rooms below); then, before the loop sleeps,
 * end_of_turn lets the upstreams gather what may be sent, gives this turn's messages and sends to the store, and hands
 * the batch over. Commits come back as callbacks of a later turn: only they answer, transmit or deliver.
 */
#include "gateway/gateway.h"
#include "gateway/account_ask.h"
#include "gateway/face.h"
#include "gateway/group.h"
#include "gateway/admin.h"
#include "gateway/internal.h"
#include "gateway/pace.h"
#include "gateway/join.h"
#include "gateway/conformance.h"
#include "gateway/lab_accounts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 100, BOOK_BYTES = 64 << 20, TEXT_MAX = 256 << 10, BODY_MAX = 4 << 20 };

void gateway_saved(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie);

    UNUSED(err); /* kept changes end durable or with the process */
    if (item != NULL)
        book_unpin(gw->book, item);
}

/* --- the turn ----------------------------------------------------------------------------------------------------- */

int gateway_look_in(struct gateway *gw, uint64_t wait_ms, uint64_t id)
{
    int err = heap_push(&gw->later, (int64_t)(clock_mono_ms() + wait_ms), id);

    if (err != 0)
        log_error("message waits until the next start", "msg=%llu", (unsigned long long)id);
    return err;
}

static void on_linger(uv_timer_t *timer)
{
    UNUSED(timer); /* waking up is enough: the turn's end pumps */
}

static void wake_in(struct gateway *gw, uint64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&gw->linger) || uv_timer_get_due_in(&gw->linger) > ms)
        uv_timer_start(&gw->linger, on_linger, ms, 0);
}

static void end_of_turn(struct gateway *gw)
{
    if (gw->pump_deliveries) {
        struct account *account, *next;

        gw->pump_deliveries = false;
        HASH_ITER(hh, gw->accounts, account, next)
        {
            if (account->deliveries.count > 0)
                deliver_pump(account);
        }
    }
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        upstream_pump(up);
        if (up->oldest_wait_ms != 0)
            wake_in(gw, 1);
        else if (up->rate_wait_ms != 0 && up->rate_wait_ms < TICK_MS)
            wake_in(gw, up->rate_wait_ms);
    }
    uint64_t next_ms = pace_turn(gw);
    if (next_ms < TICK_MS)
        wake_in(gw, next_ms > 0 ? next_ms : 1);
    submit_flush(gw);
    upstream_flush(gw);
    quota_flush(gw); /* with what it counts in one commit */
    store_flush(gw->store);
}

static void on_before_poll(uv_prepare_t *handle)
{
    end_of_turn(handle->data);
}

static void on_after_poll(uv_check_t *handle)
{
    end_of_turn(handle->data);
}

/* What has become due: scheduled and postponed sends, postponed deliveries. */
static void on_due_read(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie);

    if (item == NULL) {
        if (err != 0)
            (void)gateway_look_in(gw, 1000, cookie);
        return;
    }
    struct message *m = item->m;
    struct account *account = account_by_number(gw, m->p.esme);
    bool front = item->holds_phone; /* before those that waited behind it */
    if (front) {
        item->holds_phone = false;
        queue_phone_free(upstream_by_number(gw, m->p.upstream), message_phone(m->dest.at, m->dest.len));
        book_unpin(gw->book, item);
        item = book_find(gw->book, cookie); /* closed meanwhile: gone */
        if (item == NULL)
            return;
    }
    if (m->p.state == MESSAGE_SCHEDULED && m->p.due_ms > clock_wall_ms()) {
        /* put off since, or the clock was set back */
        if (heap_push(&gw->due, m->p.due_ms, cookie) != 0)
            log_error("message waits until the next start", "msg=%llu", (unsigned long long)cookie);
    } else if (m->p.state == MESSAGE_SCHEDULED && read_sm_needs_division(m)) {
        divide_due(gw, item);
    } else if (m->p.state == MESSAGE_PART) {
        join_due(gw, item);
    } else if (m->p.state == MESSAGE_FOLLOWING) {
        group_due(gw, item);
    } else if (m->p.state == MESSAGE_DIVIDED) {
        divide_check(gw, m->id, m->public_id);
    } else if (m->p.state == MESSAGE_SCHEDULED || m->p.state == MESSAGE_QUEUED) {
        m->p.state = MESSAGE_QUEUED;
        if (queue_add(gw, account, upstream_by_number(gw, m->p.upstream), m->p.urgent, cookie, front) != 0)
            log_error("message waits until the next start", "msg=%llu", (unsigned long long)cookie);
    } else if (m->p.state == MESSAGE_DELIVERING) {
        account->postponed--;
        deliver_add(gw, account, cookie, false);
    }
}

static void look_at_due(struct gateway *gw, struct heap *heap, int64_t now_ms)
{
    struct heap_entry entry;

    for (unsigned i = 0; i < 1000 && heap_pop(heap, now_ms, &entry); i++) {
        if (book_find(gw->book, entry.id) != NULL)
            on_due_read(gw, entry.id, 0);
        else if (book_fetch(gw->book, &entry.id, 1, on_due_read, gw, entry.id) != 0)
            on_due_read(gw, entry.id, ERR_BUSY);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct gateway *gw = timer->data;
    uint64_t now_ms = clock_mono_ms();
    int64_t wall_ms = era_wall_ms(gw);
    struct account *account, *next;

    look_at_due(gw, &gw->due, wall_ms);
    look_at_due(gw, &gw->later, (int64_t)now_ms);
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next)
        upstream_tick(up, now_ms);
    account_ask_tick(gw, now_ms);
    listen_tick(gw, now_ms);
    HASH_ITER(hh, gw->accounts, account, next)
    {
        account->meters.queued->value = (double)account->queued;
        account->meters.headroom->value = account->rate.per_second > 0
                                              ? (double)rate_available(&account->rate, now_ms, UINT32_MAX)
                                              : (double)INFINITY;
        account->meters.backlog->value = (double)(deliver_waiting(account) + account->postponed + account->delivering);
        quota_tick(account, wall_ms);
        deliver_trim(account);
        deliver_pump(account);
    }
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static int make_parties(struct gateway *gw)
{
    for (size_t i = 0; i < gw->config->upstream_count; i++) {
        struct upstream *up;

        int err = upstream_create(gw, gw->config->upstreams[i].name, &up);
        if (err == 0)
            err = upstream_configure(up, &gw->config->upstreams[i]);
        if (err != 0)
            return err;
    }
    for (size_t i = 0; i < gw->config->esme_count; i++) {
        if (account_get(gw, gw->config->esmes[i].system_id) == NULL)
            return ERR_NOMEM;
    }
    return 0;
}

static void start_turns(struct gateway *gw)
{
    uv_prepare_init(gw->loop, &gw->before_poll);
    uv_check_init(gw->loop, &gw->after_poll);
    uv_timer_init(gw->loop, &gw->tick);
    uv_timer_init(gw->loop, &gw->linger);
    uv_timer_init(gw->loop, &gw->hold_timer);
    gw->handles = 5;
    gw->before_poll.data = gw->after_poll.data = gw->tick.data = gw->linger.data = gw->hold_timer.data = gw;
    uv_prepare_start(&gw->before_poll, on_before_poll);
    uv_check_start(&gw->after_poll, on_after_poll);
    uv_timer_start(&gw->tick, on_tick, TICK_MS, TICK_MS);
}

/* The store does not know of tickets: without its own, a receipt could leave before its answer. */
static bool keep_in_book(void *owner, struct item *item)
{
    struct gateway *gw = owner;

    return !gw->stopped && !deliver_is_answered(gw, item);
}

/* Everything that can go wrong without the store, so that it goes wrong before another process gives the store away.
 * Nothing is accepted yet: the loop does not run. */
static int open_doors(struct gateway *gw, char why[256])
{
    int err = smpp_codec_selftest();

    if (err != 0) {
        snprintf(why, 256, "the SMPP codec's self-test failed");
        return err;
    }
    descriptors_share(gw);
    err = watch_init(&gw->watch);
    if (err == 0)
        conformance_configure(gw->watch.conformance, gw->config->smpp.response_timeout_ms);
    if (err == 0)
        err = listen_callbacks(gw, why);
    if (err == 0)
        err = admin_create(gw, why);
    if (err == 0)
        err = listen_smpp(gw, why);
    if (err == 0)
        sockets_close_rest(gw->sockets);
    return err;
}

static int start(struct gateway *gw, const struct gateway_start_opts *how, char why[256])
{
    struct store_opts opts = { .url = gw->config->store.url, .keep_text = gw->config->store.keep_text_ms > 0 };

    int err = open_doors(gw, why);
    if (err == 0 && how != NULL && how->before_store != NULL)
        err = how->before_store(how->owner, why);
    if (err == 0)
        err = store_open(gw->loop, &opts, &gw->store, why);
    if (err != 0)
        return err;
    gw->book = book_create(gw->store, gw->config->store.messages_in_memory, BOOK_BYTES);
    if (gw->book != NULL)
        book_set_keep(gw->book, keep_in_book, gw);
    gw->account_of = calloc(65536, sizeof(struct account *));
    gw->upstream_of = calloc(65536, sizeof(struct upstream *));
    if (gw->book == NULL || gw->account_of == NULL || gw->upstream_of == NULL)
        return ERR_NOMEM;
    err = make_parties(gw);
    if (err == 0)
        err = resume_all(gw);
    if (err != 0) {
        snprintf(why, 256, "start: %s", err_text(err));
        return err;
    }
    incoming_reroute(gw); /* the rules may have changed while we were away */
    sockets_announce(gw->sockets);
    return 0;
}

int gateway_start(uv_loop_t *loop, struct config *config, const struct gateway_start_opts *how, struct gateway **out,
                  char why[256])
{
    struct gateway *gw = calloc(1, sizeof *gw);

    why[0] = '\0';
    if (gw == NULL) {
        cfg_destroy(config);
        return ERR_NOMEM;
    }
    gw->loop = loop;
    gw->config = config;
    gw->sends_max = config->store.sends_in_memory;
    gw->started_ms = clock_wall_ms();
    gw->started_mono_ms = clock_mono_ms();
    buf_init(&gw->scratch, TEXT_MAX);
    buf_init(&gw->body, BODY_MAX);
    meters_register(&gw->meters);
    gw->own_sockets = how == NULL || how->sockets == NULL;
    gw->sockets = gw->own_sockets ? sockets_create(false) : how->sockets;
    start_turns(gw);
    int err = gw->sockets == NULL ? ERR_NOMEM : start(gw, how, why);
    if (err != 0) {
        if (why[0] == '\0')
            snprintf(why, 256, "%s", err_text(err));
        gateway_destroy(gw);
        return err;
    }
    *out = gw;
    return 0;
}

uint16_t gateway_smpp_port(const struct gateway *gw)
{
    return gw->smpp_port;
}

uint16_t gateway_callback_port(const struct gateway *gw)
{
    return gw->callback_port;
}

uint16_t gateway_admin_port(const struct gateway *gw)
{
    return gw->admin->port;
}

bool gateway_callback_url(const struct gateway *gw, char *out, size_t size)
{
    static const char *const charsets[] = { "utf-8", "windows-1251", "koi8-r" };
    static const char *const hashes[] = { "", "&md5=", "&sha1=", "&crc32=" };
    static const char *const formats[] = { "", "&fmt=2", "&fmt=3" };
    const struct cfg_callbacks *cfg = gw->config->callback_count == 0 ? NULL : &gw->config->callbacks[0];

    if (cfg == NULL || gw->callback_port == 0)
        return false;
    bool hashed = cfg->hash != CFG_HASH_NONE;
    int len = snprintf(out, size, "%s://127.0.0.1:%u%s?charset=%s%s%s%s",
                       cfg->certificate_file != NULL && cfg->certificate_file[0] != '\0' ? "https" : "http",
                       gw->callback_port, cfg->path, charsets[cfg->charset], formats[cfg->format], hashes[cfg->hash],
                       hashed ? cfg->secret : "");
    return len > 0 && (size_t)len < size;
}

void gateway_set_lab(struct gateway *gw, const struct gateway_lab *lab)
{
    gw->lab = lab;
}

void gateway_set_upgrader(struct gateway *gw, const struct gateway_upgrader *upgrader)
{
    gw->upgrader = upgrader;
}

bool gateway_is_draining(const struct gateway *gw)
{
    return gw->draining;
}

int gateway_set_file(struct gateway *gw, const char *path)
{
    char *copy = strdup(path);

    if (copy == NULL)
        return ERR_NOMEM;
    free(gw->config_file);
    gw->config_file = copy;
    return 0;
}

/* --- the end ----------------------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct gateway *gw = handle->data;

    if (--gw->handles == 0)
        free(gw);
}

void gateway_destroy(struct gateway *gw)
{
    if (gw == NULL)
        return;
    gw->stopped = gw->draining = true;
    account_ask_finish(gw);
    admin_destroy(gw);
    if (gw->smpp != NULL)
        smpp_server_destroy(gw->smpp);
    while (gw->listeners != NULL) {
        struct listener *l = gw->listeners;

        gw->listeners = l->next;
        if (l->server != NULL)
            http_server_destroy(l->server);
        free(l);
    }
    listen_tick(gw, UINT64_MAX);
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        if (up->http != NULL)
            http_client_destroy(up->http);
        if (up->http_status != NULL)
            http_client_destroy(up->http_status);
        up->http = up->http_status = NULL;
    }
    if (gw->store != NULL)
        store_close(gw->store);
    upstream_destroy_all(gw);
    lab_accounts_finish(gw);
    struct send *send, *next;
    HASH_ITER(hh, gw->sends, send, next)
    {
        send_drop(gw, send);
    }
    account_finish_all(gw);
    multi_finish(gw);
    group_finish(gw);
    join_finish(gw);
    book_destroy(gw->book);
    heap_finish(&gw->due);
    heap_finish(&gw->later);
    heap_finish(&gw->paced);
    watch_finish(&gw->watch);
    if (gw->own_sockets)
        sockets_destroy(gw->sockets);
    free(gw->config_file);
    free(gw->restart_needed);
    free(gw->fresh);
    free(gw->starting);
    free(gw->account_of);
    free(gw->upstream_of);
    buf_finish(&gw->scratch);
    buf_finish(&gw->body);
    cfg_destroy(gw->config);
    for (size_t i = 0; i < gw->retired_count; i++) /* nobody looks at them now: the upstreams have gone */
        cfg_destroy(gw->retired[i]);
    free(gw->retired);
    uv_close((uv_handle_t *)&gw->before_poll, on_handle_closed);
    uv_close((uv_handle_t *)&gw->after_poll, on_handle_closed);
    uv_close((uv_handle_t *)&gw->linger, on_handle_closed);
    uv_close((uv_handle_t *)&gw->tick, on_handle_closed);
    uv_close((uv_handle_t *)&gw->hold_timer, on_handle_closed);
}
