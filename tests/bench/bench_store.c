/* SPDX-License-Identifier: MIT */
/*
 * bench_store.c - what a message costs the durable store, beside what the disk itself costs.
 *
 * bench_store [DIR] [STORED]: the database is made in DIR (default ".") and removed. First a table over batch sizes: put,
 * then move, then end, each batch waited for before the next, so that every batch is one commit. Then the price of a
 * message as the file grows to STORED messages (default 1000000; 10000000 needs 5 GB and some minutes) at 1000 per batch.
 * "us" is CPU time of the store's threads. Status 1 when the last decade's message costs FLAT_LIMIT times the first's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "gateway/store.h"

enum { FLOOR_ROUNDS = 200, ROW_BYTES = 300, COMMITS_MAX = 100000, PHONES = 300000 };

#define FLAT_LIMIT 2.0 /* the first ten thousand pay no checkpoint yet */

static uv_loop_t loop;
static struct store *store;
static char file[512];
static uint32_t commits[COMMITS_MAX];
static size_t commit_count;
static uint32_t seed = 1;

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_store: %s\n", what);
        exit(1);
    }
}

static double cpu_us(clockid_t which)
{
    struct timespec t;

    (void)clock_gettime(which, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The store's threads: all but the one that measures. */
static double store_us(void)
{
    return cpu_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_us(CLOCK_THREAD_CPUTIME_ID);
}

static void remove_files(void)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-lock", ".floor" };
    char name[600];

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        (void)snprintf(name, sizeof name, "%s%s", file, ends[i]);
        (void)unlink(name);
    }
}

static void open_store(void)
{
    char url[600], why[256];
    struct store_opts opts = { .url = url, .keep_text = true };

    (void)snprintf(url, sizeof url, "sqlite:%s", file);
    must(store_open(&loop, &opts, &store, why) == 0, why);
}

static void close_store(void)
{
    store_close(store);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

static void on_done(void *owner, uint64_t cookie, int err)
{
    UNUSED(owner);
    UNUSED(cookie);
    must(err == 0, "a change failed");
}

static void wait_commit(void)
{
    struct store_stats stats;

    store_flush(store);
    while (store_waiting(store) > 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    store_stats(store, &stats);
    for (unsigned i = 0; i < stats.recent && commit_count < COMMITS_MAX; i++)
        commits[commit_count++] = stats.recent_us[i];
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t percentile(double share)
{
    return commit_count == 0 ? 0 : commits[(size_t)((double)(commit_count - 1) * share)];
}

static void put_batch(uint64_t *ids, size_t batch)
{
    static const char text[] = "Your parcel 4711 is ready. Please fetch it until Friday at the shop in Main Street 12, "
                               "and bring your passport. Thank you!";
    struct store_done done = { on_done, NULL, 0 };

    for (size_t i = 0; i < batch; i++) {
        struct message m = { .id = store_next_id(store),
                             .kind = MESSAGE_MT,
                             .registered_delivery = 1,
                             .dest_ton = 1,
                             .dest_npi = 1,
                             .source_ton = 5,
                             .interface_version = 0x34 };
        char phone[24];

        seed = seed * 1664525 + 1013904223;
        m.dest.len = (size_t)snprintf(phone, sizeof phone, "7903%07u", (seed >> 8) % PHONES * 31);
        m.dest.at = phone;
        m.source = (struct message_text){ (char *)(uintptr_t) "Shop", 4 };
        m.text = (struct message_text){ (char *)(uintptr_t)text, sizeof text - 1 };
        m.public_id = m.p.id = ids[i] = m.id;
        m.accepted_ms = m.p.due_ms = (int64_t)(m.id / 1000000);
        m.p.state = MESSAGE_QUEUED;
        m.p.esme = 1;
        m.p.cost_e6 = -1;
        m.p.status = -100;
        must(store_put(store, &m, STORE_PLAIN, done) == 0, "store_put");
    }
    wait_commit();
}

static void move_batch(const uint64_t *ids, size_t batch, bool end)
{
    struct store_done done = { on_done, NULL, 0 };

    for (size_t i = 0; i < batch; i++) {
        struct progress p = { .id = ids[i],
                              .state = MESSAGE_SENDING,
                              .esme = 1,
                              .upstream = 2,
                              .tries = 1,
                              .upid = ids[0],
                              .due_ms = (int64_t)(ids[i] / 1000000),
                              .cost_e6 = -1,
                              .status = -100 };

        if (end) {
            p.final = 2;
            p.status = 1;
            p.cost_e6 = 2500000;
            p.done_ms = p.due_ms + 2000;
            must(store_end(store, &p, p.done_ms + 10, STORE_KEEP, done) == 0, "store_end");
        } else {
            must(store_move(store, &p, STORE_KEEP, done) == 0, "store_move");
        }
    }
    wait_commit();
}

/* What the disk alone takes for one commit of this size: p50 in µs. */
static uint32_t floor_us(size_t batch)
{
    size_t bytes = batch * ROW_BYTES;
    char *data = calloc(1, bytes), name[600];
    int fd;

    (void)snprintf(name, sizeof name, "%s.floor", file);
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(data != NULL && fd >= 0, "cannot write the floor file");
    commit_count = 0;
    for (int i = 0; i < FLOOR_ROUNDS; i++) {
        uint64_t start = clock_mono_ns();

        must(write(fd, data, bytes) == (ssize_t)bytes && fdatasync(fd) == 0, "write");
        commits[commit_count++] = (uint32_t)((clock_mono_ns() - start) / 1000);
    }
    (void)close(fd);
    free(data);
    qsort(commits, commit_count, sizeof commits[0], compare);
    return percentile(0.5);
}

static void life(size_t batch, size_t count)
{
    uint64_t *ids = calloc(batch, sizeof *ids);
    double cpu[4] = { 0 };
    uint32_t floor = floor_us(batch);
    uint64_t start;
    double seconds;
    size_t done;

    must(ids != NULL, "memory");
    open_store();
    commit_count = 0;
    start = clock_mono_ns();
    for (done = 0; done < count; done += batch) {
        double at = store_us();

        put_batch(ids, batch);
        cpu[0] += store_us() - at;
        at = store_us();
        move_batch(ids, batch, false);
        cpu[1] += store_us() - at;
        at = store_us();
        move_batch(ids, batch, true);
        cpu[2] += store_us() - at;
    }
    seconds = (double)(clock_mono_ns() - start) / 1e9;
    qsort(commits, commit_count, sizeof commits[0], compare);
    (void)printf("%5zu  %8.0f  %5.1f  %5.1f  %5.1f  %6.1f   %6u  %6u  %6u   %6u\n", batch, (double)done / seconds,
                 cpu[0] / (double)done, cpu[1] / (double)done, cpu[2] / (double)done,
                 (cpu[0] + cpu[1] + cpu[2]) / (double)done, percentile(0.5), percentile(0.99), percentile(1), floor);
    (void)fflush(stdout);
    close_store();
    remove_files();
    free(ids);
}

/* Returns how many times as much a message costs at the end as at the beginning. */
static double growth(size_t most)
{
    enum { BATCH = 1000, PART = 10, LEAST = 10000 };
    uint64_t ids[BATCH];
    size_t stored = 0;
    double first_us = 0, us = 0;

    open_store();
    (void)printf("\nstored so far   life us/msg   msg/s   commit p50  p99  max us\n");
    for (size_t stop = 10000; stop <= most; stop *= 10) {
        /* the last tenth of each decade is measured, but enough messages for a run of the phone index */
        size_t part = stop / PART < LEAST ? LEAST : stop / PART;

        while (stored + part < stop) {
            put_batch(ids, BATCH);
            move_batch(ids, BATCH, true);
            stored += BATCH;
        }
        size_t first = stored;
        double cpu = store_us();
        uint64_t start = clock_mono_ns();

        commit_count = 0;
        while (stored < stop) {
            put_batch(ids, BATCH);
            move_batch(ids, BATCH, false);
            move_batch(ids, BATCH, true);
            stored += BATCH;
        }
        qsort(commits, commit_count, sizeof commits[0], compare);
        us = (store_us() - cpu) / (double)(stored - first);
        if (first_us == 0)
            first_us = us;
        (void)printf("%13zu   %11.1f  %6.0f  %11u %5u %5u\n", stored, us,
                     (double)(stored - first) / ((double)(clock_mono_ns() - start) / 1e9), percentile(0.5),
                     percentile(0.99), percentile(1));
        (void)fflush(stdout);
    }
    close_store();
    remove_files();
    return us / first_us;
}

int main(int argc, char **argv)
{
    static const size_t batches[][2] = { { 1, 3000 }, { 10, 30000 }, { 100, 100000 }, { 1000, 200000 } };
    unsigned long most = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;

    (void)snprintf(file, sizeof file, "%s/bench_store.db", argc > 1 ? argv[1] : ".");
    must(uv_loop_init(&loop) == 0, "loop");
    remove_files();
    (void)printf("        life     CPU us per message             commit us                 write+fdatasync\n"
                 "batch     msg/s    put   move    end   whole      p50     p99     max       p50\n");
    for (size_t i = 0; i < ARRAY_LEN(batches); i++)
        life(batches[i][0], batches[i][1]);
    double times = growth(most < 10000 ? 10000 : most);
    (void)printf("a message costs %.2f times what the first ones did   limit %.1f%s\n", times, FLAT_LIMIT,
                 times > FLAT_LIMIT ? "   BROKEN" : "");
    must(uv_loop_close(&loop) == 0, "loop");
    return times > FLAT_LIMIT;
}
