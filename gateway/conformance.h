/*
 * conformance.h - what a client does that the protocol does not allow, session by session, from its PDUs alone.
 *
 * Pure: fed with each PDU and the time, asked for a report. It looks and counts; whether anything is refused is decided
 * elsewhere. A fixed amount of memory per session; sessions that have ended are kept until room is needed.
 * Spec: SMPP34 3.2, 4.6, 4.11, 5.1.4, 5.2.12, 5.2.22.
 */
#ifndef GATEWAY_CONFORMANCE_H
#define GATEWAY_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct conformance;

/* At most `sessions_max` sessions: above it the one heard of first makes room. NULL when out of memory. */
struct conformance *conformance_create(size_t sessions_max);
/* How long a client may take, from smpp.response_timeout (0, off: 30 s): unanswered after it, late after a sixth of it. */
void conformance_configure(struct conformance *c, uint64_t response_timeout_ms);
void conformance_destroy(struct conformance *c);
/* One PDU of session `n`; `system_id` may be NULL or "" before its bind. `outgoing`: from us. */
void conformance_add(struct conformance *c, uint64_t n, const char *system_id, bool outgoing, const uint8_t *frame,
                     size_t len, int64_t now_ms);
/* Appends one JSON object. ERR_NOT_FOUND: no such session is kept. */
int conformance_write(const struct conformance *c, uint64_t n, int64_t now_ms, struct buf *out) MUST_CHECK;

#endif
