/*
 * handover.h - the talk of two processes of this program: the old one hands listening sockets and store over to the new.
 *
 * The old one starts the new one with the sockets and one end of a socket pair. New: "good" (configuration, addresses and
 * certificates are) or "failed WHY". Old: "store" (it is closed: yours). New: "serving". A pair that breaks before "store"
 * means to the old one that nothing happens, to the new one that the old one died: then the store is free anyway.
 * Which connections end when is upgrade.c's business.
 */
#ifndef GATEWAY_HANDOVER_H
#define GATEWAY_HANDOVER_H

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "gateway/sockets.h"

/* First thing in main: which program this is, and how it was called. The vector must outlive everything. */
void program_remember(char **argv);

/* --- the old process --- */

struct handover;

struct handover_ops {
    void (*on_good)(void *owner); /* it has checked everything and waits */
    /* Then one of these two, once. From the loop, never from inside a call. */
    void (*on_serving)(void *owner);
    void (*on_failed)(void *owner, const char *why); /* the process has ended */
};

/* Starts the program again, from where it lies now, with the arguments it was called with. Returns 0, or an error with a
 * sentence. `owner` must outlive it. */
int handover_start(uv_loop_t *loop, const struct sockets *sockets, const struct handover_ops *ops, void *owner,
                   struct handover **out, char why[256]) MUST_CHECK;
int handover_pid(const struct handover *handover);
/* The store is closed: it is the new process's. */
void handover_give(struct handover *handover);
/* Ends the new process; on_failed comes. Harmless to the store while it has not been given. */
void handover_cancel(struct handover *handover);
/* After on_serving or on_failed, or to forget the process; freed when libuv has let go. NULL is welcome. */
void handover_destroy(struct handover *handover);
/* This very program, as it was when it started, begins anew in this process: the new one has failed after the store had
 * been given away. Returns only when that is impossible. */
void handover_begin_anew(const struct sockets *sockets);

/* --- the new process --- */

struct takeover {
    bool is_on; /* the sockets come from a process of ours */
    int fd;     /* to the old one; -1 none */
    int parent; /* the old one's number */
};

/* Before anything is opened: descriptors nobody wanted to hand over are closed. */
struct takeover takeover_begin(void);
/* Says that all is well and waits for the store. Returns 0 when it is ours, ERR_STATE when we are not wanted any more. */
int takeover_wait(struct takeover *takeover) MUST_CHECK;
void takeover_failed(struct takeover *takeover, const char *why);
void takeover_done(struct takeover *takeover); /* serving */

#endif
