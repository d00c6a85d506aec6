/* SPDX-License-Identifier: MIT */
/*
 * proxy.c - reads a PROXY protocol header.
 *
 * The header must be whole and exact: a listener with proxy_protocol trusts whoever connects to name the peer, so
 * anything else on it is refused rather than guessed at.
 */
#include "smpp/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"

enum { V1_MAX = 107, V2_HEAD = 16 };

static const uint8_t v2_signature[12] = { 0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A };

static bool port_read(const char *text, uint16_t *out_port)
{
    unsigned v = 0;

    if (text[0] == '\0' || strlen(text) > 5)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (unsigned)(*text - '0');
    }
    *out_port = (uint16_t)v;
    return v <= UINT16_MAX;
}

static bool peer_make(int family, const void *address, uint16_t port, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){ 0 };
    if (family == AF_INET) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

        memcpy(&in.sin_addr, address, sizeof in.sin_addr);
        memcpy(out, &in, sizeof in);
    } else {
        struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

        memcpy(&in.sin6_addr, address, sizeof in.sin6_addr);
        memcpy(out, &in, sizeof in);
    }
    return true;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 4711 2775\r\n" */
static int v1_read(const uint8_t *in, size_t len, bool *out_known, struct sockaddr_storage *out_peer)
{
    const uint8_t *end = memchr(in, '\n', len < V1_MAX ? len : V1_MAX);
    char line[V1_MAX + 1];
    char *field[6];
    size_t fields = 0;
    uint8_t address[16];
    uint16_t source_port, dest_port;

    if (end == NULL)
        return len >= V1_MAX ? -1 : 0;

    size_t line_len = (size_t)(end - in);

    if (line_len < 1 || in[line_len - 1] != '\r' || memchr(in, '\0', line_len) != NULL)
        return -1;
    memcpy(line, in, line_len - 1);
    line[line_len - 1] = '\0';
    for (char *at = line; at != NULL && fields < 6; fields++) {
        field[fields] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = '\0';
        if (fields == 5 && at != NULL)
            return -1; /* a seventh field */
    }
    if (fields >= 2 && strcmp(field[1], "UNKNOWN") == 0) {
        *out_known = false;
        return (int)line_len + 1;
    }
    if (fields != 6 || (strcmp(field[1], "TCP4") != 0 && strcmp(field[1], "TCP6") != 0))
        return -1;

    int family = field[1][3] == '4' ? AF_INET : AF_INET6;

    if (inet_pton(family, field[3], address) != 1 || inet_pton(family, field[2], address) != 1 ||
        !port_read(field[4], &source_port) || !port_read(field[5], &dest_port))
        return -1;
    *out_known = peer_make(family, address, source_port, out_peer);
    return (int)line_len + 1;
}

static int v2_read(const uint8_t *in, size_t len, bool *out_known, struct sockaddr_storage *out_peer)
{
    struct reader r = reader_over(in, len);

    if (len < V2_HEAD)
        return 0;
    read_bytes(&r, sizeof v2_signature);

    uint8_t command = read_u8(&r);
    uint8_t family = read_u8(&r);
    size_t body = read_u16(&r);

    if ((command & 0xF0) != 0x20 || (command & 0x0F) > 1 || V2_HEAD + body > SMPP_PROXY_MAX)
        return -1;
    if (len < V2_HEAD + body)
        return 0;
    *out_known = false;
    if ((command & 0x0F) == 1 && (family == 0x11 || family == 0x21)) { /* PROXY over TCP; LOCAL speaks for itself */
        size_t size = family == 0x11 ? 4 : 16;

        if (body < size * 2 + 4)
            return -1;

        struct bytes source = read_bytes(&r, size);

        read_bytes(&r, size);
        *out_known = peer_make(size == 4 ? AF_INET : AF_INET6, source.at, read_u16(&r), out_peer);
    }
    return (int)(V2_HEAD + body);
}

int smpp_proxy_read(const uint8_t *in, size_t len, bool *out_known, struct sockaddr_storage *out_peer)
{
    static const char v1[] = "PROXY ";
    size_t v1_len = sizeof v1 - 1;

    if (memcmp(in, v2_signature, len < sizeof v2_signature ? len : sizeof v2_signature) == 0)
        return v2_read(in, len, out_known, out_peer);
    if (memcmp(in, v1, len < v1_len ? len : v1_len) == 0)
        return v1_read(in, len, out_known, out_peer);
    return -1;
}
