/* SPDX-License-Identifier: MIT */
/* watch.c - counters of PDUs with their cells at hand, capture, latencies. */
#include "gateway/watch.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/internal.h"

enum { TRAIL_EVENTS = 1 << 18, CAPTURE_BYTES = 32 << 10, CAPTURE_SESSIONS = 1024 };

int watch_init(struct watch *watch)
{
    watch->trail = trail_create(TRAIL_EVENTS);
    watch->capture = capture_create(CAPTURE_BYTES, CAPTURE_SESSIONS);
    watch->conformance = conformance_create(CAPTURE_SESSIONS);
    return watch->trail == NULL || watch->capture == NULL || watch->conformance == NULL ? ERR_NOMEM : 0;
}

void watch_finish(struct watch *watch)
{
    trail_destroy(watch->trail);
    capture_destroy(watch->capture);
    conformance_destroy(watch->conformance);
    watch->conformance = NULL;
    watch->trail = NULL;
    watch->capture = NULL;
}

static struct metric_cell *pdu_cell(struct gateway *gw, bool outgoing, uint32_t command_id, uint32_t status)
{
    bool response = (command_id & CMD_RESPONSE) != 0;
    char number[16];
    const char *name = "";

    if (response) {
        name = smpp_status_name(status);
        if (*name == '\0') { /* a vendor's: by number; a hostile peer's many end in the family's one cell "other" */
            snprintf(number, sizeof number, "0x%08X", status);
            name = number;
        }
    }
    return metric_cell(gw->meters.pdus, METRIC_VALUES(outgoing ? "out" : "in", smpp_command_name(command_id), name));
}

static void count(struct gateway *gw, bool outgoing, uint32_t command_id, uint32_t status)
{
    uint32_t low = command_id & ~(uint32_t)CMD_RESPONSE;
    bool response = low != command_id;

    if (low >= 32 || (response && status != STATUS_ROK)) {
        pdu_cell(gw, outgoing, command_id, status)->value += 1;
        return;
    }
    struct metric_cell **cell = &gw->watch.pdu_cells[outgoing][low][response];
    if (*cell == NULL)
        *cell = pdu_cell(gw, outgoing, command_id, status);
    (*cell)->value += 1;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void watch_on_pdu(void *owner, const struct smpp_session_info *session, bool outgoing, const uint8_t *frame, size_t len)
{
    struct gateway *gw = owner;

    if (len < SMPP_HEADER_BYTES)
        return;
    count(gw, outgoing, be32(frame + 4), be32(frame + 8));
    capture_add(gw->watch.capture, session->n, session->address, outgoing, frame, len);
    conformance_add(gw->watch.conformance, session->n, session->system_id, outgoing, frame, len, clock_wall_ms());
}

void watch_answered(struct gateway *gw, uint64_t taken_ns)
{
    uint64_t us = (clock_mono_ns() - taken_ns) / 1000;

    metric_observe(gw->meters.submit_seconds, (double)us / 1e6);
    gw->watch.latency_us[gw->watch.latency_count++ % WATCH_LATENCIES] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

void watch_latencies(struct watch *watch, uint32_t *out_p50, uint32_t *out_p99)
{
    size_t count = watch->latency_count < WATCH_LATENCIES ? (size_t)watch->latency_count : WATCH_LATENCIES;

    *out_p50 = *out_p99 = 0;
    watch->latency_count = 0;
    if (count == 0)
        return;
    qsort(watch->latency_us, count, sizeof watch->latency_us[0], by_size);
    *out_p50 = watch->latency_us[count / 2];
    *out_p99 = watch->latency_us[count * 99 / 100];
}

void watch_store(struct gateway *gw)
{
    struct store_stats stats;
    struct metric_cell *cell = metric_cell(gw->meters.commit, NULL);

    store_stats(gw->store, &stats);
    for (unsigned i = 0; i < stats.recent; i++)
        metric_observe(cell, stats.recent_us[i] / 1e6);
    gw->store_seen = stats;
    gw->meters.store_failures->value = (double)stats.failures;
    gw->meters.store_writable->value = store_healthy(gw->store);
}
