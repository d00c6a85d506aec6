/* SPDX-License-Identifier: MIT */
/*
 * sqlite_read.c - look-ups on the reader's connection, and the open rows at start.
 *
 * Each look-up is one read transaction: it sees one committed state. Rows are decoded as views into SQLite's memory and
 * copied only when they match.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "gateway/store/sqlite.h"

#define PROGRESS_COLUMNS                                                                                               \
    "o.id, o.state, o.final, o.receipt, o.urgent, o.esme, o.upstream, o.tries, o.deliver_tries, o.upid, o.leader,"     \
    " o.due_ms, o.status, o.err, o.done_ms, o.cost_e6"
#define MESSAGE_COLUMNS                                                                                                \
    "m.id, m.public_id, m.kind, m.channel, m.accepted_ms, m.expires_ms, m.esme, m.source, m.dest, m.source_ton,"       \
    " m.source_npi, m.dest_ton, m.dest_npi, m.service_type, m.esm_class, m.protocol_id, m.priority_flag,"              \
    " m.registered_delivery, m.data_coding, m.interface_version, m.binary, m.part_number, m.part_total,"               \
    " m.part_reference, m.text, m.tlvs, m.extra, r.upstream, r.final, r.status, r.err, r.tries, r.deliver_tries,"      \
    " r.receipt, r.receipt_ms, r.done_ms, r.cost_e6, r.upid, r.leader, "
#define SELECT_ALL    "SELECT " MESSAGE_COLUMNS PROGRESS_COLUMNS
#define JOIN_RESULTS  " LEFT JOIN results r ON r.id = m.id "
#define FROM_MESSAGES SELECT_ALL " FROM messages m LEFT JOIN open o ON o.id = m.id" JOIN_RESULTS
enum { FIRST_PROGRESS = 39 };

static const char sql_by_id[] = FROM_MESSAGES "WHERE m.id = ?1";
static const char sql_below[] = FROM_MESSAGES "WHERE m.id < ?1 AND m.id > ?2 ORDER BY m.id DESC";
static const char sql_set[] =
    FROM_MESSAGES "WHERE (m.id = ?3 OR m.public_id = ?3) AND m.id < ?1 AND m.id > ?2 ORDER BY m.id DESC";
static const char sql_open[] = SELECT_ALL " FROM open o CROSS JOIN messages m ON m.id = o.id" JOIN_RESULTS
                                          "WHERE o.id < ?1 AND o.id > ?2 AND o.state = ?3 ORDER BY o.id DESC";
static const char sql_runs[] =
    "SELECT coalesce((SELECT min(run) FROM phones), 1), coalesce((SELECT max(run) FROM phones), 0)";
static const char sql_in_run[] = "SELECT id FROM phones WHERE run = ?1 AND phone = ?2 AND id < ?3 AND id > ?4";
static const char sql_indexed[] = "SELECT coalesce((SELECT value FROM meta WHERE key = '" PHONES_META "'), 0)";

/* --- decoding --- */

static uint64_t u64(sqlite3_stmt *st, int column)
{
    return (uint64_t)sqlite3_column_int64(st, column);
}

static uint8_t u8(sqlite3_stmt *st, int column)
{
    return (uint8_t)sqlite3_column_int(st, column);
}

static uint16_t u16(sqlite3_stmt *st, int column)
{
    return (uint16_t)sqlite3_column_int(st, column);
}

static struct message_text text(sqlite3_stmt *st, int column)
{
    const void *at = sqlite3_column_blob(st, column);

    return (struct message_text){ (char *)(uintptr_t)at, (size_t)sqlite3_column_bytes(st, column) };
}

static void decode_progress(sqlite3_stmt *st, int c, struct progress *p)
{
    p->id = u64(st, c);
    p->state = u8(st, c + 1);
    p->final = u8(st, c + 2);
    p->receipt = u8(st, c + 3);
    p->urgent = sqlite3_column_int(st, c + 4) != 0;
    p->esme = u16(st, c + 5);
    p->upstream = u16(st, c + 6);
    p->tries = u16(st, c + 7);
    p->deliver_tries = u16(st, c + 8);
    p->upid = u64(st, c + 9);
    p->leader = u64(st, c + 10);
    p->due_ms = sqlite3_column_int64(st, c + 11);
    p->status = sqlite3_column_int(st, c + 12);
    p->err = sqlite3_column_int(st, c + 13);
    p->done_ms = sqlite3_column_int64(st, c + 14);
    p->cost_e6 = sqlite3_column_int64(st, c + 15);
}

static void decode_result(sqlite3_stmt *st, struct message *m)
{
    struct progress *p = &m->p;

    *p = (struct progress){ .id = m->id, .state = MESSAGE_CLOSED, .esme = u16(st, 6) };
    p->upstream = u16(st, 27);
    p->final = u8(st, 28);
    p->status = sqlite3_column_int(st, 29);
    p->err = sqlite3_column_int(st, 30);
    p->tries = u16(st, 31);
    p->deliver_tries = u16(st, 32);
    p->receipt = u8(st, 33);
    p->done_ms = sqlite3_column_int64(st, 35);
    p->cost_e6 = sqlite3_column_int64(st, 36);
    p->upid = u64(st, 37);
    p->leader = u64(st, 38);
}

static void decode_message(sqlite3_stmt *st, struct message *m)
{
    *m = (struct message){ .id = u64(st, 0) };
    m->public_id = sqlite3_column_type(st, 1) == SQLITE_NULL ? m->id : u64(st, 1);
    m->kind = u8(st, 2);
    m->channel = u8(st, 3);
    m->accepted_ms = sqlite3_column_int64(st, 4);
    m->expires_ms = sqlite3_column_int64(st, 5);
    m->source = text(st, 7);
    m->dest = text(st, 8);
    m->source_ton = u8(st, 9);
    m->source_npi = u8(st, 10);
    m->dest_ton = u8(st, 11);
    m->dest_npi = u8(st, 12);
    m->service_type = text(st, 13);
    m->esm_class = u8(st, 14);
    m->protocol_id = u8(st, 15);
    m->priority_flag = u8(st, 16);
    m->registered_delivery = u8(st, 17);
    m->data_coding = u8(st, 18);
    m->interface_version = u8(st, 19);
    m->binary = sqlite3_column_int(st, 20) != 0;
    m->part_number = u8(st, 21);
    m->part_total = u8(st, 22);
    m->part_reference = (uint32_t)sqlite3_column_int64(st, 23);
    m->text = text(st, 24);
    m->tlvs = text(st, 25);
    m->extra = text(st, 26);
    if (sqlite3_column_type(st, FIRST_PROGRESS) == SQLITE_NULL)
        decode_result(st, m);
    else
        decode_progress(st, FIRST_PROGRESS, &m->p);
}

struct store_member *sqlite_members(const void *blob, size_t len, size_t *out_count)
{
    size_t count = len / 16;
    struct reader r = reader_over(blob, len);
    struct store_member *members = calloc(count + 1, sizeof *members);

    if (members == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        members[i].id = (uint64_t)read_u32(&r) << 32;
        members[i].id |= read_u32(&r);
        members[i].phone = (uint64_t)read_u32(&r) << 32;
        members[i].phone |= read_u32(&r);
    }
    *out_count = count;
    return members;
}

/* Allocates send->members; the caller frees. */
static int decode_send(sqlite3_stmt *st, struct store_send *send, struct store_member **out_members)
{
    *send = (struct store_send){ .upid = u64(st, 0) };
    send->upstream = u16(st, 1);
    send->state = u8(st, 2);
    send->tries = u16(st, 3);
    send->at_ms = sqlite3_column_int64(st, 4);
    send->replied_ms = sqlite3_column_int64(st, 5);
    send->error = sqlite3_column_int(st, 6);
    send->cost_e6 = sqlite3_column_int64(st, 7);
    *out_members = sqlite_members(sqlite3_column_blob(st, 8), (size_t)sqlite3_column_bytes(st, 8), &send->member_count);
    send->members = *out_members;
    return *out_members != NULL ? 0 : ERR_NOMEM;
}

/* --- look-ups --- */

static int ended(int rc)
{
    rc &= 0xff;
    return rc == SQLITE_DONE || rc == SQLITE_ROW || rc == SQLITE_OK ? 0 : rc == SQLITE_NOMEM ? ERR_NOMEM : ERR_IO;
}

static int load(sqlite3 *db, struct lookup *l)
{
    sqlite3_stmt *st = NULL;
    struct message m;
    int err = ended(sqlite3_prepare_v2(db, sql_by_id, -1, &st, NULL));

    for (size_t i = 0; i < l->id_count && err == 0; i++) {
        int rc;

        (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)l->ids[i]);
        rc = sqlite3_step(st);
        err = ended(rc);
        if (rc == SQLITE_ROW) {
            decode_message(st, &m);
            err = lookup_add_message(l, &m);
        }
        (void)sqlite3_reset(st);
    }
    (void)sqlite3_finalize(st);
    return err;
}

/* What one query has looked at so far. */
struct scan {
    struct lookup *l;
    unsigned seen;
    uint64_t last; /* id looked at last */
    bool stopped;  /* the limit was reached: there may be more */
};

static int scan_one(struct scan *s, const struct message *m)
{
    int err = 0;

    s->last = m->id;
    if (query_matches(&s->l->query, m))
        err = lookup_add_message(s->l, m);
    s->stopped = s->l->message_count == s->l->query.limit || ++s->seen >= STORE_SCAN_MAX;
    return err;
}

/* Rows of `sql` with id below `below` and above `above`, newest first. */
static int scan(sqlite3 *db, const char *sql, uint64_t below, uint64_t above, uint64_t third, struct scan *s)
{
    sqlite3_stmt *st = NULL;
    struct message m;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    int err = ended(rc);

    if (err != 0 || s->stopped) {
        (void)sqlite3_finalize(st);
        return err;
    }
    (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)below);
    (void)sqlite3_bind_int64(st, 2, (sqlite3_int64)above);
    if (sqlite3_bind_parameter_count(st) > 2)
        (void)sqlite3_bind_int64(st, 3, (sqlite3_int64)third);
    while (err == 0 && !s->stopped && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        decode_message(st, &m);
        err = scan_one(s, &m);
    }
    if (err == 0)
        err = ended(rc);
    (void)sqlite3_finalize(st);
    return err;
}

struct id_list {
    uint64_t *at;
    size_t count, room;
};

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x < y) - (x > y);
}

/* The ids one run knows for the phone. */
static int ids_in_run(sqlite3_stmt *st, int64_t run, struct id_list *list)
{
    int rc;

    (void)sqlite3_bind_int64(st, 1, run);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (!array_room(&list->at, &list->room, list->count, sizeof *list->at)) {
            rc = SQLITE_NOMEM;
            break;
        }
        list->at[list->count++] = u64(st, 0);
    }
    (void)sqlite3_reset(st);
    return ended(rc);
}

/* Runs overlap a little (late rows), so the ids of all of them are sorted before any row is read; 8 bytes each. */
static int scan_runs(sqlite3 *db, uint64_t below, uint64_t above, struct scan *s)
{
    struct id_list list = { 0 };
    sqlite3_stmt *runs = NULL, *in_run = NULL, *row = NULL;
    struct message m;
    int rc = sqlite3_prepare_v2(db, sql_runs, -1, &runs, NULL);
    int err;

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, sql_in_run, -1, &in_run, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, sql_by_id, -1, &row, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(runs);
    err = ended(rc);
    if (rc == SQLITE_ROW) {
        (void)sqlite3_bind_int64(in_run, 2, (sqlite3_int64)s->l->query.phone);
        (void)sqlite3_bind_int64(in_run, 3, (sqlite3_int64)below);
        (void)sqlite3_bind_int64(in_run, 4, (sqlite3_int64)above);
        for (int64_t run = sqlite3_column_int64(runs, 0); err == 0 && run <= sqlite3_column_int64(runs, 1); run++)
            err = ids_in_run(in_run, run, &list);
    }
    if (list.count > 0)
        qsort(list.at, list.count, sizeof *list.at, newest_first);
    for (size_t i = 0; i < list.count && err == 0 && !s->stopped; i++) {
        if (i > 0 && list.at[i] == list.at[i - 1])
            continue;
        (void)sqlite3_bind_int64(row, 1, (sqlite3_int64)list.at[i]);
        rc = sqlite3_step(row);
        err = ended(rc);
        if (rc == SQLITE_ROW) {
            decode_message(row, &m);
            err = scan_one(s, &m);
        }
        (void)sqlite3_reset(row);
    }
    free(list.at);
    (void)sqlite3_finalize(runs);
    (void)sqlite3_finalize(in_run);
    (void)sqlite3_finalize(row);
    return err;
}

static int indexed_upto(sqlite3 *db, uint64_t *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql_indexed, -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = u64(st, 0);
    (void)sqlite3_finalize(st);
    return rc == SQLITE_ROW ? 0 : ERR_IO;
}

/* Ids carry the wall clock of their making in the high part, so a time bound bounds them too. A day is left for clocks
 * that were set while the gateway ran. */
static uint64_t id_bound(int64_t ms, int64_t slack_ms)
{
    int64_t at = ms + slack_ms;

    return at <= 0 ? 0 : at >= INT64_MAX / 1000000 ? INT64_MAX : (uint64_t)at * 1000000;
}

static int find(sqlite3 *db, struct lookup *l)
{
    const int64_t day_ms = 86400000;
    const struct store_query *q = &l->query;
    struct scan s = { .l = l };
    uint64_t below = q->after, above = 0, indexed = 0;
    int err;

    if (q->since_ms != 0)
        above = id_bound(q->since_ms, -day_ms);
    if (q->until_ms != 0 && id_bound(q->until_ms, day_ms) < below)
        below = id_bound(q->until_ms, day_ms);
    if (q->public_id != 0) {
        err = scan(db, sql_set, below, above, q->public_id, &s);
    } else if (q->phone != 0) {
        err = indexed_upto(db, &indexed);
        if (err == 0)
            err = scan(db, sql_below, below, indexed > above ? indexed : above, 0, &s);
        if (err == 0 && !s.stopped)
            err = scan_runs(db, below <= indexed ? below : indexed + 1, above, &s);
    } else if (q->state != MESSAGE_NONE && q->state != MESSAGE_CLOSED) {
        err = scan(db, sql_open, below, above, q->state, &s);
    } else {
        err = scan(db, sql_below, below, above, 0, &s);
    }
    l->next_cursor = s.stopped ? s.last : 0;
    return err;
}

static int find_send(sqlite3 *db, struct lookup *l)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT * FROM sends WHERE upid = ?1", -1, &st, NULL);
    int err = ended(rc);

    if (err == 0) {
        (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)l->id);
        rc = sqlite3_step(st);
        err = ended(rc);
        if (rc == SQLITE_ROW) {
            err = decode_send(st, &l->send, &l->members);
            l->send_found = err == 0;
        }
    }
    (void)sqlite3_finalize(st);
    return err;
}

static int timeline(sqlite3 *db, struct lookup *l)
{
    sqlite3_stmt *st = NULL;
    int rc =
        sqlite3_prepare_v2(db, "SELECT at_ms, text FROM notes WHERE message_id = ?1 ORDER BY rowid", -1, &st, NULL);
    int err = ended(rc);

    if (err == 0) {
        (void)sqlite3_bind_int64(st, 1, (sqlite3_int64)l->id);
        while (err == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
            struct message_text line = text(st, 1);

            err = lookup_add_line(l, sqlite3_column_int64(st, 0), line.at, line.len);
        }
        if (err == 0)
            err = ended(rc);
    }
    (void)sqlite3_finalize(st);
    return err;
}

void sqlite_answer(void *engine, struct lookup *l)
{
    sqlite3 *db = ((struct sqlite_engine *)engine)->read;

    l->err = ended(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
    if (l->err != 0)
        return;
    switch (l->kind) {
    case LOOKUP_LOAD:
        l->err = load(db, l);
        break;
    case LOOKUP_FIND:
        l->err = find(db, l);
        break;
    case LOOKUP_SEND:
        l->err = find_send(db, l);
        break;
    case LOOKUP_TIMELINE:
        l->err = timeline(db, l);
        break;
    case LOOKUP_BACKUP:
        l->err = ERR_STATE; /* the keeper's */
        break;
    }
    (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

/* --- at start --- */

static int resume_sends(sqlite3 *db, const struct store_resume_ops *ops, void *owner)
{
    sqlite3_stmt *st = NULL, *is_open = NULL;
    int rc = sqlite3_prepare_v2(
        db, "SELECT * FROM sends WHERE upid IN (SELECT upid FROM open WHERE upid <> 0) ORDER BY upid", -1, &st, NULL);
    int err = 0;

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "SELECT 1 FROM open WHERE id = ?1", -1, &is_open, NULL);
    while (rc == SQLITE_OK && err == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_member *members = NULL;
        struct store_send send;
        size_t kept = 0;

        err = decode_send(st, &send, &members);
        for (size_t i = 0; err == 0 && i < send.member_count; i++) {
            (void)sqlite3_bind_int64(is_open, 1, (sqlite3_int64)members[i].id);
            if (sqlite3_step(is_open) == SQLITE_ROW)
                members[kept++] = members[i];
            (void)sqlite3_reset(is_open);
        }
        send.whole_count = send.member_count;
        send.member_count = kept;
        if (err == 0)
            ops->on_send(owner, &send);
        free(members);
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(st);
    (void)sqlite3_finalize(is_open);
    return err != 0 ? err : ended(rc);
}

int sqlite_resume(void *engine, const struct store_resume_ops *ops, void *owner)
{
    struct sqlite_engine *e = engine;
    sqlite3 *db = NULL; /* its own: the others belong to their threads already */
    sqlite3_stmt *st = NULL;
    struct progress p;
    int rc = sqlite3_open_v2(e->path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    int err;

    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, 5000);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "SELECT " PROGRESS_COLUMNS " FROM open o ORDER BY o.id", -1, &st, NULL);
    if (rc == SQLITE_OK) {
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
            decode_progress(st, 0, &p);
            ops->on_open(owner, &p);
        }
    }
    err = ended(rc);
    (void)sqlite3_finalize(st);
    if (err == 0)
        err = resume_sends(db, ops, owner);
    (void)sqlite3_close(db);
    return err;
}
