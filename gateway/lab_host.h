/*
 * lab_host.h - runs the simulated network for a gateway's lab accounts, on the gateway's loop, when one needs it.
 *
 * Either a simulator of its own, or, in `smppbridge lab`, a further account of the simulator that is there already: lab
 * accounts and the upstreams before the same simulator never see each other's messages.
 */
#ifndef GATEWAY_LAB_HOST_H
#define GATEWAY_LAB_HOST_H

#include <uv.h>

#include "gateway/gateway.h"

struct simulator;

struct lab_host {
    uv_loop_t *loop;
    struct simulator *simulator; /* NULL until a lab account is configured */
    uint16_t port;               /* its port */
    bool shared;                 /* somebody else's simulator */
    bool second;                 /* the lab accounts are its account LAB_HOST_LOGIN */
    struct gateway *gw;
    struct gateway_lab_host host;
    struct gateway_lab ops;
};

#define LAB_HOST_LOGIN "lab-accounts"

/* Offers the simulated network; starts it at once when the configuration has lab accounts. `host` must outlive the
 * gateway. Returns 0 or an error with a sentence. */
int lab_host_attach(struct lab_host *host, uv_loop_t *loop, struct gateway *gw, char why[256]) MUST_CHECK;
/* The same with a simulator that all upstreams of the gateway stand before; it stays the caller's. */
int lab_host_share(struct lab_host *host, struct simulator *simulator, uint16_t port, struct gateway *gw,
                   char why[256]) MUST_CHECK;
/* After the gateway. */
void lab_host_finish(struct lab_host *host);

#endif
