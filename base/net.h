/*
 * net.h - addresses as text, sockets that listen on them, and lists of address ranges.
 *
 * Literal addresses only: nothing here asks a name server, so nothing blocks. IPv4 and its form inside IPv6
 * ("::ffff:10.1.2.3") are the same address everywhere in this file.
 * Spec: RFC 4291 2.5.5.2 (mapped addresses), RFC 4632 (prefix notation).
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

enum {
    NET_HOST_SIZE = 256, /* a name or address and its NUL */
    NET_TEXT_SIZE = 64   /* "[address]:port" and its NUL */
};

/* "host:port", "[::1]:port" -> host without brackets, port 0..65535. The host may be empty (":2775"). An address with
 * colons must stand in brackets. Returns 0 or ERR_SYNTAX. */
int net_split(const char *text, char out_host[NET_HOST_SIZE], uint16_t *out_port) MUST_CHECK;

/* An address to listen on: "127.0.0.1:2775", "[::]:80", "localhost:80" (127.0.0.1), "*:80" or ":80" (every IPv4 address).
 * Other names are refused. Returns 0 or ERR_SYNTAX. */
int net_sockaddr(const char *text, struct sockaddr_storage *out, socklen_t *out_len) MUST_CHECK;

/* "127.0.0.1:50123", "[2001:db8::1]:50123"; a mapped address is written as IPv4; "?" for other families. */
void net_text(const struct sockaddr *sa, char out[NET_TEXT_SIZE]);
/* The same without port and brackets. */
void net_text_host(const struct sockaddr *sa, char out[NET_TEXT_SIZE]);

/* A listening stream socket, close-on-exec and non-blocking, on an address as net_sockaddr takes it; port 0: any free one.
 * Returns 0, ERR_SYNTAX, ERR_IO with a sentence in why[256]. */
int net_listen(const char *text, int *out_fd, char why[256]) MUST_CHECK;
/* The port a socket is bound to. Returns 0 or ERR_IO. */
int net_port(int fd, uint16_t *out_port) MUST_CHECK;

/* A range; IPv4 is kept mapped. */
struct net_range {
    uint8_t address[16];
    unsigned bits; /* 0..128; an IPv4 range counts from 96 */
    bool is_ipv4;
};

/* "10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "::ffff:10.0.0.0/104". Bits behind the prefix are ignored. Returns 0 or
 * ERR_SYNTAX. */
int net_range_parse(const char *text, struct net_range *out) MUST_CHECK;
/* "::/0" holds IPv6 only and "0.0.0.0/0" IPv4 only, as an operator would expect. */
bool net_range_has(const struct net_range *range, const struct sockaddr *sa);

struct net_list {
    struct net_range *at; /* owned */
    size_t count;
};

/* `texts`: NULL-terminated, NULL is an empty list. Returns 0, ERR_NOMEM, ERR_SYNTAX with *out_bad (may be NULL) the entry
 * not understood. `out` needs net_list_finish after 0 only. */
int net_list_parse(const char *const *texts, struct net_list *out, const char **out_bad) MUST_CHECK;
void net_list_finish(struct net_list *list);
/* True for an empty list: no list means everywhere. */
bool net_list_allows(const struct net_list *list, const struct sockaddr *sa);

#endif
