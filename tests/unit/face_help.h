/*
 * face_help.h - a whole gateway over the memory store, with its upstream paused, for tests of what happens to requests.
 *
 * Requests are handed to submit_on_request as a session would; the ticket leads nowhere, outcomes are read from the book
 * and the store.
 */
#ifndef TESTS_FACE_HELP_H
#define TESTS_FACE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/face.h"
#include "gateway/group.h"
#include "gateway/join.h"

static uv_loop_t loop;
static struct gateway *gw;
static struct account *shop;

static const char face_config[] = "{ \"smpp\": { \"listen\": [\"127.0.0.1:0\"] },"
                                  "  \"callbacks\": { \"listen\": [\"127.0.0.1:0\"], \"hash\": \"none\" },"
                                  "  \"esmes\": [ { \"system_id\": \"shop\", \"password\": \"x\" EXTRA } ],"
                                  "  \"upstreams\": [ { \"name\": \"u\", \"urls\": [\"http://127.0.0.1:1\"], "
                                  "\"login\": \"l\", \"password\": \"p\" } ],"
                                  "  \"store\": { \"url\": \"memory:\" } }";

/* `extra`: further keys of the account, beginning with a comma. */
static inline void face_open(const char *extra)
{
    struct config *config = NULL;
    struct buf text, mistakes;
    const char *place = strstr(face_config, "EXTRA");
    char why[256] = "";

    buf_init(&text, 65536);
    buf_init(&mistakes, 65536);
    buf_add(&text, face_config, (size_t)(place - face_config));
    buf_adds(&text, extra);
    buf_adds(&text, place + 5);
    if (cfg_read_text("test", text.data, text.len, &config, &mistakes) != 0)
        fail_msg("%s", buf_text(&mistakes));
    buf_finish(&text);
    buf_finish(&mistakes);
    log_set(LOG_ERROR, LOG_TEXT);
    assert_int_equal(0, uv_loop_init(&loop));
    if (gateway_start(&loop, config, NULL, &gw, why) != 0)
        fail_msg("%s", why);
    upstream_pause(upstream_named(gw, "u"), PAUSE_OPERATOR, UINT64_MAX);
    shop = account_get(gw, "shop");
}

static inline void face_close(void)
{
    gateway_destroy(gw);
    gw = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&loop));
    metrics_reset();
}

typedef bool face_condition_fn(void *arg);

/* Turns the loop until it holds; the gateway's own tick wakes it. */
static inline void face_until(const char *what, face_condition_fn *holds, void *arg)
{
    uint64_t end = clock_mono_ms() + 10000;

    while (!holds(arg)) {
        if (clock_mono_ms() > end)
            fail_msg("not within 10 s: %s", what);
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static inline bool face_is_quiet(void *arg)
{
    (void)arg;
    return store_waiting(gw->store) == 0 && gw->fresh_count == 0;
}

/* Everything asked for so far is durable and its callbacks have run; look-ups under way have come back. */
static inline void face_settle(void)
{
    for (int i = 0; i < 12; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        face_until("quiet", face_is_quiet, NULL);
        uv_run(&loop, UV_RUN_NOWAIT); /* the memory store needs turns, not time */
    }
}

static inline uint32_t face_request(struct smpp_pdu *pdu, uint8_t version)
{
    struct smpp_session_info session = { .account = shop,
                                         .type = SMPP_BIND_TRX,
                                         .interface_version = version,
                                         .system_id = "shop",
                                         .system_type = "",
                                         .address = "127.0.0.1:1" };
    struct smpp_ticket ticket = { .command_id = pdu->command_id };

    return submit_on_request(gw, &ticket, &session, pdu);
}

static inline struct smpp_pdu face_submit(const char *dest, const void *text, size_t len)
{
    return (struct smpp_pdu){ .command_id = CMD_SUBMIT_SM,
                              .has_body = true,
                              .sm = { .source = { 5, 0, smpp_str("Shop") },
                                      .dest = { 1, 1, smpp_str(dest) },
                                      .registered_delivery = 1,
                                      .short_message = { text, len } } };
}

/* A request that is taken. Returns the id of its record, stored by now. */
static inline uint64_t face_take(struct smpp_pdu *pdu)
{
    assert_int_equal(SMPP_LATER, face_request(pdu, 0x34));
    assert_true(gw->fresh_count > 0);
    uint64_t id = gw->fresh[gw->fresh_count - 1]->m->id;
    face_settle();
    return id;
}

/* One part with an 8-bit header. Returns its id. */
static inline uint64_t face_part(const char *dest, uint8_t reference, uint8_t total, uint8_t number, const char *text)
{
    uint8_t bytes[160] = { 5, 0, 3, reference, total, number };
    size_t len = strlen(text);

    memcpy(bytes + 6, text, len);
    struct smpp_pdu pdu = face_submit(dest, bytes, len + 6);
    pdu.sm.esm_class = ESM_UDHI;
    return face_take(&pdu);
}

static inline const struct message *face_message(uint64_t id)
{
    struct item *item = book_find(gw->book, id);

    assert_non_null(item);
    return item->m;
}

/* The message ends as the aggregator would say it. */
static inline void face_end(uint64_t id, enum smpp_message_state final)
{
    struct item *item = book_find(gw->book, id);

    assert_non_null(item);
    book_pin(gw->book, item);
    outcome_keep(gw, item, &(struct outcome){ .final = final, .status = 1, .cost_e6 = 1000000 });
    book_unpin(gw->book, item);
    face_settle();
}

#endif
