/*
 * scan.h - the airlock's outer door: our own walk over a PDU that nobody has trusted yet.
 *
 * After a passed scan every string ends inside its limit and inside the frame, every list and TLV is a view, and
 * nothing is left over. It finds places and judges lengths; values are codec.c's.
 */
#ifndef SMPP_SCAN_H
#define SMPP_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "smpp/fields.h"
#include "smpp/pdu.h"

enum { SCAN_FIELDS_MAX = 20 };

struct scan_field {
    uint8_t kind;    /* enum smpp_field_kind */
    uint8_t longest; /* string: with its NUL */
    uint8_t status;  /* of the answer when it is longer */
    uint16_t place;  /* offset in struct smpp_pdu: smpp_str, uint8_t or struct bytes, by kind */
};

struct scan_layout {
    const struct scan_field *fields;
    uint8_t count;
    bool takes_tlvs;
};

struct scan {
    enum smpp_layout_id layout;
    uint32_t at[SCAN_FIELDS_MAX + 1]; /* where each field starts in the frame; at[count] is where the TLVs start */
};

/* The body of this command; -1 when the command is unknown. A response without body is LAYOUT_HEADER to the caller. */
int scan_layout_of(uint32_t command_id);
const struct scan_layout *scan_layout(enum smpp_layout_id id);

/* Walks the body of `frame`, whose header has been read into *pdu. Fills has_body, dests, dest_count, TLVs and *out.
 * Returns STATUS_ROK, or the status to answer with. `dests`: see smpp_pdu_open. */
uint32_t scan_body(const uint8_t *frame, size_t len, struct smpp_dest *dests, struct smpp_pdu *pdu, struct scan *out);

/* tlv.c: reads the TLVs in `area` into *pdu. Returns STATUS_ROK (also when the area is cut short: tlvs_damaged), or
 * STATUS_RINVTLVSTREAM when there are more than SMPP_TLVS_MAX. */
uint32_t tlv_scan(struct bytes area, struct smpp_pdu *pdu);
/* Bytes they take on the wire, and the writing of them: `to` has that much room. Returns the end. */
size_t tlv_wire_len(const struct smpp_pdu *pdu);
uint8_t *tlv_put(const struct smpp_pdu *pdu, uint8_t *to);

#endif
