/* SPDX-License-Identifier: MIT */
/*
 * make_pdu.c - layouts as strings, one letter a field: s string (its longest length follows as a letter), b octet, m
 * sm_length and text, D destinations, T TLVs. Damage comes after: cut, longer, flipped octets, a wrong sm_length.
 */
#include "make_pdu.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "smpp/pdu.h"

uint32_t dice_roll(struct dice *d, uint32_t sides)
{
    d->state ^= d->state << 13; /* xorshift64: seed must not be 0 */
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (uint32_t)((d->state >> 32) % sides);
}

static bool chance(struct dice *d, uint32_t percent)
{
    return dice_roll(d, 100) < percent;
}

/* Longest strings, NUL included: the letter after 's'. */
static size_t string_max(char letter)
{
    switch (letter) {
    case '1':
        return 1;
    case 'c':
        return 6; /* service_type */
    case 't':
        return 17; /* times */
    case 'a':
        return 21; /* addresses */
    case 'd':
        return 65; /* ids, addresses of data_sm */
    case 'p':
        return 9;
    case 'y':
        return 13;
    case 'r':
        return 41;
    default:
        return 16;
    }
}

static const struct layout {
    uint32_t command_id;
    unsigned weight;
    const char *fields;
} layouts[] = {
    { CMD_SUBMIT_SM, 50, "scbbsabbsabbbststbbbbmT" },
    { CMD_DATA_SM, 10, "scbbsdbbsdbbbT" },
    { CMD_SUBMIT_MULTI, 8, "scbbsaDbbbststbbbbm" },
    { CMD_QUERY_SM, 4, "sdbbsa" },
    { CMD_CANCEL_SM, 4, "scsdbbsabbsa" },
    { CMD_REPLACE_SM, 4, "sdbbsaststbbm" },
    { CMD_ENQUIRE_LINK, 4, "" },
    { CMD_DELIVER_SM, 2, "scbbsabbsabbbs1s1bbbbmT" },
    { CMD_BROADCAST_SM, 1, "scbbsasdbststbbbT" },
    { CMD_QUERY_BROADCAST_SM, 1, "sdbbsaT" },
    { CMD_CANCEL_BROADCAST_SM, 1, "scsdbbsaT" },
    { CMD_ALERT_NOTIFICATION, 1, "bbsdbbsdT" },
    { CMD_OUTBIND, 1, "sisi" },
    { CMD_DELIVER_SM | CMD_RESPONSE, 3, "s1T" },
    { CMD_SUBMIT_SM | CMD_RESPONSE, 1, "sdT" },
    { CMD_SUBMIT_MULTI | CMD_RESPONSE, 1, "sdb" },
    { CMD_GENERIC_NACK, 1, "" },
    { 0x00010203, 2, "sdT" },
    { 0x80000FFF, 1, "sd" },
};

static void put_string(struct dice *d, struct writer *w, size_t max)
{
    static const char digits[] = "0123456789+ABCabc%$ \\";
    size_t len = dice_roll(d, (uint32_t)max);

    if (chance(d, 1))
        len = max + dice_roll(d, 30); /* too long */
    for (size_t i = 0; i < len; i++)
        write_u8(w,
                 chance(d, 97) ? (uint8_t)digits[dice_roll(d, sizeof digits - 1)] : (uint8_t)(1 + dice_roll(d, 255)));
    write_u8(w, 0);
}

static size_t make_text(struct dice *d, uint8_t text[255], size_t max)
{
    static const char receipt[] =
        "id:1795316378221000002 sub:001 dlvrd:001 submit date:2501010000 done date:2501010001 "
        "stat:DELIVRD err:000 text:hello";
    size_t len = 0;

    switch (dice_roll(d, 4)) {
    case 0: /* a part of a long message, or what claims to be one */
        text[len++] = 5;
        text[len++] = 0;
        text[len++] = 3;
        text[len++] = (uint8_t)dice_roll(d, 256);
        text[len++] = (uint8_t)dice_roll(d, 5);
        text[len++] = (uint8_t)dice_roll(d, 5);
        if (chance(d, 20))
            text[dice_roll(d, 3)] = (uint8_t)dice_roll(d, 256);
        break;
    case 1:
        len = dice_roll(d, sizeof receipt);
        memcpy(text, receipt, len);
        break;
    default:
        break;
    }
    for (size_t more = dice_roll(d, 160); more > 0 && len < max; more--)
        text[len++] = chance(d, 90) ? (uint8_t)(0x20 + dice_roll(d, 0x5F)) : (uint8_t)dice_roll(d, 256);
    return len;
}

static void put_sm(struct dice *d, struct writer *w)
{
    uint8_t text[255];
    size_t len = make_text(d, text, chance(d, 3) ? 255 : 254);

    write_u8(w, chance(d, 98) ? (uint8_t)len : (uint8_t)dice_roll(d, 256));
    write_bytes(w, text, len);
}

static void put_tlvs(struct dice *d, struct writer *w)
{
    static const uint16_t tags[] = { 0x0424, 0x020C, 0x020E, 0x020F, 0x001E, 0x0427, 0x0423, 0x0204,
                                     0x1400, 0x2000, 0x3FFF, 0x0000, 0xFFFF, 0x0019, 0x130C, 0x0600 };
    uint32_t count = chance(d, 60) ? 0 : chance(d, 2) ? dice_roll(d, 200) : dice_roll(d, 6);

    for (uint32_t i = 0; i < count; i++) {
        uint16_t tag = tags[dice_roll(d, ARRAY_LEN(tags))];
        uint32_t len = chance(d, 70) ? dice_roll(d, 6) : dice_roll(d, 90);

        if (tag == 0x0424 && chance(d, 2))
            len = dice_roll(d, 64000);
        write_u16(w, tag);
        write_u16(w, chance(d, 99) ? (uint16_t)len : (uint16_t)dice_roll(d, 65536));
        for (uint32_t k = 0; k < len; k++)
            write_u8(w, (uint8_t)dice_roll(d, 256));
    }
}

static void put_dests(struct dice *d, struct writer *w)
{
    uint32_t count = chance(d, 5) ? dice_roll(d, 255) : dice_roll(d, 5);

    write_u8(w, chance(d, 97) ? (uint8_t)count : (uint8_t)dice_roll(d, 256));
    for (uint32_t i = 0; i < count; i++) {
        bool list = chance(d, 5);

        write_u8(w, chance(d, 99) ? (list ? 2 : 1) : (uint8_t)dice_roll(d, 256));
        if (!list)
            write_u16(w, 0x0101);
        put_string(d, w, 21);
    }
}

static void put_fields(struct dice *d, struct writer *w, const char *fields)
{
    static const uint8_t usual[] = { 0, 0, 0, 1, 1, 3, 4, 8, 0x40, 0x44, 0xF1, 0x10 };

    for (; *fields != '\0'; fields++) {
        switch (*fields) {
        case 's':
            put_string(d, w, string_max(*++fields));
            break;
        case 'b':
            write_u8(w, chance(d, 90) ? usual[dice_roll(d, sizeof usual)] : (uint8_t)dice_roll(d, 256));
            break;
        case 'm':
            put_sm(d, w);
            break;
        case 'D':
            put_dests(d, w);
            break;
        default:
            put_tlvs(d, w);
            break;
        }
    }
}

static size_t finish(struct writer *w, uint8_t *out, size_t len)
{
    if (w->failed)
        len = SMPP_HEADER_BYTES; /* it did not fit: a header has to do */

    struct writer head = writer_over(out, 4);

    write_u32(&head, (uint32_t)len);
    return len;
}

static void put_head(struct writer *w, uint32_t command_id, uint32_t status, uint32_t sequence_number)
{
    write_u32(w, 0); /* finish() knows */
    write_u32(w, command_id);
    write_u32(w, status);
    write_u32(w, sequence_number);
}

static size_t damage(struct dice *d, uint8_t *out, size_t len)
{
    switch (dice_roll(d, 3)) {
    case 0: /* ends early */
        return SMPP_HEADER_BYTES + dice_roll(d, (uint32_t)(len - SMPP_HEADER_BYTES) + 1);
    case 1: /* something behind it */
        for (uint32_t more = dice_roll(d, 40); more > 0 && len < MAKE_PDU_MAX; more--)
            out[len++] = (uint8_t)dice_roll(d, 256);
        return len;
    default:
        for (uint32_t flips = 1 + dice_roll(d, 4); flips > 0 && len > SMPP_HEADER_BYTES; flips--)
            out[SMPP_HEADER_BYTES + dice_roll(d, (uint32_t)(len - SMPP_HEADER_BYTES))] = (uint8_t)dice_roll(d, 256);
        return len;
    }
}

size_t make_pdu(struct dice *d, uint32_t sequence_number, uint8_t *out)
{
    struct writer w = writer_over(out, MAKE_PDU_MAX);
    uint32_t all = 0;

    for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
        all += layouts[i].weight;

    uint32_t at = dice_roll(d, all);
    const struct layout *l = layouts;

    while (at >= l->weight)
        at -= l++->weight;
    put_head(&w, l->command_id, chance(d, 98) ? 0 : dice_roll(d, 0x500), sequence_number);
    put_fields(d, &w, l->fields);

    size_t len = w.failed ? SMPP_HEADER_BYTES : writer_len(&w);

    if (chance(d, 20))
        len = damage(d, out, len);
    return finish(&w, out, len);
}

size_t make_bind(struct dice *d, uint32_t sequence_number, uint8_t *out)
{
    static const uint32_t types[] = { CMD_BIND_TRANSMITTER, CMD_BIND_RECEIVER, CMD_BIND_TRANSCEIVER,
                                      CMD_BIND_TRANSCEIVER };
    static const uint8_t versions[] = { 0x34, 0x34, 0x33, 0x50, 0x00, 0xFF };
    struct writer w = writer_over(out, MAKE_PDU_MAX);

    put_head(&w, types[dice_roll(d, ARRAY_LEN(types))], 0, sequence_number);
    put_string(d, &w, 16);
    write_bytes(&w, "x", 2);
    put_string(d, &w, 13);
    write_u8(&w, versions[dice_roll(d, sizeof versions)]);
    write_u16(&w, 0);
    put_string(d, &w, 41);
    return finish(&w, out, writer_len(&w));
}

size_t make_header(uint32_t command_id, uint32_t status, uint32_t sequence_number, uint8_t *out)
{
    struct writer w = writer_over(out, SMPP_HEADER_BYTES);

    put_head(&w, command_id, status, sequence_number);
    return finish(&w, out, SMPP_HEADER_BYTES);
}

size_t make_answer(struct dice *d, uint32_t command_id, uint32_t sequence_number, uint8_t *out)
{
    struct writer w = writer_over(out, MAKE_PDU_MAX);
    bool nack = chance(d, 3);

    if (chance(d, 2))
        sequence_number += dice_roll(d, 3);
    put_head(&w, nack ? CMD_GENERIC_NACK : command_id | CMD_RESPONSE, chance(d, 90) ? 0 : dice_roll(d, 0x500),
             sequence_number);
    if (command_id == CMD_DELIVER_SM && chance(d, 80))
        put_string(d, &w, 65);
    return finish(&w, out, writer_len(&w));
}
