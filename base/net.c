/* SPDX-License-Identifier: MIT */
/*
 * net.c - addresses as text, sockets that listen on them, and lists of address ranges.
 *
 * Leaves names to those who may wait for them. Every address is brought to 16 bytes first (IPv4 as ::ffff:a.b.c.d), so
 * one comparison serves both families.
 */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAPPED_BITS = 96, BACKLOG = 1024 };

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* Decimal without sign or blanks, at most `max`. */
static int read_number(const char *text, size_t len, unsigned max, unsigned *out)
{
    unsigned v = 0;

    if (len == 0 || len > 5)
        return ERR_SYNTAX;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return ERR_SYNTAX;
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    if (v > max)
        return ERR_SYNTAX;
    *out = v;
    return 0;
}

int net_split(const char *text, char out_host[NET_HOST_SIZE], uint16_t *out_port)
{
    const char *host = text, *host_end, *colon;
    unsigned port;

    if (*text == '[') {
        host = text + 1;
        host_end = strchr(host, ']');
        if (host_end == NULL || host_end[1] != ':')
            return ERR_SYNTAX;
        colon = host_end + 1;
    } else {
        host_end = colon = strchr(text, ':');
        if (colon == NULL || strchr(colon + 1, ':') != NULL)
            return ERR_SYNTAX;
    }
    size_t host_len = (size_t)(host_end - host);
    if (host_len >= NET_HOST_SIZE || read_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port) != 0)
        return ERR_SYNTAX;
    memcpy(out_host, host, host_len);
    out_host[host_len] = '\0';
    *out_port = (uint16_t)port;
    return 0;
}

int net_sockaddr(const char *text, struct sockaddr_storage *out, socklen_t *out_len)
{
    char host[NET_HOST_SIZE];
    uint16_t port;
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (net_split(text, host, &port) != 0)
        return ERR_SYNTAX;
    memset(out, 0, sizeof *out);
    if (*text == '[') {
        if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
            return ERR_SYNTAX;
        v6.sin6_port = htons(port);
        memcpy(out, &v6, sizeof v6);
        *out_len = sizeof v6;
        return 0;
    }
    const char *literal = host;
    if (host[0] == '\0' || strcmp(host, "*") == 0)
        literal = "0.0.0.0";
    else if (strcmp(host, "localhost") == 0)
        literal = "127.0.0.1";
    if (inet_pton(AF_INET, literal, &v4.sin_addr) != 1)
        return ERR_SYNTAX;
    v4.sin_port = htons(port);
    memcpy(out, &v4, sizeof v4);
    *out_len = sizeof v4;
    return 0;
}

/* False for families that are not IP (a Unix socket). */
static bool flatten(const struct sockaddr *sa, uint8_t out[16], uint16_t *out_port)
{
    /* memcpy: the caller's sockaddr need not be aligned as the larger type wants */
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, sa, sizeof v4);
        memcpy(out, mapped_prefix, sizeof mapped_prefix);
        memcpy(out + 12, &v4.sin_addr, 4);
        *out_port = ntohs(v4.sin_port);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, sa, sizeof v6);
        memcpy(out, &v6.sin6_addr, 16);
        *out_port = ntohs(v6.sin6_port);
        return true;
    }
    return false;
}

static bool is_mapped(const uint8_t address[16])
{
    return memcmp(address, mapped_prefix, sizeof mapped_prefix) == 0;
}

void net_text_host(const struct sockaddr *sa, char out[NET_TEXT_SIZE])
{
    uint8_t address[16];
    uint16_t port;

    out[0] = '?';
    out[1] = '\0';
    if (!flatten(sa, address, &port))
        return;
    if (is_mapped(address))
        inet_ntop(AF_INET, address + 12, out, NET_TEXT_SIZE);
    else
        inet_ntop(AF_INET6, address, out, NET_TEXT_SIZE);
}

void net_text(const struct sockaddr *sa, char out[NET_TEXT_SIZE])
{
    uint8_t address[16];
    uint16_t port;
    char host[INET6_ADDRSTRLEN];

    if (!flatten(sa, address, &port)) {
        net_text_host(sa, out);
    } else if (is_mapped(address)) {
        inet_ntop(AF_INET, address + 12, host, sizeof host);
        snprintf(out, NET_TEXT_SIZE, "%s:%u", host, (unsigned)port);
    } else {
        inet_ntop(AF_INET6, address, host, sizeof host);
        snprintf(out, NET_TEXT_SIZE, "[%s]:%u", host, (unsigned)port);
    }
}

int net_listen(const char *text, int *out_fd, char why[256])
{
    struct sockaddr_storage address;
    socklen_t len;
    int one = 1, fd;

    if (text == NULL || net_sockaddr(text, &address, &len) != 0) {
        snprintf(why, 256, "\"%.100s\" is not address:port", text == NULL ? "" : text);
        return ERR_SYNTAX;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0) {
        snprintf(why, 256, "cannot listen on %.100s: %s", text, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    *out_fd = fd;
    return 0;
}

int net_port(int fd, uint16_t *out_port)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    uint8_t unused[16];

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
        !flatten((struct sockaddr *)&address, unused, out_port))
        return ERR_IO;
    return 0;
}

int net_range_parse(const char *text, struct net_range *out)
{
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    char host[INET6_ADDRSTRLEN];
    struct net_range range = { .bits = 128 };
    unsigned max = 128;

    if (len == 0 || len >= sizeof host)
        return ERR_SYNTAX;
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, range.address + 12) == 1) {
        memcpy(range.address, mapped_prefix, sizeof mapped_prefix);
        max = 32;
    } else if (inet_pton(AF_INET6, host, range.address) != 1) {
        return ERR_SYNTAX;
    }
    if (slash != NULL) {
        if (read_number(slash + 1, strlen(slash + 1), max, &range.bits) != 0)
            return ERR_SYNTAX;
        if (max == 32)
            range.bits += MAPPED_BITS;
    }
    range.is_ipv4 = is_mapped(range.address) && range.bits >= MAPPED_BITS;
    *out = range;
    return 0;
}

bool net_range_has(const struct net_range *range, const struct sockaddr *sa)
{
    uint8_t address[16];
    uint16_t port;

    if (!flatten(sa, address, &port) || is_mapped(address) != range->is_ipv4)
        return false;
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;
    if (memcmp(address, range->address, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ range->address[whole]) >> (8 - rest) == 0;
}

int net_list_parse(const char *const *texts, struct net_list *out, const char **out_bad)
{
    struct net_list list = { NULL, 0 };
    size_t count = 0;

    while (texts != NULL && texts[count] != NULL)
        count++;
    if (count > 0) {
        list.at = calloc(count, sizeof *list.at);
        if (list.at == NULL)
            return ERR_NOMEM;
    }
    for (; list.count < count; list.count++) {
        if (net_range_parse(texts[list.count], &list.at[list.count]) != 0) {
            if (out_bad != NULL)
                *out_bad = texts[list.count];
            free(list.at);
            return ERR_SYNTAX;
        }
    }
    *out = list;
    return 0;
}

void net_list_finish(struct net_list *list)
{
    free(list->at);
    *list = (struct net_list){ NULL, 0 };
}

bool net_list_allows(const struct net_list *list, const struct sockaddr *sa)
{
    if (list->count == 0)
        return true;
    for (size_t i = 0; i < list->count; i++) {
        if (net_range_has(&list->at[i], sa))
            return true;
    }
    return false;
}
