/* SPDX-License-Identifier: MIT */
/*
 * shortid.c - ids of 8 hexadecimal digits, for software with no room for more: a counter of its own, unique in the store.
 *
 * The counter is reserved in blocks: the end of a block is given to the store before its first id is used, in the same
 * order as the messages that bear them, so no restart hands out an id twice. It runs from 0x10000000 (an id never begins
 * with a zero that some software would cut off) to 0xffffffff: four thousand million ids before the first comes again.
 */
#include "gateway/internal.h"

#define SHORT_FIRST UINT32_C(0x10000000)
#define SHORT_KEY   "short_id"

enum { SHORT_BLOCK = 4096 };

static int reserve(struct gateway *gw)
{
    int64_t from;

    if (!store_meta_get(gw->store, SHORT_KEY, &from) || from < SHORT_FIRST || from > UINT32_MAX - SHORT_BLOCK)
        from = SHORT_FIRST;
    int err = store_meta_set(gw->store, SHORT_KEY, from + SHORT_BLOCK, STORE_KEEP);
    if (err != 0)
        return err;
    gw->short_next = (uint32_t)from;
    gw->short_end = (uint32_t)from + SHORT_BLOCK;
    return 0;
}

uint64_t shortid_next(struct gateway *gw)
{
    if (gw->short_next == gw->short_end && reserve(gw) != 0)
        return 0;
    return gw->short_next++;
}
