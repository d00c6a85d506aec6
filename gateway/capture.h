/*
 * capture.h - the last PDUs of each session, as a pcap file that Wireshark dissects as SMPP.
 *
 * A ring of bytes per session; sessions that have ended keep theirs until room is needed. Passwords never get in: the
 * bytes of a bind's or outbind's password are blanked before they are kept. Texts are blanked in what is given out unless
 * asked for; of a receipt only its "text:" field is.
 */
#ifndef GATEWAY_CAPTURE_H
#define GATEWAY_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct capture;

/* `session_bytes` per session, `sessions_max` sessions at most: above it the one that ended first, else the one that has
 * been silent longest, makes room. NULL when out of memory. */
struct capture *capture_create(size_t session_bytes, size_t sessions_max);
void capture_destroy(struct capture *capture);
/* `n`: the session's number; `address`: the peer's "host:port". */
void capture_add(struct capture *capture, uint64_t n, const char *address, bool outgoing, const uint8_t *frame,
                 size_t len);
void capture_ended(struct capture *capture, uint64_t n);
/* Appends the whole pcap file. ERR_NOT_FOUND: no such session is kept. */
int capture_write(const struct capture *capture, uint64_t n, bool with_text, struct buf *out) MUST_CHECK;

#endif
