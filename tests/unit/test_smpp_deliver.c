/* SPDX-License-Identifier: MIT */
/* test_smpp_deliver.c - deliveries and their ends, the server's timers, drain, probe and outbind. */
#include "smpp_world.h"

static void deliveries_end_once_each_way(void **state)
{
    struct world *w = world_create();
    struct peer p = { .deliver_answer = STATUS_ROK };

    (void)state;
    w->grant.deliver_window = 3;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_RX);
    assert_int_equal(3, smpp_deliver_room(w->server, w->last_session));
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(0, world_deliver(w, i));
    assert_int_equal(ERR_FULL, world_deliver(w, 4));
    assert_int_equal(0, smpp_deliver_room(w->server, w->last_session));
    assert_int_equal(3, smpp_session_find(w->server, w->last_session)->out_window);
    RUN_UNTIL(w, w->end_count == 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(i + 1, w->ends[i].cookie);
        assert_int_equal(SMPP_DELIVER_ANSWERED, w->ends[i].how);
        assert_int_equal(STATUS_ROK, w->ends[i].status);
    }
    p.deliver_answer = STATUS_RX_T_APPN;
    assert_int_equal(0, world_deliver(w, 5));
    RUN_UNTIL(w, w->end_count == 4);
    assert_int_equal(STATUS_RX_T_APPN, w->ends[3].status);
    /* The connection goes before the answer. */
    p.deliver_answer = SMPP_LATER;
    assert_int_equal(0, world_deliver(w, 6));
    RUN_UNTIL(w, p.delivers == 5);
    smpp_client_destroy(p.client);
    RUN_UNTIL(w, w->unbound == 1);
    assert_int_equal(5, w->end_count);
    assert_int_equal(SMPP_DELIVER_LOST, w->ends[4].how);
    assert_int_equal(6, w->ends[4].cookie);
    assert_int_equal(ERR_GONE, world_deliver(w, 7));
    assert_int_equal(0, smpp_deliver_room(w->server, w->last_session));
    assert_null(smpp_session_find(w->server, w->last_session));
    world_destroy(w);
}

static void close_from_above_ends_deliveries_before_it_returns(void **state)
{
    struct world *w = world_create();
    struct peer p = { .deliver_answer = SMPP_LATER };

    (void)state;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_TRX);
    assert_int_equal(0, world_deliver(w, 6));
    smpp_session_close(w->server, w->last_session, "operator");
    assert_int_equal(1, w->end_count);
    assert_int_equal(0, w->unbound); /* told from the loop */
    RUN_UNTIL(w, w->unbound == 1 && p.closed == 1);
    assert_string_equal("operator", w->last_why);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void transmitters_get_no_deliveries(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };
    struct smpp_pdu alert = { .command_id = CMD_ALERT_NOTIFICATION, .has_body = true };

    (void)state;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_TX);
    assert_int_equal(ERR_STATE, world_deliver(w, 1));
    assert_int_equal(ERR_STATE, smpp_notify(w->server, w->last_session, &alert));
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void bare_answers_nacks_and_late_answers(void **state)
{
    struct world *w = world_create();

    (void)state;
    w->opts.response_timeout_ms = 60;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_RECEIVER);

    assert_int_equal(0, world_deliver(w, 1));
    NEXT_IS(w, r, CMD_DELIVER_SM, 0, 1);
    raw_send_header(r, 16, CMD_DELIVER_SM | CMD_RESPONSE, STATUS_ROK, 1); /* header only */
    RUN_UNTIL(w, w->end_count == 1);
    assert_int_equal(SMPP_DELIVER_ANSWERED, w->ends[0].how);
    assert_int_equal(0, world_deliver(w, 2));
    NEXT_IS(w, r, CMD_DELIVER_SM, 0, 2);
    raw_send_header(r, 16, CMD_GENERIC_NACK, STATUS_RINVCMDID, 2);
    RUN_UNTIL(w, w->end_count == 2);
    assert_int_equal(SMPP_DELIVER_NACKED, w->ends[1].how);
    assert_int_equal(STATUS_RINVCMDID, w->ends[1].status);
    assert_int_equal(0, world_deliver(w, 3));
    RUN_UNTIL(w, w->end_count == 3);
    assert_int_equal(SMPP_DELIVER_TIMED_OUT, w->ends[2].how);
    assert_string_equal("deliver unanswered", w->last_trouble);
    raw_send_header(r, 16, CMD_DELIVER_SM | CMD_RESPONSE, STATUS_ROK, 3); /* too late */
    RUN_UNTIL(w, w->troubles == 2);
    assert_string_equal("answer nobody waits for", w->last_trouble);
    assert_int_equal(3, w->end_count);
    assert_int_equal(10, smpp_deliver_room(w->server, w->last_session)); /* the session lives */
    raw_close(r);
    world_destroy(w);
}

static void a_delivery_that_cannot_be_written_takes_no_place(void **state)
{
    struct world *w = world_create();
    struct peer p = { .deliver_answer = STATUS_ROK };
    struct smpp_pdu sm = world_sm(CMD_DELIVER_SM);
    static const uint8_t text[300];

    (void)state;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_RX);
    sm.sm.short_message = (struct bytes){ text, 300 };
    assert_int_equal(ERR_RANGE, smpp_deliver(w->server, w->last_session, &sm, 1));
    assert_int_equal(10, smpp_deliver_room(w->server, w->last_session));
    assert_int_equal(0, world_deliver(w, 2));
    RUN_UNTIL(w, w->end_count == 1);
    assert_int_equal(2, w->ends[0].cookie);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void notifications_expect_no_answer(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu alert = { .command_id = CMD_ALERT_NOTIFICATION, .has_body = true };

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_RECEIVER);

    alert.sm.source.addr = alert.esme.addr = smpp_str("100");
    assert_int_equal(0, smpp_notify(w->server, w->last_session, &alert));
    NEXT_IS(w, r, CMD_ALERT_NOTIFICATION, 0, 1);
    assert_int_equal(10, smpp_deliver_room(w->server, w->last_session));
    raw_close(r);
    world_destroy(w);
}

/* ---- timers ---- */

static void silence_is_asked_about_twice_then_closed(void **state)
{
    struct world *w = world_create();

    (void)state;
    w->opts.enquire_link_interval_ms = 40;
    w->opts.response_timeout_ms = 60;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_RECEIVER);

    NEXT_IS(w, r, CMD_ENQUIRE_LINK, 0, 1);
    raw_send_header(r, 16, CMD_ENQUIRE_LINK | CMD_RESPONSE, 0, 1);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK, 0, 2); /* silent again: a new question */
    NEXT_IS(w, r, CMD_ENQUIRE_LINK, 0, 3); /* unanswered: once more */
    RUN_UNTIL(w, r->eof);
    RUN_UNTIL(w, w->unbound == 1);
    assert_string_equal("enquire_link unanswered", w->last_why);
    assert_string_equal("enquire_link unanswered", w->last_trouble);
    raw_close(r);
    world_destroy(w);
}

static void no_bind_in_time(void **state)
{
    struct world *w = world_create();

    (void)state;
    w->opts.bind_timeout_ms = 40;
    world_listen(w, false);

    struct raw *r = raw_connect(w, true);

    RUN_UNTIL(w, r->eof);
    RUN_UNTIL(w, w->troubles == 2);
    assert_string_equal("bind timeout", w->last_trouble);
    assert_int_equal(0, w->unbound);
    raw_close(r);
    world_destroy(w);
}

static void no_traffic_at_all_is_unbound(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };

    (void)state;
    w->opts.inactivity_timeout_ms = 50;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_TRX);
    RUN_UNTIL(w, w->unbound == 1 && p.closed == 1);
    assert_string_equal("inactive", w->last_why);
    assert_string_equal("unbound by server", p.why);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void a_probe_finds_the_dead_and_spares_the_living(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };

    (void)state;
    world_listen(w, false);

    struct raw *dead = raw_bound(w, CMD_BIND_RECEIVER);
    struct smpp_session_ref dead_ref = w->last_session;

    peer_bind(w, &p, SMPP_BIND_RX);

    struct smpp_session_ref living_ref = w->last_session;

    smpp_session_probe(w->server, dead_ref, 80);
    smpp_session_probe(w->server, living_ref, 80);
    RUN_UNTIL(w, w->unbound == 1);
    assert_string_equal("enquire_link unanswered", w->last_why);
    assert_null(smpp_session_find(w->server, dead_ref));
    assert_non_null(smpp_session_find(w->server, living_ref));
    raw_close(dead);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void a_bind_may_be_decided_later(void **state)
{
    struct world *w = world_create();
    struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_TRANSCEIVER, 0x34);

    (void)state;
    w->opts.bind_timeout_ms = 300;
    w->bind_status = SMPP_LATER;
    w->grant.again_ms = 5;
    world_listen(w, false);

    struct raw *r = raw_connect(w, true), *late = raw_connect(w, true);

    raw_send_pdu(r, &bind, 1);
    RUN_UNTIL(w, w->binds == 3);
    assert_int_equal(0, r->len);
    assert_string_equal("alice", w->last_bind); /* still */
    raw_send_pdu(r, &bind, 2);                  /* one at a time */
    NEXT_IS(w, r, CMD_BIND_TRANSCEIVER | CMD_RESPONSE, STATUS_RINVBNDSTS, 2);
    raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 3);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, 3);
    w->bind_status = STATUS_ROK;
    NEXT_IS(w, r, CMD_BIND_TRANSCEIVER | CMD_RESPONSE, STATUS_ROK, 1);
    assert_int_equal(1, w->bound);

    w->bind_status = SMPP_LATER; /* one that is never decided has the bind's time, and a peer may go meanwhile */
    raw_send_pdu(late, &bind, 1);
    RUN_UNTIL(w, w->troubles == 2 && late->eof); /* the time-out, then the end */
    assert_string_equal("bind timeout", w->last_trouble);

    struct raw *gone = raw_connect(w, true);
    unsigned binds = w->binds;

    raw_send_pdu(gone, &bind, 1);
    RUN_UNTIL(w, w->binds == binds + 2);
    raw_close(gone);
    RUN_UNTIL(w, w->troubles == 3);
    raw_close(r);
    raw_close(late);
    world_destroy(w);
}

static void timers_may_change_under_a_session(void **state)
{
    struct world *w = world_create();

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_RECEIVER);

    w->opts.enquire_link_interval_ms = 20;
    smpp_server_configure(w->server, &w->opts);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK, 0, 1);
    raw_close(r);
    world_destroy(w);
}

/* ---- ends ---- */

static void drain_unbinds_everybody(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };

    (void)state;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_TRX);

    struct raw *open = raw_connect(w, true);
    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);

    smpp_server_drain(w->server, 5000, world_on_drained);
    NEXT_IS(w, r, CMD_UNBIND, 0, 1);
    raw_send_pdu(r, &sm, 5); /* it may not have seen the unbind yet */
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_RSYSERR, 5);
    raw_send_header(r, 16, CMD_UNBIND | CMD_RESPONSE, 0, 1);
    RUN_UNTIL(w, r->eof && open->eof && p.closed == 1);
    assert_int_equal(0, w->drained);
    raw_close(r);
    raw_close(open);
    RUN_UNTIL(w, w->drained == 1);
    assert_int_equal(2, w->unbound);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void drain_ends_at_its_deadline_and_when_nobody_is_there(void **state)
{
    struct world *w = world_create();

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);

    smpp_server_drain(w->server, 50, world_on_drained);
    RUN_UNTIL(w, w->drained == 1);
    assert_string_equal("shutdown", w->last_why);
    raw_close(r);
    world_destroy(w);
    w = world_create();
    world_listen(w, false);
    smpp_server_drain(w->server, 50, world_on_drained);
    assert_int_equal(0, w->drained);
    RUN_UNTIL(w, w->drained == 1);
    world_destroy(w);
}

static void answers_owed_are_given_when_we_unbind(void **state)
{
    struct world *w = world_create();

    (void)state;
    w->request_status = SMPP_LATER;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);
    struct smpp_pdu sm = world_sm(CMD_SUBMIT_SM);

    raw_send_pdu(r, &sm, 2);
    RUN_UNTIL(w, w->ticket_count == 1);
    smpp_session_unbind(w->server, w->last_session, "operator");
    NEXT_IS(w, r, CMD_UNBIND, 0, 1);
    raw_send_header(r, 16, CMD_UNBIND | CMD_RESPONSE, 0, 1);
    raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 3);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, 0, 3);
    assert_int_equal(0, smpp_answer(w->server, &w->tickets[0], STATUS_ROK, "1"));
    NEXT_IS(w, r, CMD_SUBMIT_SM | CMD_RESPONSE, STATUS_ROK, 2);
    RUN_UNTIL(w, r->eof);
    raw_close(r);
    RUN_UNTIL(w, w->unbound == 1);
    assert_string_equal("operator", w->last_why);
    world_destroy(w);
}

static void unbinds_may_cross(void **state)
{
    struct world *w = world_create();

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSMITTER);

    smpp_session_unbind(w->server, w->last_session, "operator");
    raw_send_header(r, 16, CMD_UNBIND, 0, 3);
    NEXT_IS(w, r, CMD_UNBIND, 0, 1);
    NEXT_IS(w, r, CMD_UNBIND | CMD_RESPONSE, 0, 3);
    raw_send_header(r, 16, CMD_UNBIND | CMD_RESPONSE, 0, 1);
    RUN_UNTIL(w, r->eof);
    raw_close(r);
    RUN_UNTIL(w, w->unbound == 1);
    assert_int_equal(0, w->troubles);
    world_destroy(w);
}

static void count_session(void *arg, const struct smpp_session_info *session)
{
    assert_non_null(session->system_id);
    assert_true(session->n > 0);
    ++*(unsigned *)arg;
}

static void slots_are_reused_with_another_generation(void **state)
{
    struct world *w = world_create();
    struct smpp_session_ref first;
    unsigned count = 0;

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_RECEIVER);

    first = w->last_session;
    raw_close(r);
    RUN_UNTIL(w, w->unbound == 1);
    r = raw_bound(w, CMD_BIND_RECEIVER);
    assert_int_equal(first.slot, w->last_session.slot);
    assert_int_not_equal(first.generation, w->last_session.generation);
    assert_null(smpp_session_find(w->server, first));
    assert_null(smpp_session_find(w->server, (struct smpp_session_ref){ 0, 0 }));

    const struct smpp_session_info *info = smpp_session_find(w->server, w->last_session);

    assert_string_equal("alice", info->system_id);
    assert_int_equal(SMPP_BIND_RX, info->type);
    assert_int_equal(2, info->n);
    smpp_sessions(w->server, count_session, &count);
    assert_int_equal(1, count);
    raw_close(r);
    world_destroy(w);
}

/* ---- outbind: a listening ESME, made of a uv server that accepts one ---- */

struct esme {
    uv_tcp_t listener;
    struct raw raw;
    bool accepted;
};

static void on_esme(uv_stream_t *stream, int status)
{
    struct esme *e = stream->data;

    assert_int_equal(0, status);
    uv_tcp_init(stream->loop, &e->raw.tcp);
    e->raw.tcp.data = &e->raw;
    assert_int_equal(0, uv_accept(stream, (uv_stream_t *)&e->raw.tcp));
    uv_read_start((uv_stream_t *)&e->raw.tcp, raw_on_alloc, raw_on_read);
    e->accepted = true;
}

static void outbind_connects_and_serves_the_bind(void **state)
{
    struct world *w = world_create();
    struct esme *e = calloc(1, sizeof *e);
    struct sockaddr_in sa;
    struct sockaddr_storage bound;
    int len = sizeof bound;
    char address[64];
    struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_RECEIVER, 0x34);

    (void)state;
    world_listen(w, false);
    uv_ip4_addr("127.0.0.1", 0, &sa);
    uv_tcp_init(&w->loop, &e->listener);
    e->listener.data = e;
    assert_int_equal(0, uv_tcp_bind(&e->listener, (struct sockaddr *)&sa, 0));
    assert_int_equal(0, uv_listen((uv_stream_t *)&e->listener, 1, on_esme));
    uv_tcp_getsockname(&e->listener, (struct sockaddr *)&bound, &len);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(((struct sockaddr_in *)&bound)->sin_port));
    assert_int_equal(ERR_SYNTAX, smpp_server_outbind(w->server, "nowhere", "bridge", "pw"));
    assert_int_equal(0, smpp_server_outbind(w->server, address, "bridge", "pw"));

    RUN_UNTIL(w, e->accepted);

    struct head h = raw_next(w, &e->raw);

    assert_int_equal(CMD_OUTBIND, h.id);
    assert_memory_equal("bridge\0pw", h.body, 10);
    raw_send_pdu(&e->raw, &bind, 1);
    NEXT_IS(w, &e->raw, CMD_BIND_RECEIVER | CMD_RESPONSE, STATUS_ROK, 1);
    assert_int_equal(0, world_deliver(w, 1));
    NEXT_IS(w, &e->raw, CMD_DELIVER_SM, 0, 2);
    uv_close((uv_handle_t *)&e->raw.tcp, NULL);
    uv_close((uv_handle_t *)&e->listener, NULL);
    world_destroy(w);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliveries_end_once_each_way),
        cmocka_unit_test(close_from_above_ends_deliveries_before_it_returns),
        cmocka_unit_test(transmitters_get_no_deliveries),
        cmocka_unit_test(bare_answers_nacks_and_late_answers),
        cmocka_unit_test(a_delivery_that_cannot_be_written_takes_no_place),
        cmocka_unit_test(notifications_expect_no_answer),
        cmocka_unit_test(silence_is_asked_about_twice_then_closed),
        cmocka_unit_test(no_bind_in_time),
        cmocka_unit_test(no_traffic_at_all_is_unbound),
        cmocka_unit_test(a_probe_finds_the_dead_and_spares_the_living),
        cmocka_unit_test(a_bind_may_be_decided_later),
        cmocka_unit_test(timers_may_change_under_a_session),
        cmocka_unit_test(drain_unbinds_everybody),
        cmocka_unit_test(drain_ends_at_its_deadline_and_when_nobody_is_there),
        cmocka_unit_test(answers_owed_are_given_when_we_unbind),
        cmocka_unit_test(unbinds_may_cross),
        cmocka_unit_test(slots_are_reused_with_another_generation),
        cmocka_unit_test(outbind_connects_and_serves_the_bind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
