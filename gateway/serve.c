/* SPDX-License-Identifier: MIT */
/*
 * serve.c - signals and the service manager around a gateway on its loop.
 *
 * Each signal is one decision of the gateway or of upgrade.c; what it says stands in the log.
 */
#include "gateway/serve.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"

enum { SIGNALS = 4 };
static const int signals[SIGNALS] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2 };

struct serve {
    struct gateway *gw;
    uv_signal_t handles[SIGNALS];
    uv_timer_t watchdog;
    struct upgrade *upgrade; /* NULL: this gateway cannot be replaced */
    enum upgrade_end how;
    bool draining;
    void (*on_end)(void *owner);
    void *owner;
};

static void close_all(struct serve *serve)
{
    for (int i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&serve->handles[i], NULL);
    uv_close((uv_handle_t *)&serve->watchdog, NULL);
    upgrade_destroy(serve->upgrade);
    serve->upgrade = NULL;
}

static void destroy_gateway(void *owner)
{
    struct serve *serve = owner;

    gateway_destroy(serve->gw);
    serve->gw = NULL;
    if (serve->on_end != NULL)
        serve->on_end(serve->owner);
}

static void on_stopped(void *owner)
{
    destroy_gateway(owner);
    close_all(owner);
}

static void on_upgrade_over(void *owner, enum upgrade_end how)
{
    struct serve *serve = owner;

    serve->how = how;
    close_all(serve);
}

static void on_stop(struct serve *serve, int number)
{
    if (serve->draining) {
        log_warn("ended at once", "signal=%d", number);
        log_stop();
        _exit(1);
    }
    serve->draining = true;
    notify_say("STOPPING=1");
    if (!upgrade_stop(serve->upgrade))
        gateway_drain(serve->gw, on_stopped, serve);
}

static void on_hangup(struct serve *serve)
{
    struct buf report;

    if (serve->gw == NULL)
        return; /* the next process reads the file anyway */
    buf_init(&report, 1 << 20);
    notify_say("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(clock_mono_ns() / 1000));
    int err = gateway_reload(serve->gw, &report);
    if (err == ERR_STATE)
        log_warn("not reloaded", "reason=%s", buf_text(&report));
    notify_say("READY=1");
    buf_finish(&report);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct serve *serve = handle->data;

    if (number == SIGHUP)
        on_hangup(serve);
    else if (number != SIGUSR2)
        on_stop(serve, number);
    else if (serve->upgrade == NULL)
        log_warn("upgrade refused", "reason=%s", "this gateway cannot start its successor");
    else if (!serve->draining)
        upgrade_begin(serve->upgrade);
}

static void on_watchdog(uv_timer_t *timer)
{
    UNUSED(timer);
    notify_say("WATCHDOG=1"); /* from the loop: when it stands still, nobody says it */
}

static void mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&set, signals[i]);
    pthread_sigmask(how, &set, NULL);
}

void serve_hold_signals(void)
{
    mask(SIG_BLOCK);
}

enum upgrade_end serve_until_signal(uv_loop_t *loop, struct gateway *gw, const struct sockets *sockets,
                                    void (*on_end)(void *owner), void *owner)
{
    struct serve serve = { .gw = gw, .on_end = on_end, .owner = owner };
    uint64_t watchdog_ms = notify_watchdog_ms();

    if (sockets != NULL)
        serve.upgrade = upgrade_create(loop, gw, sockets, destroy_gateway, on_upgrade_over, &serve);
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(loop, &serve.handles[i]);
        serve.handles[i].data = &serve;
        uv_signal_start(&serve.handles[i], on_signal, signals[i]);
    }
    uv_timer_init(loop, &serve.watchdog);
    if (watchdog_ms > 0)
        uv_timer_start(&serve.watchdog, on_watchdog, watchdog_ms, watchdog_ms);
    mask(SIG_UNBLOCK);
    notify_say("READY=1\nSTATUS=serving");
    uv_run(loop, UV_RUN_DEFAULT);
    return serve.how;
}
