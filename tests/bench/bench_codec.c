/* SPDX-License-Identifier: MIT */
/* bench_codec.c - nanoseconds per PDU, decoded and encoded: the best of several short runs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "smpp/pdu.h"

enum { RUNS = 9, PER_RUN = 20000 };

static const char receipt[] =
    "id:1234567890 sub:001 dlvrd:001 submit date:2611220130 done date:2611220131 stat:DELIVRD "
    "err:000 text:Hello from the bench";

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_codec: %s\n", what);
        exit(1);
    }
}

static void measure(const char *name, const struct smpp_pdu *pdu)
{
    uint64_t decode = UINT64_MAX, encode = UINT64_MAX;
    struct smpp_pdu got;
    struct buf out;
    uint32_t status;

    buf_init(&out, 4096);
    for (int run = 0; run < RUNS; run++) {
        uint64_t t0 = clock_mono_ns();
        for (int i = 0; i < PER_RUN; i++) {
            buf_clear(&out);
            must(smpp_pdu_write(pdu, &out) == 0, "encode");
        }
        uint64_t t1 = clock_mono_ns();
        for (int i = 0; i < PER_RUN; i++)
            must(smpp_pdu_open((const uint8_t *)out.data, out.len, NULL, &got, &status) == SMPP_OPEN_OK, "decode");
        uint64_t t2 = clock_mono_ns();

        encode = t1 - t0 < encode ? t1 - t0 : encode;
        decode = t2 - t1 < decode ? t2 - t1 : decode;
    }
    printf("%-24s %4zu bytes  decode %5.0f ns  encode %5.0f ns\n", name, out.len, (double)decode / PER_RUN,
           (double)encode / PER_RUN);
    buf_finish(&out);
}

int main(void)
{
    static const char text[] = "twenty bytes of text";
    struct smpp_pdu pdu = { .command_id = CMD_SUBMIT_SM, .sequence_number = 1 };

    pdu.sm.source = (struct smpp_addr){ 5, 0, smpp_str("Sender") };
    pdu.sm.dest = (struct smpp_addr){ 1, 1, smpp_str("447700900123") };
    pdu.sm.registered_delivery = REG_RECEIPT;
    pdu.sm.short_message = (struct bytes){ (const uint8_t *)text, sizeof text - 1 };
    measure("submit_sm", &pdu);
    smpp_tlv_add(&pdu, TAG_USER_MESSAGE_REFERENCE, "\0\1", 2);
    smpp_tlv_add(&pdu, TAG_SAR_TOTAL_SEGMENTS, "\2", 1);
    smpp_tlv_add(&pdu, 0x1400, "1001", 4);
    measure("submit_sm, 3 TLVs", &pdu);

    pdu = (struct smpp_pdu){ .command_id = CMD_SUBMIT_SM | CMD_RESPONSE, .sequence_number = 1, .has_body = true };
    pdu.message_id = smpp_str("1234567890");
    measure("submit_sm_resp", &pdu);

    pdu = (struct smpp_pdu){ .command_id = CMD_DELIVER_SM, .sequence_number = 1 };
    pdu.sm.source = (struct smpp_addr){ 1, 1, smpp_str("447700900123") };
    pdu.sm.dest = (struct smpp_addr){ 5, 0, smpp_str("Sender") };
    pdu.sm.esm_class = ESM_RECEIPT;
    pdu.sm.short_message = (struct bytes){ (const uint8_t *)receipt, sizeof receipt - 1 };
    smpp_tlv_add(&pdu, TAG_RECEIPTED_MESSAGE_ID, "1234567890", 11);
    smpp_tlv_add(&pdu, TAG_MESSAGE_STATE, "\2", 1);
    measure("deliver_sm receipt", &pdu);

    pdu = (struct smpp_pdu){ .command_id = CMD_DELIVER_SM | CMD_RESPONSE, .sequence_number = 1, .has_body = true };
    measure("deliver_sm_resp", &pdu);
    pdu = (struct smpp_pdu){ .command_id = CMD_ENQUIRE_LINK, .sequence_number = 1 };
    measure("enquire_link", &pdu);
    return 0;
}
