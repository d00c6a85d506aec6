/* SPDX-License-Identifier: MIT */
/*
 * framer.c - cut one connection's byte stream into whole SMPP PDUs.
 *
 * Whatever is half received lives in struct smpp_framer and never on the stack, so a PDU may arrive one byte at a time.
 * Memory follows the bytes that have arrived, never the length announced: sixteen bytes claiming 80 KiB cost 64. A
 * length outside the limits means the peer and we no longer agree where PDUs start; there is no way back.
 */
#include "smpp/framer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { LENGTH_BYTES = 4, HEADER_BYTES = 16, FIRST_BYTES = 64 };

void smpp_framer_init(struct smpp_framer *f, uint32_t max_bytes)
{
    assert(max_bytes >= HEADER_BYTES);
    *f = (struct smpp_framer){ .max = max_bytes };
}

void smpp_framer_limit(struct smpp_framer *f, uint32_t max_bytes)
{
    assert(max_bytes >= HEADER_BYTES);
    f->max = max_bytes;
}

static void drop_held(struct smpp_framer *f)
{
    free(f->held);
    f->held = NULL;
    f->held_len = f->held_size = 0;
    f->handed_out = false;
}

void smpp_framer_finish(struct smpp_framer *f)
{
    drop_held(f);
}

static int fail(struct smpp_framer *f, int err)
{
    drop_held(f);
    f->failed = err;
    return err;
}

/* The command_length at `at` (four bytes are there, `len` in all), or 0 after noting why it is refused. */
static uint32_t length_at(struct smpp_framer *f, const uint8_t *at, size_t len)
{
    struct reader r = reader_over(at, len);
    uint32_t length = read_u32(&r);

    if (length >= HEADER_BYTES && length <= f->max)
        return length;
    f->bad_length = length;
    read_bytes(&r, 8);
    f->bad_sequence = read_u32(&r); /* 0 when the header is not all here */
    return 0;
}

/* Room for `size` bytes in all; at least doubles, so a PDU sent byte by byte is copied a few times only. */
static bool hold_room(struct smpp_framer *f, uint32_t size)
{
    if (size <= f->held_size)
        return true;

    uint32_t wanted = f->held_size == 0 ? FIRST_BYTES : f->held_size * 2;
    if (wanted < size)
        wanted = size;
    uint8_t *held = realloc(f->held, wanted);
    if (held == NULL)
        return false;
    f->held = held;
    f->held_size = wanted;
    return true;
}

/* Copies what is missing up to `target` bytes, as far as it has arrived. */
static bool hold(struct smpp_framer *f, uint32_t target, const uint8_t *in, size_t len, size_t *used)
{
    size_t n = target - f->held_len;

    if (n > len - *used)
        n = len - *used;
    if (n == 0)
        return true;
    if (!hold_room(f, f->held_len + (uint32_t)n))
        return false;
    memcpy(f->held + f->held_len, in + *used, n);
    f->held_len += (uint32_t)n;
    *used += n;
    return true;
}

int smpp_framer_push(struct smpp_framer *f, const uint8_t *in, size_t len, size_t *out_used,
                     struct smpp_frame *out_frame)
{
    size_t used = 0;
    uint32_t length;

    *out_used = 0;
    if (f->failed != 0)
        return f->failed;
    if (f->handed_out)
        drop_held(f);

    if (f->held_len == 0 && len >= LENGTH_BYTES) {
        length = length_at(f, in, len);
        if (length == 0)
            return fail(f, ERR_RANGE);
        if (length <= len) {
            *out_used = length;
            *out_frame = (struct smpp_frame){ in, length };
            return 1;
        }
    }
    if (f->held_len < LENGTH_BYTES) {
        if (!hold(f, LENGTH_BYTES, in, len, &used))
            return fail(f, ERR_NOMEM);
        if (f->held_len < LENGTH_BYTES) {
            *out_used = used;
            return 0;
        }
        /* The rest of the header may stand behind it: for bad_sequence only. */
        uint8_t header[HEADER_BYTES];
        size_t more = len - used < HEADER_BYTES - LENGTH_BYTES ? len - used : HEADER_BYTES - LENGTH_BYTES;
        memcpy(header, f->held, LENGTH_BYTES);
        if (more > 0)
            memcpy(header + LENGTH_BYTES, in + used, more);
        length = length_at(f, header, LENGTH_BYTES + more);
        if (length == 0)
            return fail(f, ERR_RANGE);
    } else {
        struct reader r = reader_over(f->held, LENGTH_BYTES);
        length = read_u32(&r); /* judged when it arrived: a limit lowered since does not apply to it */
    }
    if (!hold(f, length, in, len, &used))
        return fail(f, ERR_NOMEM);
    *out_used = used;
    if (f->held_len < length)
        return 0;
    f->handed_out = true;
    *out_frame = (struct smpp_frame){ f->held, length };
    return 1;
}
