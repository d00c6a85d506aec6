/*
 * sqlite.h - the SQLite engine's files among themselves.
 *
 * sqlite.c opens and commits, sqlite_schema.c knows the tables, sqlite_phones.c fills the phone index behind the writer,
 * sqlite_read.c answers look-ups, sqlite_upkeep.c checkpoints, expires and backs up. Three connections, each used by one
 * thread: `write` by the writer, `read` by the reader, `keep` by the keeper (all by the opening thread before those run).
 */
#ifndef GATEWAY_STORE_SQLITE_H
#define GATEWAY_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "gateway/store/engine.h"

enum write_statement {
    DO_BEGIN,
    DO_COMMIT,
    DO_PUT,
    DO_OPEN,
    DO_MOVE,
    DO_DROP_OPEN,
    DO_END,
    DO_EMPTY,
    DO_REWRITE,
    DO_IS_OPEN,
    DO_SEND_PUT,
    DO_SEND_SET,
    DO_NOTE,
    DO_META,
    DO_ONCE,
    DO_NAME,
    DO_PHONE,
    DO_RUN,
    DO_RUN_LOW,
    DO_OLD_TEXTS,
    DO_OLD_MESSAGES,
    DO_DROP_MESSAGE,
    DO_DROP_RESULT,
    DO_DROP_NOTES,
    DO_OLD_RUN,
    DO_DROP_PHONES,
    DO_DROP_RUN,
    DO_OLD_SENDS,
    DO_NEXT_MESSAGE,
    DO_NEXT_SEND,
    DO_DROP_SEND,
    DO_OLD_ONCES,
    DO_DROP_ONCE,
    WRITE_STATEMENT_COUNT
};

struct phone_row {
    uint64_t phone;
    uint64_t id;
};

/* The phone index lags behind the rows: see sqlite_phones.c. */
struct phones {
    struct phone_row *pending; /* committed (or being committed), not in any run yet */
    size_t pending_count, pending_room;
    struct phone_row *rows; /* the run: sorted, being written */
    size_t run_count, run_room, run_at;
    int64_t run;                                      /* its number; the last one's when none is being written */
    uint64_t run_low, run_high;                       /* lowest and highest id of the run */
    uint64_t indexed;                                 /* every message up to this id is in the index */
    size_t mark_pending, mark_run_count, mark_run_at; /* to undo a transaction */
    uint64_t mark_indexed;
};

enum expire_stage { EXPIRE_IDLE, EXPIRE_TEXTS, EXPIRE_MESSAGES, EXPIRE_RUNS, EXPIRE_SENDS, EXPIRE_ONCES };

struct sqlite_engine {
    struct store *store;
    char *path;
    int lock_fd;
    sqlite3 *write, *read, *keep;
    sqlite3_stmt *st[WRITE_STATEMENT_COUNT]; /* of `write` */
    struct phones phones;
    uint64_t highest; /* id put so far */

    int wal_pages, checkpoint_at;
    bool checkpoint_asked;
    atomic_bool checkpoint_done;

    _Atomic int64_t expire_asked; /* 0: nothing */
    _Atomic int64_t texts_asked;  /* 0: nothing, -1: texts may stay again */
    _Atomic int64_t asked_at_ms;  /* wall */
    int64_t expire_before, texts_before;
    int64_t texts_upto; /* every message up to this id has no text, or loses it when it is closed; in the meta table */
    int64_t ahead_texts_from, ahead_texts_upto; /* the same of ids that run ahead of time; from the start each time */
    enum expire_stage stage;
    bool ahead;               /* this stage has come to the ids that run ahead of time */
    int64_t expire_after;     /* cursor */
    int64_t expire_before_id; /* of the ids ahead: none from it on is old enough */
    char expire_key[STORE_KEY_MAX + 1];
};

/* sqlite_schema.c: brings the file to our schema. 0, ERR_CONFIG (newer, alien, damaged), ERR_IO. */
int sqlite_schema_open(sqlite3 *db, const char *path, char why[STORE_WHY_SIZE]) MUST_CHECK;

/* sqlite_phones.c; all return an SQLite result code, 0 = SQLITE_OK */
int phones_load(struct sqlite_engine *e);                         /* at open: what the index does not hold yet */
void phones_begin(struct phones *p);                              /* before a transaction; may start a run */
int phones_add(struct sqlite_engine *e, const struct message *m); /* inside it */
int phones_fill(struct sqlite_engine *e);                         /* inside it, at its end */
void phones_undo(struct phones *p);                               /* it was rolled back */
void phones_finish(struct phones *p);
#define PHONES_META "_phones_upto"

/* sqlite.c */
int sqlite_run(sqlite3_stmt *st); /* step to the end, reset; SQLITE_OK when done */
int sqlite_meta(struct sqlite_engine *e, const char *key, int64_t value);
void sqlite_rollback(sqlite3 *db);
int sqlite_error(sqlite3 *db, int code, const char *what, const char *path, char why[STORE_WHY_SIZE]);

/* sqlite_read.c */
void sqlite_answer(void *engine, struct lookup *l);
int sqlite_resume(void *engine, const struct store_resume_ops *ops, void *owner);
/* `members` of a blob, or NULL; *out_count 0 is not an error. */
struct store_member *sqlite_members(const void *blob, size_t len, size_t *out_count);

/* sqlite_upkeep.c */
int sqlite_on_wal(void *engine, sqlite3 *db, const char *name, int pages);
void sqlite_checkpoint_finish(struct sqlite_engine *e); /* writer, between transactions */
void sqlite_keep(void *engine);
void sqlite_backup(void *engine, struct lookup *l);
void sqlite_expire(void *engine, int64_t before_ms);
void sqlite_expire_texts(void *engine, int64_t before_ms);
/* A message with this id loses its text as soon as it is closed: its time was over before. */
bool sqlite_texts_passed(const struct sqlite_engine *e, int64_t id);
int sqlite_texts_load(struct sqlite_engine *e); /* at open; an SQLite result code */
bool sqlite_chore(void *engine);

#endif
