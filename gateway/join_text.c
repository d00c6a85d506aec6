/* SPDX-License-Identifier: MIT */
/* join_text.c - the bytes of parts as one text. Pure. */
#include "gateway/join.h"
#include "gateway/read_sm.h"

static size_t convert(enum smpp_alphabet alphabet, const struct smpp_udh *udh, struct buf *run, struct buf *out)
{
    const uint8_t *at = (const uint8_t *)buf_text(run);
    size_t replaced;

    if (alphabet == ALPHABET_GSM7 && (udh->locking != LANGUAGE_NONE || udh->single != LANGUAGE_NONE))
        replaced = smpp_text_gsm_to_utf8(udh->locking, udh->single, at, run->len, out);
    else
        replaced = smpp_text_to_utf8(alphabet, at, run->len, out);
    out->failed = out->failed || run->failed;
    buf_clear(run);
    return replaced;
}

size_t join_text(const struct profile *profile, const struct message *const *parts, size_t count, struct buf *out)
{
    enum smpp_alphabet alphabet = ALPHABET_NONE; /* of the run so far */
    struct smpp_udh last = { 0 };
    struct buf run;
    size_t replaced = 0;

    buf_init(&run, out->max);
    for (size_t i = 0; i < count; i++) {
        struct smpp_udh udh;
        struct smpp_coding coding;
        const struct message *m = parts[i];

        if (!read_sm_part_text(profile, m, &udh, &coding))
            coding.alphabet = ALPHABET_LATIN1; /* bytes among texts: kept readable rather than dropped */
        if (run.len > 0 && (coding.alphabet != alphabet || udh.locking != last.locking || udh.single != last.single))
            replaced += convert(alphabet, &last, &run, out);
        alphabet = coding.alphabet;
        last = udh;
        buf_add(&run, m->text.at + udh.header_len, m->text.len - udh.header_len);
    }
    if (run.len > 0)
        replaced += convert(alphabet, &last, &run, out);
    buf_finish(&run);
    return replaced;
}
