/* SPDX-License-Identifier: MIT */
/*
 * message.c - one message as one block of memory.
 *
 * The struct stands first, its strings behind it, each followed by a NUL. Leaves to others what the fields mean.
 */
#include "gateway/message.h"

#include <stdlib.h>
#include <string.h>

static size_t strings_bytes(const struct message *m)
{
    return m->source.len + m->dest.len + m->service_type.len + m->text.len + m->tlvs.len + m->extra.len + 6;
}

static void place(struct message_text *to, const struct message_text *from, char **at)
{
    to->at = *at;
    to->len = from->len;
    if (from->len > 0)
        memcpy(*at, from->at, from->len);
    (*at)[from->len] = '\0';
    *at += from->len + 1;
}

struct message *message_create(const struct message *from)
{
    struct message *m = malloc(message_bytes(from));
    char *at;

    if (m == NULL)
        return NULL;
    *m = *from;
    at = (char *)(m + 1);
    place(&m->source, &from->source, &at);
    place(&m->dest, &from->dest, &at);
    place(&m->service_type, &from->service_type, &at);
    place(&m->text, &from->text, &at);
    place(&m->tlvs, &from->tlvs, &at);
    place(&m->extra, &from->extra, &at);
    return m;
}

void message_destroy(struct message *m)
{
    free(m);
}

size_t message_bytes(const struct message *m)
{
    return sizeof *m + strings_bytes(m);
}

uint64_t message_phone(const char *text, size_t len)
{
    const uint64_t hashed = UINT64_C(1) << 63;
    size_t start = len > 0 && text[0] == '+' ? 1 : 0;
    uint64_t number = 0, hash = UINT64_C(14695981039346656037);
    size_t i;

    for (i = start; i < len && text[i] >= '0' && text[i] <= '9' && i - start < 18; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    if (i == len && i > start)
        return number;
    for (i = 0; i < len; i++) /* FNV-1a: a name, a number too long: equal text must give an equal key, no more */
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return hash | hashed;
}
