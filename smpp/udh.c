/* SPDX-License-Identifier: MIT */
/*
 * udh.c - the user data header read, long texts split [3GPP 23.040 9.2.3.24].
 *
 * Only what the bytes say; who waits for missing parts and how long is the gateway's affair. A header that does not add
 * up is ignored as a whole, as 23.040 wants, so every byte of a message is either header or text and none is lost.
 */
#include "smpp/udh.h"

enum {
    IE_CONCAT_8 = 0x00,
    IE_PORTS_8 = 0x04,
    IE_PORTS_16 = 0x05,
    IE_CONCAT_16 = 0x08,
    IE_SINGLE_SHIFT = 0x24,
    IE_LOCKING_SHIFT = 0x25,
    REFERENCE_SAR = 1u << 31,
    REFERENCE_WIDE = 1u << 30,
    PART_HEADER_BYTES = 6
};

/* An impossible position makes the element void, not the header [23.040 9.2.3.24.1]. A later one replaces an earlier. */
static void read_concat(struct bytes data, bool wide, struct smpp_udh *out)
{
    struct reader r = reader_over(data.at, data.len);
    uint16_t reference = wide ? read_u16(&r) : read_u8(&r);
    uint8_t total = read_u8(&r), number = read_u8(&r);

    if (r.failed || reader_left(&r) > 0 || number == 0 || number > total)
        return;
    out->is_part = true;
    out->wide_reference = wide;
    out->reference = reference;
    out->total = total;
    out->number = number;
}

static enum smpp_language read_language(struct bytes data)
{
    if (data.len == 1 && data.at[0] >= LANGUAGE_TURKISH && data.at[0] <= LANGUAGE_PORTUGUESE)
        return (enum smpp_language)data.at[0];
    return LANGUAGE_NONE; /* unknown ones read as the default tables [23.038 6.2.1.2.3] */
}

static void read_element(uint8_t id, struct bytes data, struct smpp_udh *out)
{
    switch (id) {
    case IE_CONCAT_8:
    case IE_CONCAT_16:
        read_concat(data, id == IE_CONCAT_16, out);
        break;
    case IE_SINGLE_SHIFT:
        out->single = read_language(data);
        break;
    case IE_LOCKING_SHIFT:
        out->locking = read_language(data);
        break;
    case IE_PORTS_8:
    case IE_PORTS_16:
        out->has_ports = true;
        out->only_text_elements = false;
        break;
    default:
        out->only_text_elements = false;
        break;
    }
}

void smpp_udh_read(struct bytes text, struct smpp_udh *out)
{
    struct reader all = reader_over(text.at, text.len);
    struct bytes header = read_bytes(&all, read_u8(&all));
    struct smpp_udh udh = { .header_len = header.len + 1, .only_text_elements = true };
    struct reader r = reader_over(header.at, header.len);

    while (!all.failed && !r.failed && reader_left(&r) > 0) {
        uint8_t id = read_u8(&r);
        struct bytes data = read_bytes(&r, read_u8(&r));

        if (!r.failed)
            read_element(id, data, &udh);
    }
    if (all.failed || r.failed)
        udh = (struct smpp_udh){ .damaged = true, .only_text_elements = true };
    *out = udh;
}

static bool sar_part(const struct smpp_pdu *pdu, uint32_t *out_reference, uint8_t *out_total, uint8_t *out_number)
{
    uint32_t reference, total, number;

    if (!smpp_tlv_uint(pdu, TAG_SAR_MSG_REF_NUM, &reference) || !smpp_tlv_uint(pdu, TAG_SAR_TOTAL_SEGMENTS, &total) ||
        !smpp_tlv_uint(pdu, TAG_SAR_SEGMENT_SEQNUM, &number))
        return false;
    if (total < 2 || total > UINT8_MAX || number == 0 || number > total)
        return false; /* [SMPP34 5.3.2.22]: then all three are void */
    *out_reference = REFERENCE_SAR | (reference & UINT16_MAX);
    *out_total = (uint8_t)total;
    *out_number = (uint8_t)number;
    return true;
}

bool smpp_part_of(const struct smpp_pdu *pdu, uint32_t *out_reference, uint8_t *out_total, uint8_t *out_number)
{
    struct smpp_udh udh = { 0 };

    if ((pdu->sm.esm_class & ESM_UDHI) != 0)
        smpp_udh_read(smpp_sm_text(pdu), &udh);
    return smpp_part_in(&udh, pdu, out_reference, out_total, out_number);
}

bool smpp_part_in(const struct smpp_udh *udh, const struct smpp_pdu *pdu, uint32_t *out_reference, uint8_t *out_total,
                  uint8_t *out_number)
{
    if (!udh->is_part) /* a header of ports alone beside SAR TLVs is legal */
        return sar_part(pdu, out_reference, out_total, out_number);
    if (udh->total < 2)
        return false;
    *out_reference = udh->reference | (udh->wide_reference ? REFERENCE_WIDE : 0u);
    *out_total = udh->total;
    *out_number = udh->number;
    return true;
}

bool smpp_udh_is_unannounced(struct bytes text)
{
    const uint8_t *p = text.at;

    if (text.len > 6 && p[0] == 5 && p[1] == IE_CONCAT_8 && p[2] == 3)
        return p[4] >= 2 && p[5] >= 1 && p[5] <= p[4];
    return text.len > 7 && p[0] == 6 && p[1] == IE_CONCAT_16 && p[2] == 4 && p[5] >= 2 && p[6] >= 1 && p[6] <= p[5];
}

void smpp_text_split(enum smpp_alphabet alphabet, const char *utf8, size_t len, smpp_part_fn *each, void *owner)
{
    unsigned total = (unsigned)smpp_text_parts(alphabet, utf8, len);
    size_t units = smpp_text_part_units(alphabet, total == 1);
    struct buf part;

    buf_init(&part, units * 4); /* octets of the largest part in any alphabet, and more */
    for (unsigned number = 1; number <= total; number++) {
        size_t n = smpp_text_prefix(alphabet, utf8, len, units);

        buf_clear(&part);
        smpp_text_from_utf8(alphabet, utf8, n, &part);
        each(owner, (const uint8_t *)buf_text(&part), part.len, number, total);
        utf8 += n;
        len -= n;
    }
    buf_finish(&part);
}

void smpp_udh_write_part(struct buf *out, uint8_t reference, uint8_t total, uint8_t number)
{
    const uint8_t header[PART_HEADER_BYTES] = { PART_HEADER_BYTES - 1, IE_CONCAT_8, 3, reference, total, number };

    buf_add(out, header, sizeof header);
}
