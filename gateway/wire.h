/*
 * wire.h - the two interfaces of one upstream, "smsc-http" and "smsc-soap", as one table of builders and parsers.
 */
#ifndef GATEWAY_WIRE_H
#define GATEWAY_WIRE_H

#include "config/config.h"
#include "http/http.h"

struct wire {
    const char *send_path, *status_path, *balance_path;
    const char *content_type;   /* NULL: a form */
    const char *const *headers; /* NULL none */
    void (*build_send)(const struct smsc_login *login, const struct smsc_send *send, struct buf *out);
    void (*parse_send)(int http_status, const char *body, size_t len, struct smsc_send_reply *out);
    void (*build_status)(const struct smsc_login *login, const char *phone, const char *id, struct buf *out);
    void (*parse_status)(int http_status, const char *body, size_t len, struct smsc_status_reply *out);
    void (*build_balance)(const struct smsc_login *login, struct buf *out);
    void (*parse_balance)(int http_status, const char *body, size_t len, struct smsc_balance_reply *out);
};

/* Never NULL. */
const struct wire *wire_of(const struct cfg_upstream *cfg);
/* A POST over this wire; `body` lives with the caller. */
struct http_request_out wire_request(const struct wire *wire, const char *url, const struct buf *body);

#endif
