/*
 * heap.h - what is due when: a binary heap of (time, id), sixteen bytes each.
 *
 * Entries are never removed early: whoever pops one looks whether it still means anything.
 */
#ifndef GATEWAY_HEAP_H
#define GATEWAY_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct heap_entry {
    int64_t due_ms;
    uint64_t id;
};

struct heap {
    struct heap_entry *at;
    size_t count, size;
};

void heap_finish(struct heap *heap);
int heap_push(struct heap *heap, int64_t due_ms, uint64_t id) MUST_CHECK;
/* Takes the earliest entry when it is due at `now_ms`. */
bool heap_pop(struct heap *heap, int64_t now_ms, struct heap_entry *out);
/* When the earliest is due, INT64_MAX when empty. */
int64_t heap_next(const struct heap *heap);

#endif
