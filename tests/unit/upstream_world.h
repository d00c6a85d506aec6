/*
 * upstream_world.h - two accounts and one upstream over a store in memory, for tests of what goes to the aggregator.
 *
 * As much of a gateway as queue.c and upstream.c need; nothing listens, and nobody answers at the upstream's address.
 */
#ifndef TESTS_UPSTREAM_WORLD_H
#define TESTS_UPSTREAM_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "gateway/internal.h"

static uv_loop_t loop;
static struct gateway gw;
static struct upstream *up;

static const char config_text[] =
    "{ \"esmes\": [ { \"system_id\": \"a\", \"password\": \"x\" }, { \"system_id\": \"b\", \"password\": \"x\" } ],"
    "  \"upstreams\": [ { \"name\": \"u\", \"urls\": [\"http://127.0.0.1:1\"], \"login\": \"l\", \"password\": \"p\" } "
    "],"
    "  \"store\": { \"url\": \"memory:\" } }";

static void world_open(void)
{
    struct store_opts opts = { .url = "memory:" };
    struct buf mistakes;
    char why[256];

    memset(&gw, 0, sizeof gw);
    uv_loop_init(&loop);
    gw.loop = &loop;
    buf_init(&mistakes, 65536);
    buf_init(&gw.body, 1 << 20);
    if (cfg_read_text("test", config_text, strlen(config_text), &gw.config, &mistakes) != 0)
        fail_msg("%s", buf_text(&mistakes));
    buf_finish(&mistakes);
    meters_register(&gw.meters);
    assert_int_equal(0, store_open(&loop, &opts, &gw.store, why));
    gw.book = book_create(gw.store, 1000, 1 << 24);
    gw.account_of = calloc(65536, sizeof(struct account *));
    gw.upstream_of = calloc(65536, sizeof(struct upstream *));
    gw.sends_max = 1000;
    assert_int_equal(0, upstream_create(&gw, "u", &up));
}

static int world_close(void)
{
    struct send *send, *next;

    store_close(gw.store);
    gw.stopped = true;
    upstream_destroy_all(&gw);
    HASH_ITER(hh, gw.sends, send, next)
    {
        send_drop(&gw, send);
    }
    account_finish_all(&gw);
    book_destroy(gw.book);
    cfg_destroy(gw.config);
    heap_finish(&gw.later);
    free(gw.account_of);
    free(gw.upstream_of);
    free(gw.fresh);
    free(gw.starting);
    buf_finish(&gw.body);
    uv_run(&loop, UV_RUN_DEFAULT);
    metrics_reset();
    return uv_loop_close(&loop);
}

#endif
