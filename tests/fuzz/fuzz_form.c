/* SPDX-License-Identifier: MIT */
/* fuzz_form.c - any bytes as form, multipart and JSON; what was read can be written and is read again the same. */
#include <stdlib.h>
#include <string.h>

#include "http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void written_is_read_the_same(const struct http_params *p)
{
    struct http_params again;
    struct buf out;

    buf_init(&out, 1 << 24);
    http_params_init(&again);
    for (size_t i = 0; i < p->count; i++)
        http_form_add(&out, p->at[i].name, p->at[i].value, p->at[i].len);
    if (out.failed || http_params_read_form(&again, buf_text(&out), out.len) != 0 || again.count != p->count)
        abort();
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(again.at[i].name, p->at[i].name) != 0 || again.at[i].len != p->at[i].len ||
            memcmp(again.at[i].value, p->at[i].value, p->at[i].len + 1) != 0)
            abort();
    }
    http_params_finish(&again);
    buf_finish(&out);
}

/* The first line is the content type, so that boundaries are fuzzed as well. */
static int read_multipart(struct http_params *p, const char *text, size_t size)
{
    const char *line_end = size == 0 ? NULL : memchr(text, '\n', size);
    char *type;
    int err;

    if (line_end == NULL)
        return http_params_read_multipart(p, "multipart/form-data; boundary=B", text, size);
    type = strndup(text, (size_t)(line_end - text));
    if (type == NULL)
        return ERR_NOMEM;
    err = http_params_read_multipart(p, type, line_end + 1, size - (size_t)(line_end + 1 - text));
    free(type);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_params p;
    const char *text = (const char *)data;

    if (size == 0)
        return 0;
    http_params_init(&p);
    /* what was added before an error is kept, and must be as sound as the rest */
    if (data[0] % 3 == 0)
        UNUSED(http_params_read_form(&p, text + 1, size - 1) == 0);
    else if (data[0] % 3 == 1)
        UNUSED(read_multipart(&p, text + 1, size - 1) == 0);
    else
        UNUSED(http_params_read_json(&p, text + 1, size - 1) == 0);
    written_is_read_the_same(&p);
    http_params_finish(&p);
    return 0;
}
