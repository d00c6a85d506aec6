/*
 * udh.h - the user data header of long messages: read, written, split.
 *
 * Joining parts over time is the gateway's; here is only what stands in the bytes. Spec: 3GPP 23.040 9.2.3.24.
 */
#ifndef SMPP_UDH_H
#define SMPP_UDH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "smpp/pdu.h"
#include "smpp/text.h"

struct smpp_udh {
    size_t header_len;   /* octets of the whole header with its length octet; 0 when there is none */
    bool damaged;        /* the header claims more than there is: treat the bytes as text without header */
    bool is_part;        /* concatenation 0x00 or 0x08 present */
    bool wide_reference; /* 0x08: 16-bit reference */
    uint16_t reference;
    uint8_t total;  /* 1..255 */
    uint8_t number; /* 1..total */
    enum smpp_language locking, single;
    bool has_ports;
    bool only_text_elements; /* nothing but concatenation and language: the payload is plain text */
};

/* Reads the header at the start of `text` (caller has seen ESM_UDHI). */
void smpp_udh_read(struct bytes text, struct smpp_udh *out);
/* The part a PDU is: from UDH when esm_class has ESM_UDHI, else from SAR TLVs. False when it is a whole message (no
 * part, total 1, or number out of range). *out_reference: bit 31 set for SAR, bit 30 for a 16-bit UDH reference, so
 * that the kinds never mix. */
bool smpp_part_of(const struct smpp_pdu *pdu, uint32_t *out_reference, uint8_t *out_total, uint8_t *out_number);
/* The same with a header read by the caller; all zero: there is none. */
bool smpp_part_in(const struct smpp_udh *udh, const struct smpp_pdu *pdu, uint32_t *out_reference, uint8_t *out_total,
                  uint8_t *out_number);
/* For texts without ESM_UDHI: do they begin with a concatenation header and nothing else (8 or 16 bit reference, a total
 * of at least 2, a number within it), and does text follow? */
bool smpp_udh_is_unannounced(struct bytes text);

/* Splits UTF-8 into parts for deliver_sm: calls `each` with the bytes of one part's text in `alphabet` (GSM7 or UCS2),
 * 1-based number and total; one call with total 1 when it fits a single message. More than
 * 255 parts have no place in a header: the caller bounds the text. */
typedef void smpp_part_fn(void *owner, const uint8_t *text, size_t len, unsigned number, unsigned total);
void smpp_text_split(enum smpp_alphabet alphabet, const char *utf8, size_t len, smpp_part_fn *each, void *owner);
/* Appends the 6-octet concatenation header (8-bit reference). */
void smpp_udh_write_part(struct buf *out, uint8_t reference, uint8_t total, uint8_t number);

#endif
