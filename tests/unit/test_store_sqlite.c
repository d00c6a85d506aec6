/* SPDX-License-Identifier: MIT */
/* test_store_sqlite.c - what only the file engine can do wrong: crashes, full disks, foreign files, lagging index. */
#include "store_help.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { CRASH_ROUNDS = 4, CRASH_ACKS = 3000 };

static int begin(void **state)
{
    *state = desk_create(true);
    return 0;
}

static int end(void **state)
{
    desk_destroy(*state);
    return 0;
}

static const char *file_of(const struct desk *d)
{
    return d->url + strlen("sqlite:");
}

static int open_fails(struct desk *d, const char *url, char why[256])
{
    struct store_opts opts = { .url = url };
    struct store *store = NULL;
    int err = store_open(&d->loop, &opts, &store, why);

    assert_null(store);
    return err;
}

static void run_sql(const char *file, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(SQLITE_OK, sqlite3_open(file, &db));
    assert_int_equal(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, NULL));
    (void)sqlite3_close(db);
}

static int64_t ask_sql(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    int64_t value;

    assert_int_equal(SQLITE_OK, sqlite3_open(file, &db));
    assert_int_equal(SQLITE_OK, sqlite3_prepare_v2(db, sql, -1, &st, NULL));
    assert_int_equal(SQLITE_ROW, sqlite3_step(st));
    value = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    (void)sqlite3_close(db);
    return value;
}

static void bad_places_are_refused_with_advice(void **state)
{
    struct desk *d = *state;
    char why[256], url[200];

    assert_int_equal(ERR_CONFIG, open_fails(d, "postgres:x", why));
    assert_non_null(strstr(why, "sqlite:"));
    assert_int_equal(ERR_IO, open_fails(d, "sqlite:/nonexistent/dir/file.db", why));
    assert_non_null(strstr(why, "create it"));
    assert_int_equal(ERR_IO, open_fails(d, d->url, why)); /* open in this very process */
    assert_non_null(strstr(why, "in use"));
    (void)snprintf(url, sizeof url, "sqlite:%s", d->dir); /* a directory */
    assert_int_equal(ERR_IO, open_fails(d, url, why));
}

static void newer_alien_and_damaged_files_are_refused(void **state)
{
    struct desk *d = *state;
    char why[256], other[200], url[220];
    FILE *f;

    desk_close(d);
    run_sql(file_of(d), "PRAGMA user_version = 999");
    assert_int_equal(ERR_CONFIG, open_fails(d, d->url, why));
    assert_non_null(strstr(why, "newer program"));
    run_sql(file_of(d), "PRAGMA user_version = 1");

    (void)snprintf(other, sizeof other, "%s/other.db", d->dir);
    (void)snprintf(url, sizeof url, "sqlite:%s", other);
    run_sql(other, "CREATE TABLE theirs (x)");
    assert_int_equal(ERR_CONFIG, open_fails(d, url, why));
    assert_non_null(strstr(why, "another program"));

    (void)snprintf(other, sizeof other, "%s/noise.db", d->dir);
    (void)snprintf(url, sizeof url, "sqlite:%s", other);
    f = fopen(other, "w");
    assert_non_null(f);
    for (int i = 0; i < 2000; i++)
        (void)fputs("not a database ", f);
    (void)fclose(f);
    assert_int_equal(ERR_CONFIG, open_fails(d, url, why));
    assert_non_null(strstr(why, "backup"));
}

static void files_are_ours_alone(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");
    const char *const ends[] = { "", "-wal", "-shm", "-lock" };
    char name[200];
    struct stat info;

    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    wait_done(d, 1);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        (void)snprintf(name, sizeof name, "%s%s", file_of(d), ends[i]);
        assert_int_equal(0, stat(name, &info));
        assert_int_equal(0600, info.st_mode & 0777);
    }
}

/* --- kill -9 --- */

static int ack_fd;

static void ack(void *owner, uint64_t cookie, int err)
{
    (void)owner;
    if (err == 0 && write(ack_fd, &cookie, sizeof cookie) != (ssize_t)sizeof cookie)
        _exit(3);
}

/* The child: ten messages a turn, moved and partly ended, each put acknowledged over the pipe once durable. */
static void write_until_killed(const char *url, int fd)
{
    struct store_opts opts = { .url = url, .keep_text = true };
    struct store *store;
    uv_loop_t loop;
    char why[256];

    ack_fd = fd;
    if (uv_loop_init(&loop) != 0 || store_open(&loop, &opts, &store, why) != 0)
        _exit(2);
    for (;;) {
        for (int i = 0; i < 10; i++) {
            struct message m = sample(store_next_id(store), "79031234567");

            if (store_put(store, &m, STORE_PLAIN, (struct store_done){ ack, NULL, m.id }) != 0)
                break;
            m.p.state = MESSAGE_SENDING;
            if (store_move(store, &m.p, STORE_KEEP, (struct store_done){ 0 }) != 0)
                break;
            if (i % 2 == 0 && store_end(store, &m.p, 0, STORE_KEEP, (struct store_done){ 0 }) != 0)
                break;
        }
        store_flush(store);
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
}

static void no_acknowledged_row_is_lost_by_a_kill(void **state)
{
    struct desk *d = *state;
    uint64_t *ids = calloc(CRASH_ROUNDS * CRASH_ACKS, sizeof *ids), highest = 0;
    size_t count = 0;

    assert_non_null(ids);
    desk_close(d);
    for (int round = 1; round <= CRASH_ROUNDS; round++) {
        size_t enough = (size_t)round * CRASH_ACKS * 3 / 4 - (size_t)round * 17; /* another moment every time */
        int fds[2];
        pid_t child;

        assert_int_equal(0, pipe(fds));
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(fds[0]);
            write_until_killed(d->url, fds[1]);
        }
        (void)close(fds[1]);
        while (count < enough && read(fds[0], &ids[count], sizeof *ids) == (ssize_t)sizeof *ids)
            count++;
        assert_int_equal(enough, count);
        assert_int_equal(0, kill(child, SIGKILL));
        while (count < CRASH_ROUNDS * CRASH_ACKS && read(fds[0], &ids[count], sizeof *ids) == (ssize_t)sizeof *ids)
            count++; /* said before it died */
        (void)close(fds[0]);
        assert_true(waitpid(child, NULL, 0) == child);

        desk_open(d);
        for (size_t i = 0; i < count; i += 1000) {
            size_t n = count - i < 1000 ? count - i : 1000;

            assert_int_equal(0, store_load(d->store, ids + i, n, on_messages, d, 0));
            wait_answers(d, d->answers + 1);
            assert_int_equal(n, d->count);
            for (size_t k = 0; k < n; k++) {
                assert_string_equal("79031234567", d->messages[k]->dest.at);
                /* put, move and end of a turn stand or fall together */
                assert_true(d->messages[k]->p.state == MESSAGE_SENDING || d->messages[k]->p.state == MESSAGE_CLOSED);
            }
        }
        for (size_t i = 0; i < count; i++)
            highest = ids[i] > highest ? ids[i] : highest;
        assert_true(store_next_id(d->store) > highest);
        desk_close(d);
        assert_int_equal(0, ask_sql(file_of(d), "SELECT count(*) FROM open WHERE id NOT IN (SELECT id FROM messages)"));
        assert_int_equal(
            0, ask_sql(file_of(d), "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"));
    }
    free(ids);
}

/* --- a full disk --- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &limit));
}

static void a_full_disk_undoes_plain_keeps_kept_and_recovers(void **state)
{
    struct desk *d = *state;
    struct message before = sample(store_next_id(d->store), "79031234567"), plain = before, kept = before;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(0, store_put(d->store, &before, STORE_PLAIN, tell(d, 1)));
    wait_done(d, 1);
    plain.id = plain.public_id = plain.p.id = store_next_id(d->store);
    kept.id = kept.public_id = kept.p.id = store_next_id(d->store);
    before.p.state = MESSAGE_DELIVERING;

    limit_files(4096); /* nothing fits at the end of the WAL any more */
    assert_int_equal(0, store_move(d->store, &before.p, STORE_KEEP, tell(d, 2)));
    assert_int_equal(0, store_put(d->store, &plain, STORE_PLAIN, tell(d, 3)));
    assert_int_equal(0, store_put(d->store, &kept, STORE_KEEP, tell(d, 4)));
    wait_done(d, 2);
    assert_int_equal(3, d->cookies[1]);
    assert_int_equal(ERR_IO, d->errs[1]);
    assert_false(store_healthy(d->store));
    assert_int_equal(ERR_BUSY, store_put(d->store, &plain, STORE_PLAIN, tell(d, 5)));
    before.p.tries = 7;
    assert_int_equal(0, store_move(d->store, &before.p, STORE_KEEP, tell(d, 6)));
    load_one(d, before.id); /* reading goes on */
    assert_int_equal(MESSAGE_QUEUED, d->messages[0]->p.state);
    assert_int_equal(2, d->done);

    limit_files(RLIM_INFINITY);
    wait_done(d, 5);
    assert_int_equal(2, d->cookies[2]);
    assert_int_equal(4, d->cookies[3]);
    assert_int_equal(6, d->cookies[4]);
    assert_int_equal(0, d->errs[2] | d->errs[3] | d->errs[4]);
    assert_true(store_healthy(d->store));
    assert_int_equal(0, store_put(d->store, &plain, STORE_PLAIN, tell(d, 7)));
    wait_done(d, 6);
    desk_close(d);
    desk_open(d);
    load_one(d, before.id);
    assert_int_equal(MESSAGE_DELIVERING, d->messages[0]->p.state);
    assert_int_equal(7, d->messages[0]->p.tries);
    load_one(d, kept.id);
    assert_int_equal(1, d->count);
}

/* --- the lagging phone index --- */

static void put_many(struct desk *d, size_t count, unsigned phones)
{
    for (size_t i = 0; i < count; i++) {
        char phone[24];
        struct message m;

        (void)snprintf(phone, sizeof phone, "7903%07zu", (i * 7919) % phones);
        m = sample(store_next_id(d->store), phone);
        assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, (struct store_done){ 0 }));
        if (i % 500 == 499)
            wait_quiet(d);
    }
    wait_quiet(d);
}

static void a_full_disk_with_nothing_kept_lets_the_next_try(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");

    (void)signal(SIGXFSZ, SIG_IGN);
    limit_files(4096);
    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    wait_done(d, 1);
    assert_int_equal(ERR_IO, d->errs[0]);
    assert_false(store_healthy(d->store));
    limit_files(RLIM_INFINITY);
    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 2)));
    wait_done(d, 2);
    assert_int_equal(0, d->errs[1]);
    assert_true(store_healthy(d->store));
    put_many(d, 3000, 10);
    limit_files(4096);
    for (int i = 0; i < 50; i++) {
        m.id = m.public_id = m.p.id = store_next_id(d->store);
        assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 3)));
    }
    wait_done(d, 52);
    limit_files(RLIM_INFINITY);
    put_many(d, 14000, 10); /* far enough for the index to hold that time */
    desk_close(d);
    assert_int_equal(17001, ask_sql(file_of(d), "SELECT count(*) FROM messages"));
    assert_int_equal(0, ask_sql(file_of(d), "SELECT count(*) FROM phones WHERE id NOT IN (SELECT id FROM messages)"));
}

static void a_phone_is_found_before_during_and_after_indexing(void **state)
{
    struct desk *d = *state;
    const struct store_query q = { .phone = 79030000042, .limit = 1000 };
    struct message late = sample(store_next_id(d->store), "79030000042"); /* its id is old when it comes */
    size_t total = 0;

    for (int i = 0; i < 6; i++) {
        put_many(d, 4500, 100);
        total += 45;
        find(d, q);
        assert_int_equal(total, d->count);
        for (size_t k = 1; k < d->count; k++)
            assert_true(d->messages[k]->id < d->messages[k - 1]->id);
    }
    assert_int_equal(0, store_put(d->store, &late, STORE_PLAIN, tell(d, 1)));
    wait_done(d, 1);
    find(d, q);
    assert_int_equal(total + 1, d->count);
    assert_true(d->messages[total]->id == late.id);
    desk_close(d);
    assert_true(ask_sql(file_of(d), "SELECT value FROM meta WHERE key = '_phones_upto'") > 0);
    assert_true(ask_sql(file_of(d), "SELECT count(*) FROM phones") >= 10000);
    desk_open(d);
    find(d, q);
    assert_int_equal(total + 1, d->count);
    put_many(d, 10000, 100);
    find(d, q);
    assert_int_equal(total + 101, d->count);
    desk_close(d);
    /* each message below the mark is in the index, and nothing is there twice or without its message */
    assert_int_equal(0, ask_sql(file_of(d),
                                "SELECT count(*) FROM messages m WHERE id <= (SELECT value FROM meta WHERE key ="
                                " '_phones_upto') AND NOT EXISTS (SELECT 1 FROM phones p WHERE p.phone ="
                                " CAST(m.dest AS INTEGER) AND p.id = m.id)"));
    assert_int_equal(0, ask_sql(file_of(d), "SELECT count(*) FROM phones WHERE id NOT IN (SELECT id FROM messages)"));
}

static void retention_removes_rows_and_whole_runs(void **state)
{
    struct desk *d = *state;
    uint64_t last = 0;

    for (int i = 0; i < 13000; i++) {
        struct message m = sample(store_next_id(d->store), "79031234567");

        last = m.id;
        m.accepted_ms -= 3600000;
        m.p.state = MESSAGE_CLOSED;
        assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, (struct store_done){ 0 }));
        if (i % 1000 == 999)
            wait_quiet(d);
    }
    store_expire(d->store, (int64_t)(last / 1000000) + 1000);
    do {
        find(d, (struct store_query){ .until_ms = (int64_t)(last / 1000000) - 1000, .limit = 1 });
    } while (d->count > 0);
    find(d, (struct store_query){ .phone = 79031234567 });
    assert_int_equal(0, d->count);
    put_many(d, 16000, 10); /* a second run is complete: the first may go */
    store_expire(d->store, (int64_t)(last / 1000000) + 1000);
    while (ask_sql(file_of(d), "SELECT count(*) FROM phones WHERE run = 1") > 0)
        ;
    find(d, (struct store_query){ .phone = 79031234567 });
    assert_int_equal(0, d->count);
    find(d, (struct store_query){ .phone = 79030000003, .limit = 1000 });
    assert_int_equal(1000, d->count);
    assert_true(d->next != 0);
    find(d, (struct store_query){ .phone = 79030000003, .limit = 1000, .after = d->next });
    assert_int_equal(600, d->count);
    assert_true(d->next == 0);
    desk_close(d);
    assert_int_equal(16000, ask_sql(file_of(d), "SELECT count(*) FROM messages"));
    assert_int_equal(0, ask_sql(file_of(d), "SELECT count(*) FROM results"));
    assert_int_equal(1, ask_sql(file_of(d), "SELECT count(*) FROM runs"));
    assert_true(ask_sql(file_of(d), "SELECT count(*) FROM phones") >= 5000);
}

/* A clock set a year ahead and back: ids of today's rows are ahead of time, and they are kept no longer than others. */
static void retention_reaches_rows_whose_ids_are_ahead_of_time(void **state)
{
    struct desk *d = *state;
    const int64_t hour = 3600000, then = clock_wall_ms(), year = 365 * 24 * hour;

    for (int i = 0; i < 1000; i++) { /* two of the time ahead, then hour after hour, oldest first */
        clock_fake(1, i < 2 ? then + year : then - 1000 * hour + i * hour);
        struct message m = sample(store_next_id(d->store), "79031234567");
        struct store_member member = { m.id, 79031234567 };
        struct store_send send = { .upid = store_next_id(d->store),
                                   .state = SEND_ACCEPTED,
                                   .at_ms = clock_wall_ms(),
                                   .cost_e6 = -1,
                                   .members = &member,
                                   .member_count = 1 };

        m.accepted_ms = clock_wall_ms();
        m.p.state = MESSAGE_CLOSED;
        assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, (struct store_done){ 0 }));
        assert_int_equal(0, store_send_put(d->store, &send, STORE_PLAIN, (struct store_done){ 0 }));
    }
    wait_quiet(d);
    store_expire_texts(d->store, then - 300 * hour);
    store_expire(d->store, then - 700 * hour);
    while (ask_sql(file_of(d), "SELECT count(*) FROM sends") != 702)
        ;
    assert_int_equal(702, ask_sql(file_of(d), "SELECT count(*) FROM messages"));
    assert_int_equal(302, ask_sql(file_of(d), "SELECT count(*) FROM messages WHERE text <> ''"));
    clock_fake_end();
}

static void ids_never_come_again_even_when_their_rows_are_gone(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");
    int64_t now = (int64_t)(m.id / 1000000);

    m.accepted_ms = now - 3600000;
    m.p.state = MESSAGE_CLOSED;
    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    wait_done(d, 1);
    clock_fake(1, now - 86400000); /* somebody set the clock back */
    store_expire(d->store, now + 1000);
    do {
        find(d, (struct store_query){ .limit = 1 });
    } while (d->count > 0);
    desk_close(d);
    desk_open(d);
    assert_true(store_next_id(d->store) > m.id);
    clock_fake_end();
}

/* --- backup and support --- */

static void a_backup_is_a_whole_database(void **state)
{
    struct desk *d = *state;
    char path[200];
    struct message m = sample(store_next_id(d->store), "79031234567");

    put_many(d, 2000, 10);
    (void)snprintf(path, sizeof path, "%s/copy.db", d->dir);
    assert_int_equal(0, store_backup(d->store, path, on_backup, d, 0));
    assert_int_equal(ERR_BUSY, store_backup(d->store, path, on_backup, d, 0));
    put_many(d, 500, 10); /* writing goes on */
    wait_answers(d, 1);
    assert_int_equal(0, d->err);
    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    wait_done(d, 1);
    desk_close(d);
    assert_true(ask_sql(path, "SELECT count(*) FROM messages") >= 2000);
    assert_true(ask_sql(path, "SELECT count(*) FROM overview WHERE state = 'queued' AND kind = 'MT'") >= 2000);
    (void)snprintf(d->url, sizeof d->url, "sqlite:%s", path);
    desk_open(d);
    load_one(d, m.id);
    assert_int_equal(0, d->count);
    assert_int_equal(0, store_backup(d->store, "/nonexistent/copy.db", on_backup, d, 0));
    wait_answers(d, d->answers + 1);
    assert_int_equal(ERR_IO, d->err);
}

static void the_wal_does_not_grow_without_end(void **state)
{
    struct desk *d = *state;
    struct stat info;
    char name[200];

    put_many(d, 150000, 100000); /* 43 MB of WAL when nothing is carried into the file */
    (void)snprintf(name, sizeof name, "%s-wal", file_of(d));
    assert_int_equal(0, stat(name, &info));
    assert_true(info.st_size < 32 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_places_are_refused_with_advice, begin, end),
        cmocka_unit_test_setup_teardown(newer_alien_and_damaged_files_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(files_are_ours_alone, begin, end),
        cmocka_unit_test_setup_teardown(no_acknowledged_row_is_lost_by_a_kill, begin, end),
        cmocka_unit_test_setup_teardown(a_full_disk_undoes_plain_keeps_kept_and_recovers, begin, end),
        cmocka_unit_test_setup_teardown(a_full_disk_with_nothing_kept_lets_the_next_try, begin, end),
        cmocka_unit_test_setup_teardown(a_phone_is_found_before_during_and_after_indexing, begin, end),
        cmocka_unit_test_setup_teardown(retention_removes_rows_and_whole_runs, begin, end),
        cmocka_unit_test_setup_teardown(retention_reaches_rows_whose_ids_are_ahead_of_time, begin, end),
        cmocka_unit_test_setup_teardown(ids_never_come_again_even_when_their_rows_are_gone, begin, end),
        cmocka_unit_test_setup_teardown(a_backup_is_a_whole_database, begin, end),
        cmocka_unit_test_setup_teardown(the_wal_does_not_grow_without_end, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
