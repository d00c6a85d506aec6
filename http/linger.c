/* SPDX-License-Identifier: MIT */
/*
 * linger.c - reads and throws away, for a short while [see linger.h].
 *
 * Leaves the last answer to whoever had the connection: it has been given to the operating system. Invariant: the
 * duplicate is closed when its watch is, so the loop never polls a number that has become somebody else's.
 */
#include "http/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

enum {
    LINGERS_MAX = 16, /* each costs a descriptor [gateway/descriptors.c: PER_LISTENER] */
    LINGER_MS = 2000,
    LINGER_BYTES_MAX = 16 << 20,
    READ_BYTES = 64 << 10
};

struct lingerer {
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles;
    struct lingers *lingers;
    struct lingerer *prev, *next;
    int fd;
    size_t thrown_away;
};

static void on_closed(uv_handle_t *handle)
{
    struct lingerer *l = handle->data;

    if (--l->handles == 0)
        free(l);
}

static void end(struct lingerer *l)
{
    *(l->prev == NULL ? &l->lingers->first : &l->prev->next) = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    l->lingers->count--;
    uv_close((uv_handle_t *)&l->poll, on_closed);
    uv_close((uv_handle_t *)&l->timer, on_closed);
    close(l->fd);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct lingerer *l = poll->data;
    char waste[READ_BYTES];
    ssize_t n = status < 0 ? 0 : recv(l->fd, waste, sizeof waste, MSG_DONTWAIT);

    UNUSED(events);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        l->thrown_away += (size_t)n;
    if (n <= 0 || l->thrown_away > LINGER_BYTES_MAX)
        end(l);
}

static void on_late(uv_timer_t *timer)
{
    end(timer->data);
}

void linger_on(struct lingers *lingers, int fd)
{
    struct lingerer *l = lingers->count < LINGERS_MAX ? calloc(1, sizeof *l) : NULL;

    if (l == NULL)
        return;
    l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (l->fd < 0 || uv_poll_init(lingers->loop, &l->poll, l->fd) != 0) {
        if (l->fd >= 0)
            close(l->fd);
        free(l);
        return;
    }
    uv_timer_init(lingers->loop, &l->timer);
    l->poll.data = l->timer.data = l;
    l->handles = 2;
    l->lingers = lingers;
    l->next = lingers->first;
    if (l->next != NULL)
        l->next->prev = l;
    lingers->first = l;
    lingers->count++;
    shutdown(l->fd, SHUT_WR); /* the duplicate keeps the stream open: without this the peer would not see its end */
    uv_poll_start(&l->poll, UV_READABLE, on_ready);
    uv_timer_start(&l->timer, on_late, LINGER_MS, 0);
}

void linger_end_all(struct lingers *lingers)
{
    while (lingers->first != NULL)
        end(lingers->first);
}
