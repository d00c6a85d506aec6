/* SPDX-License-Identifier: MIT */
/*
 * fuzz_scan.c - any frame, whatever its header says: the walk ends, and every view it leaves lies inside the frame.
 *
 * Without the codec behind it: what scan.c alone promises to the rest. First octet: with or without room for a list.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "smpp/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool inside(const void *at, size_t len, const uint8_t *frame, size_t size)
{
    const uint8_t *p = at;

    return len == 0 || (p >= frame && p <= frame + size && len <= (size_t)(frame + size - p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct smpp_dest dests[SMPP_DESTS_MAX];
    struct smpp_pdu pdu;
    struct scan scan;

    if (size < 1 + SMPP_HEADER_BYTES || size > 70000)
        return 0;
    bool wants_list = data[0] & 1;
    size--;
    uint8_t *frame = malloc(size); /* of exact size: one octet too far is seen */
    if (frame == NULL)
        return 0;
    memcpy(frame, data + 1, size);
    memset(&pdu, 0, sizeof pdu);
    memset(dests, 0, sizeof dests);
    pdu.command_length = (uint32_t)size;
    pdu.command_id = be32(frame + 4);
    pdu.command_status = be32(frame + 8);
    pdu.sequence_number = be32(frame + 12);
    if (scan_layout_of(pdu.command_id) >= 0 &&
        scan_body(frame, size, wants_list ? dests : NULL, &pdu, &scan) == STATUS_ROK) {
        const struct scan_layout *layout = scan_layout(scan.layout);

        for (size_t i = 0; pdu.has_body && i <= layout->count; i++)
            assert(scan.at[i] >= SMPP_HEADER_BYTES && scan.at[i] <= size && (i == 0 || scan.at[i - 1] <= scan.at[i]));
        assert(pdu.tlv_count <= SMPP_TLVS_MAX && pdu.dest_count <= SMPP_DESTS_MAX);
        for (size_t i = 0; i < pdu.tlv_count; i++)
            assert(inside(pdu.tlvs[i].value, pdu.tlvs[i].len, frame, size));
        for (size_t i = 0; wants_list && i < pdu.dest_count; i++)
            assert(inside(dests[i].address.addr.at, dests[i].address.addr.len, frame, size));
    }
    free(frame);
    return 0;
}
