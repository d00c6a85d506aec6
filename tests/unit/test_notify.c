/* SPDX-License-Identifier: MIT */
/* test_notify.c - what a service manager hears: a datagram socket of our own in its place, by path and by abstract name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/notify.h"

static int manager(const char *name)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, name, strlen(name));
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    assert_true(fd >= 0);
    assert_int_equal(
        0, bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))));
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void hears(int fd, const char *expected)
{
    char text[2048];
    ssize_t len = recv(fd, text, sizeof text - 1, 0);

    assert_true(len > 0);
    text[len] = '\0';
    assert_string_equal(expected, text);
}

static void a_path_and_an_abstract_name(void **state)
{
    char directory[] = "/tmp/smppbridge-notify-XXXXXX", path[64], abstract[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
    int fd = manager(path);
    notify_say("READY=1\nSTATUS=%s", "serving");
    hears(fd, "READY=1\nSTATUS=serving");
    close(fd);
    notify_say("STOPPING=1"); /* nobody there: no trouble */
    unlink(path);
    rmdir(directory);
    snprintf(abstract, sizeof abstract, "@smppbridge-notify-%d", (int)getpid());
    fd = manager(abstract);
    notify_say("MAINPID=%d", 17);
    hears(fd, "MAINPID=17");
    close(fd);
}

static void without_a_manager_nothing_is_said(void **state)
{
    static const char *const names[] = { "", "relative", NULL };

    (void)state;
    for (int i = 0; names[i] != NULL; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_say("READY=1");
    }
    unsetenv("NOTIFY_SOCKET");
    notify_say("READY=1");
}

static void a_long_word_is_cut_and_a_full_manager_not_waited_for(void **state)
{
    char name[64], longer[3000], cut[1024];

    (void)state;
    snprintf(name, sizeof name, "@smppbridge-notify-full-%d", (int)getpid());
    int fd = manager(name);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memset(cut, 'x', sizeof cut - 1);
    cut[sizeof cut - 1] = '\0';
    notify_say("%s", longer);
    hears(fd, cut);
    for (int i = 0; i < 5000; i++)
        notify_say("WATCHDOG=1"); /* hangs here when it waits */
    hears(fd, "WATCHDOG=1");
    close(fd);
}

static void the_watchdog_is_ours_or_nobodys(void **state)
{
    char pid[32];

    (void)state;
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_int_equal(0, notify_watchdog_ms());
    setenv("WATCHDOG_USEC", "60000000", 1);
    assert_int_equal(30000, notify_watchdog_ms());
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(0, notify_watchdog_ms());
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(30000, notify_watchdog_ms());
    setenv("WATCHDOG_USEC", "1", 1);
    assert_int_equal(1, notify_watchdog_ms());
    setenv("WATCHDOG_USEC", "nonsense", 1);
    assert_int_equal(0, notify_watchdog_ms());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_and_an_abstract_name),
        cmocka_unit_test(without_a_manager_nothing_is_said),
        cmocka_unit_test(a_long_word_is_cut_and_a_full_manager_not_waited_for),
        cmocka_unit_test(the_watchdog_is_ours_or_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
