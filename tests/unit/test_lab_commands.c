/* SPDX-License-Identifier: MIT */
/* test_lab_commands.c - send, listen and load against an SMPP server in a thread of its own; histogram and table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/lab.h"
#include "lab/latency.h"
#include "lab/load_table.h"
#include "smpp/smpp.h"

/* ---- the server: numbers ending in 9 are undeliverable, those beginning with 0 are refused ---- */

static struct {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_sem_t ready;
    uv_async_t stop;
    uv_idle_t deliver;
    struct smpp_server *server;
    uint16_t port;
    uint64_t next_id;
    struct {
        struct smpp_session_ref session;
        char id[24], to[24];
    } due[4096];
    size_t due_head, due_tail;
    char text[2048]; /* of the last message, as it came */
    size_t text_len;
    uint8_t data_coding, esm_class;
    unsigned submits, udh_parts, receipts_asked;
} srv;

static uint32_t srv_on_bind(void *owner, const struct smpp_bind *bind, const struct smpp_session_info *session,
                            struct smpp_grant *grant)
{
    UNUSED(owner);
    UNUSED(session);
    grant->window = 1000;
    grant->deliver_window = 100;
    return smpp_str_is(bind->password, "demo") ? STATUS_ROK : STATUS_RINVPASWD;
}

static void srv_on_bound(void *owner, const struct smpp_session_info *session)
{
    static const uint8_t hello[] = "Hi\x00\x11"; /* @ and underscore of the GSM alphabet */
    struct smpp_pdu pdu;

    UNUSED(owner);
    if (session->type != SMPP_BIND_RX)
        return;
    memset(&pdu, 0, sizeof pdu);
    pdu.command_id = CMD_DELIVER_SM;
    pdu.has_body = true;
    pdu.sm.source.addr = smpp_str("79161234567");
    pdu.sm.dest.addr = smpp_str("1234");
    pdu.sm.short_message = (struct bytes){ hello, 4 };
    assert_int_equal(0, smpp_deliver(srv.server, session->ref, &pdu, 1));
    pdu.sm.esm_class = ESM_RECEIPT;
    pdu.sm.short_message = (struct bytes){ (const uint8_t *)"id:77 sub:001 dlvrd:001 submit date:2601010000 done "
                                                            "date:2601010000 stat:DELIVRD err:000 text:",
                                           94 };
    assert_int_equal(0, smpp_deliver(srv.server, session->ref, &pdu, 2));
}

static void srv_on_unbound(void *owner, const struct smpp_session_info *session, const char *why)
{
    UNUSED(owner);
    UNUSED(session);
    UNUSED(why);
}

static void on_deliver_turn(uv_idle_t *idle)
{
    while (srv.due_head != srv.due_tail) {
        size_t at = srv.due_head % 4096;
        bool good = srv.due[at].to[strlen(srv.due[at].to) - 1] != '9';
        char text[200];
        struct smpp_pdu pdu;

        (void)snprintf(text, sizeof text,
                       "id:%s sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:%s err:000 text:",
                       srv.due[at].id, good ? "DELIVRD" : "UNDELIV");
        memset(&pdu, 0, sizeof pdu);
        pdu.command_id = CMD_DELIVER_SM;
        pdu.has_body = true;
        pdu.sm.esm_class = ESM_RECEIPT;
        pdu.sm.short_message = (struct bytes){ (const uint8_t *)text, strlen(text) };

        int err = smpp_deliver(srv.server, srv.due[at].session, &pdu, 3);

        if (err == ERR_FULL || err == ERR_BUSY)
            return; /* again next turn */
        srv.due_head++;
    }
    (void)uv_idle_stop(idle);
}

static uint32_t srv_on_request(void *owner, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                               const struct smpp_pdu *pdu)
{
    char id[24];
    struct bytes text = smpp_sm_text(pdu);

    UNUSED(owner);
    if (pdu->sm.dest.addr.len > 0 && pdu->sm.dest.addr.at[0] == '0')
        return STATUS_RINVDSTADR;
    srv.submits++;
    srv.udh_parts += (pdu->sm.esm_class & ESM_UDHI) != 0;
    srv.text_len = text.len < sizeof srv.text ? text.len : sizeof srv.text;
    memcpy(srv.text, text.at, srv.text_len);
    srv.data_coding = pdu->sm.data_coding;
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)++srv.next_id);
    (void)smpp_answer(srv.server, ticket, STATUS_ROK, id);
    if (pdu->sm.registered_delivery != 0) {
        size_t at = srv.due_tail++ % 4096;

        srv.receipts_asked++;
        srv.due[at].session = session->ref;
        (void)snprintf(srv.due[at].id, sizeof srv.due[at].id, "%s", id);
        (void)snprintf(srv.due[at].to, sizeof srv.due[at].to, "%.*s", (int)pdu->sm.dest.addr.len, pdu->sm.dest.addr.at);
        (void)uv_idle_start(&srv.deliver, on_deliver_turn);
    }
    return SMPP_LATER;
}

static void srv_on_deliver_end(void *owner, const struct smpp_session_info *session, uint64_t cookie,
                               enum smpp_deliver_end how, uint32_t status)
{
    UNUSED(owner);
    UNUSED(session);
    UNUSED(cookie);
    UNUSED(how);
    UNUSED(status);
}

static void on_stop(uv_async_t *async)
{
    smpp_server_destroy(srv.server);
    uv_close((uv_handle_t *)&srv.deliver, NULL);
    uv_close((uv_handle_t *)async, NULL);
}

/* The room's objects belong to the thread that creates them, so all of it happens here. */
static void serve(void *arg)
{
    static const struct smpp_server_ops ops = { .on_bind = srv_on_bind,
                                                .on_bound = srv_on_bound,
                                                .on_unbound = srv_on_unbound,
                                                .on_request = srv_on_request,
                                                .on_deliver_end = srv_on_deliver_end };
    struct smpp_server_opts opts = {
        .system_id = "test", .max_sessions = 100, .max_sessions_per_address = 100, .max_pdu_bytes = 131072
    };
    const char *why;

    UNUSED(arg);
    if (uv_loop_init(&srv.loop) != 0 || smpp_server_create(&srv.loop, &opts, &ops, NULL, &srv.server) != 0 ||
        smpp_server_listen(srv.server, "127.0.0.1:0", false, &srv.port, &why) != 0)
        abort();
    (void)uv_async_init(&srv.loop, &srv.stop, on_stop);
    (void)uv_idle_init(&srv.loop, &srv.deliver);
    uv_sem_post(&srv.ready);
    (void)uv_run(&srv.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&srv.loop) != 0)
        abort();
}

static int setup(void **state)
{
    UNUSED(state);
    memset(&srv, 0, sizeof srv);
    (void)uv_sem_init(&srv.ready, 0);
    if (uv_thread_create(&srv.thread, serve, NULL) != 0)
        return 1;
    uv_sem_wait(&srv.ready);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    (void)uv_async_send(&srv.stop);
    (void)uv_thread_join(&srv.thread);
    uv_sem_destroy(&srv.ready);
    return 0;
}

/* ---- the commands ---- */

typedef int command_fn(int argc, char **argv);

static int run(command_fn *command, const char *password, const char *const *args)
{
    char url[128];
    char *argv[32] = { (char *)(uintptr_t) "x", (char *)(uintptr_t) "--url", url };
    int argc = 3;

    (void)snprintf(url, sizeof url, "smpp://demo:%s@127.0.0.1:%u", password, srv.port);
    for (size_t i = 0; args[i] != NULL; i++)
        argv[argc++] = (char *)(uintptr_t)args[i];
    return command(argc, argv);
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void send_says_by_its_status_what_became_of_it(void **state)
{
    UNUSED(state);
    assert_int_equal(0, run(lab_cmd_send, "demo", ARGS("--to", "79161234561", "--text", "Hello")));
    assert_int_equal(0, run(lab_cmd_send, "demo", ARGS("--to", "79161234561", "--text", "Hello", "--wait")));
    assert_int_equal(1, run(lab_cmd_send, "demo", ARGS("--to", "79161234569", "--text", "Hello", "--wait")));
    assert_int_equal(1, run(lab_cmd_send, "demo", ARGS("--to", "0916", "--text", "Hello")));
    assert_int_equal(1, run(lab_cmd_send, "wrong", ARGS("--to", "79161234561", "--text", "Hello")));
    assert_int_equal(2, run(lab_cmd_send, "demo", ARGS("--text", "Hello")));
    assert_int_equal(2, run(lab_cmd_send, "demo", ARGS("--to", "79161234561", "--text", "Hello", "--nonsense")));
    assert_int_equal(2, run(lab_cmd_send, "demo", ARGS("--to", "79161234561", "--text")));
    assert_int_equal(2, run(lab_cmd_send, "demo", ARGS("--to", "79161234561", "--text", "Hello", "--url", "http://x")));
    assert_int_equal(0, run(lab_cmd_send, "demo", ARGS("--help")));
    assert_int_equal(3, srv.submits);
}

static void send_chooses_the_alphabet_and_the_way_of_long_texts(void **state)
{
    char text[601];

    UNUSED(state);
    assert_int_equal(0, run(lab_cmd_send, "demo", ARGS("--to", "79161234561", "--text", "Да")));
    assert_int_equal(8, srv.data_coding);
    assert_int_equal(4, srv.text_len);
    assert_memory_equal(srv.text, "\x04\x14\x04\x30", 4);
    memset(text, 'a', 600);
    text[600] = '\0';
    assert_int_equal(0, run(lab_cmd_send, "demo", ARGS("--to", "79161234561", "--text", text, "--wait")));
    assert_int_equal(0, srv.data_coding);
    assert_int_equal(600, srv.text_len);
    assert_int_equal(0,
                     run(lab_cmd_send, "demo", ARGS("--to", "79161234561", "--text", text, "--long", "udh", "--wait")));
    assert_int_equal(4, srv.udh_parts);
}

static void listen_prints_and_ends(void **state)
{
    UNUSED(state);
    assert_int_equal(0, run(lab_cmd_listen, "demo", ARGS("--count", "2")));
    assert_int_equal(1, run(lab_cmd_listen, "wrong", ARGS("--count", "2")));
}

static void load_counts_everything(void **state)
{
    UNUSED(state);
    assert_int_equal(0, run(lab_cmd_load, "demo",
                            ARGS("--binds", "3", "--window", "20", "--count", "2000", "--receipts", "--json")));
    assert_int_equal(2000, srv.submits);
    assert_int_equal(2000, srv.receipts_asked);
    assert_int_equal(0,
                     run(lab_cmd_load, "demo", ARGS("--count", "20", "--rate", "200", "--text", "n ####", "--quiet")));
    assert_memory_equal(srv.text, "n 0019", 6);
    assert_int_equal(1, run(lab_cmd_load, "demo", ARGS("--count", "5", "--to", "0#####")));
    assert_int_equal(1, run(lab_cmd_load, "wrong", ARGS("--count", "5")));
    assert_int_equal(2, run(lab_cmd_load, "demo", ARGS("--binds", "0")));
}

/* ---- what load measures with ---- */

static void percentiles_are_exact_to_three_digits(void **state)
{
    static struct latency l;

    UNUSED(state);
    memset(&l, 0, sizeof l);
    assert_int_equal(0, latency_at(&l, 0.5));
    for (uint64_t us = 1; us <= 100000; us++)
        latency_add(&l, us);
    assert_in_range(latency_at(&l, 0.5), 50000, 50100);
    assert_in_range(latency_at(&l, 0.99), 99000, 99200);
    assert_int_equal(latency_at(&l, 1), 100000);
    latency_add(&l, UINT64_MAX / 2);
    assert_int_equal(latency_at(&l, 1), UINT64_MAX / 2);
}

static void submits_and_receipts_meet_in_any_order(void **state)
{
    struct load_table t = { 0 };
    uint64_t other;

    UNUSED(state);
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 20000; i++) {
            char id[24];
            int n = snprintf(id, sizeof id, "%llu", (unsigned long long)i);

            assert_false(load_table_meet(&t, id, (size_t)n, i + 1, &other));
        }
        for (uint64_t i = 20000; i > 0; i--) {
            char id[24];
            int n = snprintf(id, sizeof id, "%llu", (unsigned long long)(i - 1));

            assert_true(load_table_meet(&t, id, (size_t)n, 0, &other));
            assert_int_equal(other, i);
        }
        assert_int_equal(0, t.count);
    }
    load_table_finish(&t);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(send_says_by_its_status_what_became_of_it),
        T(send_chooses_the_alphabet_and_the_way_of_long_texts),
        T(listen_prints_and_ends),
        T(load_counts_everything),
        cmocka_unit_test(percentiles_are_exact_to_three_digits),
        cmocka_unit_test(submits_and_receipts_meet_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
