/*
 * gateway.h - THE DOOR of the gateway room: start it with a configuration, drain it, stop it.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "config/config.h"

struct gateway;

/* Takes the configuration. Opens the store, resumes what was under way, listens. why[256] gets a sentence on failure
 * (then the configuration has been destroyed). */
int gateway_start(uv_loop_t *loop, struct config *config, struct gateway **out, char why[256]) MUST_CHECK;
/* The ports in use (the first listener of each kind): for the lab, where they may have been 0. */
uint16_t gateway_smpp_port(const struct gateway *gw);
uint16_t gateway_callback_port(const struct gateway *gw);
/* Reads smpp.tls's files again for connections to come; those there are keep what they have. Returns 0, or ERR_CONFIG with
 * a line in the log: then the certificates read before stay. */
int gateway_reload_certificates(struct gateway *gw);
/* Stops accepting, unbinds, lets what is in flight finish until drain_timeout, flushes the store; then `on_stopped`. */
void gateway_drain(struct gateway *gw, void (*on_stopped)(void *owner), void *owner);
/* After on_stopped, or at once. The loop must run until it has nothing left. */
void gateway_destroy(struct gateway *gw);

#endif
