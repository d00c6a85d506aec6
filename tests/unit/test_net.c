/* SPDX-License-Identifier: MIT */
/* test_net.c - addresses as text and lists of ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/net.h"

static struct sockaddr_storage peer(const char *host, uint16_t port)
{
    struct sockaddr_storage ss;
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    memset(&ss, 0, sizeof ss);
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&ss, &v4, sizeof v4);
    } else {
        assert_int_equal(1, inet_pton(AF_INET6, host, &v6.sin6_addr));
        memcpy(&ss, &v6, sizeof v6);
    }
    return ss;
}

static bool has(const char *range_text, const char *host)
{
    struct net_range range;
    struct sockaddr_storage ss = peer(host, 1);

    assert_int_equal(0, net_range_parse(range_text, &range));
    return net_range_has(&range, (struct sockaddr *)&ss);
}

static void host_and_port_are_split(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        { "127.0.0.1:2775", "127.0.0.1", 2775 },
        { "smsc.example:80", "smsc.example", 80 },
        { "[::1]:8080", "::1", 8080 },
        { ":2775", "", 2775 },
        { "*:0", "*", 0 },
        { "a:65535", "a", 65535 },
    };
    static const char *const bad[] = { "",    "127.0.0.1", "127.0.0.1:", "a:65536", "a:-1",    "a: 1", "a:1x",
                                       "::1", "::1:80",    "[::1]",      "[::1]80", "[::1:80", "a:+1", "a:000001" };
    char host[NET_HOST_SIZE];
    char long_host[NET_HOST_SIZE + 8];
    uint16_t port;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(0, net_split(good[i].text, host, &port));
        assert_string_equal(good[i].host, host);
        assert_int_equal(good[i].port, port);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(ERR_SYNTAX, net_split(bad[i], host, &port));
    memset(long_host, 'a', sizeof long_host);
    memcpy(long_host + NET_HOST_SIZE, ":1", 3);
    assert_int_equal(ERR_SYNTAX, net_split(long_host, host, &port));
}

static void listening_addresses_are_literal(void **state)
{
    static const struct {
        const char *text, *shown;
    } good[] = { { "127.0.0.1:2775", "127.0.0.1:2775" },
                 { "localhost:1", "127.0.0.1:1" },
                 { "*:2", "0.0.0.0:2" },
                 { ":3", "0.0.0.0:3" },
                 { "[::1]:4", "[::1]:4" },
                 { "[::]:5", "[::]:5" } };
    static const char *const bad[] = { "smsc.example:1", "[127.0.0.1]:1", "[]:1", "127.0.0.1", "256.0.0.1:1" };
    struct sockaddr_storage ss;
    socklen_t len;
    char text[NET_TEXT_SIZE];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(0, net_sockaddr(good[i].text, &ss, &len));
        net_text((struct sockaddr *)&ss, text);
        assert_string_equal(good[i].shown, text);
        assert_int_equal(len, ss.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(ERR_SYNTAX, net_sockaddr(bad[i], &ss, &len));
}

static void addresses_are_written(void **state)
{
    struct sockaddr_storage ss = peer("::ffff:10.1.2.3", 99);
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    char text[NET_TEXT_SIZE];

    UNUSED(state);
    net_text((struct sockaddr *)&ss, text);
    assert_string_equal("10.1.2.3:99", text);
    net_text_host((struct sockaddr *)&ss, text);
    assert_string_equal("10.1.2.3", text);
    ss = peer("2001:db8::1", 65535);
    net_text((struct sockaddr *)&ss, text);
    assert_string_equal("[2001:db8::1]:65535", text);
    net_text_host((struct sockaddr *)&ss, text);
    assert_string_equal("2001:db8::1", text);
    net_text((struct sockaddr *)&local, text);
    assert_string_equal("?", text);
}

static void ranges_hold_what_they_say(void **state)
{
    UNUSED(state);
    assert_true(has("10.0.0.0/8", "10.255.1.2"));
    assert_true(has("10.9.9.9/8", "10.255.1.2"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_true(has("10.1.2.3", "10.1.2.3"));
    assert_false(has("10.1.2.3", "10.1.2.2"));
    assert_true(has("192.168.4.0/22", "192.168.7.255"));
    assert_false(has("192.168.4.0/22", "192.168.8.0"));
    assert_true(has("10.1.2.2/31", "10.1.2.3"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::1", "::1"));
}

static void mapped_and_plain_are_the_same_address(void **state)
{
    UNUSED(state);
    assert_true(has("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_true(has("0.0.0.0/0", "::ffff:10.1.2.3"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_false(has("::/0", "10.1.2.3"));
    assert_true(has("::/0", "2001:db8::1"));
}

static void bad_ranges_are_refused(void **state)
{
    static const char *const bad[] = { "",         "/8",          "10.0.0.0/",   "10.0.0.0/33", "::/129",
                                       "10.0.0/8", "10.0.0.0/8 ", " 10.0.0.0/8", "example.com", "10.0.0.0/-1",
                                       "::1/1x" };
    struct net_range range;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(ERR_SYNTAX, net_range_parse(bad[i], &range));
}

static void lists_allow_or_refuse(void **state)
{
    static const char *const texts[] = { "10.0.0.0/8", "::1", NULL };
    static const char *const broken[] = { "10.0.0.0/8", "oops", NULL };
    struct net_list list, empty;
    const char *wrong = NULL;
    struct sockaddr_storage ten = peer("10.1.1.1", 1), one = peer("::1", 1), other = peer("127.0.0.1", 1);

    UNUSED(state);
    assert_int_equal(0, net_list_parse(texts, &list, NULL));
    assert_true(net_list_allows(&list, (struct sockaddr *)&ten));
    assert_true(net_list_allows(&list, (struct sockaddr *)&one));
    assert_false(net_list_allows(&list, (struct sockaddr *)&other));
    net_list_finish(&list);
    assert_int_equal(0, net_list_parse(NULL, &empty, NULL));
    assert_true(net_list_allows(&empty, (struct sockaddr *)&other));
    net_list_finish(&empty);
    assert_int_equal(ERR_SYNTAX, net_list_parse(broken, &list, &wrong));
    assert_string_equal("oops", wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_port_are_split),
        cmocka_unit_test(listening_addresses_are_literal),
        cmocka_unit_test(addresses_are_written),
        cmocka_unit_test(ranges_hold_what_they_say),
        cmocka_unit_test(mapped_and_plain_are_the_same_address),
        cmocka_unit_test(bad_ranges_are_refused),
        cmocka_unit_test(lists_allow_or_refuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
