/*
 * make_pdu.h - PDUs as peers might send them: every command with fields of its own layout, and a share of them damaged.
 *
 * The same seed gives the same PDUs. command_length always says how long the PDU is: framing is not what is tried here.
 */
#ifndef FUZZ_MAKE_PDU_H
#define FUZZ_MAKE_PDU_H

#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

uint32_t dice_roll(struct dice *d, uint32_t sides); /* 0..sides-1 */

enum { MAKE_PDU_MAX = 70000 };

/* Writes a PDU of at most MAKE_PDU_MAX octets; returns its length. Never a bind and never an unbind. */
size_t make_pdu(struct dice *d, uint32_t sequence_number, uint8_t *out);
/* A bind with the password "x" and one of three types. */
size_t make_bind(struct dice *d, uint32_t sequence_number, uint8_t *out);
/* A PDU that is a header. */
size_t make_header(uint32_t command_id, uint32_t status, uint32_t sequence_number, uint8_t *out);
/* An answer to a request: most are as they should be. */
size_t make_answer(struct dice *d, uint32_t command_id, uint32_t sequence_number, uint8_t *out);

#endif
