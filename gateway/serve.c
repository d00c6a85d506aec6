/* SPDX-License-Identifier: MIT */
/* serve.c - signals around a gateway on its loop. */
#include "gateway/serve.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

struct serve {
    struct gateway *gw;
    uv_signal_t term, interrupt, hangup;
    bool draining;
    void (*on_end)(void *owner);
    void *owner;
};

static void on_stopped(void *owner)
{
    struct serve *serve = owner;

    gateway_destroy(serve->gw);
    uv_close((uv_handle_t *)&serve->term, NULL);
    uv_close((uv_handle_t *)&serve->interrupt, NULL);
    uv_close((uv_handle_t *)&serve->hangup, NULL);
    if (serve->on_end != NULL)
        serve->on_end(serve->owner);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct serve *serve = handle->data;

    if (serve->draining) {
        log_warn("ended at once", "signal=%d", number);
        log_stop();
        _exit(1);
    }
    serve->draining = true;
    gateway_drain(serve->gw, on_stopped, serve);
}

/* What it says stands in the log. */
static void on_hangup(uv_signal_t *handle, int number)
{
    struct serve *serve = handle->data;
    struct buf report;

    UNUSED(number);
    buf_init(&report, 1 << 20);
    int err = gateway_reload(serve->gw, &report);
    if (err == ERR_STATE)
        log_warn("not reloaded", "reason=%s", buf_text(&report));
    buf_finish(&report);
}

static void mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(how, &set, NULL);
}

void serve_hold_signals(void)
{
    mask(SIG_BLOCK);
}

void serve_until_signal(uv_loop_t *loop, struct gateway *gw, void (*on_end)(void *owner), void *owner)
{
    struct serve serve = { .gw = gw, .on_end = on_end, .owner = owner };

    uv_signal_init(loop, &serve.term);
    uv_signal_init(loop, &serve.interrupt);
    uv_signal_init(loop, &serve.hangup);
    serve.term.data = serve.interrupt.data = serve.hangup.data = &serve;
    uv_signal_start(&serve.hangup, on_hangup, SIGHUP);
    uv_signal_start(&serve.term, on_signal, SIGTERM);
    uv_signal_start(&serve.interrupt, on_signal, SIGINT);
    mask(SIG_UNBLOCK);
    uv_run(loop, UV_RUN_DEFAULT);
}
