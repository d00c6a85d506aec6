/* SPDX-License-Identifier: MIT */
/* fuzz_receipt.c - any bytes read as a receipt: views stay inside; what is read and written again reads the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "smpp/receipt.h"

static void inside(struct smpp_str s, const uint8_t *data, size_t size)
{
    if (s.len > 0)
        assert((const uint8_t *)s.at >= data && (const uint8_t *)s.at + s.len <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smpp_receipt_parsed p, again;
    char id[SMPP_ID_MAX + 1];
    struct buf out;

    if (smpp_receipt_parse((struct bytes){ data, size }, &p) != 0)
        return 0;
    inside(p.id, data, size);
    inside(p.stat, data, size);
    inside(p.err, data, size);
    inside(p.sub, data, size);
    inside(p.dlvrd, data, size);
    inside(p.submit_date, data, size);
    inside(p.done_date, data, size);
    inside(p.text, data, size);
    assert(p.id.len > 0 && p.stat.len > 0);

    size_t n = p.id.len < SMPP_ID_MAX ? p.id.len : SMPP_ID_MAX;
    memcpy(id, p.id.at, n);
    id[n] = '\0';
    struct smpp_receipt r = { .message_id = id,
                              .state = (enum smpp_message_state)(data[size - 1] % 9),
                              .text = p.text.at,
                              .text_len = p.text.len };
    const struct smpp_receipt_style style = { .date_digits = 10, .with_text = true };
    buf_init(&out, 1024);
    smpp_receipt_text(&r, &style, &out);
    assert(!out.failed && out.len <= SMPP_SHORT_MESSAGE_MAX);
    assert(smpp_receipt_parse((struct bytes){ (const uint8_t *)out.data, out.len }, &again) == 0);
    assert(smpp_str_is(again.id, id));
    assert(smpp_str_is(again.stat, smpp_state_stat(r.state)));
    assert(again.text.len <= 20);
    buf_finish(&out);
    return 0;
}
