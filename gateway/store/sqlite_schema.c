/* SPDX-License-Identifier: MIT */
/*
 * sqlite_schema.c - the tables, and how an older file becomes today's.
 *
 * Each step of the list below is one version and runs in one transaction; steps are only ever appended. A file of a
 * newer program is refused, never guessed at. Columns are named for the people who ask the file questions with sqlite3.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/store/sqlite.h"

enum { APPLICATION_ID = 0x534d5042 }; /* "SMPB" */

static const char *const steps[] = {
    /* 1 */
    "CREATE TABLE messages ("
    " id INTEGER PRIMARY KEY,"
    /* facts, written once; public_id is NULL when it is the id */
    " public_id INTEGER, kind INTEGER, channel INTEGER, accepted_ms INTEGER, expires_ms INTEGER, esme INTEGER,"
    " source TEXT, dest TEXT, source_ton INTEGER, source_npi INTEGER, dest_ton INTEGER, dest_npi INTEGER,"
    " service_type TEXT, esm_class INTEGER, protocol_id INTEGER, priority_flag INTEGER, registered_delivery INTEGER,"
    " data_coding INTEGER, interface_version INTEGER, binary INTEGER, part_number INTEGER, part_total INTEGER,"
    " part_reference INTEGER, text TEXT, tlvs BLOB, extra TEXT);"
    /* what came of a closed message. A table of its own, appended to: rows of `messages` that grew when they were closed
     * would split their pages, and each would be written twice */
    "CREATE TABLE results ("
    " id INTEGER PRIMARY KEY, upstream INTEGER, final INTEGER, status INTEGER, err INTEGER, tries INTEGER,"
    " deliver_tries INTEGER, receipt INTEGER, receipt_ms INTEGER, done_ms INTEGER, cost_e6 INTEGER, upid INTEGER,"
    " leader INTEGER);"
    "CREATE INDEX messages_set ON messages (public_id) WHERE public_id IS NOT NULL;"
    "CREATE TABLE open ("
    " id INTEGER PRIMARY KEY, state INTEGER, final INTEGER, receipt INTEGER, urgent INTEGER, esme INTEGER,"
    " upstream INTEGER, tries INTEGER, deliver_tries INTEGER, upid INTEGER, leader INTEGER, due_ms INTEGER,"
    " status INTEGER, err INTEGER, done_ms INTEGER, cost_e6 INTEGER);"
    "CREATE TABLE sends ("
    " upid INTEGER PRIMARY KEY, upstream INTEGER, state INTEGER, tries INTEGER, at_ms INTEGER, replied_ms INTEGER,"
    " error INTEGER, cost_e6 INTEGER, members BLOB);"
    "CREATE TABLE runs (run INTEGER PRIMARY KEY, low INTEGER, high INTEGER);" /* ids the run of `phones` holds */
    "CREATE TABLE phones (run INTEGER, phone INTEGER, id INTEGER, PRIMARY KEY (run, phone, id)) WITHOUT ROWID;"
    "CREATE TABLE notes (message_id INTEGER, at_ms INTEGER, text TEXT);"
    "CREATE INDEX notes_of ON notes (message_id);"
    "CREATE TABLE once (key TEXT PRIMARY KEY, at_ms INTEGER) WITHOUT ROWID;"
    "CREATE TABLE names (n INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
    "CREATE VIEW overview AS SELECT m.id, coalesce(m.public_id, m.id) AS message_id,"
    " CASE m.kind WHEN 1 THEN 'MT' WHEN 2 THEN 'MO' WHEN 4 THEN 'piece' ELSE 'note' END AS kind,"
    " datetime(m.accepted_ms / 1000, 'unixepoch') AS accepted, e.name AS esme, u.name AS upstream, m.source, m.dest,"
    " CASE coalesce(o.state, 7) WHEN 1 THEN 'part' WHEN 2 THEN 'following' WHEN 3 THEN 'scheduled' WHEN 4 THEN 'queued'"
    " WHEN 5 THEN 'sending' WHEN 6 THEN 'delivering' WHEN 8 THEN 'divided' ELSE 'closed' END AS state,"
    " CASE coalesce(o.final, r.final) WHEN 0 THEN '' WHEN 1 THEN 'ENROUTE' WHEN 2 THEN 'DELIVRD' WHEN 3 THEN 'EXPIRED'"
    " WHEN 4 THEN 'DELETED' WHEN 5 THEN 'UNDELIV' WHEN 6 THEN 'ACCEPTD' WHEN 7 THEN 'UNKNOWN' WHEN 8 THEN 'REJECTD'"
    " END AS final, coalesce(o.err, r.err) AS err, coalesce(o.tries, r.tries) AS tries,"
    " datetime(nullif(coalesce(o.done_ms, r.done_ms), 0) / 1000, 'unixepoch') AS done"
    " FROM messages m LEFT JOIN open o ON o.id = m.id LEFT JOIN results r ON r.id = m.id LEFT JOIN names e ON e.n = "
    "m.esme"
    " LEFT JOIN names u ON u.n = coalesce(o.upstream, r.upstream);",
};

static int number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            *out = sqlite3_column_int64(st, 0);
            rc = SQLITE_OK;
        }
    }
    (void)sqlite3_finalize(st);
    return rc;
}

static int migrate(sqlite3 *db, int64_t from)
{
    char end[96];
    int rc;

    for (size_t i = (size_t)from; i < ARRAY_LEN(steps); i++) {
        (void)snprintf(end, sizeof end, "PRAGMA application_id = %d; PRAGMA user_version = %zu; COMMIT;",
                       APPLICATION_ID, i + 1);
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(db, steps[i], NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(db, end, NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
            sqlite_rollback(db);
            return rc;
        }
    }
    return SQLITE_OK;
}

int sqlite_schema_open(sqlite3 *db, const char *path, char why[STORE_WHY_SIZE])
{
    int64_t version = 0, application = 0, tables = 0;
    int rc = number(db, "PRAGMA user_version", &version);

    if (rc == SQLITE_OK)
        rc = number(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = number(db, "SELECT count(*) FROM sqlite_master", &tables);
    if (rc != SQLITE_OK)
        return sqlite_error(db, rc, "cannot read", path, why);
    if (tables > 0 && application != APPLICATION_ID) {
        (void)snprintf(why, STORE_WHY_SIZE, "%.120s is a database of another program: name another file", path);
        return ERR_CONFIG;
    }
    if (version > (int64_t)ARRAY_LEN(steps)) {
        (void)snprintf(
            why, STORE_WHY_SIZE,
            "%.120s has schema %lld, this program knows up to %zu: start the newer program or restore a backup", path,
            (long long)version, ARRAY_LEN(steps));
        return ERR_CONFIG;
    }
    rc = migrate(db, version);
    return rc == SQLITE_OK ? 0 : sqlite_error(db, rc, "cannot create or migrate the tables of", path, why);
}
