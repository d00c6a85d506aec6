/* SPDX-License-Identifier: MIT */
/*
 * sqlite.c - the durable engine: opens the file, and applies a list of changes as one transaction.
 *
 * WAL with synchronous=FULL: a commit that returned survives kill -9 and a loss of power, as far as the disk keeps its
 * promise. One row that cannot be written (its id is there already) spoils only itself; anything the disk or memory
 * refuses undoes the whole list, and pipe.c decides what becomes of it.
 */
#include "gateway/store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

enum {
    BUSY_MS = 5000,           /* somebody else's sqlite3 holds the file */
    DEFAULT_CACHE = 32 << 20, /* bytes */
    READ_CACHE = 8 << 20,
    CHECK_MAX = 64 << 20, /* files above are not checked at start: it would take too long */
    WAL_KEEP = 64 << 20   /* a WAL that grew above is cut back to this */
};

static const char *const write_sql[WRITE_STATEMENT_COUNT] = {
    [DO_BEGIN] = "BEGIN IMMEDIATE",
    [DO_COMMIT] = "COMMIT",
    [DO_PUT] = "INSERT INTO messages (id, public_id, kind, channel, accepted_ms, expires_ms, esme, source, dest,"
               " source_ton, source_npi, dest_ton, dest_npi, service_type, esm_class, protocol_id, priority_flag,"
               " registered_delivery, data_coding, interface_version, binary, part_number, part_total, part_reference,"
               " text, tlvs, extra) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
               " ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)",
    [DO_OPEN] = "INSERT OR REPLACE INTO open (id, state, final, receipt, urgent, esme, upstream, tries, deliver_tries,"
                " upid, leader, due_ms, status, err, done_ms, cost_e6)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [DO_MOVE] =
        "UPDATE open SET state = ?2, final = ?3, receipt = ?4, urgent = ?5, esme = ?6, upstream = ?7, tries = ?8,"
        " deliver_tries = ?9, upid = ?10, leader = ?11, due_ms = ?12, status = ?13, err = ?14, done_ms = ?15,"
        " cost_e6 = ?16 WHERE id = ?1",
    [DO_DROP_OPEN] = "DELETE FROM open WHERE id = ?1",
    [DO_END] = "INSERT OR REPLACE INTO results (id, upstream, final, status, err, tries, deliver_tries, receipt,"
               " receipt_ms, done_ms, cost_e6, upid, leader)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [DO_EMPTY] = "UPDATE messages SET text = '' WHERE id = ?1",
    [DO_REWRITE] = "UPDATE messages SET text = ?2, binary = ?3, extra = ?4, expires_ms = ?5, registered_delivery = ?6,"
                   " channel = ?7, data_coding = ?8, esm_class = ?9 WHERE id = ?1"
                   " AND EXISTS (SELECT 1 FROM open WHERE id = ?1)",
    [DO_IS_OPEN] = "SELECT 1 FROM open WHERE id = ?1",
    [DO_SEND_PUT] = "INSERT INTO sends (upid, upstream, state, tries, at_ms, replied_ms, error, cost_e6, members)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [DO_SEND_SET] = "UPDATE sends SET upstream = ?2, state = ?3, tries = ?4, at_ms = ?5, replied_ms = ?6, error = ?7,"
                    " cost_e6 = ?8 WHERE upid = ?1",
    [DO_NOTE] = "INSERT INTO notes (message_id, at_ms, text) VALUES (?1, ?2, ?3)",
    [DO_META] = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
    [DO_ONCE] = "INSERT INTO once (key, at_ms) VALUES (?1, ?2)",
    [DO_NAME] = "INSERT OR REPLACE INTO names (name, n) VALUES (?1, ?2)",
    [DO_PHONE] = "INSERT OR IGNORE INTO phones (run, phone, id) VALUES (?1, ?2, ?3)",
    [DO_RUN] = "INSERT OR REPLACE INTO runs (run, low, high) VALUES (?1, ?2, ?3)",
    [DO_RUN_LOW] = "UPDATE runs SET low = ?2 WHERE run = ?1 AND low > ?2",
    [DO_OLD_TEXTS] =
        "SELECT id, text <> '' AND accepted_ms < ?4 AND NOT EXISTS (SELECT 1 FROM open WHERE open.id = messages.id)"
        " FROM messages WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3",
    [DO_OLD_MESSAGES] = "SELECT id FROM messages WHERE id > ?1 AND id < ?2 AND accepted_ms < ?3"
                        " AND NOT EXISTS (SELECT 1 FROM open WHERE open.id = messages.id) ORDER BY id LIMIT ?4",
    [DO_DROP_MESSAGE] = "DELETE FROM messages WHERE id = ?1",
    [DO_DROP_RESULT] = "DELETE FROM results WHERE id = ?1",
    [DO_DROP_NOTES] = "DELETE FROM notes WHERE message_id = ?1",
    [DO_OLD_RUN] = "SELECT run FROM runs WHERE run > ?1 AND run < ?2 AND NOT EXISTS"
                   " (SELECT 1 FROM messages WHERE id BETWEEN low AND high) ORDER BY run LIMIT 1",
    [DO_DROP_PHONES] = "DELETE FROM phones WHERE run = ?1",
    [DO_DROP_RUN] = "DELETE FROM runs WHERE run = ?1",
    [DO_OLD_SENDS] =
        "SELECT upid, members FROM sends WHERE upid > ?1 AND upid < ?2 AND at_ms < ?3 ORDER BY upid LIMIT ?4",
    [DO_NEXT_MESSAGE] = "SELECT id, accepted_ms FROM messages WHERE id >= ?1 ORDER BY id LIMIT 1",
    [DO_NEXT_SEND] = "SELECT upid, at_ms FROM sends WHERE upid >= ?1 ORDER BY upid LIMIT 1",
    [DO_DROP_SEND] = "DELETE FROM sends WHERE upid = ?1",
    [DO_OLD_ONCES] = "SELECT key, at_ms FROM once WHERE key > ?1 ORDER BY key LIMIT ?2",
    [DO_DROP_ONCE] = "DELETE FROM once WHERE key = ?1",
};

int sqlite_run(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);

    (void)sqlite3_reset(st);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

void sqlite_rollback(sqlite3 *db)
{
    if (!sqlite3_get_autocommit(db)) /* some errors have rolled back already */
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

int sqlite_error(sqlite3 *db, int code, const char *what, const char *path, char why[STORE_WHY_SIZE])
{
    const char *advice = "";
    int err = ERR_IO, system = db != NULL ? sqlite3_system_errno(db) : 0;

    code &= 0xff;
    if (code == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT))
        code = SQLITE_FULL;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        advice = ": restore a backup, or name another file";
        err = ERR_CONFIG;
    } else if (code == SQLITE_FULL) {
        advice = ": make room on the disk";
    } else if (code == SQLITE_NOMEM) {
        err = ERR_NOMEM;
    }
    (void)snprintf(why, STORE_WHY_SIZE, "%s %.120s: %.60s%s", what, path,
                   db != NULL && code != SQLITE_FULL ? sqlite3_errmsg(db) : sqlite3_errstr(code), advice);
    return err;
}

int sqlite_meta(struct sqlite_engine *e, const char *key, int64_t value)
{
    (void)sqlite3_bind_text(e->st[DO_META], 1, key, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(e->st[DO_META], 2, value);
    return sqlite_run(e->st[DO_META]);
}

/* --- changes --- */

/* What the failure of one statement means: 0 = this change has its verdict, else the transaction is lost. */
static int verdict(struct change *c, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
        return SQLITE_OK;
    case SQLITE_CONSTRAINT:
        c->err = ERR_EXISTS;
        return SQLITE_OK;
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        c->err = ERR_RANGE; /* would fail for ever: it must not hold up the others */
        return SQLITE_OK;
    default:
        return rc;
    }
}

static void bind_text(sqlite3_stmt *st, int column, const struct message_text *t)
{
    (void)sqlite3_bind_text(st, column, t->at, (int)t->len, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *st, int column, const struct message_text *t)
{
    (void)sqlite3_bind_blob(st, column, t->at, (int)t->len, SQLITE_STATIC);
}

static void bind_facts(sqlite3_stmt *st, const struct message *m)
{
    const int small[] = { m->source_ton, m->source_npi, m->dest_ton, m->dest_npi };
    const int more[] = { m->esm_class,         m->protocol_id, m->priority_flag, m->registered_delivery, m->data_coding,
                         m->interface_version, m->binary,      m->part_number,   m->part_total };

    (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)m->id);
    if (m->public_id == m->id)
        (void)sqlite3_bind_null(st, 2);
    else
        (void)sqlite3_bind_int64(st, 2, (sqlite3_int64)m->public_id);
    (void)sqlite3_bind_int(st, 3, m->kind);
    (void)sqlite3_bind_int(st, 4, m->channel);
    (void)sqlite3_bind_int64(st, 5, m->accepted_ms);
    (void)sqlite3_bind_int64(st, 6, m->expires_ms);
    (void)sqlite3_bind_int(st, 7, m->p.esme);
    bind_text(st, 8, &m->source);
    bind_text(st, 9, &m->dest);
    for (int i = 0; i < 4; i++)
        (void)sqlite3_bind_int(st, 10 + i, small[i]);
    bind_text(st, 14, &m->service_type);
    for (int i = 0; i < 9; i++)
        (void)sqlite3_bind_int(st, 15 + i, more[i]);
    (void)sqlite3_bind_int64(st, 24, m->part_reference);
    if (m->binary)
        bind_blob(st, 25, &m->text);
    else
        bind_text(st, 25, &m->text);
    bind_blob(st, 26, &m->tlvs);
    bind_text(st, 27, &m->extra);
}

static void bind_progress(sqlite3_stmt *st, const struct progress *p)
{
    const int small[] = { p->state, p->final, p->receipt, p->urgent, p->esme, p->upstream, p->tries, p->deliver_tries };

    (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)p->id);
    for (int i = 0; i < 8; i++)
        (void)sqlite3_bind_int(st, 2 + i, small[i]);
    (void)sqlite3_bind_int64(st, 10, (sqlite3_int64)p->upid);
    (void)sqlite3_bind_int64(st, 11, (sqlite3_int64)p->leader);
    (void)sqlite3_bind_int64(st, 12, p->due_ms);
    (void)sqlite3_bind_int(st, 13, p->status);
    (void)sqlite3_bind_int(st, 14, p->err);
    (void)sqlite3_bind_int64(st, 15, p->done_ms);
    (void)sqlite3_bind_int64(st, 16, p->cost_e6);
}

static int write_result(struct sqlite_engine *e, const struct progress *p, int64_t receipt_ms)
{
    sqlite3_stmt *st = e->st[DO_END];

    (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)p->id);
    (void)sqlite3_bind_int(st, 2, p->upstream);
    (void)sqlite3_bind_int(st, 3, p->final);
    (void)sqlite3_bind_int(st, 4, p->status);
    (void)sqlite3_bind_int(st, 5, p->err);
    (void)sqlite3_bind_int(st, 6, p->tries);
    (void)sqlite3_bind_int(st, 7, p->deliver_tries);
    (void)sqlite3_bind_int(st, 8, p->receipt);
    (void)sqlite3_bind_int64(st, 9, receipt_ms);
    (void)sqlite3_bind_int64(st, 10, p->done_ms);
    (void)sqlite3_bind_int64(st, 11, p->cost_e6);
    (void)sqlite3_bind_int64(st, 12, (sqlite3_int64)p->upid);
    (void)sqlite3_bind_int64(st, 13, (sqlite3_int64)p->leader);
    return sqlite_run(st);
}

static int put(struct sqlite_engine *e, struct change *c)
{
    const struct message *m = c->data;
    int rc;

    bind_facts(e->st[DO_PUT], m);
    rc = verdict(c, sqlite_run(e->st[DO_PUT]));
    if (rc != SQLITE_OK || c->err != 0)
        return rc;
    if (m->id > e->highest)
        e->highest = m->id;
    rc = phones_add(e, m);
    if (rc != SQLITE_OK)
        return rc;
    if (m->p.state == MESSAGE_CLOSED)
        return write_result(e, &m->p, 0);
    bind_progress(e->st[DO_OPEN], &m->p);
    return sqlite_run(e->st[DO_OPEN]);
}

static int changed_one(struct sqlite_engine *e, struct change *c, int rc)
{
    rc = verdict(c, rc);
    if (rc == SQLITE_OK && c->err == 0 && sqlite3_changes(e->write) == 0)
        c->err = ERR_NOT_FOUND;
    return rc;
}

static int end(struct sqlite_engine *e, struct change *c)
{
    const struct change_end *end = c->data;
    int rc;

    (void)sqlite3_bind_int64(e->st[DO_DROP_OPEN], 1, (sqlite3_int64)end->p.id);
    rc = changed_one(e, c, sqlite_run(e->st[DO_DROP_OPEN]));
    if (rc != SQLITE_OK || c->err != 0)
        return rc;
    rc = write_result(e, &end->p, end->receipt_ms);
    if (rc != SQLITE_OK || (end->keep_text && !sqlite_texts_passed(e, (int64_t)end->p.id)))
        return rc;
    (void)sqlite3_bind_int64(e->st[DO_EMPTY], 1, (sqlite3_int64)end->p.id);
    return sqlite_run(e->st[DO_EMPTY]);
}

static int rewrite(struct sqlite_engine *e, struct change *c)
{
    const struct message *m = c->data;
    sqlite3_stmt *st = e->st[DO_REWRITE];

    (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)m->id);
    if (m->binary)
        bind_blob(st, 2, &m->text);
    else
        bind_text(st, 2, &m->text);
    (void)sqlite3_bind_int(st, 3, m->binary);
    bind_text(st, 4, &m->extra);
    (void)sqlite3_bind_int64(st, 5, m->expires_ms);
    (void)sqlite3_bind_int(st, 6, m->registered_delivery);
    (void)sqlite3_bind_int(st, 7, m->channel);
    (void)sqlite3_bind_int(st, 8, m->data_coding);
    (void)sqlite3_bind_int(st, 9, m->esm_class);
    return changed_one(e, c, sqlite_run(st));
}

static void bind_send(sqlite3_stmt *st, const struct store_send *send)
{
    (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)send->upid);
    (void)sqlite3_bind_int(st, 2, send->upstream);
    (void)sqlite3_bind_int(st, 3, send->state);
    (void)sqlite3_bind_int(st, 4, send->tries);
    (void)sqlite3_bind_int64(st, 5, send->at_ms);
    (void)sqlite3_bind_int64(st, 6, send->replied_ms);
    (void)sqlite3_bind_int(st, 7, send->error);
    (void)sqlite3_bind_int64(st, 8, send->cost_e6);
}

/* Members as a blob: per member id and phone, 64 bits each, big-endian. */
static int send_put(struct sqlite_engine *e, struct change *c)
{
    const struct store_send *send = c->data;
    sqlite3_stmt *st = e->st[DO_SEND_PUT];
    size_t size = send->member_count * 16;
    uint8_t *blob = malloc(size + 1);
    struct writer w = writer_over(blob, size);
    int rc;

    if (blob == NULL)
        return SQLITE_NOMEM;
    for (size_t i = 0; i < send->member_count; i++) {
        write_u32(&w, (uint32_t)(send->members[i].id >> 32));
        write_u32(&w, (uint32_t)send->members[i].id);
        write_u32(&w, (uint32_t)(send->members[i].phone >> 32));
        write_u32(&w, (uint32_t)send->members[i].phone);
    }
    bind_send(st, send);
    (void)sqlite3_bind_blob(st, 9, blob, (int)size, SQLITE_STATIC);
    rc = verdict(c, sqlite_run(st));
    (void)sqlite3_bind_null(st, 9);
    free(blob);
    if (rc == SQLITE_OK && c->err == 0 && send->upid > e->highest)
        e->highest = send->upid;
    return rc;
}

static int note(struct sqlite_engine *e, struct change *c)
{
    const struct change_note *n = c->data;
    sqlite3_stmt *st = e->st[DO_NOTE];

    (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)n->message_id);
    (void)sqlite3_bind_int64(st, 2, n->at_ms);
    (void)sqlite3_bind_text(st, 3, n->text, (int)n->len, SQLITE_STATIC);
    return verdict(c, sqlite_run(st));
}

static int pair(struct sqlite_engine *e, struct change *c, enum write_statement which)
{
    const struct change_pair *p = c->data;

    (void)sqlite3_bind_text(e->st[which], 1, p->key, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(e->st[which], 2, p->value);
    return verdict(c, sqlite_run(e->st[which]));
}

static int apply(struct sqlite_engine *e, struct change *c)
{
    switch ((enum change_kind)c->kind) {
    case CHANGE_NONE:
        return SQLITE_OK;
    case CHANGE_PUT:
        return put(e, c);
    case CHANGE_MOVE:
        bind_progress(e->st[DO_MOVE], c->data);
        return changed_one(e, c, sqlite_run(e->st[DO_MOVE]));
    case CHANGE_END:
        return end(e, c);
    case CHANGE_REWRITE:
        return rewrite(e, c);
    case CHANGE_SEND_PUT:
        return send_put(e, c);
    case CHANGE_SEND_SET:
        bind_send(e->st[DO_SEND_SET], c->data);
        return changed_one(e, c, sqlite_run(e->st[DO_SEND_SET]));
    case CHANGE_NOTE:
        return note(e, c);
    case CHANGE_META:
        return pair(e, c, DO_META);
    case CHANGE_ONCE:
        return pair(e, c, DO_ONCE);
    case CHANGE_NAME:
        return pair(e, c, DO_NAME);
    }
    return SQLITE_MISUSE;
}

static int sqlite_commit(void *engine, struct change *first)
{
    struct sqlite_engine *e = engine;
    uint64_t highest = e->highest;
    bool known = false;
    int rc;

    sqlite_checkpoint_finish(e);
    phones_begin(&e->phones);
    rc = sqlite_run(e->st[DO_BEGIN]);
    for (struct change *c = first; c != NULL && rc == SQLITE_OK; c = c->next) {
        if (known && (c->flags & STORE_IF_NEW))
            c->err = ERR_EXISTS;
        else
            rc = apply(e, c);
        if (c->kind == CHANGE_ONCE)
            known = c->err != 0;
    }
    if (rc == SQLITE_OK)
        rc = phones_fill(e);
    if (rc == SQLITE_OK)
        rc = sqlite_run(e->st[DO_COMMIT]);
    if (rc == SQLITE_OK)
        return 0;
    sqlite_rollback(e->write);
    phones_undo(&e->phones);
    e->highest = highest;
    return ERR_IO;
}

/* --- open and close --- */

/* The directory must be there and the file only ours: it holds what people write to each other. */
static int prepare_file(struct sqlite_engine *e, char why[STORE_WHY_SIZE])
{
    char *name = strdup(e->path);
    char *slash = name != NULL ? strrchr(name, '/') : NULL;
    struct stat info;
    int fd;

    if (name == NULL)
        return ERR_NOMEM;
    if (slash != NULL && slash != name) {
        *slash = '\0';
        if (stat(name, &info) != 0 || !S_ISDIR(info.st_mode)) {
            (void)snprintf(
                why, STORE_WHY_SIZE,
                "the directory %.120s of the database does not exist: create it for the user the gateway runs as",
                name);
            free(name);
            return ERR_IO;
        }
    }
    free(name);
    fd = open(e->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite gives its other files the same mode */
    if (fd < 0) {
        (void)snprintf(why, STORE_WHY_SIZE, "cannot open the database %.120s: %.60s", e->path, strerror(errno));
        return ERR_IO;
    }
    (void)close(fd);
    return 0;
}

static int lock_file(struct sqlite_engine *e, char why[STORE_WHY_SIZE])
{
    size_t size = strlen(e->path) + sizeof "-lock";
    char *name = malloc(size);

    if (name == NULL)
        return ERR_NOMEM;
    (void)snprintf(name, size, "%s-lock", e->path);
    e->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(name);
    if (e->lock_fd < 0 || flock(e->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        (void)snprintf(why, STORE_WHY_SIZE,
                       "the database %.120s is in use by another gateway: stop it first, or name another file",
                       e->path);
        return ERR_IO;
    }
    return 0;
}

static int connection_open(struct sqlite_engine *e, int flags, size_t cache, sqlite3 **out, char why[STORE_WHY_SIZE])
{
    char pragmas[200];
    int rc = sqlite3_open_v2(e->path, out, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);

    (void)snprintf(pragmas, sizeof pragmas,
                   "PRAGMA cache_size = -%zu; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
                   " PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d;",
                   cache / 1024, WAL_KEEP);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*out, BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*out, pragmas, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_error(*out, rc, "cannot open the database", e->path, why);
}

static int on_mode(void *out, int columns, char **values, char **names)
{
    UNUSED(names);
    if (columns > 0 && values[0] != NULL)
        *(bool *)out = strcmp(values[0], "wal") == 0 || strcmp(values[0], "ok") == 0;
    return 0;
}

static int want(struct sqlite_engine *e, const char *sql, const char *complaint, char why[STORE_WHY_SIZE])
{
    bool good = false;
    int rc = sqlite3_exec(e->write, sql, on_mode, &good, NULL);

    if (rc != SQLITE_OK)
        return sqlite_error(e->write, rc, complaint, e->path, why);
    if (!good) {
        (void)snprintf(why, STORE_WHY_SIZE, "%s %.120s: restore a backup, or name another file", complaint, e->path);
        return ERR_CONFIG;
    }
    return 0;
}

/* A WAL left behind: the last run did not end by itself. */
static bool left_unclean(const struct sqlite_engine *e, bool *small)
{
    struct stat info;
    size_t size = strlen(e->path) + sizeof "-wal";
    char *wal = malloc(size);
    bool unclean = false;

    *small = stat(e->path, &info) == 0 && info.st_size <= CHECK_MAX;
    if (wal != NULL) {
        (void)snprintf(wal, size, "%s-wal", e->path);
        unclean = stat(wal, &info) == 0 && info.st_size > 0;
    }
    free(wal);
    return unclean;
}

static int found_name(void *store, int columns, char **values, char **names)
{
    UNUSED(columns);
    UNUSED(names);
    store_found_name(store, (uint16_t)strtoul(values[0], NULL, 10), values[1] != NULL ? values[1] : "");
    return 0;
}

static int found_meta(void *store, int columns, char **values, char **names)
{
    UNUSED(columns);
    UNUSED(names);
    if (values[0][0] != '_') /* ours */
        store_found_meta(store, values[0], strtoll(values[1], NULL, 10));
    return 0;
}

static int found_highest(void *engine, int columns, char **values, char **names)
{
    struct sqlite_engine *e = engine;
    uint64_t id = values[0] != NULL ? strtoull(values[0], NULL, 10) : 0;

    UNUSED(columns);
    UNUSED(names);
    if (id > e->highest)
        e->highest = id;
    store_found_id(e->store, id);
    return 0;
}

static int read_start(struct sqlite_engine *e)
{
    int rc = sqlite3_exec(e->write, "SELECT n, name FROM names WHERE n BETWEEN 1 AND 65535 ORDER BY n", found_name,
                          e->store, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(e->write, "SELECT key, value FROM meta", found_meta, e->store, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(e->write,
                          "SELECT max(id) FROM messages UNION ALL SELECT max(upid) FROM sends"
                          " UNION ALL SELECT value FROM meta WHERE key = '_last_id'",
                          found_highest, e, NULL);
    for (size_t i = 0; i < WRITE_STATEMENT_COUNT && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(e->write, write_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &e->st[i], NULL);
    if (rc == SQLITE_OK)
        rc = phones_load(e);
    return rc == SQLITE_OK ? sqlite_texts_load(e) : rc;
}

static void sqlite_close(void *engine)
{
    struct sqlite_engine *e = engine;

    if (e == NULL)
        return;
    for (size_t i = 0; i < WRITE_STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(e->st[i]);
    (void)sqlite3_close(e->read);
    (void)sqlite3_close(e->keep);
    (void)sqlite3_close(e->write); /* the last one: checkpoints, removes the WAL */
    if (e->lock_fd >= 0)
        (void)close(e->lock_fd);
    phones_finish(&e->phones);
    free(e->path);
    free(e);
}

static int sqlite_open(struct store *store, const struct store_opts *opts, void **out, char why[STORE_WHY_SIZE])
{
    struct sqlite_engine *e = calloc(1, sizeof *e);
    size_t cache = opts->cache_bytes != 0 ? opts->cache_bytes : DEFAULT_CACHE;
    bool unclean, small;
    int err = ERR_NOMEM, rc;

    (void)snprintf(why, STORE_WHY_SIZE, "out of memory");
    if (e == NULL)
        return ERR_NOMEM;
    /* SQLite counts its memory under a lock otherwise, a dozen times for each message; refused once it has begun */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    e->store = store;
    e->lock_fd = -1;
    e->path = strdup(opts->url + strlen("sqlite:"));
    if (e->path == NULL)
        goto out;
    err = prepare_file(e, why);
    if (err == 0)
        err = lock_file(e, why);
    if (err != 0)
        goto out;
    unclean = left_unclean(e, &small);
    err = connection_open(e, SQLITE_OPEN_READWRITE, cache, &e->write, why);
    if (err == 0)
        err = want(e, "PRAGMA journal_mode = WAL", "cannot use write-ahead logging in", why);
    if (err == 0 && unclean && small)
        err = want(e, "PRAGMA quick_check(1)", "damaged database", why);
    if (err == 0)
        err = sqlite_schema_open(e->write, e->path, why);
    if (err != 0)
        goto out;
    rc = read_start(e);
    if (rc != SQLITE_OK) {
        err = sqlite_error(e->write, rc, "cannot read", e->path, why);
        goto out;
    }
    err = connection_open(e, SQLITE_OPEN_READONLY, READ_CACHE, &e->read, why);
    if (err == 0)
        err = connection_open(e, SQLITE_OPEN_READWRITE, READ_CACHE, &e->keep, why);
    if (err != 0)
        goto out;
    (void)sqlite3_wal_hook(e->write, sqlite_on_wal, e);
    *out = e;
    return 0;
out:
    sqlite_close(e);
    return err;
}

const struct engine_ops sqlite_engine = {
    .threaded = true,
    .open = sqlite_open,
    .close = sqlite_close,
    .commit = sqlite_commit,
    .chore = sqlite_chore,
    .expire = sqlite_expire,
    .expire_texts = sqlite_expire_texts,
    .answer = sqlite_answer,
    .keep = sqlite_keep,
    .backup = sqlite_backup,
    .resume = sqlite_resume,
};
