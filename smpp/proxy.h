/*
 * proxy.h - the PROXY protocol header a load balancer puts before the stream, version 1 (text) and 2 (binary).
 *
 * Pure. Spec: haproxy.org proxy-protocol.txt, 2.1 and 2.2.
 */
#ifndef SMPP_PROXY_H
#define SMPP_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Longer headers are refused: version 1 has at most 107 bytes, version 2 is cut at this with its TLVs. */
enum { SMPP_PROXY_MAX = 2048 };

/* Returns the length of the header, 0 when more bytes are needed, -1 when it is none. *out_known: it names the real
 * peer, then *out_peer is that; otherwise (UNKNOWN, LOCAL) the connection speaks for itself. */
int smpp_proxy_read(const uint8_t *in, size_t len, bool *out_known, struct sockaddr_storage *out_peer);

#endif
