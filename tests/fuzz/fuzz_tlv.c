/* SPDX-License-Identifier: MIT */
/* fuzz_tlv.c - any octets as a TLV area: views lie inside, look-ups agree with them, and what was read is written as it was. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "smpp/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct smpp_pdu pdu;

    if (size > 70000)
        return 0;
    pdu.tlv_count = 0;
    pdu.tlvs_damaged = false;

    uint32_t status = tlv_scan((struct bytes){ data, size }, &pdu);
    size_t wire_len = tlv_wire_len(&pdu);

    assert(status == STATUS_ROK || (status == STATUS_RINVTLVSTREAM && pdu.tlv_count == SMPP_TLVS_MAX));
    assert(wire_len <= size && (status != STATUS_ROK || pdu.tlvs_damaged == (wire_len < size)));

    uint8_t *again = malloc(wire_len + 1);
    if (again == NULL)
        return 0;
    again[wire_len] = 0x5A;
    assert(tlv_put(&pdu, again) == again + wire_len && again[wire_len] == 0x5A);
    assert(wire_len == 0 || memcmp(again, data, wire_len) == 0);
    free(again);

    for (size_t i = 0; i < pdu.tlv_count; i++) {
        const struct smpp_tlv *t = &pdu.tlvs[i], *first = smpp_tlv_find(&pdu, t->tag);
        uint32_t value;

        assert(t->value >= data && t->value + t->len <= data + size);
        assert(first != NULL && first <= t && first->tag == t->tag);
        bool is_number = smpp_tlv_uint(&pdu, t->tag, &value);
        assert(is_number == (first->len == 1 || first->len == 2 || first->len == 4));
        assert(!is_number || first->len == 4 || value >> (8 * first->len) == 0);
    }
    return 0;
}
