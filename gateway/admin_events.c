/* SPDX-License-Identifier: MIT */
/*
 * admin_events.c - once a second: rates, housekeeping of what operators see, and the state to every open dashboard.
 *
 * A dashboard that is opened gets the state and the plots of the last minutes, then the state each beat.
 * The state is written once for all readers. A reader too slow to take it is closed; its browser comes again by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/admin.h"

enum { BEAT_MS = 1000, STREAMS_MAX = 64 };

struct admin_stream {
    struct admin *admin;
    struct http_stream *stream; /* NULL: gone */
    struct admin_stream *next;
};

static void on_closed(void *owner)
{
    struct admin_stream *s = owner;
    struct admin_stream **at = &s->admin->streams;

    while (*at != NULL && *at != s)
        at = &(*at)->next;
    if (*at == s) {
        *at = s->next;
        s->admin->stream_count--;
    }
    free(s);
}

static void write_event(struct gateway *gw, struct buf *out)
{
    buf_adds(out, "event: status\ndata: ");
    admin_add_status(gw, out);
    buf_adds(out, "\n\n");
}

/* The plots up to now, oldest first: [accepted, sent, delivered, p50 ms, p99 ms] a beat. */
static void write_history(const struct admin *admin, struct buf *out)
{
    unsigned at = (admin->history_next + ADMIN_HISTORY - admin->history_count) % ADMIN_HISTORY;

    buf_addf(out, "event: history\ndata: {\"every_ms\": %d, \"points\": [", BEAT_MS);
    for (unsigned i = 0; i < admin->history_count; i++) {
        const struct admin_rates *r = &admin->history[(at + i) % ADMIN_HISTORY];

        buf_addf(out, "%s[%.1f, %.1f, %.1f, %.3f, %.3f]", i == 0 ? "" : ", ", r->answered, r->sent, r->delivered,
                 r->p50_us / 1000.0, r->p99_us / 1000.0);
    }
    buf_adds(out, "]}\n\n");
}

void admin_events(struct admin_call *call)
{
    struct admin *admin = call->gw->admin;
    struct admin_stream *s = admin->stream_count >= STREAMS_MAX ? NULL : calloc(1, sizeof *s);
    struct buf out;

    if (s == NULL) {
        admin_fail(call->exchange, 503, "too many dashboards are open", "close one; 64 are served");
        return;
    }
    s->admin = admin;
    http_reply_header(call->exchange, "Cache-Control", "no-store");
    if (http_stream_open(call->exchange, on_closed, s, &s->stream) != 0) {
        free(s);
        admin_fail(call->exchange, 503, "no stream could be opened", "try again");
        return;
    }
    s->next = admin->streams;
    admin->streams = s;
    admin->stream_count++;
    buf_init(&out, 1 << 20);
    write_event(call->gw, &out);
    write_history(admin, &out);
    if (!out.failed)
        (void)http_stream_send(s->stream, buf_text(&out), out.len);
    buf_finish(&out);
}

static double rate_of(struct admin *admin, enum trail_what what, double seconds)
{
    uint64_t now = admin->gw->watch.trail->counts[what];
    double rate = (double)(now - admin->beat_counts[what]) / seconds;

    admin->beat_counts[what] = now;
    return rate;
}

static void measure(struct admin *admin)
{
    uint64_t now = clock_mono_ns();
    double seconds = (double)(now - admin->beat_ns) / 1e9;
    struct admin_rates *r = &admin->rates;

    if (seconds <= 0)
        return;
    admin->beat_ns = now;
    r->accepted = rate_of(admin, TRAIL_RECEIVED, seconds);
    r->answered = rate_of(admin, TRAIL_STORED, seconds);
    r->sent = rate_of(admin, TRAIL_SENT, seconds);
    r->callbacks = rate_of(admin, TRAIL_CALLBACK, seconds);
    r->delivered = rate_of(admin, TRAIL_DELIVER_END, seconds);
    watch_latencies(&admin->gw->watch, &r->p50_us, &r->p99_us);
    admin->history[admin->history_next] = *r;
    admin->history_next = (admin->history_next + 1) % ADMIN_HISTORY;
    if (admin->history_count < ADMIN_HISTORY)
        admin->history_count++;
}

static void on_beat(uv_timer_t *timer)
{
    struct admin *admin = timer->data;
    struct buf out;

    measure(admin);
    watch_store(admin->gw);
    keeping_beat(admin->gw);
    if (admin->streams == NULL)
        return;
    buf_init(&out, 1 << 20);
    write_event(admin->gw, &out);
    for (struct admin_stream *s = admin->streams, *next; s != NULL && !out.failed; s = next) {
        next = s->next;
        if (http_stream_send(s->stream, buf_text(&out), out.len) == 0)
            continue;
        http_stream_close(s->stream); /* does not call on_closed */
        on_closed(s);
    }
    buf_finish(&out);
}

void admin_events_start(struct admin *admin)
{
    uv_timer_init(admin->gw->loop, &admin->beat);
    admin->beat.data = admin;
    admin->beat_ns = clock_mono_ns();
    uv_timer_start(&admin->beat, on_beat, BEAT_MS, BEAT_MS);
}

void admin_events_finish(struct admin *admin)
{
    if (admin->beat.data != NULL)
        uv_timer_stop(&admin->beat);
    while (admin->streams != NULL) {
        struct admin_stream *s = admin->streams;

        admin->streams = s->next;
        http_stream_close(s->stream);
        free(s);
    }
    admin->stream_count = 0;
}
