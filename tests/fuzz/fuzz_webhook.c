/* SPDX-License-Identifier: MIT */
/* fuzz_webhook.c - any bytes as a callback, in every charset, with and without hash. First byte: options; the query is
 * what stands before the first NUL. */
#include <stdlib.h>
#include <string.h>

#include "http/charset.h"
#include "http/webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smsc_event e;
    const char *why;

    if (size == 0)
        return 0;
    struct webhook_opts opts = { .hash = (enum webhook_hash)(data[0] & 3),
                                 .secret = "s3cret-key_1",
                                 .charset = (enum webhook_charset)((data[0] >> 2) % 3) };
    const char *type = data[0] & 0x80 ? "multipart/form-data; boundary=x" : NULL;
    char *text = malloc(size);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    size_t query_len = data[0] & 0x40 ? strlen(text) : 0;
    const char *body = query_len > 0 && query_len < size - 1 ? text + query_len + 1 : text;
    size_t body_len = size - 1 - (size_t)(body - text);
    if (webhook_open(&opts, type, body != text ? text : "", body, body_len, &e, &why) == WEBHOOK_OK) {
        if (e.phone[0] == '\0' || !charset_is_utf8(e.mes, strlen(e.mes)))
            abort();
        smsc_event_finish(&e);
    } else if (why[0] == '\0') {
        abort();
    }
    free(text);
    return 0;
}
