/*
 * lab.h - THE DOOR of the laboratory: the simulated SMSC service and the ESME tools.
 *
 * The simulator is an HTTP service of its own that stands in for the aggregator; the gateway talks to it over real HTTP
 * only. The commands are complete programs: they read argv, run a loop of their own and return an exit status.
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

struct simulator;

struct simulator_opts {
    const char *address;      /* "127.0.0.1:0" */
    uint64_t seed;            /* same seed, same requests: same outcomes */
    const char *script;       /* JSON file of behaviour and accounts, or NULL */
    const char *callback_url; /* where callbacks go, as the operator would set it in the account; NULL none until set */
    const char *token;        /* asked of /lab/ requests from beyond loopback; needed to listen beyond it. NULL: none */
    size_t max_messages;      /* kept; the oldest go. 0 = 500000 */
};

/* Returns 0, ERR_CONFIG (script), ERR_DENIED (an address beyond loopback without a token), or what http_server_create
 * returns; why[] gets a sentence. */
int simulator_create(uv_loop_t *loop, const struct simulator_opts *opts, struct simulator **out, uint16_t *out_port,
                     char why[256]) MUST_CHECK;
/* Behaviour of one account as JSON: the whole object out; a partial object in (unknown keys refused with a sentence).
 * `login` "" is the first account. ERR_NOT_FOUND: there is none of this login. */
int simulator_behaviour_read(struct simulator *sim, const char *login, struct buf *out) MUST_CHECK;
int simulator_behaviour_write(struct simulator *sim, const char *login, const char *json, size_t len,
                              char why[256]) MUST_CHECK;
/* A further account: the first one's settings with what differs, "login" at least. ERR_FULL: no more than 16. */
int simulator_add_account(struct simulator *sim, const char *json, size_t len, char why[256]) MUST_CHECK;
/* A subscriber writes: `to` our number, `sms_id` the message answered ("" none). The callback goes the usual way. */
int simulator_incoming(struct simulator *sim, const char *login, const char *phone, const char *to, const char *text,
                       const char *sms_id) MUST_CHECK;
void simulator_destroy(struct simulator *sim);

/* Subcommands of smppbridge; argv[0] is the subcommand's name. Exit status 0, 1, 2. */
int lab_cmd_simulator(int argc, char **argv);
int lab_cmd_send(int argc, char **argv);
int lab_cmd_listen(int argc, char **argv);
int lab_cmd_load(int argc, char **argv);

#endif
