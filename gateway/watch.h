/*
 * watch.h - what operators see of the gateway at work: PDUs counted and captured, latencies, rates.
 *
 * Fed by the normal path with a few additions an event; read by the administration room once a second.
 */
#ifndef GATEWAY_WATCH_H
#define GATEWAY_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/capture.h"
#include "gateway/conformance.h"
#include "gateway/meters.h"
#include "gateway/trail.h"
#include "smpp/smpp.h"

struct gateway;

enum { WATCH_LATENCIES = 1024 };

struct watch {
    struct trail *trail;
    struct capture *capture;
    struct conformance *conformance;
    struct metric_cell *pdu_cells[2][32][2]; /* direction, command, response */
    uint32_t latency_us[WATCH_LATENCIES];    /* of submit answers since the last look, the last ones */
    uint64_t latency_count;
};

int watch_init(struct watch *watch) MUST_CHECK;
void watch_finish(struct watch *watch);
/* on_pdu of the SMPP room; `owner` is the gateway. */
void watch_on_pdu(void *owner, const struct smpp_session_info *session, bool outgoing, const uint8_t *frame,
                  size_t len);
/* A submit_sm taken at `taken_ns` (mono) has been answered. */
void watch_answered(struct gateway *gw, uint64_t taken_ns);
/* The quantiles of latencies since the last call, in µs; 0 when there was none. */
void watch_latencies(struct watch *watch, uint32_t *out_p50, uint32_t *out_p99);
/* Commit times of the store into their histogram; once in a while. */
void watch_store(struct gateway *gw);

#endif
