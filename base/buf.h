/*
 * buf.h - a growable run of bytes with a mandatory ceiling.
 *
 * The error is sticky, as in bytes.h: append everything, then look at `failed` once. The content is always followed by
 * a NUL that is not counted, so text may be handed to C functions.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
    char *data; /* NULL until the first append */
    size_t len;
    size_t size; /* allocated */
    size_t max;  /* ceiling in bytes, given at creation */
    bool failed; /* the ceiling or the memory was reached; content is what fitted before */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_finish(struct buf *b);
/* Empties it, keeps the memory, forgets the failure. */
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t len);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *format, ...) PRINTF(2, 3);
/* Room for `len` more bytes at the end; returns where to write them (then add to b->len), NULL when there is none. */
char *buf_reserve(struct buf *b, size_t len);
/* Removes the first `len` bytes. */
void buf_shift(struct buf *b, size_t len);
/* Decimal digits without the cost of printf. */
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);
/* As a JSON string with its quotes; the input is UTF-8, a bad byte becomes U+FFFD. */
void buf_add_json(struct buf *b, const char *s, size_t len);
/* Percent-encoded as in application/x-www-form-urlencoded (space is "%20"). */
void buf_add_url(struct buf *b, const void *p, size_t len);
/* Bytes of the UTF-8 sequence at `s` (1..4), 0 when it is broken or cut off by `len`. */
size_t buf_utf8_len(const char *s, size_t len);
/* The content, or "" before the first append. */
const char *buf_text(const struct buf *b);

#endif
