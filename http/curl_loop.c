/* SPDX-License-Identifier: MIT */
/*
 * curl_loop.c - one libcurl multi handle driven by the libuv loop.
 *
 * Leaves the meaning of transfers to client.c. Invariant: a descriptor is closed only after its uv_poll was stopped, so
 * the loop never polls a number that has become somebody else's socket.
 */
#include "http/curl_loop.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct watch {
    uv_poll_t poll;
    struct curl_loop *cl;
    curl_socket_t fd;
    int events;   /* what libuv polls for now, UV_READABLE | UV_WRITABLE */
    int wanted;   /* what libcurl asked for; 0 while idle */
    bool is_ours; /* opened by open_socket, so close_socket will tell when it goes */
};

struct curl_loop {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct watch **by_fd;
    size_t by_fd_count;
    unsigned handles; /* libuv handles not closed yet */
    bool closing;
    curl_done_fn *on_done;
    void *owner;
    void (*on_closed)(void *owner);
    void *closed_owner;
};

/* ---- watches ---- */

static struct watch *watch_find(const struct curl_loop *cl, curl_socket_t fd)
{
    return (size_t)fd < cl->by_fd_count ? cl->by_fd[fd] : NULL;
}

static void let_go(struct curl_loop *cl)
{
    if (--cl->handles > 0)
        return;
    if (cl->on_closed != NULL)
        cl->on_closed(cl->closed_owner);
    free(cl->by_fd);
    free(cl);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    struct curl_loop *cl = w->cl;

    free(w);
    let_go(cl);
}

static void watch_drop(struct watch *w)
{
    w->cl->by_fd[w->fd] = NULL;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static int watch_add(struct curl_loop *cl, curl_socket_t fd, bool is_ours)
{
    struct watch *w;

    if ((size_t)fd >= cl->by_fd_count) {
        size_t count = (size_t)fd + 64;
        struct watch **grown = realloc(cl->by_fd, count * sizeof *grown);

        if (grown == NULL)
            return ERR_NOMEM;
        for (size_t i = cl->by_fd_count; i < count; i++)
            grown[i] = NULL;
        cl->by_fd = grown;
        cl->by_fd_count = count;
    }
    assert(cl->by_fd[fd] == NULL);
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return ERR_NOMEM;
    if (uv_poll_init(cl->loop, &w->poll, fd) != 0) {
        free(w);
        return ERR_IO;
    }
    w->poll.data = w;
    w->cl = cl;
    w->fd = fd;
    w->is_ours = is_ours;
    cl->by_fd[fd] = w;
    cl->handles++;
    return 0;
}

/* ---- running libcurl ---- */

/* After every call that may move a transfer: completions not read at once would wait for the next unrelated event. */
static void read_completions(struct curl_loop *cl)
{
    CURLMsg *msg;
    int left;

    while (!cl->closing && (msg = curl_multi_info_read(cl->multi, &left)) != NULL) {
        CURL *easy = msg->easy_handle;
        CURLcode result = msg->data.result; /* dies with the removal below */

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_multi_remove_handle(cl->multi, easy);
        cl->on_done(cl->owner, easy, result);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct curl_loop *cl = timer->data;
    int running;
    long wait_ms = -1;

    curl_multi_socket_action(cl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    read_completions(cl);
    if (cl->closing || uv_is_active((uv_handle_t *)timer))
        return;
    /* libuv counts whole milliseconds and may fire a fraction early; libcurl then has nothing to do and, since its
     * next expiry did not change, does not call set_timer again. Without asking here its timeouts would be lost. */
    if (curl_multi_timeout(cl->multi, &wait_ms) == CURLM_OK && wait_ms >= 0)
        uv_timer_start(timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 1, 0);
}

static int set_timer(CURLM *multi, long timeout_ms, void *owner)
{
    struct curl_loop *cl = owner;

    UNUSED(multi);
    if (cl->closing)
        return 0;
    if (timeout_ms < 0)
        uv_timer_stop(&cl->timer);
    else
        uv_timer_start(&cl->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    struct curl_loop *cl = w->cl;
    int flags = 0;
    int running;

    if (status < 0)
        w->events = 0; /* libuv has stopped the handle by itself */
    if (w->wanted == 0) {
        /* Idle in libcurl's pool and readable: the peer has closed it, or wrote out of turn. libcurl looks at it
         * before the next use; until then nobody reads, so stop or spin. */
        uv_poll_stop(poll);
        w->events = 0;
        return;
    }
    if (status < 0) {
        /* Besides the error there may be a whole reply to read, so let libcurl try what it wanted. */
        flags = CURL_CSELECT_ERR;
        events = w->wanted;
    }
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(cl->multi, w->fd, flags, &running);
    read_completions(cl);
}

/* ---- called by libcurl ---- */

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *per_socket)
{
    struct curl_loop *cl = owner;
    struct watch *w = watch_find(cl, fd);

    UNUSED(easy);
    UNUSED(per_socket);
    if (what == CURL_POLL_REMOVE) {
        if (w == NULL)
            return 0;
        w->wanted = 0;
        if (!w->is_ours) /* the resolver's own pair: closed right after this call, without close_socket */
            watch_drop(w);
        else if ((w->events & UV_WRITABLE) && !cl->closing && uv_poll_start(&w->poll, UV_READABLE, on_poll) == 0)
            w->events = UV_READABLE; /* idle sockets are always writable: that would spin */
        return 0;
    }
    if (w == NULL) {
        if (watch_add(cl, fd, false) != 0)
            return -1;
        w = watch_find(cl, fd);
    }
    w->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (w->wanted != w->events) {
        if (uv_poll_start(&w->poll, w->wanted, on_poll) != 0)
            return -1;
        w->events = w->wanted;
    }
    return 0;
}

static curl_socket_t open_socket(void *owner, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct curl_loop *cl = owner;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    UNUSED(purpose);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (watch_add(cl, fd, true) != 0) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static int close_socket(void *owner, curl_socket_t fd)
{
    struct curl_loop *cl = owner;
    struct watch *w = watch_find(cl, fd);

    if (w != NULL)
        watch_drop(w);
    return close(fd);
}

/* ---- the door ---- */

int curl_loop_create(uv_loop_t *loop, curl_done_fn *on_done, void *owner, struct curl_loop **out)
{
    struct curl_loop *cl = calloc(1, sizeof *cl);

    if (cl == NULL)
        return ERR_NOMEM;
    cl->multi = curl_multi_init();
    if (cl->multi == NULL) {
        free(cl);
        return ERR_NOMEM;
    }
    cl->loop = loop;
    cl->on_done = on_done;
    cl->owner = owner;
    uv_timer_init(loop, &cl->timer);
    cl->timer.data = cl;
    cl->handles = 1;
    curl_multi_setopt(cl->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(cl->multi, CURLMOPT_SOCKETDATA, cl);
    curl_multi_setopt(cl->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(cl->multi, CURLMOPT_TIMERDATA, cl);
    *out = cl;
    return 0;
}

void curl_loop_keep(struct curl_loop *cl, long connections)
{
    curl_multi_setopt(cl->multi, CURLMOPT_MAXCONNECTS, connections);
}

void curl_loop_prepare(struct curl_loop *cl, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, cl);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, cl);
}

int curl_loop_add(struct curl_loop *cl, CURL *easy)
{
    assert(!cl->closing);
    return curl_multi_add_handle(cl->multi, easy) == CURLM_OK ? 0 : ERR_NOMEM;
}

void curl_loop_remove(struct curl_loop *cl, CURL *easy)
{
    curl_multi_remove_handle(cl->multi, easy);
}

static void on_timer_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

void curl_loop_destroy(struct curl_loop *cl, void (*on_closed)(void *owner), void *closed_owner)
{
    assert(!cl->closing);
    cl->closing = true;
    cl->on_closed = on_closed;
    cl->closed_owner = closed_owner;
    curl_multi_cleanup(cl->multi); /* closes the pooled connections through close_socket */
    cl->multi = NULL;
    for (size_t i = 0; i < cl->by_fd_count; i++) {
        if (cl->by_fd[i] != NULL)
            watch_drop(cl->by_fd[i]);
    }
    uv_close((uv_handle_t *)&cl->timer, on_timer_closed);
}
