/*
 * client.h - ourselves as an ESME: for the send, listen and load commands and for tests.
 *
 * One connection; same framer, codec and window as the server side. Loop thread only.
 */
#ifndef SMPP_CLIENT_H
#define SMPP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "smpp/pdu.h"
#include "smpp/server.h"

struct smpp_client;

struct smpp_client_opts {
    const char *host;
    uint16_t port;
    bool tls; /* certificate is not verified unless ca_file is given */
    const char *ca_file;
    const char *certificate_file, *key_file; /* shown when asked for; key_file NULL: it is in certificate_file */
    const char *system_id, *password, *system_type;
    uint8_t interface_version; /* 0 = 0x34 */
    enum smpp_bind_type type;
    uint32_t window;                                        /* requests under way at once, 0 = 10 */
    uint64_t response_timeout_ms, enquire_link_interval_ms; /* 0 = 30 s each */
};

struct smpp_client_ops {
    void (*on_bound)(void *owner, uint32_t status); /* once: bind_resp's status */
    /* Exactly once for each smpp_client_send that returned 0. `response` is NULL unless ANSWERED; its views die on
     * return. */
    void (*on_response)(void *owner, uint64_t cookie, enum smpp_deliver_end how, uint32_t status,
                        const struct smpp_pdu *response);
    /* A deliver_sm or data_sm from the server: returns the status of the answer, or SMPP_LATER never to answer (tests). */
    uint32_t (*on_deliver)(void *owner, const struct smpp_pdu *pdu);
    /* The window has room again, or a whole turn's answers have been handled: time to send more. */
    void (*on_room)(void *owner);
    /* The connection ended; `why` static. No further calls. Destroy it now or later. */
    void (*on_closed)(void *owner, const char *why);
};

int smpp_client_create(uv_loop_t *loop, const struct smpp_client_opts *opts, const struct smpp_client_ops *ops,
                       void *owner, struct smpp_client **out) MUST_CHECK;
/* Sends any request. Returns 0, ERR_FULL (window), ERR_STATE (not bound), ERR_RANGE. */
int smpp_client_send(struct smpp_client *client, struct smpp_pdu *pdu, uint64_t cookie) MUST_CHECK;
uint32_t smpp_client_room(const struct smpp_client *client);
/* unbind, wait for its answer (or 1 s), close; on_closed follows. */
void smpp_client_unbind(struct smpp_client *client);
/* Closes at once if still open; frees when libuv lets go. No calls afterwards. */
void smpp_client_destroy(struct smpp_client *client);

/* Splits "smpp[s]://id:password@host:port" (percent-encoded id and password) into the option fields that point into
 * `storage`. Returns 0 or ERR_SYNTAX. */
int smpp_url_read(const char *url, char storage[512], struct smpp_client_opts *out) MUST_CHECK;

#endif
