/*
 * bytes.h - bounded big-endian reading and writing over a view of bytes.
 *
 * The error is sticky: read or write everything, then ask once. After an error a reader returns zeros and a writer
 * writes nothing, so no check is needed in between and no length from the wire can move a pointer out of its view.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view: bytes owned by somebody else, not NUL-terminated. */
struct bytes {
    const uint8_t *at;
    size_t len;
};

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct reader reader_over(const void *p, size_t len)
{
    const uint8_t *at = (const uint8_t *)p;

    return (struct reader){ at, at == NULL ? at : at + len, false };
}

static inline size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : (size_t)(r->end - r->at);
}

/* `len` bytes as a view, or an empty view and failed. */
static inline struct bytes read_bytes(struct reader *r, size_t len)
{
    struct bytes view = { r->at, len };

    if (r->failed || (size_t)(r->end - r->at) < len) {
        r->failed = true;
        return (struct bytes){ r->end, 0 };
    }
    r->at += len;
    return view;
}

static inline uint8_t read_u8(struct reader *r)
{
    struct bytes b = read_bytes(r, 1);

    return b.len == 1 ? b.at[0] : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
    struct bytes b = read_bytes(r, 2);

    return b.len == 2 ? (uint16_t)((unsigned)b.at[0] << 8 | b.at[1]) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    struct bytes b = read_bytes(r, 4);

    return b.len == 4 ? (uint32_t)b.at[0] << 24 | (uint32_t)b.at[1] << 16 | (uint32_t)b.at[2] << 8 | b.at[3] : 0;
}

struct writer {
    uint8_t *at;
    uint8_t *end;
    uint8_t *start;
    bool failed;
};

static inline struct writer writer_over(void *p, size_t size)
{
    uint8_t *at = (uint8_t *)p;

    return (struct writer){ at, at + size, at, false };
}

static inline size_t writer_len(const struct writer *w)
{
    return (size_t)(w->at - w->start);
}

static inline void write_bytes(struct writer *w, const void *p, size_t len)
{
    if (w->failed || (size_t)(w->end - w->at) < len) {
        w->failed = true;
        return;
    }
    if (len > 0)
        memcpy(w->at, p, len);
    w->at += len;
}

static inline void write_u8(struct writer *w, uint8_t v)
{
    write_bytes(w, &v, 1);
}

static inline void write_u16(struct writer *w, uint16_t v)
{
    uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

    write_bytes(w, b, sizeof b);
}

static inline void write_u32(struct writer *w, uint32_t v)
{
    uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

    write_bytes(w, b, sizeof b);
}

#endif
