/* SPDX-License-Identifier: MIT */
/* test_smpp_server.c - what raw sockets may do to the server: framing, states, windows, nonsense. */
#include "smpp_world.h"

#include "smpp/internal.h"

/* ---- framing ---- */

static void one_byte_at_a_time(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_TRANSCEIVER, 0x34), sm = world_sm(CMD_SUBMIT_SM);
    struct buf bytes;

    (void)state;
    world_listen(w, false);
    buf_init(&bytes, 1000);
    raw_pdu(&bytes, &bind, 0xFFFFFFFF); /* any number is echoed */
    raw_pdu(&bytes, &sm, 0);

    struct raw *r = raw_connect(w, true);

    for (size_t i = 0; i < bytes.len; i++) {
        raw_send(r, bytes.data + i, 1);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }

    struct head h = raw_next(w, r);

    assert_int_equal(CMD_BIND_TRANSCEIVER | CMD_RESPONSE, h.id);
    assert_int_equal(0xFFFFFFFF, h.sequence);
    assert_int_equal(16 + 7 + 5, h.length);
    assert_string_equal("bridge", (const char *)h.body);
    assert_memory_equal("\x02\x10\x00\x01\x34", h.body + 7, 5); /* sc_interface_version */
    h = raw_next(w, r);
    assert_int_equal(CMD_SUBMIT_SM | CMD_RESPONSE, h.id);
    assert_int_equal(0, h.sequence);
    assert_string_equal("1234567890", (const char *)h.body);
    buf_finish(&bytes);
    raw_close(r);
    world_destroy(w);
}

static void twenty_in_one_read_are_answered_in_one_write(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);
    struct buf bytes;

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);

    buf_init(&bytes, 10000);
    for (uint32_t i = 0; i < 20; i++)
        raw_pdu(&bytes, &sm, 100 + i);
    r->reads = 0;
    raw_send(r, bytes.data, bytes.len);
    for (uint32_t i = 0; i < 20; i++)
        NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_ROK, 100 + i);
    assert_int_equal(1, r->reads);
    buf_finish(&bytes);
    raw_close(r);
    world_destroy(w);
}

static void more_than_a_turn_takes_waits_and_is_all_answered(void **state)
{
    enum { MANY = 3000 };
    struct world *w = world_create();
    struct buf bytes;

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);

    buf_init(&bytes, MANY * 16);
    for (uint32_t i = 0; i < MANY; i++) {
        uint8_t ask[16] = { 0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i };

        buf_add(&bytes, ask, sizeof ask);
    }
    raw_send(r, bytes.data, bytes.len);
    for (uint32_t i = 0; i < MANY; i++)
        NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, i);
    buf_finish(&bytes);
    raw_close(r);
    world_destroy(w);
}

static void absurd_length_is_nacked_and_closed(void **state)
{
    static const uint32_t lengths[] = { 0, 15, 0x7FFFFFFF, 0xFFFFFFFF };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (int is_bound = 0; is_bound < 2; is_bound++) {
            struct world *w = world_create();

            world_listen(w, false);

            struct raw *r = is_bound ? raw_bound(w, CMD_BIND_TRANSMITTER) : raw_connect(w, true);

            raw_send_header(r, lengths[i], CMD_SUBMIT_SM, 0, 77);
            NEXT_IS(w, r, CMD_GENERIC_NACK, STATUS_RINVCMDLEN, 77);
            RUN_UNTIL(w, r->eof);
            raw_close(r);
            if (is_bound) {
                RUN_UNTIL(w, w->unbound == 1);
                assert_string_equal("framing lost", w->last_why);
            }
            world_destroy(w);
        }
    }
}

static void a_bind_may_not_be_long_but_a_submit_may(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);
    static uint8_t payload[65000];

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_connect(w, true);

    raw_send_header(r, 5000, CMD_BIND_TRANSMITTER, 0, 1);
    NEXT_IS(w, r, CMD_GENERIC_NACK, STATUS_RINVCMDLEN, 1);
    raw_close(r);
    r = raw_bound(w, CMD_BIND_TRANSMITTER);
    sm.sm.short_message.len = 0;
    assert_true(smpp_tlv_add(&sm, TAG_MESSAGE_PAYLOAD, payload, sizeof payload));
    raw_send_pdu(r, &sm, 2);
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_ROK, 2);
    raw_close(r);
    world_destroy(w);
}

static void other_protocols_are_closed_quietly(void **state)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static const uint8_t hello[] = { 0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03, 0x00 };
    struct world *w = world_create();

    (void)state;
    world_listen(w, false);
    for (int i = 0; i < 2; i++) {
        struct raw *r = raw_connect(w, true);

        if (i == 0)
            raw_send(r, http, sizeof http - 1);
        else
            raw_send(r, hello, sizeof hello);
        RUN_UNTIL(w, r->eof);
        assert_int_equal(0, r->len);
        raw_close(r);
        RUN_UNTIL(w, w->troubles == (unsigned)i + 1);
        assert_string_equal("not SMPP", w->last_trouble);
    }
    world_destroy(w);
}

/* ---- states ---- */

static void versions_are_normalised_and_announced(void **state)
{
    static const struct {
        uint8_t sent, taken;
        uint32_t length;
    } cases[] = { { 0x00, 0x33, 23 }, { 0x33, 0x33, 23 }, { 0x34, 0x34, 28 }, { 0x50, 0x50, 28 }, { 0x99, 0x34, 28 } };
    struct world *w = world_create();

    (void)state;
    world_listen(w, false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct raw *r = raw_connect(w, true);
        struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_RECEIVER, cases[i].sent);

        raw_send_pdu(r, &bind, 1);

        struct head h = raw_next(w, r);

        assert_int_equal(CMD_BIND_RECEIVER | CMD_RESPONSE, h.id);
        assert_int_equal(cases[i].length, h.length);
        assert_int_equal(cases[i].taken, w->last_version);
        raw_close(r);
    }
    world_destroy(w);
}

static void a_second_bind_keeps_the_session(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_RECEIVER, 0x34);

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);

    raw_send_pdu(r, &bind, 2);
    NEXT_IS(w, r, CMD_BIND_RECEIVER | CMD_RESPONSE, STATUS_RALYBND, 2);
    raw_send_pdu(r, &sm, 3);
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_ROK, 3);
    assert_int_equal(1, w->bound);
    raw_close(r);
    world_destroy(w);
}

static void every_request_gets_one_answer(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_RECEIVER);

    raw_send_pdu(r, &sm, 2);
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_RINVBNDSTS, 2);
    raw_send_header(r, 16, 0x42, 0, 3);
    NEXT_IS(w, r, CMD_GENERIC_NACK, STATUS_RINVCMDID, 3);
    sm.command_id = CMD_DELIVER_SM; /* not toward us */
    raw_send_pdu(r, &sm, 4);
    NEXT_IS(w, r, CMD_DELIVER_SM | CMD_RESPONSE, STATUS_RINVBNDSTS, 4);
    raw_send_header(r, 16, CMD_OUTBIND, 0, 5);
    NEXT_IS(w, r, CMD_GENERIC_NACK, STATUS_RINVBNDSTS, 5);
    raw_send_header(r, 16, CMD_SUBMIT_SM, 0, 6);
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_RINVBNDSTS, 6);
    raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 7);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, 7);
    /* An answer to nothing is dropped and counted. */
    raw_send_header(r, 16, CMD_DELIVER_SM | CMD_RESPONSE, 0, 99);
    raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 8);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, 8);
    assert_string_equal("answer nobody waits for", w->last_trouble);
    raw_close(r);
    r = raw_bound(w, CMD_BIND_TRANSMITTER);
    raw_send_header(r, 16, CMD_SUBMIT_SM, 0, 9); /* no fields at all: the frame is known, the session stays */
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_RINVCMDLEN, 9);
    raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 10);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, 10);
    assert_int_equal(0, w->requests);
    raw_close(r);
    world_destroy(w);
}

static void unbound_peers_get_five_answers(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_connect(w, true);

    raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 1);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, 1);
    raw_send_header(r, 16, CMD_OUTBIND, 0, 2);
    raw_send_header(r, 16, CMD_UNBIND, 0, 3);
    NEXT_IS(w, r, CMD_UNBIND | CMD_RESPONSE, STATUS_RINVBNDSTS, 3);
    for (uint32_t i = 4; i < 8; i++) {
        raw_send_pdu(r, &sm, i);
        NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_RINVBNDSTS, i);
    }
    RUN_UNTIL(w, r->eof);
    raw_close(r);
    world_destroy(w);
}

static void failed_binds_may_be_repeated_twice(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_TRANSMITTER, 0x34);

    (void)state;
    w->bind_status = STATUS_RINVPASWD;
    world_listen(w, false);

    struct raw *r = raw_connect(w, true);

    for (uint32_t i = 1; i <= 3; i++) {
        raw_send_pdu(r, &bind, i);

        struct head h = raw_next(w, r);

        assert_int_equal(CMD_BIND_TRANSMITTER | CMD_RESPONSE, h.id);
        assert_int_equal(STATUS_RINVPASWD, h.status);
        assert_int_equal(16, h.length); /* errors are header only */
    }
    RUN_UNTIL(w, r->eof);
    raw_close(r);
    w->bind_status = STATUS_RBINDFAIL;
    r = raw_connect(w, true);
    raw_send_pdu(r, &bind, 9);
    NEXT_IS(w, r, CMD_BIND_TRANSMITTER | CMD_RESPONSE, STATUS_RBINDFAIL, 9);
    RUN_UNTIL(w, r->eof);
    raw_close(r);
    assert_int_equal(0, w->bound);
    world_destroy(w);
}

/* ---- answers ---- */

static void above_the_window_is_refused_at_once(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);

    (void)state;
    w->grant.window = 2;
    w->request_status = SMPP_LATER;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);

    for (uint32_t i = 10; i < 13; i++)
        raw_send_pdu(r, &sm, i);
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_RMSGQFUL, 12);
    assert_int_equal(2, w->requests);
    assert_int_equal(2, w->last_in_window);
    assert_true(smpp_answer_left(w->server, &w->tickets[0]));
    assert_int_equal(0, smpp_answer(w->server, &w->tickets[1], STATUS_ROK, "11"));
    assert_false(smpp_answer_left(w->server, &w->tickets[1]));
    assert_true(smpp_answer_left(w->server, &w->tickets[0]));
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_ROK, 11);
    assert_true(smpp_answer_left(w->server, &w->tickets[1]));
    raw_send_pdu(r, &sm, 13);
    RUN_UNTIL(w, w->requests == 3);
    assert_int_equal(0, smpp_answer(w->server, &w->tickets[0], STATUS_RSUBMITFAIL, "never shown"));

    struct head h = raw_next(w, r);

    assert_int_equal(STATUS_RSUBMITFAIL, h.status);
    assert_int_equal(16, h.length);
    raw_close(r);
    world_destroy(w);
}

static void built_responses_carry_the_tickets_number(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu query = { .command_id = CMD_QUERY_SM, .has_body = true };
    struct smpp_pdu response = { .has_body = true, .message_state = SMPP_STATE_DELIVERED };
    char too_long[200];

    (void)state;
    w->request_status = SMPP_LATER;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);

    query.message_id = smpp_str("55");
    raw_send_pdu(r, &query, 21);
    raw_send_pdu(r, &query, 22);
    RUN_UNTIL(w, w->ticket_count == 2);
    response.message_id = smpp_str("55");
    assert_int_equal(0, smpp_answer_pdu(w->server, &w->tickets[0], &response));
    NEXT_IS(w, r, CMD_QUERY_SM | CMD_RESPONSE, STATUS_ROK, 21);
    /* A response that cannot be written is an answer still. */
    memset(too_long, '7', sizeof too_long);
    response.message_id = (struct smpp_str){ too_long, sizeof too_long };
    assert_int_equal(ERR_RANGE, smpp_answer_pdu(w->server, &w->tickets[1], &response));
    NEXT_IS(w, r, CMD_QUERY_SM | CMD_RESPONSE, STATUS_RSYSERR, 22);
    raw_close(r);
    world_destroy(w);
}

static void unbind_waits_for_answers_owed(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);

    (void)state;
    w->request_status = SMPP_LATER;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);

    raw_send_pdu(r, &sm, 2);
    raw_send_header(r, 16, CMD_UNBIND, 0, 3);
    raw_send_pdu(r, &sm, 4); /* too late */
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_RSYSERR, 4);
    raw_send_header(r, 16, CMD_UNBIND, 0, 5); /* impatient */
    NEXT_IS(w, r, CMD_UNBIND | CMD_RESPONSE, STATUS_ROK, 5);
    assert_int_equal(1, w->ticket_count);
    assert_int_equal(0, smpp_answer(w->server, &w->tickets[0], STATUS_ROK, "1"));
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_ROK, 2);
    NEXT_IS(w, r, CMD_UNBIND | CMD_RESPONSE, STATUS_ROK, 3);
    raw_close(r);
    RUN_UNTIL(w, w->unbound == 1);
    assert_string_equal("unbound by peer", w->last_why);
    world_destroy(w);
}

static void unbind_is_answered_in_the_end_and_closed_after_it(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);

    (void)state;
    w->request_status = SMPP_LATER; /* the answer never comes */
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);

    raw_send_pdu(r, &sm, 2);
    raw_send_header(r, 16, CMD_UNBIND, 0, 3);
    NEXT_IS(w, r, CMD_UNBIND | CMD_RESPONSE, STATUS_ROK, 3);
    assert_int_equal(ERR_GONE,
                     smpp_answer(w->server, &w->tickets[0], STATUS_ROK, "1")); /* not behind the unbind_resp */
    RUN_UNTIL(w, r->eof);                                                      /* this peer waits for us to close */
    assert_int_equal(ERR_GONE, smpp_answer(w->server, &w->tickets[0], STATUS_ROK, "1"));
    raw_close(r);
    world_destroy(w);
}

/* ---- ceilings ---- */

static void connections_are_counted(void **state)
{
    struct world *w = world_create();

    (void)state;
    w->opts.max_sessions = 3;
    w->opts.max_sessions_per_address = 2;
    world_listen(w, false);

    struct raw *a = raw_bound(w, CMD_BIND_TRANSMITTER), *b = raw_bound(w, CMD_BIND_RECEIVER);
    struct raw *c = raw_connect(w, true);

    RUN_UNTIL(w, c->eof);
    assert_string_equal("too many connections from address", w->last_trouble);
    raw_close(c);
    w->opts.max_sessions_per_address = 0;
    w->opts.max_sessions = 2;
    smpp_server_configure(w->server, &w->opts);
    c = raw_connect(w, true);
    RUN_UNTIL(w, c->eof);
    assert_string_equal("too many connections", w->last_trouble);
    raw_close(c);
    raw_close(b);
    RUN_UNTIL(w, w->unbound == 1);
    b = raw_bound(w, CMD_BIND_RECEIVER); /* the place is free again */
    raw_close(a);
    raw_close(b);
    world_destroy(w);
}

/* Ten thousand idle connections are to cost tens of megabytes, kernel included: what a session holds before it binds is
 * this struct and nothing else. */
static void a_session_is_small(void **state)
{
    struct world *w = world_create();
    struct raw *r;
    struct smpp_session *s;

    (void)state;
    assert_true(sizeof(struct smpp_session) <= 1536);
    world_listen(w, false);
    r = raw_connect(w, true);
    raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 1);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, 1);
    s = w->server->slots[0].session;
    assert_null(s->link.out.data);
    assert_null(s->link.held.data);
    assert_null(s->link.framer.held);
    assert_null(s->window.slots);
    assert_null(s->link.writing);
    raw_close(r);
    world_destroy(w);
}

static void a_peer_that_never_reads_is_paused_then_closed(void **state)
{
    struct world *w = world_create();
    struct buf bytes;
    struct raw *r;

    (void)state;
    w->opts.max_output_bytes = 16 * 1024;
    w->opts.response_timeout_ms = 300;
    world_listen(w, false);
    r = raw_bound(w, CMD_BIND_TRANSMITTER);
    uv_read_stop((uv_stream_t *)&r->tcp);
    buf_init(&bytes, 64000);
    for (uint32_t i = 0; i < 4000; i++) {
        static const uint8_t ask[16] = { 0, 0, 0, 16, 0, 0, 0, 0x15 };

        buf_add(&bytes, ask, sizeof ask);
    }
    /* Ours to the kernel until it takes no more: then the server has stopped to read. What it takes may end inside a PDU. */
    for (size_t at = 0; w->unbound == 0;) {
        uv_buf_t b = uv_buf_init(bytes.data + at, (unsigned)(bytes.len - at));
        int wrote = uv_try_write((uv_stream_t *)&r->tcp, &b, 1);

        if (wrote > 0)
            at = (at + (size_t)wrote) % bytes.len;
        uv_run(&w->loop, w->troubles > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
    assert_string_equal("peer does not read", w->last_why);
    buf_finish(&bytes);
    raw_close(r);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(twenty_in_one_read_are_answered_in_one_write),
        cmocka_unit_test(more_than_a_turn_takes_waits_and_is_all_answered),
        cmocka_unit_test(absurd_length_is_nacked_and_closed),
        cmocka_unit_test(a_bind_may_not_be_long_but_a_submit_may),
        cmocka_unit_test(other_protocols_are_closed_quietly),
        cmocka_unit_test(versions_are_normalised_and_announced),
        cmocka_unit_test(a_second_bind_keeps_the_session),
        cmocka_unit_test(every_request_gets_one_answer),
        cmocka_unit_test(unbound_peers_get_five_answers),
        cmocka_unit_test(failed_binds_may_be_repeated_twice),
        cmocka_unit_test(above_the_window_is_refused_at_once),
        cmocka_unit_test(built_responses_carry_the_tickets_number),
        cmocka_unit_test(unbind_waits_for_answers_owed),
        cmocka_unit_test(unbind_is_answered_in_the_end_and_closed_after_it),
        cmocka_unit_test(connections_are_counted),
        cmocka_unit_test(a_session_is_small),
        cmocka_unit_test(a_peer_that_never_reads_is_paused_then_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
