/* SPDX-License-Identifier: MIT */
/* extra.c - parameters of one message alone, and the TLVs they come from [see extra.h]. */
#include "gateway/extra.h"

#include <stdlib.h>
#include <string.h>

void extra_add(struct buf *out, const char *name, const char *value, size_t len)
{
    if (out->len > 0)
        buf_addc(out, '&');
    buf_add_url(out, name, strlen(name));
    buf_addc(out, '=');
    buf_add_url(out, value, len);
}

void extra_add_pairs(const struct cfg_pair *pairs, struct buf *out)
{
    for (; pairs != NULL && pairs->name != NULL; pairs++)
        extra_add(out, pairs->name, pairs->value, strlen(pairs->value));
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes `len` characters to `to` (room for as many and a NUL); returns behind the NUL. */
static char *decode(const char *text, size_t len, char *to)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && len - i > 2 && hex_of(text[i + 1]) >= 0 && hex_of(text[i + 2]) >= 0) {
            *to++ = (char)(hex_of(text[i + 1]) << 4 | hex_of(text[i + 2]));
            i += 2;
        } else {
            *to++ = text[i] == '+' ? ' ' : text[i];
        }
    }
    *to++ = '\0';
    return to;
}

void extra_read(const char *text, size_t len, struct extra *out)
{
    const char *end = text + len;
    char *to = out->storage;

    out->count = 0;
    while (len > 0 && text < end && out->count < EXTRA_MAX) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        const char *last = stop == NULL ? end : stop;
        const char *equals = memchr(text, '=', (size_t)(last - text));

        if (equals != NULL && (size_t)(last - text) + 2 > (size_t)(out->storage + EXTRA_BYTES - to))
            return;
        if (equals != NULL) {
            struct smsc_param *p = &out->at[out->count++];

            p->name = to;
            to = decode(text, (size_t)(equals - text), to);
            p->value = to;
            to = decode(equals + 1, (size_t)(last - equals - 1), to);
        }
        text = last + 1;
    }
}

const char *extra_find(const struct extra *extra, const char *name)
{
    for (size_t i = 0; i < extra->count; i++) {
        if (strcmp(extra->at[i].name, name) == 0)
            return extra->at[i].value;
    }
    return NULL;
}

int64_t extra_time(const struct extra *extra)
{
    const char *value = extra_find(extra, "time");
    char *end = NULL;

    if (value == NULL || *value != '0')
        return 0;
    int64_t at_s = (int64_t)strtoll(value, &end, 10);
    return *end == '\0' ? at_s : 0; /* "09-21" is a window of hours, and a parameter like any other */
}

void extra_add_time(struct buf *out, int64_t at_s)
{
    char value[24];

    int len = snprintf(value, sizeof value, "0%lld", (long long)at_s); /* 0 in front: a Unix time [smsc-api 4] */
    extra_add(out, "time", value, (size_t)len);
}

void extra_fill(const struct cfg_pair *of_upstream, const char *text, size_t len, struct extra *storage,
                struct smsc_send *out)
{
    extra_read(text, len, storage);
    out->at_s = extra_time(storage);
    for (; of_upstream != NULL && of_upstream->name != NULL && storage->count < EXTRA_MAX; of_upstream++)
        storage->at[storage->count++] = (struct smsc_param){ of_upstream->name, of_upstream->value };
    out->extra = storage->at;
    out->extra_count = storage->count;
}

void extra_pack_tlvs(const struct smpp_pdu *pdu, struct buf *out)
{
    for (size_t i = 0; i < pdu->tlv_count; i++) {
        const struct smpp_tlv *tlv = &pdu->tlvs[i];
        uint8_t head[4] = { (uint8_t)(tlv->tag >> 8), (uint8_t)tlv->tag, (uint8_t)(tlv->len >> 8), (uint8_t)tlv->len };

        if (tlv->tag == TAG_MESSAGE_PAYLOAD)
            continue;
        buf_add(out, head, sizeof head);
        buf_add(out, tlv->value, tlv->len);
    }
}

bool extra_find_tlv(const char *tlvs, size_t len, uint16_t tag, struct bytes *out)
{
    struct reader r = reader_over(tlvs, len);

    while (reader_left(&r) > 0) {
        uint16_t found = read_u16(&r);
        struct bytes value = read_bytes(&r, read_u16(&r));

        if (!r.failed && found == tag) {
            *out = value;
            return true;
        }
    }
    return false;
}

bool extra_tag_read(const char *text, uint16_t *out_tag)
{
    char *end;
    unsigned long tag = strtoul(text, &end, 0);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || tag > UINT16_MAX)
        return false;
    *out_tag = (uint16_t)tag;
    return true;
}

static bool is_text(const uint8_t *value, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = buf_utf8_len((const char *)value + i, len - i);

        if (n == 0 || value[i] < 0x20 || value[i] == 0x7F)
            return false;
        i += n;
    }
    return true;
}

static void add_value(struct buf *out, const char *name, const uint8_t *value, size_t len)
{
    char hex[512];
    size_t text_len = len;

    while (text_len > 0 && value[text_len - 1] == '\0') /* a C-octet string's end */
        text_len--;
    if (is_text(value, text_len)) {
        extra_add(out, name, (const char *)value, text_len);
        return;
    }
    if (len > sizeof hex / 2)
        len = sizeof hex / 2;
    for (size_t i = 0; i < len; i++) {
        hex[i * 2] = "0123456789abcdef"[value[i] >> 4];
        hex[i * 2 + 1] = "0123456789abcdef"[value[i] & 15];
    }
    extra_add(out, name, hex, len * 2);
}

void extra_map_tlvs(const struct cfg_pair *map, const struct smpp_pdu *pdu, struct buf *out)
{
    for (; map != NULL && map->name != NULL; map++) {
        uint16_t tag;
        const struct smpp_tlv *tlv = extra_tag_read(map->name, &tag) ? smpp_tlv_find(pdu, tag) : NULL;

        if (tlv != NULL)
            add_value(out, map->value, tlv->value, tlv->len);
    }
}

void extra_pack_told(const struct cfg_pair *map, const struct http_params *params, struct buf *out)
{
    size_t start = out->len;

    for (; map != NULL && map->name != NULL; map++) {
        const char *value = http_params_get(params, map->value);
        size_t len = value == NULL ? 0 : strlen(value);
        uint16_t tag;

        if (len == 0 || out->len - start + 4 + len > EXTRA_TOLD_BYTES || !extra_tag_read(map->name, &tag))
            continue;
        uint8_t head[4] = { (uint8_t)(tag >> 8), (uint8_t)tag, (uint8_t)(len >> 8), (uint8_t)len };

        buf_add(out, head, sizeof head);
        buf_add(out, value, len);
    }
}

static const char told_word[] = " tlvs:";

void extra_write_told(const struct buf *told, struct buf *out)
{
    if (told->len == 0)
        return;
    buf_adds(out, told_word);
    for (size_t i = 0; i < told->len; i++)
        buf_addf(out, "%02x", (unsigned)(uint8_t)told->data[i]);
}

size_t extra_read_told(const char *result, size_t len, uint8_t out[EXTRA_TOLD_BYTES])
{
    const char *at = len == 0 || result[0] != ' ' ? NULL : strstr(result, told_word);
    size_t count = 0;

    for (at = at == NULL ? "" : at + strlen(told_word); count < EXTRA_TOLD_BYTES; at += 2) {
        int high = hex_of(at[0]), low = high < 0 ? -1 : hex_of(at[1]);

        if (low < 0)
            break;
        out[count++] = (uint8_t)(high << 4 | low);
    }
    return count;
}
