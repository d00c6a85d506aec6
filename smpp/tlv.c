/* SPDX-License-Identifier: MIT */
/*
 * tlv.c - optional parameters [SMPP34 3.2.4, 5.3]: read into views, looked up, written.
 *
 * Any tag, order, repetition and length up to 65535 is kept as it came; meaning is the reader's. libsmpp34 never sees
 * them: 29 empty ones make it write past its trace buffer.
 */
#include "smpp/scan.h"

enum { TLV_HEADER_BYTES = 4 };

uint32_t tlv_scan(struct bytes area, struct smpp_pdu *pdu)
{
    const uint8_t *at = area.at;
    size_t left = area.len;

    while (left >= TLV_HEADER_BYTES) {
        uint16_t tag = (uint16_t)((unsigned)at[0] << 8 | at[1]);
        uint16_t len = (uint16_t)((unsigned)at[2] << 8 | at[3]);

        if (len > left - TLV_HEADER_BYTES)
            break;
        if (pdu->tlv_count == SMPP_TLVS_MAX)
            return STATUS_RINVTLVSTREAM;
        pdu->tlvs[pdu->tlv_count++] = (struct smpp_tlv){ tag, len, at + TLV_HEADER_BYTES };
        at += TLV_HEADER_BYTES + len;
        left -= TLV_HEADER_BYTES + (size_t)len;
    }
    pdu->tlvs_damaged = left > 0; /* a cut last TLV must not lose the message: the caller decides */
    return STATUS_ROK;
}

size_t tlv_wire_len(const struct smpp_pdu *pdu)
{
    size_t len = 0;

    for (size_t i = 0; i < pdu->tlv_count; i++)
        len += TLV_HEADER_BYTES + (size_t)pdu->tlvs[i].len;
    return len;
}

uint8_t *tlv_put(const struct smpp_pdu *pdu, uint8_t *to)
{
    for (size_t i = 0; i < pdu->tlv_count; i++) {
        const struct smpp_tlv *t = &pdu->tlvs[i];

        *to++ = (uint8_t)(t->tag >> 8);
        *to++ = (uint8_t)t->tag;
        *to++ = (uint8_t)(t->len >> 8);
        *to++ = (uint8_t)t->len;
        if (t->len > 0)
            memcpy(to, t->value, t->len);
        to += t->len;
    }
    return to;
}

const struct smpp_tlv *smpp_tlv_find(const struct smpp_pdu *pdu, uint16_t tag)
{
    for (size_t i = 0; i < pdu->tlv_count; i++) {
        if (pdu->tlvs[i].tag == tag)
            return &pdu->tlvs[i];
    }
    return NULL;
}

bool smpp_tlv_uint(const struct smpp_pdu *pdu, uint16_t tag, uint32_t *out)
{
    const struct smpp_tlv *t = smpp_tlv_find(pdu, tag);
    uint32_t v = 0;

    if (t == NULL || (t->len != 1 && t->len != 2 && t->len != 4))
        return false;
    for (size_t i = 0; i < t->len; i++)
        v = v << 8 | t->value[i];
    *out = v;
    return true;
}

bool smpp_tlv_add(struct smpp_pdu *pdu, uint16_t tag, const void *value, uint16_t len)
{
    if (pdu->tlv_count >= SMPP_TLVS_MAX)
        return false;
    pdu->tlvs[pdu->tlv_count++] = (struct smpp_tlv){ tag, len, value };
    return true;
}
