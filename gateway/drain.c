/* SPDX-License-Identifier: MIT */
/*
 * drain.c - the end of a gateway: for good, or for the next process to go on.
 *
 * For good: no listening, unbind, what is in flight upstream may end, the store is flushed. To hand over, the slow parts
 * come first, while ESMEs are still served: nothing new is claimed until the requests under way have ended, then no new
 * delivery leaves until the last is answered, then nobody is accepted until those who came have bound. Only then sessions
 * are unbound, which takes a moment; whoever connects meanwhile waits in the listening sockets for the next process.
 * Invariant: until that moment all of it can be taken back (gateway_hand_back).
 */
#include "gateway/internal.h"

#include "gateway/admin.h"
#include "gateway/pace.h"

enum {
    GRACE_MS = 1000, /* for the answer to our unbind */
    LOOK_MS = 10,
    DELIVERIES_MS = 5000, /* for answers to deliver_sm; what is not answered goes out again */
    BINDS_MS = 1000,      /* for a bind on a connection that is there */
    LAST_HTTP_MS = 1000   /* for requests on connections that are there */
};

static bool is_quiet(const struct gateway *gw)
{
    for (const struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        if (up->http != NULL && http_client_inflight(up->http) > 0)
            return false;
    }
    return store_waiting(gw->store) == 0 && gw->fresh_count == 0;
}

/* --- to the end --------------------------------------------------------------------------------------------------- */

static unsigned http_connections(const struct gateway *gw)
{
    unsigned count = 0;

    for (const struct listener *l = gw->listeners; l != NULL; l = l->next) {
        if (l->server != NULL)
            count += http_server_connections(l->server);
    }
    for (const struct leaving *leaving = gw->leaving; leaving != NULL; leaving = leaving->next)
        count += http_server_connections(leaving->server);
    return count + admin_connections(gw);
}

static void on_drain_tick(uv_timer_t *timer)
{
    struct gateway *gw = timer->data;
    uint64_t now_ms = clock_mono_ms();

    if (gw->stopped || (!is_quiet(gw) && now_ms < gw->drain_until_ms))
        return;
    /* a callback read now is answered after its commit, in the next run of its listener */
    if (gw->handing_over && http_connections(gw) > 0 && now_ms < gw->hold_until_ms)
        return;
    gw->stopped = true;
    uv_timer_stop(timer);
    log_info("drained", "in_flight=%s", is_quiet(gw) ? "none" : "left to the next start");
    gw->on_stopped(gw->owner);
}

static void on_smpp_drained(void *owner)
{
    struct gateway *gw = owner;

    for (struct listener *l = gw->listeners; l != NULL; l = l->next) {
        if (l->server != NULL)
            http_server_quiesce(l->server);
    }
    if (gw->handing_over)
        admin_leave(gw);
    else
        sockets_close(gw->sockets, SOCKET_CALLBACKS);
    gw->hold_until_ms = clock_mono_ms() + LAST_HTTP_MS;
    uv_timer_start(&gw->tick, on_drain_tick, 0, 20);
}

static void leave(struct gateway *gw, uint64_t timeout_ms)
{
    gw->draining = true;
    gw->drain_until_ms = clock_mono_ms() + timeout_ms;
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next)
        upstream_unclaim(up);
    smpp_server_drain(gw->smpp, timeout_ms < GRACE_MS ? timeout_ms : GRACE_MS, on_smpp_drained);
}

void gateway_drain(struct gateway *gw, void (*on_stopped)(void *owner), void *owner)
{
    uint64_t timeout_ms = gw->config->drain_timeout_ms;

    if (gw->draining)
        return;
    uv_timer_stop(&gw->hold_timer);
    gw->on_stopped = on_stopped;
    gw->owner = owner;
    log_info("draining", "timeout_ms=%llu", (unsigned long long)timeout_ms);
    sockets_close(gw->sockets, SOCKET_SMPP);
    sockets_close(gw->sockets, SOCKET_SMPPS);
    leave(gw, timeout_ms);
}

/* --- to the next process ------------------------------------------------------------------------------------------ */

static bool sends_under_way(const struct gateway *gw)
{
    for (const struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        if (up->in_flight > 0 || (up->http != NULL && http_client_inflight(up->http) > 0))
            return true;
    }
    return gw->starting_count > 0;
}

static bool deliveries_under_way(const struct gateway *gw)
{
    for (const struct account *account = gw->accounts; account != NULL; account = account->hh.next) {
        if (account->delivering > 0)
            return true;
    }
    return false;
}

static void on_hold(uv_timer_t *timer)
{
    struct gateway *gw = timer->data;
    uint64_t now_ms = clock_mono_ms();
    bool late = now_ms >= gw->hold_until_ms;

    switch (gw->hold) {
    case HOLD_SENDS:
        for (struct upstream *up = gw->upstreams; up != NULL; up = up->next)
            upstream_unclaim(up); /* claims that have become durable meanwhile */
        if (sends_under_way(gw) && !late)
            return;
        pace_release(gw); /* the upstream's word comes to the next process */
        gw->hold = HOLD_DELIVERIES;
        gw->hold_until_ms = now_ms + DELIVERIES_MS;
        return;
    case HOLD_DELIVERIES:
        if (deliveries_under_way(gw) && !late)
            return;
        smpp_server_quiesce(gw->smpp);
        gw->hold = HOLD_BINDS;
        gw->hold_until_ms = now_ms + BINDS_MS;
        return;
    case HOLD_BINDS:
        if (smpp_server_unbound(gw->smpp) > 0 && !late)
            return;
        uv_timer_stop(timer);
        log_info("handing over", "sends=%s", sends_under_way(gw) ? "some are asked about later" : "ended");
        gw->handing_over = true;
        smpp_server_take_last(gw->smpp);
        leave(gw, gw->config->drain_timeout_ms);
        return;
    case HOLD_NOTHING:
        return;
    }
}

void gateway_hand_over(struct gateway *gw, void (*on_stopped)(void *owner), void *owner)
{
    gw->on_stopped = on_stopped;
    gw->owner = owner;
    gw->hold = HOLD_SENDS;
    gw->hold_until_ms = clock_mono_ms() + gw->config->drain_timeout_ms;
    for (struct listener *l = gw->listeners; l != NULL; l = l->next) {
        if (l->server != NULL)
            http_server_last_answers(l->server, true);
    }
    uv_timer_start(&gw->hold_timer, on_hold, 0, LOOK_MS);
}

bool gateway_hand_back(struct gateway *gw)
{
    char why[256];
    struct account *account, *next;

    if (gw->hold == HOLD_NOTHING || gw->draining)
        return false;
    if (gw->hold == HOLD_BINDS && listen_smpp_again(gw, why) != 0) {
        log_error("not listening any more", "reason=%s", why); /* out of descriptors or memory */
        return false;
    }
    uv_timer_stop(&gw->hold_timer);
    gw->hold = HOLD_NOTHING;
    for (struct listener *l = gw->listeners; l != NULL; l = l->next) {
        if (l->server != NULL)
            http_server_last_answers(l->server, false);
    }
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next)
        upstream_pump(up);
    HASH_ITER(hh, gw->accounts, account, next)
    {
        deliver_pump(account);
    }
    return true;
}
