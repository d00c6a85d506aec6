/* SPDX-License-Identifier: MIT */
/* server_head.c - looks over a request's headers where libmicrohttpd is more lenient than [RFC 9112] [see server_head.h]. */
#include "http/server_head.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

static bool is_name(const char *key, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(key, name, len) == 0;
}

static enum MHD_Result see_header(void *owner, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                  const char *value, size_t value_len)
{
    struct http_head *head = owner;

    UNUSED(kind);
    for (size_t i = 0; i < key_len; i++) {
        if ((unsigned char)key[i] <= ' ')
            head->is_malformed = true;
    }
    if (value == NULL)
        return MHD_YES;
    if (memchr(value, '\r', value_len) != NULL)
        head->is_malformed = true;
    /* MHD ends a value at a NUL and goes on behind the line. Names and values stay where they were received, with CR and
     * LF overwritten by NUL, so between a value and the next name there are one or two bytes. More were cut off by a NUL,
     * or belong to a folded line (which 0.9.75 garbles) [RFC 9112 5.2: refuse]. */
    if (head->value_end != NULL && (uintptr_t)key - (uintptr_t)head->value_end > 2)
        head->is_malformed = true;
    head->value_end = value + value_len;
    if (is_name(key, key_len, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
        head->lengths++;
        head->length = strtoull(value, NULL, 10); /* MHD has refused anything but digits */
    } else if (is_name(key, key_len, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
        head->codings++;
        if (!is_name(value, value_len, "chunked"))
            head->is_coding_unknown = true;
    }
    return MHD_YES;
}

void http_head_read(struct MHD_Connection *connection, struct http_head *out)
{
    *out = (struct http_head){ 0 };
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, see_header, out);
    if (out->value_end != NULL && out->value_end[1] != '\0')
        out->is_malformed = true; /* the same behind the last one, where the blank line must be */
}
