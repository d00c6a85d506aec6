/* SPDX-License-Identifier: MIT */
/*
 * sqlite_upkeep.c - checkpoints, retention and backups, kept off the path of commits.
 *
 * Checkpoints: the keeper copies most of the WAL into the file while the writer goes on; the writer then copies the
 * little that came meanwhile, so that its next commit starts the WAL from its beginning. A checkpoint on the writer
 * alone stalls commits for 5-35 ms at full load; one on the keeper alone never catches up and the WAL grows.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/store/sqlite.h"

enum {
    CHECKPOINT_PAGES = 4000,
    EXPIRE_BITE = 200,   /* rows removed in one transaction */
    BACKUP_PAGES = 2000, /* between two looks at the stop sign */
    AHEAD_MS = 3600000   /* ids further ahead of the clock tell no time */
};
#define TEXTS_META "_texts_upto"

/* --- checkpoints --- */

/* Called inside the writer's COMMIT with the length of the WAL. */
int sqlite_on_wal(void *engine, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_engine *e = engine;

    UNUSED(db);
    UNUSED(name);
    if (pages < e->wal_pages) /* it began anew */
        e->checkpoint_at = CHECKPOINT_PAGES;
    e->wal_pages = pages;
    if (e->checkpoint_at == 0)
        e->checkpoint_at = CHECKPOINT_PAGES;
    if (pages >= e->checkpoint_at && !e->checkpoint_asked) {
        e->checkpoint_asked = true;
        e->checkpoint_at = pages + CHECKPOINT_PAGES; /* a long read (a backup) may keep the WAL from beginning anew */
        store_poke_keeper(e->store);
    }
    return SQLITE_OK;
}

void sqlite_keep(void *engine)
{
    struct sqlite_engine *e = engine;

    (void)sqlite3_wal_checkpoint_v2(e->keep, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    atomic_store(&e->checkpoint_done, true);
}

void sqlite_checkpoint_finish(struct sqlite_engine *e)
{
    if (!e->checkpoint_asked || !atomic_exchange(&e->checkpoint_done, false))
        return;
    e->checkpoint_asked = false;
    (void)sqlite3_wal_checkpoint_v2(e->write, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* --- retention --- */

void sqlite_expire(void *engine, int64_t before_ms)
{
    struct sqlite_engine *e = engine;

    atomic_store(&e->asked_at_ms, clock_wall_ms());
    atomic_store(&e->expire_asked, before_ms > 0 ? before_ms : 0);
}

void sqlite_expire_texts(void *engine, int64_t before_ms)
{
    struct sqlite_engine *e = engine;

    atomic_store(&e->asked_at_ms, clock_wall_ms());
    atomic_store(&e->texts_asked, before_ms > 0 ? before_ms : -1);
}

int sqlite_texts_load(struct sqlite_engine *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(e->write, "SELECT value FROM meta WHERE key = '" TEXTS_META "'", -1, &st, NULL);

    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        e->texts_upto = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return rc;
}

static int64_t id_limit(int64_t before_ms)
{
    return before_ms >= INT64_MAX / 1000000 ? INT64_MAX : before_ms * 1000000;
}

/* After a clock that was set far ahead and back, ids go on from where they were: rows of today have ids of next year. They
 * are the last ones, closer together than time ever is, so all are within AHEAD_MS of the highest id. */
static int64_t ahead_from(const struct sqlite_engine *e)
{
    int64_t now_id = id_limit(atomic_load(&e->asked_at_ms));

    return (int64_t)e->highest <= now_id || (int64_t)e->highest - now_id <= id_limit(AHEAD_MS)
               ? 0
               : (int64_t)e->highest - id_limit(AHEAD_MS);
}

/* Of the ids from `from` on the first whose row is too young, by halves: rows came in the order of their ids. Those of the
 * time when the clock was ahead, whose ids tell their time, stand before all others. */
static int64_t first_young(struct sqlite_engine *e, sqlite3_stmt *next, int64_t from, int64_t before_ms)
{
    int64_t low = from, high = (int64_t)e->highest + 1;

    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        (void)sqlite3_bind_int64(next, 1, middle);
        bool found = sqlite3_step(next) == SQLITE_ROW;
        int64_t id = found ? sqlite3_column_int64(next, 0) : 0, at_ms = found ? sqlite3_column_int64(next, 1) : 0;
        (void)sqlite3_reset(next);
        if (!found || (at_ms >= before_ms && at_ms < id / id_limit(1) - AHEAD_MS / 2))
            high = middle;
        else
            low = id + 1;
    }
    return low;
}

/* This stage is through with the ids that tell the time. True: there are others. */
static bool goes_ahead(struct sqlite_engine *e)
{
    int64_t from = ahead_from(e);
    bool texts = e->stage == EXPIRE_TEXTS;

    if (e->ahead || from == 0 || !(texts || e->stage == EXPIRE_MESSAGES || e->stage == EXPIRE_SENDS))
        return false;
    if (texts && e->texts_before < 0) {
        e->ahead_texts_from = e->ahead_texts_upto = 0;
        return false;
    }
    e->ahead = true;
    e->expire_after = from - 1;
    e->expire_before_id = first_young(e, e->st[e->stage == EXPIRE_SENDS ? DO_NEXT_SEND : DO_NEXT_MESSAGE], from,
                                      texts ? e->texts_before : e->expire_before);
    if (texts && e->ahead_texts_upto < from)
        e->ahead_texts_from = e->ahead_texts_upto = e->expire_after;
    return true;
}

bool sqlite_texts_passed(const struct sqlite_engine *e, int64_t id)
{
    return id <= e->texts_upto || (id > e->ahead_texts_from && id <= e->ahead_texts_upto);
}

static int drop_one(sqlite3_stmt *st, int64_t id)
{
    (void)sqlite3_bind_int64(st, 1, id);
    return sqlite_run(st);
}

static int drop_message(struct sqlite_engine *e, int64_t id)
{
    int rc = drop_one(e->st[DO_DROP_NOTES], id);

    if (rc == SQLITE_OK)
        rc = drop_one(e->st[DO_DROP_RESULT], id);
    return rc == SQLITE_OK ? drop_one(e->st[DO_DROP_MESSAGE], id) : rc;
}

static void bind_bite(sqlite3_stmt *st, const struct sqlite_engine *e)
{
    (void)sqlite3_bind_int64(st, 1, e->expire_after);
    (void)sqlite3_bind_int64(st, 2, e->ahead ? e->expire_before_id : id_limit(e->expire_before));
    (void)sqlite3_bind_int64(st, 3, e->expire_before);
    (void)sqlite3_bind_int64(st, 4, EXPIRE_BITE);
}

/* How far this has come is remembered in the file: each row is looked at once, however long it stays. */
static int expire_texts(struct sqlite_engine *e, int *count)
{
    sqlite3_stmt *st = e->st[DO_OLD_TEXTS];
    int64_t upto = e->ahead ? e->ahead_texts_upto : e->texts_upto;
    int rc;

    (void)sqlite3_bind_int64(st, 1, upto);
    (void)sqlite3_bind_int64(st, 2, e->ahead ? e->expire_before_id : id_limit(e->texts_before));
    (void)sqlite3_bind_int64(st, 3, EXPIRE_BITE);
    /* among the ids ahead are rows of the wrong clock: nobody knows how old those are */
    (void)sqlite3_bind_int64(st, 4, e->ahead ? e->texts_before : INT64_MAX);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        upto = sqlite3_column_int64(st, 0);
        (*count)++;
        if (sqlite3_column_int(st, 1) == 0)
            continue;
        rc = drop_one(e->st[DO_EMPTY], upto);
        if (rc != SQLITE_OK)
            break;
    }
    (void)sqlite3_reset(st);
    if (rc != SQLITE_DONE)
        return rc;
    if (e->ahead) {
        e->ahead_texts_upto = upto;
        return SQLITE_OK;
    }
    if (e->texts_before < 0)
        upto = 0;
    rc = upto == e->texts_upto ? SQLITE_OK : sqlite_meta(e, TEXTS_META, upto);
    if (rc == SQLITE_OK)
        e->texts_upto = upto; /* sqlite_chore takes it back when the commit fails */
    return rc;
}

static int expire_messages(struct sqlite_engine *e, int *count)
{
    sqlite3_stmt *st = e->st[DO_OLD_MESSAGES];
    int rc;

    bind_bite(st, e);
    /* Rows are removed behind the cursor of the statement that finds them: SQLite allows it, the order is by rowid. */
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        e->expire_after = sqlite3_column_int64(st, 0);
        (*count)++;
        rc = drop_message(e, e->expire_after);
        if (rc != SQLITE_OK)
            break;
    }
    (void)sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A run of the phone index goes when no message of it is left; until then its rows may lead to nothing. Never the run
 * being written, nor the last one, which takes late rows. One run is a bite. */
static int expire_runs(struct sqlite_engine *e, int *count)
{
    sqlite3_stmt *st = e->st[DO_OLD_RUN];
    int rc;

    (void)sqlite3_bind_int64(st, 1, e->expire_after);
    (void)sqlite3_bind_int64(st, 2, e->phones.run);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        e->expire_after = sqlite3_column_int64(st, 0);
    (void)sqlite3_reset(st);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    *count = EXPIRE_BITE; /* look for the next one */
    rc = drop_one(e->st[DO_DROP_PHONES], e->expire_after);
    return rc == SQLITE_OK ? drop_one(e->st[DO_DROP_RUN], e->expire_after) : rc;
}

/* A send stays as long as one of its messages is open. */
static int expire_sends(struct sqlite_engine *e, int *count)
{
    sqlite3_stmt *st = e->st[DO_OLD_SENDS];
    int rc;

    bind_bite(st, e);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        size_t members = 0;
        struct store_member *list =
            sqlite_members(sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1), &members);
        bool open = false;

        if (list == NULL) {
            rc = SQLITE_NOMEM;
            break;
        }
        for (size_t i = 0; i < members && !open; i++) {
            (void)sqlite3_bind_int64(e->st[DO_IS_OPEN], 1, (sqlite3_int64)list[i].id);
            open = sqlite3_step(e->st[DO_IS_OPEN]) == SQLITE_ROW;
            (void)sqlite3_reset(e->st[DO_IS_OPEN]);
        }
        free(list);
        (*count)++;
        e->expire_after = sqlite3_column_int64(st, 0);
        if (!open) {
            rc = drop_one(e->st[DO_DROP_SEND], e->expire_after);
            if (rc != SQLITE_OK)
                break;
        }
    }
    (void)sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Keys stand in no order of time: the whole table is walked, a bite at a time. */
static int expire_onces(struct sqlite_engine *e, int *count)
{
    sqlite3_stmt *st = e->st[DO_OLD_ONCES];
    char after[sizeof e->expire_key];
    int rc;

    memcpy(after, e->expire_key, sizeof after);
    (void)sqlite3_bind_text(st, 1, after, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int(st, 2, EXPIRE_BITE);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        (void)snprintf(e->expire_key, sizeof e->expire_key, "%s", (const char *)sqlite3_column_text(st, 0));
        (*count)++;
        if (sqlite3_column_int64(st, 1) >= e->expire_before)
            continue;
        (void)sqlite3_bind_text(e->st[DO_DROP_ONCE], 1, e->expire_key, -1, SQLITE_STATIC);
        rc = sqlite_run(e->st[DO_DROP_ONCE]);
        if (rc != SQLITE_OK)
            break;
    }
    (void)sqlite3_reset(st);
    (void)sqlite3_bind_null(st, 1);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void next_stage(struct sqlite_engine *e)
{
    bool last = e->stage == EXPIRE_ONCES || (e->stage == EXPIRE_TEXTS && e->expire_before == 0);

    e->stage = last ? EXPIRE_IDLE : e->stage + 1;
    e->ahead = false;
    e->expire_after = 0;
    e->expire_key[0] = '\0';
}

/* Begins with what was asked for since the last round. False: nothing was. */
static bool take_wishes(struct sqlite_engine *e)
{
    e->texts_before = atomic_exchange(&e->texts_asked, 0);
    e->expire_before = atomic_exchange(&e->expire_asked, 0);
    if (e->texts_before == 0 && e->expire_before == 0)
        return false;
    next_stage(e);
    if (e->texts_before == 0)
        next_stage(e);
    return true;
}

bool sqlite_chore(void *engine)
{
    struct sqlite_engine *e = engine;
    int64_t upto = e->texts_upto, ahead_upto = e->ahead_texts_upto;
    int count = 0, rc;

    if (e->stage == EXPIRE_IDLE && !take_wishes(e))
        return false;
    sqlite_checkpoint_finish(e);
    rc = sqlite_run(e->st[DO_BEGIN]);
    if (rc == SQLITE_OK && e->stage == EXPIRE_TEXTS) {
        rc = expire_texts(e, &count);
    } else if (rc == SQLITE_OK && e->stage == EXPIRE_MESSAGES) {
        rc = expire_messages(e, &count);
        if (rc == SQLITE_OK && count > 0) /* ids must not come again when their rows are gone */
            rc = sqlite_meta(e, "_last_id", (int64_t)e->highest);
    } else if (rc == SQLITE_OK && e->stage == EXPIRE_RUNS) {
        rc = expire_runs(e, &count);
    } else if (rc == SQLITE_OK && e->stage == EXPIRE_SENDS) {
        rc = expire_sends(e, &count);
    } else if (rc == SQLITE_OK) {
        rc = expire_onces(e, &count);
    }
    if (rc == SQLITE_OK)
        rc = sqlite_run(e->st[DO_COMMIT]);
    if (rc != SQLITE_OK) { /* no room, most likely: the next store_expire begins again */
        sqlite_rollback(e->write);
        e->texts_upto = upto;
        e->ahead_texts_upto = ahead_upto;
        e->stage = EXPIRE_IDLE;
        e->ahead = false;
        return false;
    }
    if (count < EXPIRE_BITE && !goes_ahead(e))
        next_stage(e);
    return e->stage != EXPIRE_IDLE || atomic_load(&e->expire_asked) != 0 || atomic_load(&e->texts_asked) != 0;
}

/* --- backup --- */

static bool stopping(struct sqlite_engine *e)
{
    bool stop;

    uv_mutex_lock(&e->store->lock);
    stop = e->store->stop_others;
    uv_mutex_unlock(&e->store->lock);
    return stop;
}

static int copy_to(struct sqlite_engine *e, sqlite3 *to)
{
    sqlite3_backup *backup;
    int rc;

    /* One snapshot for the whole copy: without it every commit of the writer would start the copy again. */
    rc = sqlite3_exec(e->keep, "BEGIN; SELECT count(*) FROM names", NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        backup = sqlite3_backup_init(to, "main", e->keep, "main");
        rc = backup == NULL ? sqlite3_errcode(to) : SQLITE_OK;
        while (rc == SQLITE_OK)
            rc = stopping(e) ? SQLITE_INTERRUPT : sqlite3_backup_step(backup, BACKUP_PAGES);
        if (backup != NULL) {
            int end = sqlite3_backup_finish(backup);

            if (rc == SQLITE_DONE)
                rc = end;
        }
    }
    sqlite_rollback(e->keep);
    return rc;
}

void sqlite_backup(void *engine, struct lookup *l)
{
    struct sqlite_engine *e = engine;
    size_t size = strlen(l->path) + sizeof ".part";
    char *part = malloc(size);
    sqlite3 *to = NULL;
    int fd, rc;

    l->err = ERR_NOMEM;
    if (part == NULL)
        return;
    (void)snprintf(part, size, "%s.part", l->path);
    (void)unlink(part);
    l->err = ERR_IO;
    fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        goto out;
    rc = sqlite3_open_v2(part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = copy_to(e, to);
    (void)sqlite3_close(to);
    if (rc == SQLITE_OK && fsync(fd) == 0 && rename(part, l->path) == 0)
        l->err = 0;
    else
        (void)unlink(part);
    (void)close(fd);
out:
    free(part);
}
