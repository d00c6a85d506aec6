/*
 * serve.h - runs a started gateway until a signal has drained it, or the next process has taken its place.
 */
#ifndef GATEWAY_SERVE_H
#define GATEWAY_SERVE_H

#include <uv.h>

#include "gateway/gateway.h"
#include "gateway/upgrade.h"

/* Before the first thread and the first listener: signals wait until somebody can drain. A SIGTERM between the two would
 * otherwise end the process where it stands. */
void serve_hold_signals(void);

/* Runs the loop. SIGTERM, SIGINT: drain, destroy, then `on_end` (may be NULL) closes what else lives on the loop; a second
 * one ends the process at once. SIGHUP: reload. SIGUSR2: upgrade, when there are `sockets` to hand on (NULL: ignored). The
 * service manager is told what goes on. Returns when the loop has nothing left. */
enum upgrade_end serve_until_signal(uv_loop_t *loop, struct gateway *gw, const struct sockets *sockets,
                                    void (*on_end)(void *owner), void *owner);

#endif
