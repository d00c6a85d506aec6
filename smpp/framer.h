/*
 * framer.h - cut one connection's byte stream into whole SMPP PDUs.
 *
 * Understands one field, command_length. PDUs that lie whole in the bytes just read are handed out where they lie; only
 * an unfinished tail is copied, into memory that grows with what has arrived and is given back when the PDU is done. An
 * idle connection holds no memory but this struct.
 * Spec: SMPP34 3.2.
 */
#ifndef SMPP_FRAMER_H
#define SMPP_FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    SMPP_UNBOUND_MAX = 512, /* before bind: the largest bind with 64-character names is 227 bytes */
    SMPP_PDU_MAX =
        80 *
        1024 /* after bind, unless its owner says otherwise: 64 KiB of message_payload, 255 destinations and room for more TLVs */
};

struct smpp_framer {
    uint8_t *held; /* the unfinished PDU; NULL when there is none */
    uint32_t held_len;
    uint32_t held_size;
    uint32_t max;          /* largest command_length taken */
    bool handed_out;       /* `held` is the frame given last: it dies with the next call */
    int failed;            /* the error given once is given for ever */
    uint32_t bad_length;   /* after ERR_RANGE: the command_length refused ... */
    uint32_t bad_sequence; /* ... and the sequence_number behind it, 0 when that had not arrived */
};

/* A whole PDU. Dies with the next call on the framer and with the bytes it was found in. No NUL stands behind it. */
struct smpp_frame {
    const uint8_t *pdu;
    size_t len;
};

/* `max_bytes`: 16 or more. */
void smpp_framer_init(struct smpp_framer *f, uint32_t max_bytes);
/* For PDUs whose length has not been looked at yet: raise it after the bind. */
void smpp_framer_limit(struct smpp_framer *f, uint32_t max_bytes);
void smpp_framer_finish(struct smpp_framer *f);

/* Takes bytes from `in` up to the end of the next PDU; *out_used says how many. Call again with the rest until it
 * returns 0: that last call (len 0 is welcome) also gives memory back.
 * Returns 1: *out_frame is a PDU. 0: all has been taken, more is needed. ERR_RANGE: command_length below 16 or above
 * the limit, where the next PDU starts is unknown for ever: nack and close. ERR_NOMEM. */
int smpp_framer_push(struct smpp_framer *f, const uint8_t *in, size_t len, size_t *out_used,
                     struct smpp_frame *out_frame) MUST_CHECK;

#endif
