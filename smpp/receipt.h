/*
 * receipt.h - the delivery receipt: its text, its TLVs and what profiles change in it [SMPP34 Appendix B].
 */
#ifndef SMPP_RECEIPT_H
#define SMPP_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "smpp/pdu.h"

enum smpp_receipt_variant {
    RECEIPT_STANDARD,     /* "... err:000 text:First 20" */
    RECEIPT_CAPITAL_TEXT, /* "... Text:" */
    RECEIPT_SHORT,        /* id and stat only */
    RECEIPT_COUNT
};

struct smpp_receipt_style {
    enum smpp_receipt_variant variant;
    int date_digits;        /* 10 or 12 */
    bool with_text;         /* first 20 characters of the message after "text:" (ASCII only), else empty */
    bool with_tlvs;         /* receipted_message_id, message_state, network_error_code for interface_version >= 0x34 */
    bool with_vendor_tlvs;  /* 0x2000 cost, 0x2001 flag */
    int utc_offset_minutes; /* of the dates */
};

struct smpp_receipt {
    const char *message_id; /* as it stood in submit_sm_resp */
    enum smpp_message_state state;
    unsigned err; /* aggregator's code 0..999 */
    int64_t submitted_ms, done_ms;
    unsigned submitted_parts, delivered_parts; /* sub: and dlvrd:, 0..999 */
    const char *text;                          /* UTF-8 of the message; NULL or not ASCII: left blank */
    size_t text_len;
    const char *cost; /* decimal text for 0x2000, or NULL */
    uint16_t flag;    /* for 0x2001 */
    const char *hlr;  /* " imsi:... rnet:..." tail: then the aggregator's HLR form is used; NULL otherwise */
};

/* "DELIVRD" for SMPP_STATE_DELIVERED ... "UNKNOWN". Static, always 7 characters. */
const char *smpp_state_stat(enum smpp_message_state state);
/* Appends the receipt's text: plain ASCII, at most 254 bytes for the variants without HLR. */
void smpp_receipt_text(const struct smpp_receipt *r, const struct smpp_receipt_style *style, struct buf *out);

/* Storage for the TLV values of one receipt; lives as long as the PDU built from it. */
struct smpp_receipt_tlvs {
    char id[SMPP_ID_MAX + 1];
    uint8_t state, network_error[3], flag[2];
    char cost[7];
};
/* Adds the TLVs the style and the peer's interface_version allow. */
void smpp_receipt_add_tlvs(const struct smpp_receipt *r, const struct smpp_receipt_style *style,
                           uint8_t interface_version, struct smpp_receipt_tlvs *storage, struct smpp_pdu *pdu);

/* What an ESME reads from a receipt: for our own client and the tests. Returns 0 or ERR_SYNTAX; views into `text`. */
struct smpp_receipt_parsed {
    struct smpp_str id, stat, err, sub, dlvrd, submit_date, done_date, text;
};
int smpp_receipt_parse(struct bytes text, struct smpp_receipt_parsed *out) MUST_CHECK;

#endif
