/* SPDX-License-Identifier: MIT */
/*
 * window.c - requests under way, in a table of a power of two places.
 *
 * The number is the key and the low bits of the number are the place, so nothing is hashed and nothing is moved. A number
 * whose place is still taken by an older request is skipped; with at least as many places as requests one is always free.
 * The deadline kept for the whole window may be too early, never too late: looking for the due costs one walk per
 * response time, not one per answer.
 */
#include "smpp/window.h"

#include <assert.h>
#include <stdlib.h>

struct smpp_window_slot {
    uint32_t sequence; /* 0: free */
    uint64_t deadline_ms;
    uint64_t cookie;
};

enum { SEQUENCE_MAX = 0x7FFFFFFF };

void smpp_window_init(struct smpp_window *w, uint32_t limit)
{
    *w = (struct smpp_window){ .earliest_ms = UINT64_MAX };
    smpp_window_limit(w, limit);
}

void smpp_window_finish(struct smpp_window *w)
{
    free(w->slots);
    w->slots = NULL;
    w->count = 0;
}

void smpp_window_limit(struct smpp_window *w, uint32_t limit)
{
    uint32_t places = 2;

    assert(limit >= 1 && limit <= SMPP_WINDOW_MAX && w->count == 0);
    while (places < limit)
        places *= 2;
    free(w->slots);
    w->slots = NULL;
    w->mask = places - 1;
    w->limit = limit;
}

uint32_t smpp_window_next(struct smpp_window *w)
{
    do
        w->last = w->last == SEQUENCE_MAX ? 1 : w->last + 1;
    while (w->slots != NULL && w->count <= w->mask && w->slots[w->last & w->mask].sequence != 0);
    return w->last;
}

int smpp_window_add(struct smpp_window *w, uint64_t deadline_ms, uint64_t cookie, uint32_t *out_sequence)
{
    if (w->count >= w->limit)
        return ERR_FULL;
    if (w->slots == NULL) {
        w->slots = calloc((size_t)w->mask + 1, sizeof *w->slots);
        if (w->slots == NULL)
            return ERR_NOMEM;
    }

    uint32_t sequence = smpp_window_next(w);

    w->slots[sequence & w->mask] = (struct smpp_window_slot){ sequence, deadline_ms, cookie };
    w->count++;
    if (deadline_ms < w->earliest_ms)
        w->earliest_ms = deadline_ms;
    *out_sequence = sequence;
    return 0;
}

static void free_place(struct smpp_window *w, struct smpp_window_slot *slot, uint64_t *out_cookie)
{
    *out_cookie = slot->cookie;
    slot->sequence = 0;
    w->count--;
    if (w->count == 0)
        w->earliest_ms = UINT64_MAX;
}

bool smpp_window_answer(struct smpp_window *w, uint32_t sequence, uint64_t *out_cookie)
{
    if (w->count == 0 || sequence == 0)
        return false;

    struct smpp_window_slot *slot = &w->slots[sequence & w->mask];

    if (slot->sequence != sequence)
        return false;
    free_place(w, slot, out_cookie);
    return true;
}

bool smpp_window_take_due(struct smpp_window *w, uint64_t now_ms, uint64_t *out_cookie)
{
    uint64_t earliest_ms = UINT64_MAX;

    if (w->count == 0 || now_ms < w->earliest_ms)
        return false;
    for (uint32_t i = 0; i <= w->mask; i++) {
        struct smpp_window_slot *slot = &w->slots[i];

        if (slot->sequence == 0)
            continue;
        if (slot->deadline_ms <= now_ms) {
            free_place(w, slot, out_cookie);
            return true;
        }
        if (slot->deadline_ms < earliest_ms)
            earliest_ms = slot->deadline_ms;
    }
    w->earliest_ms = earliest_ms;
    return false;
}

bool smpp_window_take_newest(struct smpp_window *w, uint64_t *out_cookie)
{
    if (w->count == 0)
        return false;
    for (uint32_t i = 0; i <= w->mask; i++) {
        struct smpp_window_slot *slot = &w->slots[(w->last - i) & w->mask];

        if (slot->sequence != 0) {
            free_place(w, slot, out_cookie);
            return true;
        }
    }
    return false;
}
