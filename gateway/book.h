/*
 * book.h - the messages in memory: those somebody works on, and as many others as the ceiling allows.
 *
 * The store has every open message; the book is a working set over it. An item that is pinned stays (a change of it is
 * not yet durable, or it travels in a request or a deliver_sm); the others are forgotten, oldest use first, when the
 * ceiling is reached, and read again when they are needed. While an item is in the book it is the truth: a copy read
 * from the store meanwhile is thrown away.
 */
#ifndef GATEWAY_BOOK_H
#define GATEWAY_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"
#include "gateway/message.h"
#include "gateway/store.h"
#include "smpp/smpp.h"

struct item {
    struct message *m;
    UT_hash_handle hh; /* beside `m`: a look-up touches one line of memory, and most of them find it cold */
    unsigned pins;
    bool fresh;        /* not durable yet for the first time */
    uint64_t put_upid; /* fresh: the send it was stored with; 0 none */
    bool has_ticket;   /* `ticket` is of the request that brought it */
    bool answered;     /* that request has been answered */
    bool in_set;       /* `ticket` is answered by multi.c when the whole set is stored */
    bool ending;       /* its outcome is decided and not durable yet */
    bool avoids;       /* `avoid` is a session that did not answer its delivery */
    bool held;         /* pace.c has it pinned until its answer is given */
    bool waits_sent;   /* that answer is the upstream's word */
    bool holds_phone;  /* waits for its due time with its phone kept busy; pinned once for that */
    uint16_t together; /* at most so many in one request, since a larger one with it was refused; 0 no limit */
    struct smpp_ticket ticket;
    struct smpp_session_ref avoid;
    uint64_t answer_at_ms;      /* mono: not answered before; 0 at once */
    uint64_t waits_since_ms;    /* mono: its delivery waits for its answer to leave; 0 not */
    uint64_t taken_ns;          /* mono, when that request came; 0 unknown */
    bool leaving;               /* unpinned and to be forgotten once no look-up under way can bring an old copy back */
    uint64_t leaves_after;      /* the last look-up that could */
    struct item *older, *newer; /* order of use, or of leaving; unpinned items only */
};

struct book;

/* Up to `max_items` unpinned messages of at most `max_bytes` together. */
struct book *book_create(struct store *store, size_t max_items, size_t max_bytes);
/* Asked before an item is forgotten for room: true keeps it, above the ceiling if need be, because it knows something that
 * the store does not and that is still needed. Must not touch the book. */
typedef bool book_keep_fn(void *owner, struct item *item);
void book_set_keep(struct book *book, book_keep_fn *keep, void *owner);
/* Another ceiling; what is above it leaves as others come. */
void book_resize(struct book *book, size_t max_items);
void book_destroy(struct book *book);
/* Takes the message; the item is pinned once. NULL when out of memory (then the message is destroyed). */
struct item *book_add_take(struct book *book, struct message *m);
struct item *book_find(struct book *book, uint64_t id);
void book_pin(struct book *book, struct item *item);
/* Puts `m`, another version of the same message (equal id), in the item's place and destroys the old one. The item is
 * pinned. */
void book_replace_take(struct book *book, struct item *item, struct message *m);
/* The last unpin of a closed message forgets it; of another, keeps it while there is room. */
void book_unpin(struct book *book, struct item *item);
/* Is there room for more unpinned messages without forgetting others? */
bool book_has_room(const struct book *book);
size_t book_count(const struct book *book);
size_t book_bytes(const struct book *book);

/* Brings these messages into the book. `fn` is called once, on the loop and never from inside this call; afterwards each
 * id that is still known can be found with book_find, pinned for the time of the call. `err` is not 0 when the store
 * could not be read. Returns 0, ERR_FULL, ERR_NOMEM. */
typedef void book_ready_fn(void *owner, uint64_t cookie, int err);
int book_fetch(struct book *book, const uint64_t *ids, size_t count, book_ready_fn *fn, void *owner,
               uint64_t cookie) MUST_CHECK;

#endif
