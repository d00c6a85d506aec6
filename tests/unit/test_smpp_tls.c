/* SPDX-License-Identifier: MIT */
/* test_smpp_tls.c - SMPP over TLS with certificates made here, and PROXY headers in front of the stream. */
#define ERR_STATE openssl_err_state /* a type of theirs, an error code of ours */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "smpp_world.h"

#include <unistd.h>

static char dir[] = "/tmp/smpp-tls-XXXXXX";

struct pair {
    char certificate[64], key[64];
};

static void path(char out[64], const char *name, const char *suffix)
{
    snprintf(out, 64, "%s/%s.%s", dir, name, suffix);
}

/* A self-signed P-256 certificate for 127.0.0.1 in dir/name.pem and dir/name.key. */
static struct pair make(const char *name, long serial)
{
    struct pair pair;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");

    path(pair.certificate, name, "pem");
    path(pair.key, name, "key");
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, subject);
    X509_set_pubkey(x, key);
    X509_add_ext(x, san, -1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);

    FILE *f = fopen(pair.certificate, "w");

    assert_non_null(f);
    PEM_write_X509(f, x);
    fclose(f);
    f = fopen(pair.key, "w");
    assert_non_null(f);
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_EXTENSION_free(san);
    X509_free(x);
    EVP_PKEY_free(key);
    return pair;
}

static struct pair one, two;

static int make_all(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    one = make("one", 1);
    two = make("two", 2);
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    unlink(one.certificate);
    unlink(one.key);
    unlink(two.certificate);
    unlink(two.key);
    return rmdir(dir);
}

static struct world *tls_world(const char *client_ca)
{
    struct world *w = world_create();
    char why[256] = "";

    assert_int_equal(0, smpp_server_create(&w->loop, &w->opts, &world_ops, w, &w->server));
    assert_int_equal(0, smpp_server_tls(w->server, one.certificate, one.key, client_ca, why));
    world_listen(w, true);
    return w;
}

static void tls_bind(struct world *w, struct peer *p, const char *ca_file)
{
    struct smpp_client_opts opts = { .host = "127.0.0.1",
                                     .port = w->port,
                                     .tls = true,
                                     .ca_file = ca_file,
                                     .system_id = "alice",
                                     .password = "x",
                                     .type = SMPP_BIND_TRX,
                                     .window = 500 };

    peer_connect(w, p, &opts);
    RUN_UNTIL(w, p->bound + p->closed > 0);
}

static void traffic_over_tls(void **state)
{
    struct world *w = tls_world(NULL);
    struct peer p = { .deliver_answer = STATUS_ROK };
    struct smpp_pdu big = world_sm(CMD_SUBMIT_SM);
    static uint8_t payload[60000]; /* several records */

    (void)state;
    tls_bind(w, &p, NULL);
    assert_int_equal(1, p.bound);
    assert_true(smpp_session_find(w->server, w->last_session)->tls);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(0, peer_submit(&p, i));
    RUN_UNTIL(w, p.responses == 500);
    big.sm.short_message.len = 0;
    assert_true(smpp_tlv_add(&big, TAG_MESSAGE_PAYLOAD, payload, sizeof payload));
    for (uint64_t i = 0; i < 15; i++) /* 900 KB: more than the sockets take at once, records wait on the way */
        assert_int_equal(0, smpp_client_send(p.client, &big, i));
    RUN_UNTIL(w, p.responses == 515);
    assert_int_equal(515, w->requests);
    assert_int_equal(0, world_deliver(w, 1));
    RUN_UNTIL(w, w->end_count == 1);
    assert_int_equal(SMPP_DELIVER_ANSWERED, w->ends[0].how);
    smpp_client_unbind(p.client);
    RUN_UNTIL(w, p.closed == 1 && w->unbound == 1);
    assert_string_equal("unbound by peer", w->last_why);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void the_client_verifies_when_asked_to(void **state)
{
    struct world *w = tls_world(NULL);
    struct peer good = { 0 }, bad = { 0 };

    (void)state;
    tls_bind(w, &good, one.certificate);
    assert_int_equal(1, good.bound);
    tls_bind(w, &bad, two.certificate);
    assert_int_equal(0, bad.bound);
    assert_string_equal("TLS handshake failed", bad.why);
    smpp_client_destroy(good.client);
    smpp_client_destroy(bad.client);
    world_destroy(w);
}

static void a_client_without_certificate_is_refused_when_one_is_required(void **state)
{
    struct world *w = tls_world(two.certificate);
    struct peer p = { 0 };

    (void)state;
    tls_bind(w, &p, NULL);
    assert_int_equal(0, p.bound);
    RUN_UNTIL(w, w->troubles == 1);
    assert_string_equal("TLS handshake failed", w->last_trouble);
    smpp_client_destroy(p.client);
    world_destroy(w);
}

static void a_client_with_its_certificate_is_let_in(void **state)
{
    struct world *w = tls_world(two.certificate);
    struct smpp_client_opts opts = { .host = "127.0.0.1",
                                     .port = w->port,
                                     .tls = true,
                                     .ca_file = one.certificate,
                                     .certificate_file = two.certificate,
                                     .key_file = two.key,
                                     .system_id = "alice",
                                     .password = "x",
                                     .type = SMPP_BIND_TRX };
    struct peer good = { 0 }, stranger = { 0 };

    (void)state;
    peer_connect(w, &good, &opts);
    RUN_UNTIL(w, good.bound + good.closed > 0);
    assert_int_equal(1, good.bound);
    opts.certificate_file = one.certificate; /* not of that authority */
    opts.key_file = one.key;
    peer_connect(w, &stranger, &opts);
    RUN_UNTIL(w, stranger.bound + stranger.closed > 0);
    assert_int_equal(0, stranger.bound);
    RUN_UNTIL(w, w->troubles == 1);
    assert_string_equal("TLS handshake failed", w->last_trouble);
    opts.key_file = two.key; /* of another certificate */
    struct smpp_client *none = NULL;
    assert_int_equal(ERR_CONFIG, smpp_client_create(&w->loop, &opts, &peer_ops, &stranger, &none));
    smpp_client_destroy(good.client);
    smpp_client_destroy(stranger.client);
    world_destroy(w);
}

/* All come back at once; a turn of the loop takes a few handshakes only, and in between a bound session is served. */
static void a_mass_reconnect_leaves_the_others_their_turn(void **state)
{
    enum { PEERS = 60, PER_TURN_MAX = 8 };
    struct world *w = tls_world(NULL);
    struct peer bystander = { 0 };
    static struct peer peers[PEERS];
    struct smpp_client_opts opts = {
        .host = "127.0.0.1", .port = w->port, .tls = true, .system_id = "alice", .password = "x", .type = SMPP_BIND_TRX
    };
    unsigned asked = 1, most = 0;

    (void)state;
    tls_bind(w, &bystander, NULL);
    for (int i = 0; i < PEERS; i++)
        peer_connect(w, &peers[i], &opts);
    assert_int_equal(0, peer_submit(&bystander, asked));
    while (w->bound < PEERS + 1) {
        unsigned before = w->bound;

        uv_run(&w->loop, UV_RUN_ONCE);
        if (w->bound - before > most)
            most = w->bound - before;
        if (bystander.responses == asked && w->bound < PEERS + 1)
            assert_int_equal(0, peer_submit(&bystander, ++asked));
    }
    assert_true(most <= PER_TURN_MAX);
    assert_true(asked > PEERS / PER_TURN_MAX); /* answered again and again meanwhile */
    for (int i = 0; i < PEERS; i++)
        smpp_client_destroy(peers[i].client);
    smpp_client_destroy(bystander.client);
    world_destroy(w);
}

static void a_new_certificate_leaves_sessions_alone(void **state)
{
    struct world *w = tls_world(NULL);
    struct peer before = { 0 }, after = { 0 };
    char why[256] = "";

    (void)state;
    tls_bind(w, &before, one.certificate);
    assert_int_equal(ERR_CONFIG, smpp_server_tls(w->server, two.certificate, one.key, NULL, why));
    assert_true(strlen(why) > 10);
    assert_int_equal(ERR_CONFIG, smpp_server_tls(w->server, "/nonexistent.pem", one.key, NULL, why));
    assert_non_null(strstr(why, "/nonexistent.pem"));
    assert_int_equal(0, smpp_server_tls(w->server, two.certificate, two.key, NULL, why));
    tls_bind(w, &after, two.certificate);
    assert_int_equal(1, after.bound);
    assert_int_equal(0, peer_submit(&before, 1));
    RUN_UNTIL(w, before.responses == 1);
    assert_int_equal(SMPP_DELIVER_ANSWERED, before.last_how);
    smpp_client_destroy(before.client);
    smpp_client_destroy(after.client);
    world_destroy(w);
}

static void plain_bytes_on_a_tls_port(void **state)
{
    struct world *w = tls_world(NULL);
    struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_TRANSMITTER, 0x34);

    (void)state;

    struct raw *r = raw_connect(w, true);

    raw_send_pdu(r, &bind, 1);
    RUN_UNTIL(w, r->eof);
    RUN_UNTIL(w, w->troubles == 1);
    assert_string_equal("TLS handshake failed", w->last_trouble);
    raw_close(r);
    world_destroy(w);
}

static void a_handshake_has_the_binds_time(void **state)
{
    struct world *w = world_create();
    char why[256];

    (void)state;
    w->opts.bind_timeout_ms = 40;
    assert_int_equal(0, smpp_server_create(&w->loop, &w->opts, &world_ops, w, &w->server));
    assert_int_equal(0, smpp_server_tls(w->server, one.certificate, one.key, NULL, why));
    world_listen(w, true);

    struct raw *r = raw_connect(w, true);

    raw_send(r, "\x16\x03\x01", 3);
    RUN_UNTIL(w, r->eof);
    raw_close(r);
    world_destroy(w);
}

/* ---- PROXY headers ---- */

static struct world *proxy_world(void)
{
    struct world *w = world_create();

    w->opts.proxy_protocol = true;
    w->opts.max_sessions_per_address = 1;
    world_listen(w, false);
    return w;
}

static void proxy_headers_name_the_peer(void **state)
{
    static const char v1[] = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 2775\r\n";
    static const uint8_t v2[28] = {
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11,
        0,    12,   192,  0,    2,    8,    10,   0,    0,    1,    0x12, 0x67, 0x0A, 0xD7
    };
    struct world *w = proxy_world();
    struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_TRANSMITTER, 0x34);
    struct raw *a = raw_connect(w, true), *b = raw_connect(w, true), *c = raw_connect(w, true);

    (void)state;
    for (size_t i = 0; i < sizeof v1 - 1; i++) { /* in pieces */
        raw_send(a, v1 + i, 1);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    raw_send_pdu(a, &bind, 1);
    NEXT_IS(w, a, CMD_BIND_TRANSMITTER | CMD_RESPONSE, STATUS_ROK, 1);
    assert_string_equal("192.0.2.7:4711", w->last_address);

    struct buf together; /* header and bind in one read */

    buf_init(&together, 1000);
    buf_add(&together, v2, sizeof v2);
    raw_pdu(&together, &bind, 2);
    raw_send(b, together.data, together.len);
    NEXT_IS(w, b, CMD_BIND_TRANSMITTER | CMD_RESPONSE, STATUS_ROK, 2);
    assert_string_equal("192.0.2.8:4711", w->last_address);
    raw_send(c, together.data, together.len); /* the limit counts the real peer */
    RUN_UNTIL(w, c->eof);
    assert_string_equal("too many connections from address", w->last_trouble);
    buf_finish(&together);
    raw_close(a);
    raw_close(b);
    raw_close(c);
    world_destroy(w);
}

static void without_a_proxy_header_it_is_closed(void **state)
{
    struct world *w = proxy_world();
    struct smpp_pdu bind = raw_bind_pdu(CMD_BIND_TRANSMITTER, 0x34);
    struct raw *r = raw_connect(w, true);

    (void)state;
    raw_send_pdu(r, &bind, 1);
    RUN_UNTIL(w, r->eof);
    assert_int_equal(0, r->len);
    RUN_UNTIL(w, w->troubles == 1);
    assert_string_equal("no PROXY header", w->last_trouble);
    raw_close(r);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traffic_over_tls),
        cmocka_unit_test(the_client_verifies_when_asked_to),
        cmocka_unit_test(a_client_without_certificate_is_refused_when_one_is_required),
        cmocka_unit_test(a_client_with_its_certificate_is_let_in),
        cmocka_unit_test(a_mass_reconnect_leaves_the_others_their_turn),
        cmocka_unit_test(a_new_certificate_leaves_sessions_alone),
        cmocka_unit_test(plain_bytes_on_a_tls_port),
        cmocka_unit_test(a_handshake_has_the_binds_time),
        cmocka_unit_test(proxy_headers_name_the_peer),
        cmocka_unit_test(without_a_proxy_header_it_is_closed),
    };

    return cmocka_run_group_tests(tests, make_all, remove_all);
}
