/* SPDX-License-Identifier: MIT */
/* fuzz_framer.c - a stream cut at random gives the PDUs it gives in one piece. First byte: the seed of the cuts. */
#include <stdlib.h>
#include <string.h>

#include "smpp/framer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t next_cut(uint32_t *seed, size_t left)
{
    *seed = *seed * 1664525u + 1013904223u;
    size_t n = 1 + (*seed >> 16) % 40;

    return n < left ? n : left;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smpp_framer whole, cut;
    struct smpp_frame a, b;
    size_t used, at_whole = 0, at_cut = 0;

    if (size == 0)
        return 0;
    uint32_t seed = data[0];
    data++, size--;
    smpp_framer_init(&whole, SMPP_UNBOUND_MAX);
    smpp_framer_init(&cut, SMPP_UNBOUND_MAX);
    for (;;) {
        int want = smpp_framer_push(&whole, data + at_whole, size - at_whole, &used, &a);
        int got = 0;

        at_whole += used;
        while (got == 0 && at_cut < size) {
            size_t n = next_cut(&seed, size - at_cut);

            got = smpp_framer_push(&cut, data + at_cut, n, &used, &b);
            if (got == 0 && used != n)
                abort();
            at_cut += used;
        }
        if (got != want)
            abort();
        if (want != 1) {
            if (want < 0 && cut.bad_length != whole.bad_length)
                abort();
            break;
        }
        if (at_whole != at_cut || a.len != b.len || memcmp(a.pdu, b.pdu, a.len) != 0)
            abort();
    }
    smpp_framer_finish(&whole);
    smpp_framer_finish(&cut);
    return 0;
}
