/* SPDX-License-Identifier: MIT */
/*
 * log.c - events into lines, lines into a bounded buffer, the buffer to stderr by a thread of its own.
 *
 * Two buffers take turns: callers append to `waiting` under a mutex held for a memcpy, the thread swaps it for an empty
 * one and writes outside the lock, so a stderr that does not drain costs lines and never time. Leaves to its callers
 * what may be said: it masks nothing. Invariant: what a caller does here never waits for the disk or the terminal.
 */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_internal.h"

enum {
    FIELDS_MAX = 2048,      /* bytes of "key=value ..." of one event; the rest is cut */
    LINE_MAX_BYTES = 16384, /* FIELDS_MAX with every byte escaped, and the head */
    WAITING_MAX_BYTES = 1 << 20,
    PHRASES = 64, /* folding remembers this many phrases; a collision only folds less */
    FOLD_MS = 1000,
    STOP_MS = 2000,  /* what waits is written for so long at the end, if somebody reads it */
    FOLD_AFTER = 20, /* different lines of one phrase within FOLD_MS before they are folded */
    PHRASE_MAX = 64
};

/* One phrase of the current second. */
struct phrase {
    char event[PHRASE_MAX]; /* "" = free */
    enum log_level level;
    uint64_t since_ms;
    unsigned written;
    unsigned long folded;    /* not written yet */
    char fields[FIELDS_MAX]; /* of the last line seen */
};

static atomic_int the_level = LOG_INFO;
static atomic_int the_format = LOG_TEXT;
static atomic_uint_fast64_t dropped;
static int output_fd = STDERR_FILENO;
static atomic_bool to_journal; /* each line starts with its priority, "<4>" */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* All below under the lock. */
static pthread_cond_t wake; /* initialised by log_start on the monotonic clock */
static pthread_t thread;
static bool running, stopping, ended;
static struct buf waiting;
static struct phrase *phrases; /* NULL until log_start */
static uint64_t dropped_told;

static const char *const level_names[LOG_LEVEL_COUNT] = { "error", "warn", "info", "debug" };
static const char *const level_priorities[LOG_LEVEL_COUNT] = { "<3>", "<4>", "<6>", "<7>" };

void log_output_fd(int fd)
{
    output_fd = fd;
    log_find_journal();
}

/* systemd names the journal's stream in the environment; only if the output still is that stream are we read by it
 * [systemd.exec(5), JOURNAL_STREAM; sd-daemon(3)]. */
void log_find_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[64];
    struct stat st;

    atomic_store(&to_journal, false);
    if (stream == NULL || fstat(output_fd, &st) != 0)
        return;
    snprintf(ours, sizeof ours, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    atomic_store(&to_journal, strcmp(ours, stream) == 0);
}

void log_set(enum log_level level, enum log_format format)
{
    atomic_store(&the_level, (int)level);
    atomic_store(&the_format, (int)format);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&the_level, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load(&dropped);
}

static bool is_key_byte(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Length of the key when `s` starts with "key=", else 0. */
static size_t key_length(const char *s)
{
    size_t n = 0;

    while (is_key_byte(s[n], n == 0))
        n++;
    return s[n] == '=' ? n : 0;
}

/* A value ends before the next " key=" or at the end of the fields. */
static size_t value_length(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0' && !(s[n] == ' ' && key_length(s + n + 1) > 0))
        n++;
    return n;
}

static void add_text_value(struct buf *line, const char *value, size_t len)
{
    bool plain = len > 0;

    for (size_t i = 0; i < len && plain; i++)
        plain = value[i] > ' ' && value[i] < 0x7F && value[i] != '"' && value[i] != '\\' && value[i] != '=';
    if (plain)
        buf_add(line, value, len);
    else
        buf_add_json(line, value, len);
}

/* Nothing but its priority stands there. */
static bool is_fresh(const struct buf *line)
{
    return line->len == 0 || (line->len == 3 && line->data[0] == '<');
}

static void add_pair(struct buf *line, int format, const char *key, size_t key_len, const char *value, size_t len)
{
    if (format == LOG_JSON) {
        buf_addc(line, is_fresh(line) ? '{' : ',');
        buf_add_json(line, key, key_len);
        buf_addc(line, ':');
        buf_add_json(line, value, len);
        return;
    }
    if (!is_fresh(line))
        buf_addc(line, ' ');
    buf_add(line, key, key_len);
    buf_addc(line, '=');
    add_text_value(line, value, len);
}

static void format_line(struct buf *line, enum log_level level, const char *event, const char *fields,
                        unsigned long repeated)
{
    int format = atomic_load(&the_format);
    char at[CLOCK_ISO_SIZE];

    if (atomic_load(&to_journal))
        buf_adds(line, level_priorities[level]);
    clock_iso(clock_wall_ms(), at);
    add_pair(line, format, "time", 4, at, strlen(at));
    add_pair(line, format, "level", 5, level_names[level], strlen(level_names[level]));
    add_pair(line, format, "event", 5, event, strlen(event));
    while (*fields == ' ')
        fields++;
    while (*fields != '\0') {
        size_t key_len = key_length(fields);

        if (key_len == 0) { /* not key=value: kept readable under a name of its own */
            size_t len = value_length(fields);
            add_pair(line, format, "text", 4, fields, len);
            fields += len;
        } else {
            const char *value = fields + key_len + 1;
            size_t len = value_length(value);
            add_pair(line, format, fields, key_len, value, len);
            fields = value + len;
        }
        while (*fields == ' ')
            fields++;
    }
    if (repeated > 0) {
        char count[24];

        snprintf(count, sizeof count, "%lu", repeated);
        add_pair(line, format, "repeated", 8, count, strlen(count));
    }
    buf_adds(line, format == LOG_JSON ? "}\n" : "\n");
}

static void write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) { /* a terminal somebody else made non-blocking */
            struct pollfd ready = { .fd = fd, .events = POLLOUT };
            if (poll(&ready, 1, 1000) <= 0)
                return;
        } else if (errno != EINTR) {
            return; /* nobody is left to be told */
        }
    }
}

/* The line goes to the buffer, or straight out while no thread runs. Lock held. */
static void emit(enum log_level level, const char *event, const char *fields, unsigned long repeated)
{
    struct buf line;

    buf_init(&line, LINE_MAX_BYTES);
    format_line(&line, level, event, fields, repeated);
    if (line.failed) {
        atomic_fetch_add(&dropped, 1);
    } else if (!running) {
        write_all(output_fd, line.data, line.len);
    } else if (line.len > waiting.max - waiting.len) {
        atomic_fetch_add(&dropped, 1);
    } else {
        buf_add(&waiting, line.data, line.len);
        if (waiting.failed) { /* out of memory */
            waiting.failed = false;
            atomic_fetch_add(&dropped, 1);
        }
        pthread_cond_signal(&wake);
    }
    buf_finish(&line);
}

static void write_folded(struct phrase *p)
{
    if (p->folded > 0)
        emit(p->level, p->event, p->fields, p->folded);
    p->folded = 0;
}

/* True: the line was counted for a later one and must not be written now. Lock held. */
static bool fold(enum log_level level, const char *event, const char *fields)
{
    uint32_t hash = 2166136261u;

    if (phrases == NULL || strlen(event) >= PHRASE_MAX)
        return false;
    for (const char *c = event; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;

    struct phrase *p = &phrases[hash % PHRASES];
    uint64_t now = clock_mono_ms();
    bool same_phrase = p->level == level && strcmp(p->event, event) == 0;

    if (!same_phrase || now - p->since_ms >= FOLD_MS) {
        write_folded(p);
        snprintf(p->event, sizeof p->event, "%s", event);
        snprintf(p->fields, sizeof p->fields, "%s", fields);
        p->level = level;
        p->since_ms = now;
        p->written = 1;
        return false;
    }
    bool same_line = strcmp(p->fields, fields) == 0;
    if (!same_line && p->folded > 0 && p->written < FOLD_AFTER)
        write_folded(p); /* its fields are about to be replaced */
    if (!same_line)
        snprintf(p->fields, sizeof p->fields, "%s", fields);
    if (!same_line && p->written < FOLD_AFTER) {
        p->written++;
        return false;
    }
    p->folded++;
    if (p->folded == 1)
        pthread_cond_signal(&wake); /* the thread must wake when the second is over */
    return true;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char fields[FIELDS_MAX];
    va_list args;

    if (!log_enabled(level))
        return;
    va_start(args, format);
    int n = vsnprintf(fields, sizeof fields, format, args);
    va_end(args);
    if (n < 0)
        fields[0] = '\0';
    else if ((size_t)n >= sizeof fields)
        memcpy(fields + sizeof fields - 4, "...", 4);

    pthread_mutex_lock(&lock);
    if (!fold(level, event, fields))
        emit(level, event, fields, 0);
    pthread_mutex_unlock(&lock);
}

/* Writes the folded lines whose second is over (all of them with `all`). Returns ms until the next one, 0 for none. */
static uint64_t fold_due(bool all)
{
    uint64_t now = clock_mono_ms();
    uint64_t next = 0;

    for (size_t i = 0; phrases != NULL && i < PHRASES; i++) {
        struct phrase *p = &phrases[i];

        if (p->folded == 0)
            continue;
        uint64_t age = now - p->since_ms;
        if (all || age >= FOLD_MS) {
            write_folded(p);
            p->since_ms = now;
            p->written = FOLD_AFTER; /* a flood stays folded until it pauses for a second */
            continue;
        }
        if (next == 0 || FOLD_MS - age < next)
            next = FOLD_MS - age;
    }
    return next;
}

static struct timespec in_ms(uint64_t at_most_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(at_most_ms / 1000);
    until.tv_nsec += (long)(at_most_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return until;
}

static void wait_for_work(uint64_t at_most_ms)
{
    struct timespec until = in_ms(at_most_ms);

    if (at_most_ms == 0)
        pthread_cond_wait(&wake, &lock);
    else
        pthread_cond_timedwait(&wake, &lock, &until);
}

static void tell_dropped(void)
{
    uint64_t now = atomic_load(&dropped);
    char fields[32];

    if (now == dropped_told || waiting.len > 0)
        return; /* told when there is room for it */
    snprintf(fields, sizeof fields, "lines=%llu", (unsigned long long)(now - dropped_told));
    dropped_told = now;
    emit(LOG_WARN, "log lines dropped", fields, 0);
}

static void *write_lines(void *unused)
{
    struct buf out;

    UNUSED(unused);
    buf_init(&out, WAITING_MAX_BYTES);
    pthread_mutex_lock(&lock);
    for (;;) {
        uint64_t next_ms = fold_due(stopping);

        tell_dropped();
        if (waiting.len == 0) {
            if (stopping)
                break;
            wait_for_work(next_ms);
            continue;
        }
        struct buf full = waiting;
        waiting = out;
        pthread_mutex_unlock(&lock);
        write_all(output_fd, full.data, full.len);
        buf_clear(&full);
        out = full;
        pthread_mutex_lock(&lock);
    }
    ended = true;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
    buf_finish(&out);
    return NULL;
}

int log_start(enum log_level level, enum log_format format)
{
    pthread_condattr_t monotonic;

    log_set(level, format);
    log_find_journal();
    pthread_mutex_lock(&lock);
    if (running) {
        pthread_mutex_unlock(&lock);
        return 0;
    }
    int err = ERR_NOMEM;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    phrases = calloc(PHRASES, sizeof *phrases);
    if (phrases != NULL && pthread_cond_init(&wake, &monotonic) == 0) {
        buf_init(&waiting, WAITING_MAX_BYTES);
        stopping = ended = false;
        running = pthread_create(&thread, NULL, write_lines, NULL) == 0;
        err = running ? 0 : ERR_NOMEM;
        if (!running)
            pthread_cond_destroy(&wake);
    }
    if (err != 0) {
        free(phrases);
        phrases = NULL;
    }
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_unlock(&lock);
    return err;
}

void log_stop(void)
{
    pthread_mutex_lock(&lock);
    if (!running) {
        pthread_mutex_unlock(&lock);
        return;
    }
    stopping = true;
    pthread_cond_broadcast(&wake);
    struct timespec until = in_ms(STOP_MS);
    while (!ended && pthread_cond_timedwait(&wake, &lock, &until) != ETIMEDOUT)
        ;
    bool stuck = !ended;
    pthread_mutex_unlock(&lock);
    if (stuck)
        return; /* in a write that nobody reads: the process shall end all the same, and the thread with it */
    pthread_join(thread, NULL);

    pthread_mutex_lock(&lock);
    running = false;
    if (waiting.len > 0) /* said by another thread while ours was ending */
        write_all(output_fd, waiting.data, waiting.len);
    buf_finish(&waiting);
    pthread_cond_destroy(&wake);
    free(phrases);
    phrases = NULL;
    pthread_mutex_unlock(&lock);
}
