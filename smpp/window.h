/*
 * window.h - requests sent on one connection that the peer still has to answer.
 *
 * Slots found directly by sequence_number: the window chooses the numbers itself (1..0x7FFFFFFF, then 1 again, those in
 * use are skipped), so a number's place is its low bits. Knows no socket and no clock; the caller passes "now" and calls
 * its owner itself. Memory is taken at the first request. Every request added is handed back exactly once.
 * Spec: SMPP34 3.2 (sequence_number), 7.2 (response_timer).
 */
#ifndef SMPP_WINDOW_H
#define SMPP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { SMPP_WINDOW_MAX = 65536 };

struct smpp_window_slot;

struct smpp_window {
    struct smpp_window_slot *slots; /* NULL until the first request */
    uint32_t mask;                  /* places - 1 */
    uint32_t limit;                 /* requests under way at once */
    uint32_t count;
    uint32_t last;        /* sequence number given last */
    uint64_t earliest_ms; /* no deadline is before this; UINT64_MAX when idle */
};

/* `limit`: 1..SMPP_WINDOW_MAX. */
void smpp_window_init(struct smpp_window *w, uint32_t limit);
/* Frees; what is still inside is forgotten: take it out first with smpp_window_take_newest. */
void smpp_window_finish(struct smpp_window *w);
/* A new limit for an empty window; sequence numbers go on. */
void smpp_window_limit(struct smpp_window *w, uint32_t limit);

/* The next number not in use, for a request that is not kept here (enquire_link, unbind). */
uint32_t smpp_window_next(struct smpp_window *w);
/* Takes a place until `deadline_ms` (UINT64_MAX: for ever). Returns 0, ERR_FULL or ERR_NOMEM. */
int smpp_window_add(struct smpp_window *w, uint64_t deadline_ms, uint64_t cookie, uint32_t *out_sequence) MUST_CHECK;
/* Frees the place of `sequence`. False: nobody waits for this answer (late or forged). Count it, drop it. */
bool smpp_window_answer(struct smpp_window *w, uint32_t sequence, uint64_t *out_cookie);
/* Takes one request whose deadline has come; call it until it says false. */
bool smpp_window_take_due(struct smpp_window *w, uint64_t now_ms, uint64_t *out_cookie);
/* Takes the request added last, so that each may be put back in front of the one before; call it until it says false (the
 * connection has ended). One that was passed by a whole round of numbers may come among younger ones. */
bool smpp_window_take_newest(struct smpp_window *w, uint64_t *out_cookie);

static inline uint32_t smpp_window_room(const struct smpp_window *w)
{
    return w->limit - w->count;
}

#endif
