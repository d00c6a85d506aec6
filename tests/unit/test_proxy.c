/* SPDX-License-Identifier: MIT */
/* test_proxy.c - PROXY protocol headers, whole, in pieces and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/net.h"
#include "smpp/proxy.h"

static const uint8_t v2[28] = { 0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11,
                                0,    12,   192,  0,    2,    7,    10,   0,    0,    1,    0x12, 0x67, 0x0A, 0xD7 };

static int read_text(const char *text, bool *known, char peer[NET_TEXT_SIZE])
{
    struct sockaddr_storage sa;
    int n = smpp_proxy_read((const uint8_t *)text, strlen(text), known, &sa);

    if (n > 0 && *known)
        net_text((struct sockaddr *)&sa, peer);
    return n;
}

static void version_1_names_the_peer(void **state)
{
    char peer[NET_TEXT_SIZE];
    bool known = false;

    (void)state;
    assert_int_equal(40, read_text("PROXY TCP4 192.0.2.7 10.0.0.1 4711 2775\r\nrest", &known, peer) - 1);
    assert_true(known);
    assert_string_equal("192.0.2.7:4711", peer);
    assert_true(read_text("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", &known, peer) > 0);
    assert_string_equal("[2001:db8::1]:1", peer);
    assert_int_equal(15, read_text("PROXY UNKNOWN\r\n", &known, peer));
    assert_false(known);
    assert_int_equal(21, read_text("PROXY UNKNOWN a b c\r\n", &known, peer));
}

static void version_2_names_the_peer(void **state)
{
    struct sockaddr_storage sa;
    char peer[NET_TEXT_SIZE];
    bool known = false;
    uint8_t local[sizeof v2];

    (void)state;
    assert_int_equal(28, smpp_proxy_read(v2, sizeof v2, &known, &sa));
    assert_true(known);
    net_text((struct sockaddr *)&sa, peer);
    assert_string_equal("192.0.2.7:4711", peer);
    memcpy(local, v2, sizeof local);
    local[12] = 0x20; /* LOCAL: a health check of the proxy itself */
    assert_int_equal(28, smpp_proxy_read(local, sizeof local, &known, &sa));
    assert_false(known);
}

static void pieces_are_waited_for(void **state)
{
    static const char v1[] = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 2775\r\n";
    struct sockaddr_storage sa;
    bool known;

    (void)state;
    for (size_t cut = 1; cut < sizeof v1 - 1; cut++)
        assert_int_equal(0, smpp_proxy_read((const uint8_t *)v1, cut, &known, &sa));
    for (size_t cut = 1; cut < sizeof v2; cut++)
        assert_int_equal(0, smpp_proxy_read(v2, cut, &known, &sa));
}

static void anything_else_is_refused(void **state)
{
    static const char *const wrong[] = { "GET / HTTP/1.1\r\n",
                                         "PROXY TCP4 192.0.2.7 10.0.0.1 4711 2775\n",
                                         "PROXY TCP4 192.0.2.300 10.0.0.1 4711 2775\r\n",
                                         "PROXY TCP4 192.0.2.7 10.0.0.1 4711 99999\r\n",
                                         "PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n",
                                         "PROXY TCP4 192.0.2.7 10.0.0.1 4711 1 2\r\n",
                                         "PROXY TCP9 192.0.2.7 10.0.0.1 4711 1\r\n",
                                         "PROXY \r\n" };
    struct sockaddr_storage sa;
    char peer[NET_TEXT_SIZE], endless[200];
    uint8_t bad[sizeof v2];
    bool known;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(-1, read_text(wrong[i], &known, peer));
    memset(endless, 'A', sizeof endless);
    memcpy(endless, "PROXY ", 6);
    assert_int_equal(-1, smpp_proxy_read((uint8_t *)endless, sizeof endless, &known, &sa));
    memcpy(bad, v2, sizeof bad);
    bad[12] = 0x11; /* version 1 in a binary header */
    assert_int_equal(-1, smpp_proxy_read(bad, sizeof bad, &known, &sa));
    bad[12] = 0x21;
    bad[15] = 4; /* too short for two addresses */
    assert_int_equal(-1, smpp_proxy_read(bad, sizeof bad, &known, &sa));
    bad[14] = 0xFF; /* longer than anybody needs */
    assert_int_equal(-1, smpp_proxy_read(bad, sizeof bad, &known, &sa));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_names_the_peer),
        cmocka_unit_test(version_2_names_the_peer),
        cmocka_unit_test(pieces_are_waited_for),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
