/* SPDX-License-Identifier: MIT */
/*
 * sockets.c - the set of listening sockets, and how an inherited one is recognised.
 *
 * Leaves accepting to the rooms, which work on copies. Names (LISTEN_FDNAMES) only decide where the configuration leaves
 * the port open; otherwise the address does.
 */
#include "gateway/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net.h"

static const char *const kind_names[SOCKET_KIND_COUNT] = { "smpp", "smpps", "callbacks", "admin" };

struct entry {
    int fd;
    enum socket_kind kind; /* SOCKET_KIND_COUNT: inherited under another name, or none */
    bool taken, inherited;
    uint16_t port;
    char *address; /* as configured; NULL until taken */
    char *path;    /* for the log; NULL none */
};

struct sockets {
    struct entry entries[SOCKETS_MAX];
    size_t count;
};

/* --- inheriting --------------------------------------------------------------------------------------------------- */

static enum socket_kind kind_named(const char *name, size_t len)
{
    for (size_t i = 0; i < SOCKET_KIND_COUNT; i++) {
        if (strlen(kind_names[i]) == len && memcmp(kind_names[i], name, len) == 0)
            return (enum socket_kind)i;
    }
    return SOCKET_KIND_COUNT;
}

/* A stream socket that listens; anything else is none of ours. */
static bool listens(int fd)
{
    int type = 0, accepts = 0;
    socklen_t len = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM)
        return false;
    len = sizeof accepts;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts != 0;
}

static void inherit(struct sockets *s, bool handed)
{
    const char *count_text = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID"), *name = getenv("LISTEN_FDNAMES");
    unsigned long count = count_text == NULL ? 0 : strtoul(count_text, NULL, 10);

    /* a process that hands over cannot know our number before it has made us */
    if (!handed && (pid == NULL || strtoll(pid, NULL, 10) != getpid()))
        count = 0;
    for (unsigned long i = 0; i < count && i < SOCKETS_MAX; i++) {
        int fd = SOCKETS_FIRST_FD + (int)i;
        size_t len = name == NULL ? 0 : strcspn(name, ":");

        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || !listens(fd)) {
            log_warn("inherited descriptor is no listening socket: closed", "fd=%d", fd);
            close(fd);
        } else {
            struct entry *e = &s->entries[s->count++];

            *e = (struct entry){ .fd = fd, .inherited = true };
            e->kind = name == NULL ? SOCKET_KIND_COUNT : kind_named(name, len);
            if (net_port(fd, &e->port) != 0)
                e->port = 0;
        }
        if (name != NULL)
            name = name[len] == ':' ? name + len + 1 : NULL;
    }
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
}

struct sockets *sockets_create(bool handed)
{
    struct sockets *s = calloc(1, sizeof *s);

    if (s != NULL)
        inherit(s, handed);
    return s;
}

void sockets_destroy(struct sockets *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++) {
        close(s->entries[i].fd);
        free(s->entries[i].address);
        free(s->entries[i].path);
    }
    free(s);
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

/* The address without its port, as 16 bytes; IPv4 mapped. */
static void host_of(const struct sockaddr_storage *sa, uint8_t out[16])
{
    memset(out, 0, 16);
    if (sa->ss_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
    } else {
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
    }
}

/* "[::]:2775" of a manager serves both families: whoever configured 0.0.0.0 meant it. */
static bool is_dual(int fd, const struct sockaddr_storage *bound)
{
    static const uint8_t any[16];
    uint8_t host[16];
    int only6 = 1;
    socklen_t len = sizeof only6;

    host_of(bound, host);
    return bound->ss_family == AF_INET6 && memcmp(host, any, 16) == 0 &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, &len) == 0 && only6 == 0;
}

static bool is_any4(const struct sockaddr_storage *sa)
{
    return sa->ss_family == AF_INET && ((const struct sockaddr_in *)sa)->sin_addr.s_addr == INADDR_ANY;
}

static bool fits(const struct entry *e, enum socket_kind kind, const struct sockaddr_storage *want, uint16_t port)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    uint8_t a[16], b[16];

    if (e->taken || getsockname(e->fd, (struct sockaddr *)&bound, &len) != 0 ||
        (bound.ss_family != AF_INET && bound.ss_family != AF_INET6))
        return false;
    if (port == 0 ? e->kind != kind : e->port != port)
        return false;
    host_of(&bound, a);
    host_of(want, b);
    return memcmp(a, b, 16) == 0 || (is_any4(want) && is_dual(e->fd, &bound));
}

static struct entry *find(struct sockets *s, enum socket_kind kind, const char *address)
{
    struct sockaddr_storage want;
    char host[NET_HOST_SIZE];
    socklen_t len;
    uint16_t port;

    if (net_sockaddr(address, &want, &len) != 0 || net_split(address, host, &port) != 0)
        return NULL;
    for (size_t i = 0; i < s->count; i++) {
        if (fits(&s->entries[i], kind, &want, port))
            return &s->entries[i];
    }
    return NULL;
}

int sockets_take(struct sockets *s, enum socket_kind kind, const char *address, const char *path, int *out_fd,
                 uint16_t *out_port, char why[256])
{
    struct entry *e = find(s, kind, address);
    char *copy = strdup(address);

    if (copy == NULL)
        return ERR_NOMEM;
    if (e == NULL) {
        struct entry fresh = { .fd = -1 };
        int err = ERR_FULL;

        if (s->count < SOCKETS_MAX)
            err = net_listen(address, &fresh.fd, why);
        else
            snprintf(why, 256, "more than %d addresses", SOCKETS_MAX);
        if (err == 0)
            err = net_port(fresh.fd, &fresh.port);
        if (err != 0) {
            if (fresh.fd >= 0)
                close(fresh.fd);
            free(copy);
            return err;
        }
        e = &s->entries[s->count++];
        *e = fresh;
    }
    e->kind = kind;
    e->taken = true;
    e->address = copy;
    e->path = path == NULL ? NULL : strdup(path);
    *out_fd = e->fd;
    *out_port = e->port;
    return 0;
}

static void drop(struct sockets *s, size_t i)
{
    close(s->entries[i].fd);
    free(s->entries[i].address);
    free(s->entries[i].path);
    s->entries[i] = s->entries[--s->count];
}

void sockets_close_rest(struct sockets *s)
{
    for (size_t i = s->count; i-- > 0;) {
        struct sockaddr_storage bound;
        socklen_t len = sizeof bound;
        char text[NET_TEXT_SIZE] = "?";

        if (s->entries[i].taken)
            continue;
        if (getsockname(s->entries[i].fd, (struct sockaddr *)&bound, &len) == 0)
            net_text((struct sockaddr *)&bound, text);
        log_warn("inherited socket closed: the configuration does not name its address", "address=%s", text);
        drop(s, i);
    }
}

void sockets_close(struct sockets *s, enum socket_kind kind)
{
    for (size_t i = s->count; i-- > 0;) {
        if (s->entries[i].kind == kind)
            drop(s, i);
    }
}

void sockets_announce(const struct sockets *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct entry *e = &s->entries[i];

        log_info("listening", "what=%s address=%s port=%u%s%s%s", kind_names[e->kind], e->address, e->port,
                 e->path == NULL ? "" : " path=", e->path == NULL ? "" : e->path, e->inherited ? " inherited=yes" : "");
    }
}

/* --- the next process --------------------------------------------------------------------------------------------- */

size_t sockets_count(const struct sockets *s)
{
    return s->count;
}

enum socket_kind sockets_kind(const struct sockets *s, size_t i)
{
    return s->entries[i].kind;
}

int sockets_fd(const struct sockets *s, size_t i)
{
    return s->entries[i].fd;
}

char *sockets_names(const struct sockets *s)
{
    char *names = malloc(s->count * 16 + 1);
    size_t len = 0;

    if (names == NULL)
        return NULL;
    names[0] = '\0';
    for (size_t i = 0; i < s->count; i++)
        len += (size_t)snprintf(names + len, 16, "%s%s", i == 0 ? "" : ":", kind_names[s->entries[i].kind]);
    return names;
}
