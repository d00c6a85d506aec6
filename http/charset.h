/*
 * charset.h - the aggregator's three encodings to and from UTF-8.
 *
 * Text inside the gateway is UTF-8; windows-1251 and koi8-r exist at this edge only. The iconv descriptors are opened
 * once and kept (opening one costs more than a message); loop thread only.
 */
#ifndef HTTP_CHARSET_H
#define HTTP_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "http/webhook.h"

/* "utf-8", "windows-1251", "koi8-r": the names the aggregator and iconv both understand. */
const char *charset_name(enum webhook_charset charset);
/* The charset of that name, in any case. Returns 0 or ERR_NOT_FOUND. */
int charset_by_name(const char *name, enum webhook_charset *out) MUST_CHECK;
bool charset_is_utf8(const char *text, size_t len);
/* The same bytes in every charset there is. */
bool charset_is_ascii(const char *text, size_t len);
/* Appends the text as UTF-8; a byte that is no character becomes U+FFFD. */
void charset_to_utf8(enum webhook_charset from, const char *text, size_t len, struct buf *out);
/* Appends UTF-8 text in the bytes of `to`; a character it lacks becomes '?'. */
void charset_from_utf8(enum webhook_charset to, const char *text, size_t len, struct buf *out);

#endif
