/* SPDX-License-Identifier: MIT */
/* test_smpp_client.c - our client and our server against each other, and the URL of the command line. */
#include "smpp_world.h"

static void binds_sends_and_unbinds(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };

    (void)state;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_TRX);
    assert_int_equal(STATUS_ROK, p.bind_status);
    assert_int_equal(1, w->bound);
    assert_int_equal(100, smpp_client_room(p.client));
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(0, peer_submit(&p, 1000 + i));
    assert_int_equal(ERR_FULL, peer_submit(&p, 1));
    RUN_UNTIL(w, p.responses == 100);
    assert_int_equal(100, w->requests);
    assert_string_equal("1234567890", p.last_id);
    assert_int_equal(1099, p.last_cookie);
    assert_true(p.rooms >= 1);
    smpp_client_unbind(p.client);
    RUN_UNTIL(w, p.closed == 1 && w->unbound == 1);
    assert_string_equal("unbound", p.why);
    assert_string_equal("unbound by peer", w->last_why);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void errors_come_back_with_their_status(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };

    (void)state;
    w->request_status = STATUS_RTHROTTLED;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_TX);
    assert_int_equal(0, peer_submit(&p, 7));
    RUN_UNTIL(w, p.responses == 1);
    assert_int_equal(SMPP_DELIVER_ANSWERED, p.last_how);
    assert_int_equal(STATUS_RTHROTTLED, p.last_status);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void a_refused_bind_is_told_and_closes(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };

    (void)state;
    w->bind_status = STATUS_RINVPASWD;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_TX);
    assert_int_equal(STATUS_RINVPASWD, p.bind_status);
    assert_int_equal(ERR_STATE, peer_submit(&p, 1));
    RUN_UNTIL(w, p.closed == 1);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void what_was_under_way_is_lost_with_the_connection(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };

    (void)state;
    w->request_status = SMPP_LATER;
    world_listen(w, false);
    peer_bind(w, &p, SMPP_BIND_TX);
    assert_int_equal(0, peer_submit(&p, 5));
    RUN_UNTIL(w, w->ticket_count == 1);
    smpp_session_close(w->server, w->last_session, "test");
    RUN_UNTIL(w, p.closed == 1);
    assert_int_equal(1, p.responses);
    assert_int_equal(SMPP_DELIVER_LOST, p.last_how);
    assert_int_equal(5, p.last_cookie);
    assert_int_equal(ERR_GONE, smpp_answer(w->server, &w->tickets[0], STATUS_ROK, "1"));
    assert_true(smpp_answer_left(w->server, &w->tickets[0]));
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void nobody_listens(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 };
    struct smpp_client_opts opts = { .host = "127.0.0.1", .port = 1, .type = SMPP_BIND_TX };

    (void)state;
    peer_connect(w, &p, &opts);
    RUN_UNTIL(w, p.closed == 1);
    assert_string_equal("connection refused", p.why);
    assert_int_equal(0, p.bound);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void a_name_is_resolved_and_a_destroyed_client_is_silent(void **state)
{
    struct world *w = world_create();
    struct peer p = { 0 }, quiet = { 0 };

    (void)state;
    world_listen(w, false);

    struct smpp_client_opts opts = { .host = "localhost", .port = w->port, .type = SMPP_BIND_TX };

    peer_connect(w, &quiet, &opts);
    smpp_client_destroy(quiet.client);
    peer_connect(w, &p, &opts);
    RUN_UNTIL(w, p.bound == 1 || p.closed == 1);
    assert_int_equal(1, p.bound);
    assert_int_equal(0, quiet.closed + quiet.bound);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void url_is_read(void **state)
{
    char storage[512];
    struct smpp_client_opts o = { 0 };

    (void)state;
    assert_int_equal(0, smpp_url_read("smpp://demo:d%40mo@127.0.0.1:2775", storage, &o));
    assert_string_equal("demo", o.system_id);
    assert_string_equal("d@mo", o.password);
    assert_string_equal("127.0.0.1", o.host);
    assert_int_equal(2775, o.port);
    assert_false(o.tls);
    assert_int_equal(0, smpp_url_read("smpps://a:b@[::1]:3550/", storage, &o));
    assert_string_equal("::1", o.host);
    assert_true(o.tls);
    assert_int_equal(0, smpp_url_read("smpp://a@host:1", storage, &o));
    assert_string_equal("", o.password);
    assert_int_equal(ERR_SYNTAX, smpp_url_read("http://a:b@host:1", storage, &o));
    assert_int_equal(ERR_SYNTAX, smpp_url_read("smpp://a:b@host", storage, &o));
    assert_int_equal(ERR_SYNTAX, smpp_url_read("smpp://a:%zz@host:1", storage, &o));
    assert_int_equal(ERR_SYNTAX, smpp_url_read("smpp://a:%00@host:1", storage, &o));
    assert_int_equal(ERR_SYNTAX, smpp_url_read("smpp://", storage, &o));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binds_sends_and_unbinds),
        cmocka_unit_test(errors_come_back_with_their_status),
        cmocka_unit_test(a_refused_bind_is_told_and_closes),
        cmocka_unit_test(what_was_under_way_is_lost_with_the_connection),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_name_is_resolved_and_a_destroyed_client_is_silent),
        cmocka_unit_test(url_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
