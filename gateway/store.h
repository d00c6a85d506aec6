/*
 * store.h - the contract of the durable store.
 *
 * Changes of one loop turn are one batch: they are committed together, in order, on the store's own thread, and their
 * callbacks run on the loop afterwards, in the same order. What arrives while a commit runs forms the next batch
 * (group commit by natural batching). Two engines: store/sqlite.c (WAL, synchronous=FULL) and store/memory.c (the fake).
 *
 * When a commit fails (full disk): changes without STORE_KEEP end with ERR_IO and are undone; changes with STORE_KEEP
 * are kept in order and tried again until they are durable, their callback then says 0. While such a backlog waits,
 * changes without STORE_KEEP fail at once with ERR_BUSY (store_healthy is false).
 */
#ifndef GATEWAY_STORE_H
#define GATEWAY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/message.h"

struct store;

struct store_opts {
    const char *url;    /* "sqlite:/path/file.db" or "memory:" */
    size_t max_waiting; /* changes given and not yet durable; above it ERR_FULL (STORE_KEEP: above twice). 0 = 200000 */
    size_t cache_bytes; /* page cache, 0 = 32 MiB */
    bool keep_text;     /* false: the text is emptied when a message is closed */
};

enum store_send_state {
    SEND_IN_FLIGHT = 1, /* the request may have left */
    SEND_ACCEPTED,      /* the upstream took it; members wait for their status */
    SEND_REFUSED,       /* provably not accepted */
    SEND_UNCLEAR        /* outcome unknown: being asked about */
};

struct store_member {
    uint64_t id;    /* message */
    uint64_t phone; /* message_phone of its destination */
};

struct store_send { /* one HTTP request upstream and what came of it; row of `sends` */
    uint64_t upid;  /* the id we chose, unique, from the same sequence as message ids */
    uint16_t upstream;
    uint8_t state; /* enum store_send_state */
    uint16_t tries;
    int64_t at_ms;                      /* wall ms of the last request */
    int64_t replied_ms;                 /* 0 not yet */
    int32_t error;                      /* the aggregator's error code, 0 none */
    int64_t cost_e6;                    /* -1 unknown */
    const struct store_member *members; /* store_send_put only: written once */
    size_t member_count;
    size_t whole_count; /* given by store_resume: of all members, those too that are left out */
};

/* `err` 0: durable. `cookie` is the caller's. On the loop, never from inside the call that asked. */
typedef void store_done_fn(void *owner, uint64_t cookie, int err);

enum store_flags {
    STORE_PLAIN = 0,
    STORE_KEEP = 1,
    STORE_IF_NEW = 2, /* only if the store_once before it in the same turn was new; else it ends with ERR_EXISTS too */
    STORE_SOON = 4    /* nobody waits for it: a turn with nothing else may keep it back for some milliseconds */
};

struct store_done {
    store_done_fn *fn; /* NULL: nobody waits */
    void *owner;
    uint64_t cookie;
};

/* Opens, checks and migrates; reads the names and the highest id. why[256] gets a sentence on failure. Returns 0,
 * ERR_IO, ERR_CONFIG (newer schema, damaged file), ERR_NOMEM. */
int store_open(uv_loop_t *loop, const struct store_opts *opts, struct store **out, char why[256]) MUST_CHECK;
/* Commits what waits (callbacks run), ends the thread, closes. The loop must run once more for libuv's sake. */
void store_close(struct store *store);
/* Live change: keep_text. */
void store_configure(struct store *store, const struct store_opts *opts);

/* The number of a name (system_id, upstream), the same for ever. 1..65535; 0 when there are too many. */
uint16_t store_intern(struct store *store, const char *name);
/* NULL when unknown. Lives as long as the store. */
const char *store_name(const struct store *store, uint16_t number);
/* The next message or send id: 19 decimal digits, above every id ever given, ascending; wall clock in the high part,
 * unharmed by a clock that jumps back. */
uint64_t store_next_id(struct store *store);
/* The highest id given so far. */
uint64_t store_last_id(const struct store *store);
/* When such an id was given, wall ms. */
static inline int64_t store_id_ms(uint64_t id)
{
    return (int64_t)(id / UINT64_C(1000000));
}

/* --- changes; each returns 0 (then done.fn is called once), ERR_FULL, ERR_BUSY, ERR_NOMEM; arguments are copied ---
 * done.fn also says ERR_EXISTS (that id is stored already) or ERR_NOT_FOUND (no such open message, no such send): the
 * caller's bug or a row that expired; the other changes of the batch are not touched by it. */

int store_put(struct store *store, const struct message *m, unsigned flags, struct store_done done) MUST_CHECK;
/* Replaces the progress row of an open message. */
int store_move(struct store *store, const struct progress *p, unsigned flags, struct store_done done) MUST_CHECK;
/* The message is closed: writes the result into its row, removes its progress row. `receipt_ms` wall, 0 none. */
int store_end(struct store *store, const struct progress *p, int64_t receipt_ms, unsigned flags,
              struct store_done done) MUST_CHECK;
/* Replaces text and binary flag (joined long messages, replace_sm), the extra parameters, and what replace_sm may change
 * beside them (expires_ms, registered_delivery, channel, data_coding, esm_class) of an open message. */
int store_rewrite(struct store *store, const struct message *m, unsigned flags, struct store_done done) MUST_CHECK;
int store_send_put(struct store *store, const struct store_send *send, unsigned flags,
                   struct store_done done) MUST_CHECK;
/* All but the members. */
int store_send_set(struct store *store, const struct store_send *send, unsigned flags,
                   struct store_done done) MUST_CHECK;
/* A line of the timeline that the rows themselves do not tell (a retry, a late callback). Text is at most 200 bytes. */
int store_note(struct store *store, uint64_t message_id, int64_t at_ms, const char *text) MUST_CHECK;
/* A named number that survives (poll cursors). */
int store_meta_set(struct store *store, const char *key, int64_t value, unsigned flags) MUST_CHECK;
/* Has this incoming event been stored before? Remembers `key` (text, at most 120 bytes) durably with the batch it
 * stands in; keys are forgotten after the retention time (store_expire). `done` says 0, or ERR_EXISTS when it is known
 * already. What must happen once with it follows at once, with the same flags and STORE_IF_NEW: both become durable
 * together. Returns ERR_RANGE for a longer key. */
int store_once(struct store *store, const char *key, unsigned flags, struct store_done done) MUST_CHECK;

/* What belongs together could not be given whole: the last `count` changes of this turn are not made after all, and their
 * callbacks are not called. Only in the same turn and before anything else is given. */
void store_take_back(struct store *store, size_t count);

/* The turn's end, now: hands over what has been gathered, unless all of it is STORE_SOON and none has waited long. */
void store_flush(struct store *store);
bool store_healthy(const struct store *store);
size_t store_waiting(const struct store *store);

/* --- look-ups; answered on the loop from committed state by a reader thread --- */

/* Messages by id, whole, in the order asked; unknown ids are left out. The callee owns each message, not the array.
 * Look-ups return ERR_FULL (10000 wait already), ERR_BUSY (closing), ERR_RANGE (more than 100000 ids, bad limit),
 * ERR_NOMEM; one that waits when the store closes ends with ERR_GONE. */
typedef void store_messages_fn(void *owner, uint64_t cookie, int err, struct message **messages, size_t count,
                               uint64_t next /* cursor, 0 none; store_find only */);
int store_load(struct store *store, const uint64_t *ids, size_t count, store_messages_fn *fn, void *owner,
               uint64_t cookie) MUST_CHECK;

/* One call looks at 50000 rows at most: it may give fewer than `limit`, or none, and yet a cursor to go on with. */
struct store_query {            /* all given conditions must hold; newest first */
    uint64_t phone;             /* message_phone of the destination, or of the source unless kind is MT; 0 any */
    uint16_t esme;              /* 0 any */
    uint8_t state;              /* enum message_state, 0 any */
    uint8_t final;              /* enum smpp_message_state, 0 any */
    uint64_t public_id;         /* 0 any: all records of a submit_multi set */
    int64_t since_ms, until_ms; /* accepted_ms, 0 open */
    uint64_t after;             /* cursor: ids below it, 0 from the newest */
    unsigned limit;             /* 1..1000 */
};
int store_find(struct store *store, const struct store_query *query, store_messages_fn *fn, void *owner,
               uint64_t cookie) MUST_CHECK;

/* `send` is NULL when unknown; views die on return. */
typedef void store_send_fn(void *owner, uint64_t cookie, int err, const struct store_send *send);
int store_find_send(struct store *store, uint64_t upid, store_send_fn *fn, void *owner, uint64_t cookie) MUST_CHECK;

struct store_line {
    int64_t at_ms;
    const char *text;
};
typedef void store_lines_fn(void *owner, uint64_t cookie, int err, const struct store_line *lines, size_t count);
int store_timeline(struct store *store, uint64_t message_id, store_lines_fn *fn, void *owner,
                   uint64_t cookie) MUST_CHECK;

/* --- at start, before the loop runs --- */

/* Every open progress row in id order, then every send some open row names (without members where the row is closed). */
struct store_resume_ops {
    void (*on_open)(void *owner, const struct progress *p);
    void (*on_send)(void *owner, const struct store_send *send);
};
int store_resume(struct store *store, const struct store_resume_ops *ops, void *owner) MUST_CHECK;
bool store_meta_get(struct store *store, const char *key, int64_t *out);

/* --- housekeeping --- */

/* Removes closed messages accepted before `before_ms` and what belongs to them, in small bites between batches. */
void store_expire(struct store *store, int64_t before_ms);
/* Empties the texts of closed messages whose ids were given before `before_ms`, in small bites too; one that is open then
 * loses its text when it is closed. 0: texts may stay again. */
void store_expire_texts(struct store *store, int64_t before_ms);
/* Copies the whole store to a file while it runs: the file appears when it is complete. One at a time, else ERR_BUSY. */
int store_backup(struct store *store, const char *path, store_done_fn *fn, void *owner, uint64_t cookie) MUST_CHECK;

struct store_stats {
    uint64_t commits, changes, failures;
    uint64_t last_commit_us;
    /* commit durations since the last call, in µs, newest last; at most 64 */
    uint32_t recent_us[64];
    unsigned recent;
};
void store_stats(struct store *store, struct store_stats *out);

#endif
