/* SPDX-License-Identifier: MIT */
/*
 * read_sm.c - a PDU that carries a short message, as the facts of a message.
 *
 * The table of what data_coding means is smpp/text.h's, habits are the profile's. Parts of long messages are kept as
 * bytes with their UDH (SAR parts get one), so that each can still go out as it is; join.c reads them again.
 */
#include "gateway/read_sm.h"

#include <string.h>

#include "gateway/extra.h"
#include "gateway/translate.h"
#include "http/http.h"

static struct message_text text_of(struct smpp_str s)
{
    return (struct message_text){ (char *)(uintptr_t)s.at, s.len };
}

static struct message_text bytes_of(const struct buf *b)
{
    return (struct message_text){ b->data, b->len };
}

/* --- text --------------------------------------------------------------------------------------------------------- */

/* A header of its own for a part that came without one (SAR), or one more element in front of the others it has. */
static void add_header(const struct message *m, struct bytes text, size_t header_len, struct buf *out)
{
    uint8_t element[] = {
        8, 4, (uint8_t)(m->part_reference >> 8), (uint8_t)m->part_reference, m->part_total, m->part_number
    };
    size_t others = header_len > 0 ? header_len - 1 : 0;

    buf_addc(out, (char)(others + sizeof element));
    buf_add(out, element, sizeof element);
    buf_add(out, text.at + (header_len > 0 ? 1 : 0), others);
    buf_add(out, text.at + header_len, text.len - header_len);
}

static void read_part(struct reading *r, struct bytes text, const struct smpp_udh *udh, bool plain, struct message *m)
{
    if (udh->is_part) {
        buf_add(r->text, text.at, text.len);
    } else {
        add_header(m, text, udh->header_len, r->text);
        m->esm_class |= ESM_UDHI;
    }
    m->binary = true;
    if (plain && r->cfg->reassemble_ms > 0) {
        if (m->p.state == MESSAGE_SCHEDULED) { /* kept until the whole message has come */
            extra_add_time(r->rest, m->p.due_ms / 1000);
        }
        m->p.state = MESSAGE_PART;
        m->p.due_ms = r->now_ms + (int64_t)r->cfg->reassemble_ms;
        if (m->expires_ms != 0 && m->expires_ms < m->p.due_ms)
            m->p.due_ms = m->expires_ms;
    } else {
        m->channel = SMSC_BINARY;
    }
}

static void read_whole(struct reading *r, struct bytes text, const struct smpp_udh *udh, enum smpp_alphabet alphabet,
                       bool plain, struct message *m)
{
    if (!plain) {
        m->binary = true;
        m->channel = SMSC_BINARY;
        if (udh->header_len == 0)
            buf_addc(r->text, '\0'); /* [API send, bin]: no header */
        buf_add(r->text, text.at, text.len);
        return;
    }
    text.at += udh->header_len;
    text.len -= udh->header_len;
    if (alphabet == ALPHABET_GSM7 && (udh->locking != LANGUAGE_NONE || udh->single != LANGUAGE_NONE))
        r->replaced = smpp_text_gsm_to_utf8(udh->locking, udh->single, text.at, text.len, r->text);
    else
        r->replaced = smpp_text_to_utf8(alphabet, text.at, text.len, r->text);
}

/* Two texts in one message: neither may be lost unsaid. Some clients say the same one twice. */
static bool has_two_texts(const struct smpp_pdu *pdu)
{
    const struct smpp_tlv *payload = smpp_tlv_find(pdu, TAG_MESSAGE_PAYLOAD);
    struct bytes text = pdu->sm.short_message;

    return payload != NULL && payload->len > 0 && text.len > 0 &&
           (payload->len != text.len || memcmp(payload->value, text.at, text.len) != 0);
}

/* Bytes that read the same in nearly every alphabet there is. */
static bool is_plain_ascii(struct bytes text, size_t from)
{
    for (size_t i = from; i < text.len; i++) {
        uint8_t c = text.at[i];

        if ((c < 0x20 && c != '\n' && c != '\r') || c > 0x7E)
            return false;
    }
    return true;
}

/* A value we have no alphabet for is read as data_coding 0. 5.0 has a status for it, and a client of 5.0 understands it
 * [SMPP50 4.7.7]; but many that announce 5.0 write 3.4, so what can be read is not refused for its label. */
static bool coding_is_refused(const struct reading *r, const struct smpp_coding *coding, struct bytes text,
                              size_t header_len)
{
    switch (r->cfg->unknown_coding) {
    case CFG_CODING_REFUSE:
        return coding->unknown;
    case CFG_CODING_VERSION:
        return coding->unknown && r->interface_version >= 0x50 && !is_plain_ascii(text, header_len);
    case CFG_CODING_ACCEPT:
        break;
    }
    return false;
}

static uint32_t read_text(struct reading *r, const struct smpp_pdu *pdu, struct message *m)
{
    struct bytes text = smpp_sm_text(pdu);
    struct smpp_udh udh = { .only_text_elements = true };

    if (r->cfg->udh_without_flag && smpp_udh_is_unannounced(text))
        m->esm_class |= ESM_UDHI;
    if (has_two_texts(pdu))
        return STATUS_RINVTLVVAL;
    /* what system_type ISO makes of data_coding 0 is data_coding 3 for everybody who reads the message later */
    if (m->data_coding == 0 && profile_is_iso(r->profile, r->system_type))
        m->data_coding = 3;
    struct smpp_coding coding =
        smpp_coding_of(m->data_coding, r->profile->zero, r->profile->one, r->profile->four_is_text);
    if ((m->esm_class & ESM_UDHI) != 0)
        smpp_udh_read(text, &udh);
    if (coding_is_refused(r, &coding, text, udh.header_len))
        return STATUS_RINVDCS;
    bool plain = coding.alphabet != ALPHABET_NONE && udh.only_text_elements;

    m->channel = coding.flash ? SMSC_FLASH : SMSC_SMS;
    if (smpp_part_in(&udh, pdu, &m->part_reference, &m->part_total, &m->part_number))
        read_part(r, text, &udh, plain, m);
    else
        read_whole(r, text, &udh, coding.alphabet, plain, m);
    if (r->text->failed)
        return STATUS_RSYSERR;
    m->text = bytes_of(r->text);
    if (m->binary && m->text.at[0] == '\0' && m->text.len - 1 > (size_t)READ_PIECE_BYTES * READ_PIECES_MAX)
        return STATUS_RINVMSGLEN;
    return STATUS_ROK;
}

bool read_sm_part_text(const struct profile *profile, const struct message *part, struct smpp_udh *out_udh,
                       struct smpp_coding *out_coding)
{
    smpp_udh_read((struct bytes){ (const uint8_t *)part->text.at, part->text.len }, out_udh);
    *out_coding = smpp_coding_of(part->data_coding, profile->zero, profile->one, profile->four_is_text);
    return out_coding->alphabet != ALPHABET_NONE && out_udh->only_text_elements;
}

bool read_sm_needs_division(const struct message *m)
{
    if (m->binary)
        return m->text.len > 0 && m->text.at[0] == '\0' && m->text.len - 1 > READ_BINARY_MAX;
    if (m->text.len <= READ_TEXT_UNITS) /* no UTF-8 has more units than bytes */
        return false;
    return smpp_text_units(ALPHABET_UCS2, m->text.at, m->text.len) > READ_TEXT_UNITS;
}

size_t read_sm_parts(const struct message *m)
{
    if (m->binary)
        return m->text.len <= 1 + 140 ? 1 : (m->text.len - 1 + READ_PIECE_BYTES - 1) / READ_PIECE_BYTES;
    if (m->text.len == 0)
        return 1;
    bool gsm = smpp_text_fits_gsm(m->text.at, m->text.len);
    return smpp_text_parts(gsm ? ALPHABET_GSM7 : ALPHABET_UCS2, m->text.at, m->text.len);
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static uint32_t read_times(struct reading *r, const struct smpp_pdu *pdu, struct message *m)
{
    int64_t schedule_ms;
    uint32_t seconds;

    if (smpp_time_read(pdu->sm.validity_period, r->now_ms, &m->expires_ms) != 0 ||
        (m->expires_ms != 0 && m->expires_ms <= r->now_ms))
        return STATUS_RINVEXPIRY;
    if (pdu->command_id == CMD_DATA_SM && smpp_tlv_uint(pdu, TAG_QOS_TIME_TO_LIVE, &seconds) && seconds > 0)
        m->expires_ms = r->now_ms + (int64_t)seconds * 1000; /* data_sm's validity [SMPP34 5.3.2.38] */
    if (smpp_time_read(pdu->sm.schedule_delivery_time, r->now_ms, &schedule_ms) != 0)
        return STATUS_RINVSCHED;
    if (schedule_ms <= r->now_ms)
        return STATUS_ROK;
    if (r->cfg->schedule == CFG_SCHEDULE_UPSTREAM) {
        extra_add_time(r->rest, schedule_ms / 1000);
    } else {
        m->p.state = MESSAGE_SCHEDULED;
        m->p.due_ms = schedule_ms;
    }
    return STATUS_ROK;
}

uint32_t read_sm_dest(struct reading *r, const struct smpp_addr *dest, struct message *m)
{
    size_t len = number_normalise(dest, r->cfg->numbers, r->cfg->national_prefix, r->dest);

    if (len == 0)
        return STATUS_RINVDSTADR;
    m->dest_ton = dest->ton;
    m->dest_npi = dest->npi;
    m->dest = (struct message_text){ r->dest, len };
    return STATUS_ROK;
}

uint32_t read_sm(struct reading *r, const struct smpp_pdu *pdu, struct message *m)
{
    *m = (struct message){
        .accepted_ms = r->now_ms,
        .kind = MESSAGE_MT,
        .source_ton = pdu->sm.source.ton,
        .source_npi = pdu->sm.source.npi,
        .esm_class = pdu->sm.esm_class,
        .protocol_id = pdu->sm.protocol_id,
        .priority_flag = pdu->sm.priority_flag,
        .registered_delivery = pdu->sm.registered_delivery,
        .data_coding = pdu->sm.data_coding,
        .interface_version = r->interface_version,
        .source = text_of(pdu->sm.source.addr),
        .service_type = text_of(pdu->sm.service_type),
        .p = { .state = MESSAGE_QUEUED, .urgent = pdu->sm.priority_flag > 0, .status = -100, .cost_e6 = -1 },
    };
    buf_clear(r->text);
    buf_clear(r->rest);
    r->replaced = 0;
    if ((m->registered_delivery & REG_RECEIPT_MASK) == REG_ON_SUCCESS && !r->cfg->receipt_on_success)
        m->registered_delivery &= (uint8_t)~REG_RECEIPT_MASK;
    if ((m->registered_delivery & REG_RECEIPT_MASK) != 0)
        m->p.receipt = RECEIPT_WAITING;
    uint32_t status = pdu->command_id == CMD_SUBMIT_MULTI ? STATUS_ROK : read_sm_dest(r, &pdu->sm.dest, m);
    if (status == STATUS_ROK && !number_source_allowed(r->cfg->sources, pdu->sm.source.addr))
        status = STATUS_RINVSRCADR;
    if (status == STATUS_ROK)
        status = read_times(r, pdu, m);
    if (status == STATUS_ROK)
        status = read_text(r, pdu, m);
    if (status != STATUS_ROK)
        return status;
    if (m->p.state != MESSAGE_PART)
        translate_channel(m);
    extra_map_tlvs(r->tlv_map, pdu, r->rest);
    extra_add_pairs(r->cfg->extra, r->rest); /* behind the message's own: of two of a name the first goes out */
    size_t extra_len = r->rest->len;
    extra_pack_tlvs(pdu, r->rest);
    if (r->rest->failed)
        return STATUS_RSYSERR;
    m->extra = (struct message_text){ r->rest->data, extra_len };
    m->tlvs =
        (struct message_text){ r->rest->data == NULL ? NULL : r->rest->data + extra_len, r->rest->len - extra_len };
    if (m->p.state == MESSAGE_QUEUED && read_sm_needs_division(m))
        m->p.state = MESSAGE_DIVIDED;
    return STATUS_ROK;
}
