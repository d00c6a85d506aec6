/*
 * gateway.h - THE DOOR of the gateway room: start it with a configuration, drain it, stop it.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "gateway/sockets.h"

struct gateway;

struct gateway_start_opts {
    struct sockets *sockets; /* outlives the gateway; NULL: its own, ended with it */
    /* Everything is checked and open, the store not yet; may wait. Not 0: the start has failed. NULL: nothing to wait for. */
    int (*before_store)(void *owner, char why[256]);
    void *owner;
};
/* Takes the configuration. Listens, opens the store, resumes what was under way; whoever connects is accepted when the
 * loop runs. `how` may be NULL. why[256] gets a sentence on failure (then the configuration has been destroyed). */
int gateway_start(uv_loop_t *loop, struct config *config, const struct gateway_start_opts *how, struct gateway **out,
                  char why[256]) MUST_CHECK;
/* The ports in use (the first listener of each kind): for the lab, where they may have been 0. */
uint16_t gateway_smpp_port(const struct gateway *gw);
uint16_t gateway_callback_port(const struct gateway *gw);
/* The address an aggregator's account needs to reach the first callbacks listener, with charset, format and hash; false:
 * there is none, or it does not fit. */
bool gateway_callback_url(const struct gateway *gw, char *out, size_t size);
/* Reads smpp.tls's files again for connections to come; those there are keep what they have. Returns 0, or ERR_CONFIG with
 * a line in the log: then the certificates read before stay. */
int gateway_reload_certificates(struct gateway *gw);
uint16_t gateway_admin_port(const struct gateway *gw); /* 0: none */

/* What the lab lets the administration do with its simulated aggregator. `login`: an account of it, "" the first. */
struct gateway_lab {
    void *owner;
    bool whole; /* every account is in the lab: smppbridge lab */
    int (*read_behaviour)(void *owner, const char *login, struct buf *out);
    int (*write_behaviour)(void *owner, const char *login, const char *json, size_t len, char why[256]);
    /* `lab_account`: of the network behind accounts of mode "lab" */
    int (*incoming)(void *owner, bool lab_account, const char *phone, const char *to, const char *text,
                    const char *sms_id);
};
/* `lab` must outlive the gateway. */
void gateway_set_lab(struct gateway *gw, const struct gateway_lab *lab);
/* Who runs the simulated network of accounts of mode "lab": started when the first one is configured. `start` gets the
 * address for callbacks and says where the network is and as whom it is used. */
struct gateway_lab_network {
    char url[160], login[64], password[64];
};
struct gateway_lab_host {
    void *owner;
    int (*start)(void *owner, const char *callback_url, struct gateway_lab_network *out, char why[256]);
};
/* Right after gateway_start; `host` must outlive the gateway. Returns 0, or an error with a sentence. */
int gateway_set_lab_host(struct gateway *gw, const struct gateway_lab_host *host, char why[256]) MUST_CHECK;
/* The file gateway_reload reads; copied. */
int gateway_set_file(struct gateway *gw, const char *path) MUST_CHECK;
/* Reads the file again and follows it. Returns 0 and the keys that need a restart, one a line (empty: none); ERR_CONFIG
 * and what is wrong, ERR_STATE: nothing has changed. */
int gateway_reload(struct gateway *gw, struct buf *report) MUST_CHECK;
/* Stops accepting, unbinds, lets what is in flight finish until drain_timeout, flushes the store; then `on_stopped`. */
void gateway_drain(struct gateway *gw, void (*on_stopped)(void *owner), void *owner);
/* For the next process: the same without refusing anybody. Claims nothing new, lets requests, deliveries and binds under
 * way end while ESMEs are served, then unbinds and flushes the store; then `on_stopped`. The listening sockets stay. */
void gateway_hand_over(struct gateway *gw, void (*on_stopped)(void *owner), void *owner);
/* As if nothing had happened. False: sessions are being unbound already, on_stopped will come. */
bool gateway_hand_back(struct gateway *gw);
bool gateway_is_draining(const struct gateway *gw);

/* Who can start the next process, when the administration asks for it. `done` is called once, later: `pid` of the new one
 * that has found everything good, or 0 and why not. `start` returns 0 or ERR_STATE with a sentence. */
typedef void gateway_upgrade_fn(void *owner, int pid, const char *why);
struct gateway_upgrader {
    void *owner;
    int (*start)(void *owner, gateway_upgrade_fn *done, void *done_owner, char why[256]);
    const char *(*state)(void *owner); /* "" when there is none under way; else how far, or why the last one failed */
};
/* `upgrader` must outlive the gateway. */
void gateway_set_upgrader(struct gateway *gw, const struct gateway_upgrader *upgrader);
/* After on_stopped, or at once. The loop must run until it has nothing left. */
void gateway_destroy(struct gateway *gw);

#endif
