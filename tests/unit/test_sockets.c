/* SPDX-License-Identifier: MIT */
/* test_sockets.c - listening sockets: opened, inherited as a service manager passes them, recognised by address, let go.
 * Descriptors from 3 on are given their places by hand. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"
#include "gateway/sockets.h"

enum { PLACES = 4 };

static int saved[PLACES];
static char why[256];

/* What lay at 3.. (a test runner's pipes) is put aside. */
static int put_aside(void **state)
{
    (void)state;
    for (int i = 0; i < PLACES; i++) {
        saved[i] = fcntl(SOCKETS_FIRST_FD + i, F_DUPFD_CLOEXEC, 100);
        close(SOCKETS_FIRST_FD + i);
    }
    for (int i = 0; i < PLACES; i++) /* so that nothing opened by a test lands there */
        assert_int_equal(SOCKETS_FIRST_FD + i, open("/dev/null", O_RDONLY | O_CLOEXEC));
    return 0;
}

static int put_back(void **state)
{
    (void)state;
    for (int i = 0; i < PLACES; i++) {
        if (saved[i] >= 0)
            dup2(saved[i], SOCKETS_FIRST_FD + i);
        else
            close(SOCKETS_FIRST_FD + i);
        close(saved[i]);
    }
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    return 0;
}

/* Listens and lies in this place; the port. */
static uint16_t place(int i, const char *address)
{
    uint16_t port;
    int fd;

    assert_int_equal(0, net_listen(address, &fd, why));
    assert_int_equal(0, net_port(fd, &port));
    assert_true(dup2(fd, SOCKETS_FIRST_FD + i) >= 0);
    close(fd);
    return port;
}

static void announce(int count, int pid, const char *names)
{
    char text[32];

    snprintf(text, sizeof text, "%d", count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof text, "%d", pid);
    setenv("LISTEN_PID", text, 1);
    if (names != NULL)
        setenv("LISTEN_FDNAMES", names, 1);
}

static int take(struct sockets *s, enum socket_kind kind, const char *host, uint16_t port, uint16_t *out_port)
{
    char address[64];
    int fd;

    snprintf(address, sizeof address, "%s:%u", host, port);
    assert_int_equal(0, sockets_take(s, kind, address, NULL, &fd, out_port, why));
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool connects(uint16_t port)
{
    struct sockaddr_storage sa;
    socklen_t len;
    char address[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    assert_int_equal(0, net_sockaddr(address, &sa, &len));
    bool did = connect(fd, (struct sockaddr *)&sa, len) == 0;
    close(fd);
    return did;
}

static void opened_taken_and_closed(void **state)
{
    struct sockets *s = sockets_create(false);
    uint16_t port, other;

    (void)state;
    assert_non_null(s);
    int fd = take(s, SOCKET_SMPP, "127.0.0.1", 0, &port);
    take(s, SOCKET_CALLBACKS, "127.0.0.1", 0, &other);
    assert_true(port != 0 && port != other);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true(connects(port));
    char *names = sockets_names(s);
    assert_string_equal("smpp:callbacks", names);
    free(names);
    assert_int_equal(2, sockets_count(s));
    sockets_close(s, SOCKET_SMPP);
    assert_false(connects(port));
    assert_true(connects(other));
    sockets_destroy(s);
    assert_false(connects(other));
}

static void a_busy_or_impossible_address_is_named(void **state)
{
    struct sockets *s = sockets_create(false);
    char address[64];
    uint16_t port;
    int fd;

    (void)state;
    take(s, SOCKET_SMPP, "127.0.0.1", 0, &port);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    assert_int_equal(ERR_IO, sockets_take(s, SOCKET_ADMIN, address, NULL, &fd, &port, why));
    assert_non_null(strstr(why, address));
    assert_int_equal(ERR_SYNTAX, sockets_take(s, SOCKET_ADMIN, "somewhere", NULL, &fd, &port, why));
    sockets_destroy(s);
}

static void inherited_ones_are_found_by_address(void **state)
{
    (void)state;
    uint16_t a = place(0, "127.0.0.1:0"), b = place(1, "127.0.0.1:0"), c = place(2, "127.0.0.1:0"), port;
    announce(3, getpid(), NULL);
    struct sockets *s = sockets_create(false);
    assert_null(getenv("LISTEN_FDS")); /* not for our children */
    assert_null(getenv("LISTEN_PID"));
    assert_true((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(4, take(s, SOCKET_SMPP, "127.0.0.1", b, &port));
    assert_int_equal(b, port);
    assert_int_equal(3, take(s, SOCKET_ADMIN, "localhost", a, &port));
    assert_true(connects(c));
    sockets_close_rest(s);
    assert_false(is_open(5));
    assert_false(connects(c));
    assert_int_equal(2, sockets_count(s));
    sockets_destroy(s);
    assert_false(is_open(3) || is_open(4));
}

static void another_process_s_are_left_alone(void **state)
{
    uint16_t port;

    (void)state;
    uint16_t a = place(0, "127.0.0.1:0");
    announce(1, getpid() + 1, NULL);
    struct sockets *s = sockets_create(false);
    assert_int_equal(0, sockets_count(s));
    assert_null(getenv("LISTEN_FDS"));
    sockets_destroy(s);
    assert_true(is_open(3));
    announce(1, getpid() + 1, "smpp"); /* unless a process of ours has handed them over */
    s = sockets_create(true);
    assert_int_equal(3, take(s, SOCKET_SMPP, "127.0.0.1", a, &port));
    sockets_destroy(s);
}

static void where_the_port_is_open_the_name_decides(void **state)
{
    uint16_t port;

    (void)state;
    uint16_t a = place(0, "127.0.0.1:0"), b = place(1, "127.0.0.1:0");
    announce(2, getpid(), "smpp:admin");
    struct sockets *s = sockets_create(false);
    assert_int_equal(4, take(s, SOCKET_ADMIN, "127.0.0.1", 0, &port));
    assert_int_equal(b, port);
    assert_int_equal(3, take(s, SOCKET_SMPP, "127.0.0.1", 0, &port));
    assert_int_equal(a, port);
    int fresh = take(s, SOCKET_SMPP, "127.0.0.1", 0, &port);
    assert_true(fresh != 3 && fresh != 4);
    sockets_destroy(s);
}

static void both_families_serve_every_ipv4_address(void **state)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
    int zero = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port, got;

    (void)state;
    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero) != 0 ||
        bind(fd, (struct sockaddr *)&any, sizeof any) != 0 || listen(fd, 5) != 0) {
        close(fd);
        skip(); /* no IPv6 here */
    }
    assert_int_equal(0, net_port(fd, &port));
    dup2(fd, 3);
    close(fd);
    announce(1, getpid(), NULL);
    struct sockets *s = sockets_create(false);
    assert_int_equal(3, take(s, SOCKET_SMPP, "0.0.0.0", port, &got));
    sockets_destroy(s);
}

static void what_does_not_listen_is_closed(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
    dup2(pair[0], 4);
    close(pair[0]);
    close(pair[1]);
    announce(3, getpid(), NULL); /* /dev/null, a datagram socket, /dev/null */
    struct sockets *s = sockets_create(false);
    assert_int_equal(0, sockets_count(s));
    assert_false(is_open(3) || is_open(4) || is_open(5));
    sockets_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opened_taken_and_closed, put_aside, put_back),
        cmocka_unit_test_setup_teardown(a_busy_or_impossible_address_is_named, put_aside, put_back),
        cmocka_unit_test_setup_teardown(inherited_ones_are_found_by_address, put_aside, put_back),
        cmocka_unit_test_setup_teardown(another_process_s_are_left_alone, put_aside, put_back),
        cmocka_unit_test_setup_teardown(where_the_port_is_open_the_name_decides, put_aside, put_back),
        cmocka_unit_test_setup_teardown(both_families_serve_every_ipv4_address, put_aside, put_back),
        cmocka_unit_test_setup_teardown(what_does_not_listen_is_closed, put_aside, put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
