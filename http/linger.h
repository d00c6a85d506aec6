/*
 * linger.h - connections that are over for us, kept until the peer has read our last answer.
 *
 * A socket closed with input unread is reset, and a reset takes the answer away from a peer that is still sending. So what
 * comes is read and thrown away until the peer closes, a time is over, or it has sent too much.
 */
#ifndef HTTP_LINGER_H
#define HTTP_LINGER_H

#include <uv.h>

struct lingerer;

struct lingers {
    uv_loop_t *loop;
    struct lingerer *first;
    unsigned count;
};

/* At the ceiling, or without memory or descriptor, nothing is done: the peer sees what it would have seen. `fd` is
 * duplicated and stays the caller's. */
void linger_on(struct lingers *lingers, int fd);
/* Ends all of them. The struct may go; libuv calls back for what it was not told of. */
void linger_end_all(struct lingers *lingers);

#endif
