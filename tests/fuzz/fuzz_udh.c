/* SPDX-License-Identifier: MIT */
/* fuzz_udh.c - any bytes as a user data header: nothing claimed lies outside, no part is impossible. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "smpp/udh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct smpp_pdu pdu;
    struct smpp_udh udh;
    uint32_t reference;
    uint8_t total, number;

    smpp_udh_read((struct bytes){ data, size }, &udh);
    assert(udh.header_len <= size);
    assert((udh.header_len == 0) == udh.damaged);
    assert(!udh.is_part || (udh.number >= 1 && udh.number <= udh.total));
    assert(udh.only_text_elements || udh.header_len >= 3);
    assert(udh.locking <= LANGUAGE_PORTUGUESE && udh.single <= LANGUAGE_PORTUGUESE);

    pdu = (struct smpp_pdu){ .command_id = CMD_SUBMIT_SM, .has_body = true };
    pdu.sm.esm_class = ESM_UDHI;
    pdu.sm.short_message = (struct bytes){ data, size };
    bool is_part = smpp_part_of(&pdu, &reference, &total, &number);
    assert(is_part == (udh.is_part && udh.total > 1));
    if (is_part)
        assert(number >= 1 && number <= total && total == udh.total && (reference & 0xFFFF) == udh.reference);

    /* the same bytes as SAR TLVs, cut where they say */
    size_t a = size > 0 ? data[0] % 4u : 0, b = size > 1 ? data[1] % 3u : 0;
    if (size >= 2 + a + b + 1) {
        pdu.sm.esm_class = 0;
        smpp_tlv_add(&pdu, TAG_SAR_MSG_REF_NUM, data + 2, (uint16_t)a);
        smpp_tlv_add(&pdu, TAG_SAR_TOTAL_SEGMENTS, data + 2 + a, (uint16_t)b);
        smpp_tlv_add(&pdu, TAG_SAR_SEGMENT_SEQNUM, data + 2 + a + b, 1);
        if (smpp_part_of(&pdu, &reference, &total, &number))
            assert(total >= 2 && number >= 1 && number <= total && reference >> 31 == 1);
    }
    return 0;
}
