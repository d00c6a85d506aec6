/* SPDX-License-Identifier: MIT */
/*
 * sqlite_phones.c - the phone index, filled in sorted runs behind the writer.
 *
 * Phones come in random order; an index in that order would touch a random page per message, and cost more than the
 * message itself the larger it grew. So (phone, id) pairs gather in memory until RUN_ROWS have come, are sorted, and are
 * appended to the table `phones` under the number of their run: nothing old is touched, a search looks into each run
 * once, and retention drops whole runs. Each transaction writes a stretch of the run in proportion to its own size, so
 * that no commit stalls for the whole of it. The mark `indexed` moves when a run is complete, in the same transaction.
 * Invariant: a stored message is in a run, or its id is above `indexed`, where a search looks at the rows themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/store/sqlite.h"

enum { RUN_ROWS = 10000, FILL_LEAST = 64, FILL_FACTOR = 2 };

static int compare(const void *a, const void *b)
{
    const struct phone_row *x = a, *y = b;

    if (x->phone != y->phone)
        return x->phone < y->phone ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int insert(struct sqlite_engine *e, const struct phone_row *row)
{
    sqlite3_stmt *st = e->st[DO_PHONE];

    (void)sqlite3_bind_int64(st, 1, e->phones.run);
    (void)sqlite3_bind_int64(st, 2, (sqlite3_int64)row->phone);
    (void)sqlite3_bind_int64(st, 3, (sqlite3_int64)row->id);
    return sqlite_run(st);
}

/* A row that comes after its turn goes into the newest run, whatever its id. */
static int insert_late(struct sqlite_engine *e, const struct phone_row *row)
{
    int rc = insert(e, row);

    if (row->id < e->phones.run_low) /* of a run not complete yet; too low after a rollback only keeps it longer */
        e->phones.run_low = row->id;
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(e->st[DO_RUN_LOW], 1, e->phones.run);
    (void)sqlite3_bind_int64(e->st[DO_RUN_LOW], 2, (sqlite3_int64)row->id);
    return sqlite_run(e->st[DO_RUN_LOW]);
}

static int gather(struct phones *p, struct phone_row row)
{
    if (p->pending_count == p->pending_room) {
        size_t room = p->pending_room == 0 ? RUN_ROWS : p->pending_room * 2;
        struct phone_row *bigger = realloc(p->pending, room * sizeof *bigger);

        if (bigger == NULL)
            return SQLITE_NOMEM;
        p->pending = bigger;
        p->pending_room = room;
    }
    p->pending[p->pending_count++] = row;
    return SQLITE_OK;
}

void phones_begin(struct phones *p)
{
    if (p->run_count == 0 && p->pending_count >= RUN_ROWS) {
        struct phone_row *rows = p->rows;
        size_t room = p->run_room;

        p->rows = p->pending;
        p->run_room = p->pending_room;
        p->run_count = p->pending_count;
        p->run_at = 0;
        p->pending = rows;
        p->pending_room = room;
        p->pending_count = 0;
        p->run++;
        p->run_low = UINT64_MAX;
        for (size_t i = 0; i < p->run_count; i++) {
            if (p->rows[i].id > p->run_high)
                p->run_high = p->rows[i].id;
            if (p->rows[i].id < p->run_low)
                p->run_low = p->rows[i].id;
        }
        qsort(p->rows, p->run_count, sizeof *p->rows, compare);
    }
    p->mark_pending = p->pending_count;
    p->mark_run_count = p->run_count;
    p->mark_run_at = p->run_at;
    p->mark_indexed = p->indexed;
}

void phones_undo(struct phones *p)
{
    p->pending_count = p->mark_pending;
    p->run_count = p->mark_run_count;
    p->run_at = p->mark_run_at;
    p->indexed = p->mark_indexed;
}

int phones_add(struct sqlite_engine *e, const struct message *m)
{
    struct phones *p = &e->phones;
    uint64_t phones[2];
    unsigned n = message_phones(m, phones);
    int rc = SQLITE_OK;

    for (unsigned i = 0; i < n && rc == SQLITE_OK; i++) {
        struct phone_row row = { phones[i], m->id };

        /* run_high >= indexed: a row that comes after its turn would lie below the mark and in no run */
        rc = m->id <= p->run_high ? insert_late(e, &row) : gather(p, row);
    }
    return rc;
}

int phones_fill(struct sqlite_engine *e)
{
    struct phones *p = &e->phones;
    size_t most = FILL_LEAST + FILL_FACTOR * (p->pending_count - p->mark_pending);
    int rc;

    if (p->run_count == 0)
        return SQLITE_OK;
    for (; most > 0 && p->run_at < p->run_count; p->run_at++, most--) {
        rc = insert(e, &p->rows[p->run_at]);
        if (rc != SQLITE_OK)
            return rc;
    }
    if (p->run_at < p->run_count)
        return SQLITE_OK;
    p->run_count = 0;
    p->indexed = p->run_high;
    (void)sqlite3_bind_int64(e->st[DO_RUN], 1, p->run);
    (void)sqlite3_bind_int64(e->st[DO_RUN], 2, (sqlite3_int64)p->run_low);
    (void)sqlite3_bind_int64(e->st[DO_RUN], 3, (sqlite3_int64)p->run_high);
    rc = sqlite_run(e->st[DO_RUN]);
    if (rc == SQLITE_OK)
        rc = sqlite_meta(e, "_phones_run", p->run);
    return rc == SQLITE_OK ? sqlite_meta(e, PHONES_META, (int64_t)p->indexed) : rc;
}

int phones_load(struct sqlite_engine *e)
{
    struct phones *p = &e->phones;
    sqlite3_stmt *st = NULL;
    /* a run that was begun and not completed is begun again under the same number */
    int rc = sqlite3_prepare_v2(e->write,
                                "SELECT coalesce((SELECT value FROM meta WHERE key = '" PHONES_META "'), 0),"
                                " coalesce((SELECT value FROM meta WHERE key = '_phones_run'), 0)",
                                -1, &st, NULL);

    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        p->indexed = p->run_high = (uint64_t)sqlite3_column_int64(st, 0);
        p->run = sqlite3_column_int64(st, 1);
    }
    (void)sqlite3_finalize(st);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_prepare_v2(e->write, "SELECT id, kind, source, dest FROM messages WHERE id > ?1", -1, &st, NULL);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)p->indexed);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct message m = { .id = (uint64_t)sqlite3_column_int64(st, 0), .kind = (uint8_t)sqlite3_column_int(st, 1) };

        m.source.at = (char *)(uintptr_t)sqlite3_column_blob(st, 2);
        m.source.len = (size_t)sqlite3_column_bytes(st, 2);
        m.dest.at = (char *)(uintptr_t)sqlite3_column_blob(st, 3);
        m.dest.len = (size_t)sqlite3_column_bytes(st, 3);
        rc = phones_add(e, &m);
        if (rc != SQLITE_OK)
            break;
    }
    (void)sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void phones_finish(struct phones *p)
{
    free(p->pending);
    free(p->rows);
}
