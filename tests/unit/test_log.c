/* SPDX-License-Identifier: MIT */
/* test_log.c - what an operator's log line looks like, folding, and that a full log loses lines and never time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_internal.h"

enum { WALL_MS = 1000, OUT_MAX = 1 << 16 };
static int ends[2];
static char out[OUT_MAX];

static int open_pipe(void **state)
{
    (void)state;
    clock_fake(5000, WALL_MS);
    log_set(LOG_INFO, LOG_TEXT);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    log_output_fd(ends[1]);
    return 0;
}

static int close_pipe(void **state)
{
    (void)state;
    log_stop();
    log_output_fd(STDERR_FILENO);
    if (ends[0] >= 0)
        close(ends[0]);
    close(ends[1]);
    clock_fake_end();
    return 0;
}

/* All that has been written so far; only after log_stop or without a thread. */
static const char *written(void)
{
    size_t len = 0;
    struct pollfd ready = { .fd = ends[0], .events = POLLIN };

    while (len < sizeof out - 1 && poll(&ready, 1, 0) == 1) {
        ssize_t n = read(ends[0], out + len, sizeof out - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    out[len] = '\0';
    return out;
}

static void text_lines_quote_what_needs_it(void **state)
{
    (void)state;
    log_warn("bind refused", "sys=%s sess=%u reason=%s empty=%s", "shop", 3u, "wrong \"password\"\nfake=no", "");
    assert_string_equal("time=1970-01-01T00:00:01.000Z level=warn event=\"bind refused\" sys=shop sess=3 "
                        "reason=\"wrong \\\"password\\\"\\nfake=no\" empty=\"\"\n",
                        written());
}

static void a_value_runs_to_the_next_key(void **state)
{
    (void)state;
    log_info("x", "%s", "a=one two b=three =4  c=5");
    assert_string_equal("time=1970-01-01T00:00:01.000Z level=info event=x a=\"one two\" b=\"three =4 \" c=5\n",
                        written());
}

static void the_journal_is_told_priorities_and_nobody_else(void **state)
{
    char stream[64];
    struct stat st;

    (void)state;
    assert_int_equal(0, fstat(ends[1], &st));
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_output_fd(ends[1]);
    log_error("a", "k=v");
    log_warn("b", "k=v");
    log_set(LOG_INFO, LOG_JSON);
    log_info("c", "k=v");
    assert_string_equal("<3>time=1970-01-01T00:00:01.000Z level=error event=a k=v\n"
                        "<4>time=1970-01-01T00:00:01.000Z level=warn event=b k=v\n"
                        "<6>{\"time\":\"1970-01-01T00:00:01.000Z\",\"level\":\"info\",\"event\":\"c\",\"k\":\"v\"}\n",
                        written());
    setenv("JOURNAL_STREAM", "1:2", 1); /* the journal reads our parent, we have been led elsewhere */
    log_output_fd(ends[1]);
    log_set(LOG_INFO, LOG_TEXT);
    log_error("a", "k=v");
    unsetenv("JOURNAL_STREAM");
    log_output_fd(ends[1]);
    log_error("a", "k=v");
    assert_string_equal("time=1970-01-01T00:00:01.000Z level=error event=a k=v\n"
                        "time=1970-01-01T00:00:01.000Z level=error event=a k=v\n",
                        written());
}

static void json_lines_are_one_object(void **state)
{
    (void)state;
    log_set(LOG_INFO, LOG_JSON);
    log_error("disk full", "path=%s note=%s", "/a b", "\xD0\xB6 \xFF");
    assert_string_equal("{\"time\":\"1970-01-01T00:00:01.000Z\",\"level\":\"error\",\"event\":\"disk full\","
                        "\"path\":\"/a b\",\"note\":\"\xD0\xB6 \\ufffd\"}\n",
                        written());
}

static void fields_without_a_key_are_kept(void **state)
{
    (void)state;
    log_info("x", "%s", "plain words k=v");
    assert_non_null(strstr(written(), "event=x text=\"plain words\" k=v\n"));
}

static void quieter_levels_are_not_written(void **state)
{
    (void)state;
    assert_false(log_enabled(LOG_DEBUG));
    log_debug("x", "a=%d", 1);
    log_set(LOG_ERROR, LOG_TEXT);
    log_warn("x", "a=%d", 1);
    assert_string_equal("", written());
}

static void an_endless_field_is_cut(void **state)
{
    char big[8000];

    (void)state;
    memset(big, 'a', sizeof big);
    big[sizeof big - 1] = '\0';
    log_info("x", "v=%s", big);
    written();
    assert_in_range(strlen(out), 1000, 3000);
    assert_string_equal("a...\n", out + strlen(out) - 5);
}

static void identical_lines_fold_into_one(void **state)
{
    (void)state;
    assert_int_equal(0, log_start(LOG_INFO, LOG_TEXT));
    for (int i = 0; i < 5; i++)
        log_info("upstream slow", "up=%s", "smsc");
    log_stop();
    assert_string_equal("time=1970-01-01T00:00:01.000Z level=info event=\"upstream slow\" up=smsc\n"
                        "time=1970-01-01T00:00:01.000Z level=info event=\"upstream slow\" up=smsc repeated=4\n",
                        written());
}

static void a_restarted_log_has_forgotten(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(0, log_start(LOG_INFO, LOG_TEXT));
        log_info("a", "n=%d", 1);
        log_stop();
    }
    assert_null(strstr(written(), "repeated"));
}

static void a_flood_of_different_lines_folds_late(void **state)
{
    unsigned lines = 0;

    (void)state;
    assert_int_equal(0, log_start(LOG_INFO, LOG_TEXT));
    for (int i = 1; i <= 100; i++)
        log_info("bound", "sess=%d", i);
    log_stop();
    for (const char *c = written(); *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(21, lines);
    assert_non_null(strstr(out, "sess=100 repeated=80\n"));
}

static void a_folded_line_comes_by_itself(void **state)
{
    struct pollfd ready = { .fd = ends[0], .events = POLLIN };
    size_t len = 0;

    (void)state;
    clock_fake_end();
    assert_int_equal(0, log_start(LOG_INFO, LOG_TEXT));
    log_info("a", "n=%d", 1);
    log_info("a", "n=%d", 1);
    do {
        assert_int_equal(1, poll(&ready, 1, 10000));
        ssize_t n = read(ends[0], out + len, sizeof out - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
        out[len] = '\0';
    } while (strstr(out, "repeated=1") == NULL);
}

static void a_log_nobody_reads_drops_and_counts(void **state)
{
    char field[1500];
    uint64_t before = log_dropped();

    (void)state;
    memset(field, 'x', sizeof field);
    field[sizeof field - 1] = '\0';
    assert_int_equal(0, log_start(LOG_INFO, LOG_TEXT));
    for (unsigned i = 0; i < 4000; i++) { /* 6 MB into a pipe of 64 KiB: must not wait */
        char phrase[16];
        snprintf(phrase, sizeof phrase, "p%u", i);
        log_info(phrase, "v=%s", field);
    }
    assert_true(log_dropped() > before);
    close(ends[0]); /* the writer gives up; close_pipe joins it */
    ends[0] = -1;
}

static void *stop_it(void *done)
{
    log_stop();
    (void)!write(*(const int *)done, "x", 1);
    return NULL;
}

static void a_log_nobody_reads_lets_the_process_end(void **state)
{
    char text[1500], phrase[16];
    int done[2];
    pthread_t stopper;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(0, log_start(LOG_INFO, LOG_TEXT));
    for (unsigned i = 0; i < 500; i++) { /* more than a pipe holds */
        snprintf(phrase, sizeof phrase, "p%u", i);
        log_info(phrase, "v=%s", text);
    }
    assert_int_equal(0, pipe2(done, O_CLOEXEC));
    assert_int_equal(0, pthread_create(&stopper, NULL, stop_it, &done[1]));
    struct pollfd ready = { .fd = done[0], .events = POLLIN };
    int stopped = poll(&ready, 1, 60000);
    close(ends[0]); /* frees whoever still writes; close_pipe stops once more */
    ends[0] = -1;
    pthread_join(stopper, NULL);
    close(done[0]);
    close(done[1]);
    assert_int_equal(1, stopped);
}

static void *say_many(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 200; i++) {
        char phrase[16];
        snprintf(phrase, sizeof phrase, "q%u", i);
        log_info(phrase, "n=%u", i);
    }
    return NULL;
}

static void lines_of_two_threads_stay_whole(void **state)
{
    pthread_t other;
    unsigned lines = 0;

    (void)state;
    assert_int_equal(0, log_start(LOG_INFO, LOG_JSON));
    assert_int_equal(0, pthread_create(&other, NULL, say_many, NULL));
    for (unsigned i = 0; i < 200; i++) {
        char phrase[16];
        snprintf(phrase, sizeof phrase, "r%u", i);
        log_info(phrase, "n=%u", i);
    }
    pthread_join(other, NULL);
    log_stop();
    written();
    for (char *line = out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        assert_int_equal('{', line[0]);
        assert_int_equal('}', end[-1]);
        lines++;
    }
    assert_int_equal(400, lines);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        CASE(text_lines_quote_what_needs_it),
        CASE(a_value_runs_to_the_next_key),
        CASE(the_journal_is_told_priorities_and_nobody_else),
        CASE(json_lines_are_one_object),
        CASE(fields_without_a_key_are_kept),
        CASE(quieter_levels_are_not_written),
        CASE(an_endless_field_is_cut),
        CASE(identical_lines_fold_into_one),
        CASE(a_restarted_log_has_forgotten),
        CASE(a_flood_of_different_lines_folds_late),
        CASE(a_folded_line_comes_by_itself),
        CASE(a_log_nobody_reads_drops_and_counts),
        CASE(a_log_nobody_reads_lets_the_process_end),
        CASE(lines_of_two_threads_stay_whole),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
