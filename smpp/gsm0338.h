/*
 * gsm0338.h - the characters of the GSM 7-bit alphabet and of the single-byte alphabets beside it.
 *
 * Private to the text code of this room: tables and the two look-ups on them, no strings and no memory.
 * Spec: 3GPP 23.038 6.2.1, 6.2.1.1, A.2, A.3; RFC 1345 names of ISO-8859-5 and -8; windows-1251.
 */
#ifndef SMPP_GSM0338_H
#define SMPP_GSM0338_H

#include <stdbool.h>
#include <stdint.h>

#include "smpp/text.h"

enum {
    GSM_ESCAPE = 0x1B,
    GSM_EXTENSION = 0x80, /* in gsm_from_ascii and gsm_of: behind GSM_ESCAPE */
    GSM_NOWHERE = 0xFF
};

/* The 128 characters of a locking shift table; GSM_ESCAPE's place holds 0. A language without one has the default. */
const uint16_t *gsm_locking_table(enum smpp_language language);
/* The character behind GSM_ESCAPE, or 0: then the locking table's character stands [23.038 6.2.1.1]. */
uint16_t gsm_single_shift(enum smpp_language language, uint8_t septet);

/* Where an ASCII character stands in the default tables, see gsm_of. */
extern const uint8_t gsm_from_ascii[128];
/* The septet of a code point in the default tables, with GSM_EXTENSION when in the extension; or GSM_NOWHERE. */
uint8_t gsm_of(uint32_t code_point);

/* The upper half of a single-byte alphabet: the code points of 0x80..0xFF, 0 where there is none, and one run of
 * code points in order, perhaps with holes, that makes the way back short. */
struct single_byte {
    const uint16_t *high;
    uint16_t run_first, run_last;
    uint8_t run_byte;
};

extern const struct single_byte single_byte_latin1, single_byte_cp1251, single_byte_cyrillic, single_byte_hebrew;

/* The byte of a code point >= 0x80, or 0 when there is none. */
uint8_t single_byte_of(const struct single_byte *alphabet, uint32_t code_point);

#endif
