/*
 * store_help.h - a store, a loop and a notebook of what was called back, for the store's tests.
 */
#ifndef TESTS_STORE_HELP_H
#define TESTS_STORE_HELP_H

#include <assert.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/clock.h"
#include "gateway/store.h"

struct desk {
    uv_loop_t loop;
    struct store *store;
    char dir[64];
    char url[256];
    bool sqlite;
    /* changes, in the order of their callbacks */
    uint64_t cookies[4096];
    int errs[4096];
    unsigned done;
    /* the last look-up */
    unsigned answers;
    int err;
    struct message **messages;
    size_t count;
    uint64_t next;
    struct store_send send;
    struct store_member members[16];
    bool send_found;
    char lines[8][256];
    size_t line_count;
    /* resume */
    struct progress open[64];
    size_t open_count;
    struct store_send sends[16];
    size_t send_count;
};

static inline struct message_text text_of(const char *s)
{
    return (struct message_text){ (char *)(uintptr_t)s, strlen(s) };
}

static inline void desk_open(struct desk *d)
{
    struct store_opts opts = { .url = d->url, .keep_text = true };
    char why[256] = "";
    int err = store_open(&d->loop, &opts, &d->store, why);

    if (err != 0)
        print_error("%s\n", why);
    assert_int_equal(0, err);
}

static inline void desk_close(struct desk *d)
{
    store_close(d->store);
    d->store = NULL;
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
}

static inline struct desk *desk_create(bool sqlite)
{
    struct desk *d = calloc(1, sizeof *d);

    assert_non_null(d);
    d->sqlite = sqlite;
    (void)snprintf(d->dir, sizeof d->dir, "/tmp/test_store.XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    if (sqlite)
        (void)snprintf(d->url, sizeof d->url, "sqlite:%s/file.db", d->dir);
    else
        (void)snprintf(d->url, sizeof d->url, "memory:");
    assert_int_equal(0, uv_loop_init(&d->loop));
    desk_open(d);
    return d;
}

static inline int desk_remove(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void desk_forget(struct desk *d)
{
    for (size_t i = 0; i < d->count; i++)
        message_destroy(d->messages[i]);
    free(d->messages);
    d->messages = NULL;
    d->count = 0;
}

static inline void desk_destroy(struct desk *d)
{
    if (d->store != NULL)
        desk_close(d);
    desk_forget(d);
    assert_int_equal(0, uv_loop_close(&d->loop));
    (void)nftw(d->dir, desk_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(d);
}

static inline void on_done(void *owner, uint64_t cookie, int err)
{
    struct desk *d = owner;

    assert_true(d->done < ARRAY_LEN(d->cookies));
    d->cookies[d->done] = cookie;
    d->errs[d->done++] = err;
}

static inline struct store_done tell(struct desk *d, uint64_t cookie)
{
    return (struct store_done){ on_done, d, cookie };
}

/* Runs the loop until `count` changes in all have been called back. */
static inline void wait_done(struct desk *d, unsigned count)
{
    while (d->done < count)
        (void)uv_run(&d->loop, UV_RUN_ONCE);
    assert_int_equal(count, d->done);
}

static inline void wait_answers(struct desk *d, unsigned count)
{
    while (d->answers < count)
        (void)uv_run(&d->loop, UV_RUN_ONCE);
}

static inline void wait_quiet(struct desk *d)
{
    while (store_waiting(d->store) > 0)
        (void)uv_run(&d->loop, UV_RUN_ONCE);
}

static inline void on_messages(void *owner, uint64_t cookie, int err, struct message **messages, size_t count,
                               uint64_t next)
{
    struct desk *d = owner;

    (void)cookie;
    desk_forget(d);
    d->messages = calloc(count + 1, sizeof *messages);
    assert_non_null(d->messages);
    if (count > 0)
        memcpy(d->messages, messages, count * sizeof *messages);
    d->count = count;
    d->err = err;
    d->next = next;
    d->answers++;
}

static inline void on_send(void *owner, uint64_t cookie, int err, const struct store_send *send)
{
    struct desk *d = owner;

    (void)cookie;
    d->err = err;
    d->send_found = send != NULL;
    if (send != NULL) {
        d->send = *send;
        assert_true(send->member_count <= ARRAY_LEN(d->members));
        if (send->member_count > 0)
            memcpy(d->members, send->members, send->member_count * sizeof *send->members);
    }
    d->answers++;
}

static inline void on_lines(void *owner, uint64_t cookie, int err, const struct store_line *lines, size_t count)
{
    struct desk *d = owner;

    (void)cookie;
    d->err = err;
    d->line_count = count;
    for (size_t i = 0; i < count && i < ARRAY_LEN(d->lines); i++)
        (void)snprintf(d->lines[i], sizeof d->lines[i], "%lld %s", (long long)lines[i].at_ms, lines[i].text);
    d->answers++;
}

static inline void on_backup(void *owner, uint64_t cookie, int err)
{
    struct desk *d = owner;

    (void)cookie;
    d->err = err;
    d->answers++;
}

static inline void on_resume_open(void *owner, const struct progress *p)
{
    struct desk *d = owner;

    assert_true(d->open_count < ARRAY_LEN(d->open));
    d->open[d->open_count++] = *p;
}

static inline void on_resume_send(void *owner, const struct store_send *send)
{
    struct desk *d = owner;

    assert_true(d->send_count < ARRAY_LEN(d->sends));
    d->sends[d->send_count] = *send;
    d->sends[d->send_count++].members = NULL;
    if (send->member_count > 0)
        memcpy(d->members, send->members, send->member_count * sizeof *send->members);
}

static inline void load_one(struct desk *d, uint64_t id)
{
    assert_int_equal(0, store_load(d->store, &id, 1, on_messages, d, 0));
    wait_answers(d, d->answers + 1);
    assert_int_equal(0, d->err);
}

static inline void find(struct desk *d, struct store_query q)
{
    if (q.limit == 0)
        q.limit = 100;
    assert_int_equal(0, store_find(d->store, &q, on_messages, d, 0));
    wait_answers(d, d->answers + 1);
    assert_int_equal(0, d->err);
}

/* A queued MT with every field set to something that shows when it is lost. */
static inline struct message sample(uint64_t id, const char *dest)
{
    return (struct message){
        .id = id,
        .public_id = id,
        .accepted_ms = clock_wall_ms(),
        .expires_ms = 1800000000000,
        .kind = MESSAGE_MT,
        .channel = 3,
        .source_ton = 5,
        .source_npi = 0,
        .dest_ton = 1,
        .dest_npi = 1,
        .esm_class = 0x40,
        .protocol_id = 65,
        .priority_flag = 2,
        .registered_delivery = 17,
        .data_coding = 8,
        .interface_version = 0x34,
        .part_number = 2,
        .part_total = 3,
        .part_reference = 4000000001,
        .source = text_of("Shop"),
        .dest = text_of(dest),
        .service_type = text_of("CMT"),
        .text = text_of("\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"),
        .tlvs = { (char *)(uintptr_t) "\x04\x24\x00\x02zz", 6 },
        .extra = text_of("charset=utf-8&tinyurl=1"),
        .p = { .id = id,
               .state = MESSAGE_QUEUED,
               .receipt = RECEIPT_WAITING,
               .urgent = true,
               .esme = 3,
               .due_ms = 1700000000000,
               .status = -100,
               .cost_e6 = -1 },
    };
}

#endif
