/* SPDX-License-Identifier: MIT */
/*
 * encode_samples.c - every good PDU vector as our encoder writes it, in the hex dump form text2pcap reads.
 *
 * For judge.sh. Vectors with "# judge: no" break the rules on purpose and are left out, as is what exceeds an IP packet.
 * Each dump is preceded by "# NAME", in the order of the packets.
 */
#include "smpp/pdu.h"
#include "tests/unit/pdu_vectors.h"

enum { PACKET_MAX = 60000 };

static void print_sample(const struct vector *v)
{
    static struct smpp_dest dests[SMPP_DESTS_MAX];
    struct smpp_pdu pdu;
    struct buf out;
    uint32_t status;

    if (strcmp(v->expect, "ok") != 0 || v->unjudged || v->len > PACKET_MAX)
        return;
    buf_init(&out, PACKET_MAX);
    if (smpp_pdu_open(v->pdu, v->len, dests, &pdu, &status) != SMPP_OPEN_OK || smpp_pdu_write(&pdu, &out) != 0) {
        fprintf(stderr, "%s: not encoded\n", v->name);
        exit(1);
    }
    printf("# %s", v->name);
    for (size_t i = 0; i < out.len; i++) {
        if (i % 16 == 0)
            printf("\n%06zx ", i);
        printf(" %02x", (uint8_t)out.data[i]);
    }
    printf("\n\n");
    buf_finish(&out);
}

int main(void)
{
    return vectors_each(print_sample) > 0 ? 0 : 1;
}
