/*
 * engine.h - what stands behind store.h: batches of changes, look-ups, and the table of functions an engine fills in.
 *
 * Three files share the work. store.c is the door: it copies arguments into the batch of this loop turn. pipe.c carries
 * batches to the engine and results back to the loop, and knows what a failed commit means for each change. An engine
 * (sqlite.c, memory.c) applies one list of changes as one transaction and answers look-ups; it knows no loop.
 *
 * Threads: `commit`, `chore` run on the writer thread, `answer` on the reader thread, `keep` and `backup` on the keeper
 * thread. An engine without threads is called for everything on the loop thread, at the end of a turn.
 */
#ifndef GATEWAY_STORE_ENGINE_H
#define GATEWAY_STORE_ENGINE_H

#include <stdatomic.h>

#include "base/array.h"
#include "gateway/store.h"

enum {
    STORE_WHY_SIZE = 256,
    STORE_NOTE_MAX = 200,
    STORE_KEY_MAX = 120,
    STORE_FIND_MAX = 1000,       /* rows one store_find gives at most */
    STORE_LOAD_MAX = 100000,     /* ids one store_load may ask for */
    STORE_LOOKUPS_MAX = 10000,   /* look-ups waiting for the reader */
    STORE_SCAN_MAX = 50000,      /* rows one store_find looks at before it hands back a cursor */
    STORE_SOON_MS = 5,           /* how long STORE_SOON changes wait for others */
    STORE_COMMIT_CHANGES = 10000 /* a transaction takes no further batch above this */
};

enum change_kind {
    CHANGE_NONE = 0, /* taken back */
    CHANGE_PUT = 1,  /* data: struct message */
    CHANGE_MOVE,     /* struct progress */
    CHANGE_END,      /* struct change_end */
    CHANGE_REWRITE,  /* struct message */
    CHANGE_SEND_PUT, /* struct store_send */
    CHANGE_SEND_SET, /* struct store_send */
    CHANGE_NOTE,     /* struct change_note */
    CHANGE_META,     /* struct change_pair */
    CHANGE_ONCE,     /* struct change_pair; value is the wall time */
    CHANGE_NAME      /* struct change_pair; value is the number */
};

struct batch;

struct change {
    struct change *next;
    struct batch *batch; /* whose memory it lives in */
    uint8_t kind;        /* enum change_kind */
    uint8_t flags;       /* enum store_flags */
    int err;             /* the engine's verdict on this change alone, set by commit */
    size_t bytes;        /* counted in store->waiting_bytes */
    struct store_done done;
    const void *data;
};

struct change_list {
    struct change *first, *last;
    size_t count;
};

struct change_end {
    struct progress p;
    int64_t receipt_ms;
    bool keep_text;
};

struct change_note {
    uint64_t message_id;
    int64_t at_ms;
    size_t len;
    const char *text;
};

struct change_pair {
    const char *key;
    int64_t value;
};

enum lookup_kind { LOOKUP_LOAD, LOOKUP_FIND, LOOKUP_SEND, LOOKUP_TIMELINE, LOOKUP_BACKUP };

struct lookup {
    struct lookup *next;
    enum lookup_kind kind;
    void *owner;
    uint64_t cookie;
    union lookup_fn {
        store_messages_fn *messages;
        store_send_fn *send;
        store_lines_fn *lines;
        store_done_fn *done;
    } fn;
    /* the question */
    struct store_query query;
    uint64_t id;   /* SEND, TIMELINE */
    uint64_t *ids; /* LOAD */
    size_t id_count;
    char *path; /* BACKUP */
    /* the answer, made by the engine */
    int err;
    struct message **messages;
    size_t message_count, message_room;
    uint64_t next_cursor;
    struct store_send send;
    bool send_found;
    struct store_member *members; /* send.members points here */
    struct store_line *lines;
    size_t line_count, line_room;
};

/* What an engine answers while it opens, in any order. */
void store_found_name(struct store *store, uint16_t number, const char *name);
void store_found_meta(struct store *store, const char *key, int64_t value);
void store_found_id(struct store *store, uint64_t highest);

struct engine_ops {
    bool threaded;
    int (*open)(struct store *store, const struct store_opts *opts, void **out_engine, char why[STORE_WHY_SIZE]);
    void (*close)(void *engine);
    /* All changes of the list as one transaction. 0: durable, each change has its own `err`. ERR_IO: nothing happened. */
    int (*commit)(void *engine, struct change *first);
    /* A small bite of housekeeping. True: there is more. */
    bool (*chore)(void *engine);
    void (*expire)(void *engine, int64_t before_ms);       /* loop thread: only notes it down */
    void (*expire_texts)(void *engine, int64_t before_ms); /* the same */
    void (*answer)(void *engine, struct lookup *l);        /* sets l->err and the answer */
    void (*keep)(void *engine);                            /* called after store_poke_keeper */
    void (*backup)(void *engine, struct lookup *l);
    int (*resume)(void *engine, const struct store_resume_ops *ops, void *owner);
};

extern const struct engine_ops sqlite_engine;
extern const struct engine_ops memory_engine;

struct chunk;

struct batch {
    struct batch *next;
    struct change_list changes;
    size_t left; /* changes whose callback has not run yet; 0 frees the batch */
    struct chunk *chunks;
    bool urgent;       /* holds a change that is not STORE_SOON */
    uint64_t began_ms; /* mono: its first change */
};

struct store {
    /* loop thread only */
    uv_loop_t *loop;
    uv_async_t wake;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t soon; /* runs while a batch is kept back */
    unsigned handles;
    const struct engine_ops *ops;
    void *engine;
    size_t max_waiting;
    bool keep_text;
    bool closing;
    struct batch *gather; /* the batch of this turn, NULL before its first change */
    size_t waiting, waiting_bytes, lookups;
    struct chunk *spare; /* free chunks of the ordinary size */
    size_t spare_count;
    char **names; /* index is the number; 0 unused */
    size_t name_count, name_room;
    struct change_pair *metas;
    size_t meta_count, meta_room;
    uint64_t last_id;

    /* the writing side: writer thread, or the loop when the engine has no threads */
    struct change_list backlog; /* STORE_KEEP changes of failed commits */
    uint64_t retry_at_ns, retry_ms;

    atomic_bool blocked; /* a backlog waits: plain changes are refused */
    atomic_bool failing; /* the last commit failed */

    uv_mutex_t lock; /* everything below */
    uv_cond_t work, asked, poked;
    struct batch *todo_first, *todo_last;
    struct change_list done;
    struct lookup *ask_first, *ask_last;           /* for the reader */
    struct lookup *answered_first, *answered_last; /* for the loop */
    struct lookup *backup;                         /* for the keeper, one at a time */
    bool backup_running, poke, chores, stop_writer, stop_others;
    struct store_stats stats;
    uv_thread_t writer, reader, keeper;
    unsigned threads; /* started */
};

/* --- pipe.c --- */

int pipe_open(struct store *s);
/* Memory for a change of the batch of this turn. NULL: out of memory. */
void *pipe_alloc(struct store *s, size_t bytes);
/* A zeroed change in this turn's batch, not yet part of it. */
struct change *pipe_change(struct store *s);
void pipe_add(struct store *s, struct change *c);
/* The end of a turn: pipe_flush, unless the batch may wait for company. */
void pipe_turn(struct store *s);
void pipe_flush(struct store *s);
/* Takes `l`. */
void pipe_ask(struct store *s, struct lookup *l);
void pipe_close(struct store *s);
void lookup_destroy(struct lookup *l);
/* From an engine: calls ops->keep soon, on the keeper thread. */
void store_poke_keeper(struct store *s);

/* --- for engines --- */

/* Do all conditions of the query hold, the cursor apart? */
bool query_matches(const struct store_query *q, const struct message *m);
/* The phones a message is found by; returns how many, 0..2. */
unsigned message_phones(const struct message *m, uint64_t out[2]);
/* Adds a copy to the answer. 0 or ERR_NOMEM. */
int lookup_add_message(struct lookup *l, const struct message *view) MUST_CHECK;
/* Copies the row and its members. 0 or ERR_NOMEM. */
int lookup_set_send(struct lookup *l, const struct store_send *view) MUST_CHECK;
int lookup_add_line(struct lookup *l, int64_t at_ms, const char *text, size_t len) MUST_CHECK;

#endif
