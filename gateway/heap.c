/* SPDX-License-Identifier: MIT */
/* heap.c - the heap behind heap.h; equal times come out in id order, so that acceptance order is kept. */
#include "gateway/heap.h"

#include <stdlib.h>

#include "base/array.h"

void heap_finish(struct heap *heap)
{
    free(heap->at);
    *heap = (struct heap){ 0 };
}

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->id < b->id;
}

int heap_push(struct heap *heap, int64_t due_ms, uint64_t id)
{
    struct heap_entry entry = { due_ms, id };

    if (!array_room(&heap->at, &heap->size, heap->count, sizeof *heap->at))
        return ERR_NOMEM;
    size_t i = heap->count++;
    while (i > 0 && before(&entry, &heap->at[(i - 1) / 2])) {
        heap->at[i] = heap->at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->at[i] = entry;
    return 0;
}

bool heap_pop(struct heap *heap, int64_t now_ms, struct heap_entry *out)
{
    if (heap->count == 0 || heap->at[0].due_ms > now_ms)
        return false;
    *out = heap->at[0];
    struct heap_entry last = heap->at[--heap->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(&heap->at[child + 1], &heap->at[child]))
            child++;
        if (!before(&heap->at[child], &last))
            break;
        heap->at[i] = heap->at[child];
        i = child;
    }
    if (heap->count > 0)
        heap->at[i] = last;
    return true;
}

int64_t heap_next(const struct heap *heap)
{
    return heap->count == 0 ? INT64_MAX : heap->at[0].due_ms;
}
