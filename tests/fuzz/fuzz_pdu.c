/* SPDX-License-Identifier: MIT */
/*
 * fuzz_pdu.c - scan and codec on one PDU: no fault, no refusal by the library, and what is accepted encodes to itself.
 *
 * command_length is set to the input's length, else nearly every mutation would end there.
 */
#include <stdlib.h>
#include <string.h>

#include "smpp/pdu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct smpp_dest dests[SMPP_DESTS_MAX];
    struct smpp_pdu pdu;
    uint32_t status = STATUS_ROK;
    uint8_t *frame;

    if (size < SMPP_HEADER_BYTES || size > 70000)
        return 0;
    frame = malloc(size); /* of exact size: one byte too far is seen */
    if (frame == NULL)
        return 0;
    memcpy(frame, data, size);
    frame[0] = 0;
    frame[1] = (uint8_t)(size >> 16);
    frame[2] = (uint8_t)(size >> 8);
    frame[3] = (uint8_t)size;
    memset(&pdu, 0xAA, sizeof pdu);
    memset(dests, 0xAA, sizeof dests);

    enum smpp_open how = smpp_pdu_open(frame, size, size % 8 == 0 ? NULL : dests, &pdu, &status);
    if (how == SMPP_OPEN_FATAL || (how == SMPP_OPEN_REJECT && status == STATUS_ROK) || smpp_codec_refusals() > 0)
        abort();
    if (how == SMPP_OPEN_OK) {
        bool list_left_out = pdu.command_id == (CMD_SUBMIT_MULTI | CMD_RESPONSE) && size % 8 == 0;
        struct buf out;

        buf_init(&out, 80000);
        if (smpp_pdu_write(&pdu, &out) != 0)
            abort();
        if (!pdu.tlvs_damaged && !list_left_out && (out.len != size || memcmp(out.data, frame, size) != 0))
            abort();
        buf_finish(&out);
    }
    free(frame);
    return 0;
}
