/* SPDX-License-Identifier: MIT */
/*
 * book.c - the working set of messages over the store.
 *
 * Knows ids, pins and ceilings; leaves every decision about a message to others. Invariant: an unpinned item differs in
 * nothing from what the store has, so it may be forgotten; only a copy that the reader took before the last change
 * could bring old progress back, hence the row of those that leave later.
 */
#include "gateway/book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Ids are numbers that differ in their low bits: one multiplication spreads them. */
#undef HASH_FUNCTION
#define HASH_FUNCTION(key, len, hash)                                                                                  \
    do {                                                                                                               \
        uint64_t id_;                                                                                                  \
        memcpy(&id_, (key), sizeof id_);                                                                               \
        (hash) = (unsigned)((id_ * UINT64_C(0x9E3779B97F4A7C15)) >> 32);                                               \
    } while (0)

/* Tables of this size would grow in one long step: start large [limits 6]. */
#undef HASH_INITIAL_NUM_BUCKETS
#undef HASH_INITIAL_NUM_BUCKETS_LOG2
#define HASH_INITIAL_NUM_BUCKETS      65536U
#define HASH_INITIAL_NUM_BUCKETS_LOG2 16U

struct row { /* unpinned items, oldest first */
    struct item *oldest, *newest;
    size_t count, bytes;
};

struct book {
    struct store *store;
    struct item *items; /* uthash by m->id */
    struct row used;    /* may be forgotten for room */
    struct row leaving; /* will be forgotten; a look-up under way may still hold an older copy */
    size_t max_items, max_bytes, bytes;
    uint64_t fetches_begun, fetches_ended;
    book_keep_fn *keep; /* NULL: everything unpinned may be forgotten */
    void *keep_owner;
};

struct fetch {
    struct book *book;
    book_ready_fn *fn;
    void *owner;
    uint64_t cookie;
};

struct book *book_create(struct store *store, size_t max_items, size_t max_bytes)
{
    struct book *book = calloc(1, sizeof *book);

    if (book == NULL)
        return NULL;
    book->store = store;
    book->max_items = max_items;
    book->max_bytes = max_bytes;
    return book;
}

enum { LOOK_AT = 8 }; /* for one that may be forgotten; those that may not are few */

static void row_append(struct row *row, struct item *item)
{
    item->older = row->newest;
    item->newer = NULL;
    if (row->newest != NULL)
        row->newest->newer = item;
    else
        row->oldest = item;
    row->newest = item;
    row->count++;
    row->bytes += message_bytes(item->m);
}

static void row_remove(struct row *row, struct item *item)
{
    if (item->older != NULL)
        item->older->newer = item->newer;
    else
        row->oldest = item->newer;
    if (item->newer != NULL)
        item->newer->older = item->older;
    else
        row->newest = item->older;
    item->older = item->newer = NULL;
    row->count--;
    row->bytes -= message_bytes(item->m);
}

static void forget(struct book *book, struct item *item)
{
    HASH_DEL(book->items, item);
    book->bytes -= message_bytes(item->m);
    message_destroy(item->m);
    free(item);
}

/* Forgets the item, now or, when a look-up is under way, after it: look-ups end in the order they were begun. */
static void leave(struct book *book, struct item *item)
{
    if (book->fetches_begun == book->fetches_ended) {
        forget(book, item);
        return;
    }
    item->leaving = true;
    item->leaves_after = book->fetches_begun;
    row_append(&book->leaving, item);
}

void book_resize(struct book *book, size_t max_items)
{
    book->max_items = max_items;
}

void book_set_keep(struct book *book, book_keep_fn *keep, void *owner)
{
    book->keep = keep;
    book->keep_owner = owner;
}

void book_destroy(struct book *book)
{
    if (book == NULL)
        return;
    struct item *item, *next;
    HASH_ITER(hh, book->items, item, next)
    {
        forget(book, item);
    }
    free(book);
}

struct item *book_find(struct book *book, uint64_t id)
{
    struct item *item;

    HASH_FIND(hh, book->items, &id, sizeof id, item);
    return item;
}

struct item *book_add_take(struct book *book, struct message *m)
{
    struct item *item = calloc(1, sizeof *item);

    if (item == NULL) {
        message_destroy(m);
        return NULL;
    }
    item->m = m;
    item->pins = 1;
    item->answered = true;
    HASH_ADD_KEYPTR(hh, book->items, &m->id, sizeof m->id, item);
    if (!TABLE_TOOK(item)) {
        free(item);
        message_destroy(m);
        return NULL;
    }
    book->bytes += message_bytes(m);
    return item;
}

void book_pin(struct book *book, struct item *item)
{
    if (item->pins++ > 0)
        return;
    row_remove(item->leaving ? &book->leaving : &book->used, item);
    item->leaving = false;
}

void book_replace_take(struct book *book, struct item *item, struct message *m)
{
    assert(item->pins > 0 && item->m->id == m->id);
    book->bytes += message_bytes(m);
    book->bytes -= message_bytes(item->m);
    message_destroy(item->m);
    item->m = m;
    item->hh.key = &m->id; /* the key stands in the message; its bytes are the same, so its place in the table is too */
}

void book_unpin(struct book *book, struct item *item)
{
    assert(item->pins > 0);
    if (--item->pins > 0)
        return;
    if (item->m->p.state == MESSAGE_CLOSED) {
        leave(book, item);
        return;
    }
    row_append(&book->used, item);
    unsigned kept = 0;
    while (kept < LOOK_AT &&
           (book->used.count > book->max_items || (book->used.bytes > book->max_bytes && book->used.count > 1))) {
        struct item *last = book->used.oldest;

        row_remove(&book->used, last);
        if (book->keep == NULL || !book->keep(book->keep_owner, last)) {
            leave(book, last);
            continue;
        }
        row_append(&book->used, last);
        kept++;
    }
}

bool book_has_room(const struct book *book)
{
    return book->used.count < book->max_items / 2 && book->used.bytes < book->max_bytes / 2;
}

size_t book_count(const struct book *book)
{
    return HASH_COUNT(book->items);
}

size_t book_bytes(const struct book *book)
{
    return book->bytes;
}

static void on_loaded(void *owner, uint64_t cookie, int err, struct message **messages, size_t count, uint64_t next)
{
    struct fetch *fetch = owner;
    struct book *book = fetch->book;
    struct item **pinned = count == 0 ? NULL : malloc(count * sizeof *pinned);
    size_t pinned_count = 0;

    UNUSED(cookie);
    UNUSED(next);
    if (count > 0 && pinned == NULL)
        err = ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct item *item = book_find(book, messages[i]->id);

        if (pinned == NULL || item != NULL) {
            message_destroy(messages[i]); /* the book's own copy is newer */
            if (pinned == NULL)
                continue;
            book_pin(book, item);
        } else {
            item = book_add_take(book, messages[i]);
            if (item == NULL) {
                err = ERR_NOMEM;
                continue;
            }
        }
        pinned[pinned_count++] = item;
    }
    fetch->fn(fetch->owner, fetch->cookie, err);
    for (size_t i = 0; i < pinned_count; i++)
        book_unpin(book, pinned[i]);
    free(pinned);
    free(fetch);
    book->fetches_ended++;
    while (book->leaving.oldest != NULL && book->leaving.oldest->leaves_after <= book->fetches_ended) {
        struct item *item = book->leaving.oldest;

        row_remove(&book->leaving, item);
        forget(book, item);
    }
}

int book_fetch(struct book *book, const uint64_t *ids, size_t count, book_ready_fn *fn, void *owner, uint64_t cookie)
{
    struct fetch *fetch = malloc(sizeof *fetch);

    if (fetch == NULL)
        return ERR_NOMEM;
    *fetch = (struct fetch){ book, fn, owner, cookie };
    int err = store_load(book->store, ids, count, on_loaded, fetch, 0);
    if (err != 0)
        free(fetch);
    else
        book->fetches_begun++;
    return err;
}
