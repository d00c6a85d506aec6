/* SPDX-License-Identifier: MIT */
/*
 * receipt.c - the text and the TLVs of a delivery receipt, and how one is read [SMPP34 Appendix B].
 *
 * What is written here is parsed by other people's regular expressions, so the order, the case, the widths and the eight
 * words for a state are fixed: tests/unit/test_receipt.c holds the rules of the parsers we know. The text is plain ASCII
 * on one line whatever the message held. Which receipts are due, and when, is the gateway's.
 */
#include "smpp/receipt.h"

#include <string.h>
#include <strings.h>

#include "smpp/smpptime.h"

enum {
    TEXT_CHARS = 20,
    COUNT_MAX = 999, /* sub, dlvrd and err have three digits */
    COST_CHARS = 6,  /* [API smpp/status] */
    NETWORK_GSM = 3  /* network type of network_error_code [SMPP34 5.3.2.31] */
};

static const struct {
    char stat[8];
    enum smpp_message_state told; /* the state that agrees with the word */
} states[] = {
    [SMPP_STATE_SCHEDULED] = { "ENROUTE", SMPP_STATE_ENROUTE }, /* 5.0 knows it, parsers of 3.4 do not */
    [SMPP_STATE_ENROUTE] = { "ENROUTE", SMPP_STATE_ENROUTE },
    [SMPP_STATE_DELIVERED] = { "DELIVRD", SMPP_STATE_DELIVERED },
    [SMPP_STATE_EXPIRED] = { "EXPIRED", SMPP_STATE_EXPIRED },
    [SMPP_STATE_DELETED] = { "DELETED", SMPP_STATE_DELETED },
    [SMPP_STATE_UNDELIVERABLE] = { "UNDELIV", SMPP_STATE_UNDELIVERABLE },
    [SMPP_STATE_ACCEPTED] = { "ACCEPTD", SMPP_STATE_ACCEPTED },
    [SMPP_STATE_UNKNOWN] = { "UNKNOWN", SMPP_STATE_UNKNOWN },
    [SMPP_STATE_REJECTED] = { "REJECTD", SMPP_STATE_REJECTED },
};

static size_t state_row(enum smpp_message_state state)
{
    return (size_t)state < ARRAY_LEN(states) ? (size_t)state : SMPP_STATE_UNKNOWN;
}

const char *smpp_state_stat(enum smpp_message_state state)
{
    return states[state_row(state)].stat;
}

static unsigned at_most(unsigned v, unsigned max)
{
    return v < max ? v : max;
}

/* The same cut for text and TLV, so that the two never differ. */
static int id_len(const struct smpp_receipt *r)
{
    return r->message_id == NULL ? 0 : (int)strnlen(r->message_id, SMPP_ID_MAX);
}

static const char *id_of(const struct smpp_receipt *r)
{
    return r->message_id == NULL ? "" : r->message_id;
}

/* First characters of an ASCII message; line breaks and other controls become spaces, or the receipt would end early
 * for parsers that read a line. A message with anything above ASCII gives nothing: half a word helps nobody. */
static void add_text(struct buf *out, const char *text, size_t len)
{
    if (text == NULL)
        return;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return;
    }
    for (size_t i = 0; i < len && i < TEXT_CHARS; i++) {
        char c = text[i];

        buf_addc(out, c < ' ' || c == 0x7F ? ' ' : c);
    }
}

static void add_three(struct buf *out, const char *key, unsigned v)
{
    v = at_most(v, COUNT_MAX);
    char digits[] = { (char)('0' + v / 100), (char)('0' + v / 10 % 10), (char)('0' + v % 10) };

    buf_adds(out, key);
    buf_add(out, digits, sizeof digits);
}

static void add_word(struct buf *out, const char *key, const char *word)
{
    buf_adds(out, key);
    buf_adds(out, word);
}

void smpp_receipt_text(const struct smpp_receipt *r, const struct smpp_receipt_style *style, struct buf *out)
{
    const char *stat = smpp_state_stat(r->state);
    unsigned err = at_most(r->err, COUNT_MAX);
    char submitted[13], done[13];
    int digits = style->date_digits == 12 ? 12 : 10;

    if (r->hlr != NULL) { /* the aggregator's own form, any variant [API smpp/send/hlr] */
        buf_addf(out, "id:%.*s stat:%s err:%03u%s%s", id_len(r), id_of(r), stat, err, r->hlr[0] == ' ' ? "" : " ",
                 r->hlr);
        return;
    }
    if (style->variant == RECEIPT_SHORT) {
        buf_addf(out, "id:%.*s stat:%s", id_len(r), id_of(r), stat);
        return;
    }
    smpp_time_digits(r->submitted_ms, digits, style->utc_offset_minutes, submitted);
    smpp_time_digits(r->done_ms, digits, style->utc_offset_minutes, done);
    /* piece by piece: a format costs more than the rest of the receipt */
    buf_adds(out, "id:");
    buf_add(out, id_of(r), (size_t)id_len(r));
    add_three(out, " sub:", r->submitted_parts);
    add_three(out, " dlvrd:", r->delivered_parts);
    add_word(out, " submit date:", submitted);
    add_word(out, " done date:", done);
    add_word(out, " stat:", stat);
    add_three(out, " err:", err);
    buf_adds(out, style->variant == RECEIPT_CAPITAL_TEXT ? " Text:" : " text:");
    if (style->with_text)
        add_text(out, r->text, r->text_len);
}

/* The cost in at most six characters: fractions are cut, whole money never. 0 when it does not fit. */
static uint16_t short_cost(const char *cost, char out[COST_CHARS + 1])
{
    size_t len = strlen(cost), whole = strcspn(cost, ".");

    if (whole > COST_CHARS || whole == 0)
        return 0;
    if (len > COST_CHARS)
        len = COST_CHARS;
    if (cost[len - 1] == '.')
        len--;
    memcpy(out, cost, len);
    out[len] = '\0';
    return (uint16_t)len;
}

void smpp_receipt_add_tlvs(const struct smpp_receipt *r, const struct smpp_receipt_style *style,
                           uint8_t interface_version, struct smpp_receipt_tlvs *storage, struct smpp_pdu *pdu)
{
    if (interface_version < 0x34)
        return;
    if (style->with_tlvs) {
        size_t len = (size_t)id_len(r);
        unsigned err = at_most(r->err, UINT16_MAX);

        memcpy(storage->id, id_of(r), len);
        storage->id[len] = '\0';
        storage->state = (uint8_t)states[state_row(r->state)].told;
        storage->network_error[0] = NETWORK_GSM;
        storage->network_error[1] = (uint8_t)(err >> 8);
        storage->network_error[2] = (uint8_t)err;
        smpp_tlv_add(pdu, TAG_RECEIPTED_MESSAGE_ID, storage->id, (uint16_t)(len + 1));
        smpp_tlv_add(pdu, TAG_MESSAGE_STATE, &storage->state, sizeof storage->state);
        smpp_tlv_add(pdu, TAG_NETWORK_ERROR_CODE, storage->network_error, sizeof storage->network_error);
    }
    if (style->with_vendor_tlvs) {
        uint16_t len = r->cost == NULL ? 0 : short_cost(r->cost, storage->cost);

        if (len > 0)
            smpp_tlv_add(pdu, TAG_SMSC_COST, storage->cost, len);
        storage->flag[0] = (uint8_t)(r->flag >> 8);
        storage->flag[1] = (uint8_t)r->flag;
        smpp_tlv_add(pdu, TAG_SMSC_FLAG, storage->flag, sizeof storage->flag);
    }
}

/* ---- reading ---- */

enum key { KEY_ID, KEY_SUB, KEY_DLVRD, KEY_SUBMIT, KEY_DONE, KEY_STAT, KEY_ERR, KEY_TEXT, KEY_COUNT };

static const struct {
    const char *word;
    enum key key;
} words[] = {
    { "id:", KEY_ID },
    { "sub:", KEY_SUB },
    { "dlvrd:", KEY_DLVRD },
    { "submit date:", KEY_SUBMIT },
    { "done date:", KEY_DONE },
    { "stat:", KEY_STAT },
    { "err:", KEY_ERR },
    { "text:", KEY_TEXT },
    { "submit_date:", KEY_SUBMIT },
    { "done_date:", KEY_DONE }, /* seen in the field */
    { "submitdate:", KEY_SUBMIT },
    { "donedate:", KEY_DONE },
};

static bool is_gap(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0' || c == ',' || c == ';';
}

/* The key that starts at `at`, and the length of its word; KEY_COUNT when there is none. */
static enum key key_at(const char *at, const char *end, size_t *out_len)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i].word);

        if ((size_t)(end - at) >= len && strncasecmp(at, words[i].word, len) == 0) {
            *out_len = len;
            return words[i].key;
        }
    }
    return KEY_COUNT;
}

static const char *skip_gap(const char *at, const char *end)
{
    while (at < end && is_gap(*at))
        at++;
    return at;
}

static const char *skip_word(const char *at, const char *end)
{
    while (at < end && !is_gap(*at))
        at++;
    return at;
}

/* The user's text may hold anything, keys too: it ends where the receipt does, unless id or stat must still follow. */
static const char *text_end(const char *at, const char *end, bool is_last)
{
    size_t len;

    if (is_last) {
        while (end > at && end[-1] == '\0')
            end--;
        return end;
    }
    while (at < end) {
        const char *next = skip_gap(at, end);

        if (next > at && key_at(next, end, &len) != KEY_COUNT)
            break;
        at = skip_word(next, end);
    }
    return at;
}

int smpp_receipt_parse(struct bytes text, struct smpp_receipt_parsed *out)
{
    struct smpp_str found[KEY_COUNT] = { 0 };
    const char *at = (const char *)text.at, *end;
    size_t len;

    if (text.len == 0)
        return ERR_SYNTAX;
    end = at + text.len;
    while ((at = skip_gap(at, end)) < end) {
        enum key key = key_at(at, end, &len);
        const char *stop;

        if (key == KEY_COUNT) { /* a vendor's own word */
            at = skip_word(at, end);
            continue;
        }
        at += len;
        if (key == KEY_TEXT) {
            stop = text_end(at, end, found[KEY_ID].len > 0 && found[KEY_STAT].len > 0);
        } else {
            const char *value = skip_gap(at, end);

            if (key_at(value, end, &len) == KEY_COUNT) /* "err: 000" is a value, "err: text:" is not */
                at = value;
            stop = skip_word(at, end);
        }
        if (found[key].at == NULL)
            found[key] = (struct smpp_str){ at, (size_t)(stop - at) };
        at = stop;
    }
    if (found[KEY_ID].len == 0 || found[KEY_STAT].len == 0)
        return ERR_SYNTAX;
    *out = (struct smpp_receipt_parsed){ .id = found[KEY_ID],
                                         .stat = found[KEY_STAT],
                                         .err = found[KEY_ERR],
                                         .sub = found[KEY_SUB],
                                         .dlvrd = found[KEY_DLVRD],
                                         .submit_date = found[KEY_SUBMIT],
                                         .done_date = found[KEY_DONE],
                                         .text = found[KEY_TEXT] };
    return 0;
}
