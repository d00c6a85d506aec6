/*
 * text.h - data_coding <-> UTF-8, both directions, and how a text is counted in parts.
 *
 * One table of alphabets; everything else in this program sees UTF-8. A character without a place in the target
 * alphabet is replaced by '?', bytes that are no character by U+FFFD; both are counted, never an error. Spec: GSM 03.38 (3GPP 23.038), SMPP34 5.2.19.
 */
#ifndef SMPP_TEXT_H
#define SMPP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum smpp_alphabet {
    ALPHABET_NONE, /* binary: no text */
    ALPHABET_GSM7, /* one septet per octet, extension table through 0x1B */
    ALPHABET_LATIN1,
    ALPHABET_ASCII,
    ALPHABET_UTF8,
    ALPHABET_CP1251,
    ALPHABET_CYRILLIC, /* ISO-8859-5, data_coding 6 */
    ALPHABET_HEBREW,   /* ISO-8859-8, data_coding 7 */
    ALPHABET_UCS2,     /* UTF-16BE, surrogate pairs welcome */
    ALPHABET_COUNT
};

/* National language tables chosen by UDH elements 0x24 (single shift) and 0x25 (locking shift) [23.038 6.2.1.2]. */
enum smpp_language { LANGUAGE_NONE = 0, LANGUAGE_TURKISH = 1, LANGUAGE_SPANISH = 2, LANGUAGE_PORTUGUESE = 3 };

struct smpp_coding {
    enum smpp_alphabet alphabet; /* ALPHABET_NONE: binary */
    bool flash;                  /* message class 0 */
    bool unknown;                /* a value without an alphabet here, read as that of 0 */
    bool has_class;
    uint8_t message_class; /* 0..3, only if has_class */
};

/* What data_coding means to an account. `zero` is the alphabet of 0, `one` that of 1; `four_is_text` takes 4 as Latin-1
 * text [API smpp/send] instead of binary. Reserved values read as `zero`. */
struct smpp_coding smpp_coding_of(uint8_t data_coding, enum smpp_alphabet zero, enum smpp_alphabet one,
                                  bool four_is_text);

/* Appends the UTF-8 of `len` bytes in `from`. Returns how many characters had to be replaced (0 when clean). An odd last
 * octet of UCS2 is dropped and counted. ALPHABET_NONE appends nothing. */
size_t smpp_text_to_utf8(enum smpp_alphabet from, const uint8_t *in, size_t len, struct buf *out);
/* The same for GSM7 under national language tables. */
size_t smpp_text_gsm_to_utf8(enum smpp_language locking, enum smpp_language single, const uint8_t *in, size_t len,
                             struct buf *out);
/* Appends `in` (UTF-8) in alphabet `to`. Returns how many characters were replaced by '?'. */
size_t smpp_text_from_utf8(enum smpp_alphabet to, const char *in, size_t len, struct buf *out);

/* Can every character of this UTF-8 be written in the GSM alphabet (extension included)? */
bool smpp_text_fits_gsm(const char *in, size_t len);
/* The same for any alphabet; false too when there is no memory to see. */
bool smpp_text_fits(enum smpp_alphabet alphabet, const char *in, size_t len);
/* Septets (GSM7, extension characters count two) or UTF-16 units (UCS2) of a UTF-8 text. */
size_t smpp_text_units(enum smpp_alphabet alphabet, const char *in, size_t len);
/* SMS parts: 160/153 septets GSM7, 70/67 units UCS2; at least 1. A part never ends inside an extension pair or a
 * surrogate pair. */
size_t smpp_text_parts(enum smpp_alphabet alphabet, const char *in, size_t len);
/* Units a message that stands alone may have, or one part of several. Other alphabets: 140/134 octets. */
size_t smpp_text_part_units(enum smpp_alphabet alphabet, bool single);
/* Byte length of the longest prefix of whole characters that needs at most `units`. */
size_t smpp_text_prefix(enum smpp_alphabet alphabet, const char *in, size_t len, size_t units);
/* Characters (code points) of a UTF-8 text; a bad byte counts as one. */
size_t smpp_utf8_chars(const char *in, size_t len);
/* Byte length of the longest prefix of at most `chars` characters. */
size_t smpp_utf8_prefix(const char *in, size_t len, size_t chars);
/* The alphabet named in a configuration ("gsm7", "latin1", "ascii", "utf8", "cp1251", also "iso-8859-5", "iso-8859-8",
 * "ucs2"); ALPHABET_NONE when unknown. */
enum smpp_alphabet smpp_alphabet_named(const char *name);
const char *smpp_alphabet_name(enum smpp_alphabet alphabet);

#endif
