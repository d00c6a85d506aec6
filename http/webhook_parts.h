/*
 * webhook_parts.h - the steps of webhook_open that live in files of their own. Private to the HTTP room.
 */
#ifndef HTTP_WEBHOOK_PARTS_H
#define HTTP_WEBHOOK_PARTS_H

#include "http/webhook.h"

/* Body first, then the query's parameters the body does not have ("!" in the handler's address [smsc-api 17.2]).
 * *out_is_utf8: the values are UTF-8 already (JSON, XML); else they are bytes of opts->charset. Returns 0, ERR_SYNTAX,
 * ERR_FULL, ERR_NOMEM. */
int webhook_read(const struct webhook_opts *opts, const char *content_type, const char *query, const char *body,
                 size_t body_len, struct http_params *out, bool *out_is_utf8) MUST_CHECK;
/* Values from the charset's bytes to UTF-8, in place; most are ASCII and stay as they are. Returns 0 or ERR_NOMEM. */
int webhook_to_utf8(enum webhook_charset charset, struct http_params *params) MUST_CHECK;
/* A decoded value may hold NULs, which would end it early as a C string: they become spaces. */
void webhook_blank_nuls(struct http_params *params);
/* True when no hash is configured or the configured one fits. Other hashes present are not looked at. */
bool webhook_hash_good(const struct webhook_opts *opts, const struct http_params *params, enum smsc_event_kind kind,
                       bool is_utf8);

#endif
