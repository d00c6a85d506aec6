/* SPDX-License-Identifier: MIT */
/*
 * parcel.c - a receipt, a notification or an incoming message as the PDU its ESME gets.
 *
 * Which one is due, to whom and when is deliver.c's. What depends on the bind it goes to (its version, its alphabet) is
 * decided here, at the last moment; the length a client can take is never exceeded by what could be left out.
 */
#include "gateway/parcel.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIELDS_BYTES = 16 + 1 + 2 + 1 + 2 + 1 + 10, /* of a deliver_sm, addresses and text empty [SMPP34 4.6.1] */
    TLV_HEAD_BYTES = 4,
    MAPPED_BYTES_MAX = 1024 /* of one mapped value: a receipt is no place for a long text */
};

static struct smpp_str str_of(const struct message_text *t)
{
    return (struct smpp_str){ t->at, t->len };
}

size_t parcel_room(const struct profile *profile, size_t source_len, size_t dest_len)
{
    size_t most = profile->pdu_max == 0 ? SMPP_PAYLOAD_MAX : profile->pdu_max,
           fixed = FIELDS_BYTES + source_len + dest_len;

    return most > fixed ? most - fixed : 0;
}

static size_t bytes_of(const struct smpp_pdu *pdu)
{
    size_t len = FIELDS_BYTES + pdu->sm.source.addr.len + pdu->sm.dest.addr.len + pdu->sm.short_message.len;

    for (size_t i = 0; i < pdu->tlv_count; i++)
        len += TLV_HEAD_BYTES + pdu->tlvs[i].len;
    return len;
}

/* One that is there already, or too long here or for the client, is left out. */
static void add_tlv(const struct account *account, uint16_t tag, struct bytes value, struct parcel *p)
{
    size_t most = account->profile.pdu_max;

    if (smpp_tlv_find(&p->pdu, tag) != NULL || value.len > MAPPED_BYTES_MAX ||
        (most != 0 && bytes_of(&p->pdu) + TLV_HEAD_BYTES + value.len > most))
        return;
    smpp_tlv_add(&p->pdu, tag, value.at, (uint16_t)value.len);
}

/* In short_message, or in message_payload when it is too long or the PDU has no other place. A bind of 3.3 has no
 * message_payload: it gets what a short_message holds. */
static void place_text(struct parcel *p, uint8_t interface_version)
{
    size_t len = p->text.len;

    p->is_whole = len <= SMPP_SHORT_MESSAGE_MAX || interface_version >= 0x34;
    if (!p->is_whole)
        len = SMPP_SHORT_MESSAGE_MAX;
    if (len <= SMPP_SHORT_MESSAGE_MAX && p->pdu.command_id == CMD_DELIVER_SM)
        p->pdu.sm.short_message = (struct bytes){ (const uint8_t *)p->text.data, len };
    else
        smpp_tlv_add(&p->pdu, TAG_MESSAGE_PAYLOAD, p->text.data, (uint16_t)p->text.len);
}

/* report.c keeps what the receipt needs beyond the progress row in `extra`: " flag:N", " tlvs:" with what the callback
 * said of mapped parameters, then the HLR tail. Parameters for the upstream never begin with a space. */
static const char *hlr_of(const struct message *m)
{
    const char *at = m->p.final == 0 || m->extra.len == 0 || m->extra.at[0] != ' ' ? NULL : m->extra.at;

    return at == NULL ? NULL : strstr(at, " imsi:");
}

static uint16_t flag_of(const struct message *m)
{
    if (m->p.final != 0 && strncmp(m->extra.at, " flag:", 6) == 0)
        return (uint16_t)strtoul(m->extra.at + 6, NULL, 10);
    return (uint16_t)report_plain_flag(m);
}

static void add_packed(const struct account *account, struct bytes tlvs, struct parcel *p)
{
    struct reader r = reader_over(tlvs.at, tlvs.len);

    while (reader_left(&r) > 0) {
        uint16_t tag = read_u16(&r);
        struct bytes value = read_bytes(&r, read_u16(&r));

        if (!r.failed)
            add_tlv(account, tag, value, p);
    }
}

/* tlv_map the other way: what the aggregator said about a mapped parameter, else what the ESME had given for it. */
static void add_mapped(const struct account *account, const struct message *m, struct parcel *p)
{
    const struct upstream *up = upstream_by_number(account->gateway, m->p.upstream);
    size_t told_len = m->p.final == 0 ? 0 : extra_read_told(m->extra.at, m->extra.len, p->told);
    const struct cfg_pair *map = up == NULL || up->cfg == NULL ? NULL : up->cfg->tlv_map;

    add_packed(account, (struct bytes){ p->told, told_len }, p);
    for (; map != NULL && map->name != NULL; map++) {
        struct bytes value;
        uint16_t tag;

        if (extra_tag_read(map->name, &tag) && extra_find_tlv(m->tlvs.at, m->tlvs.len, tag, &value))
            add_tlv(account, tag, value, p);
    }
}

static void build_receipt(struct account *account, const struct message *m, uint8_t interface_version, struct parcel *p)
{
    const struct smpp_receipt_style *style = &account->profile.receipt;
    bool passing = m->kind == MESSAGE_NOTE && m->p.final == 0; /* an intermediate notification */
    char id[SMPP_ID_MAX + 1], cost[32];

    account_id_text(account, m->public_id, id);
    struct smpp_receipt receipt = { .message_id = id,
                                    .state = passing ? SMPP_STATE_ENROUTE : m->p.final,
                                    .err = m->p.err < 0 ? 0 : (unsigned)m->p.err,
                                    .submitted_ms = m->accepted_ms,
                                    .done_ms = m->p.done_ms,
                                    .submitted_parts = 1,
                                    .delivered_parts = m->p.final == SMPP_STATE_DELIVERED,
                                    .text = m->binary ? NULL : m->text.at,
                                    .text_len = m->binary ? 0 : m->text.len,
                                    .flag = flag_of(m),
                                    .hlr = hlr_of(m) };
    if (m->p.cost_e6 >= 0) {
        smsc_money_write(m->p.cost_e6, cost);
        receipt.cost = cost;
    }
    smpp_receipt_text(&receipt, style, &p->text);
    p->pdu.sm.esm_class = passing ? ESM_INTERMEDIATE : ESM_RECEIPT;
    p->pdu.sm.source = (struct smpp_addr){ m->dest_ton, m->dest_npi, str_of(&m->dest) };
    p->pdu.sm.dest = (struct smpp_addr){ m->source_ton, m->source_npi, str_of(&m->source) };
    smpp_receipt_add_tlvs(&receipt, style, interface_version, &p->tlvs, &p->pdu);
    place_text(p, interface_version);
    if (!style->with_tlvs || interface_version < 0x34)
        return;
    struct bytes own; /* the ESME's own name for the message comes back as it was given [SMPP34 5.3.2.17] */
    if (extra_find_tlv(m->tlvs.at, m->tlvs.len, TAG_USER_MESSAGE_REFERENCE, &own))
        add_tlv(account, TAG_USER_MESSAGE_REFERENCE, own, p);
    add_mapped(account, m, p);
}

static void build_incoming(const struct account *account, const struct message *m, uint8_t interface_version, bool iso,
                           struct parcel *p)
{
    enum smpp_alphabet alphabet = ALPHABET_UCS2;
    uint8_t data_coding = 8;

    /* of a part nobody knows here what the others need: UCS2 stays UCS2 */
    if (m->part_total <= 1 || m->data_coding != 8)
        alphabet = profile_alphabet_for(&account->profile, iso, m->text.at, m->text.len, &data_coding);
    if (m->part_total > 1) {
        p->pdu.sm.esm_class = ESM_UDHI;
        smpp_udh_write_part(&p->text, (uint8_t)m->part_reference, m->part_total, m->part_number);
    }
    smpp_text_from_utf8(alphabet, m->text.at, m->text.len, &p->text);
    p->pdu.sm.data_coding = data_coding;
    p->pdu.sm.source = (struct smpp_addr){ m->source_ton, m->source_npi, str_of(&m->source) };
    p->pdu.sm.dest = (struct smpp_addr){ m->dest_ton, m->dest_npi, str_of(&m->dest) };
    place_text(p, interface_version);
    p->is_whole &= account->profile.pdu_max == 0 || bytes_of(&p->pdu) <= account->profile.pdu_max;
    if (interface_version >= 0x34)
        add_packed(account, (struct bytes){ (const uint8_t *)m->tlvs.at, m->tlvs.len }, p);
}

void parcel_pack(struct account *account, const struct message *m, uint8_t interface_version,
                 const struct smpp_session_info *session, struct parcel *p)
{
    bool by_data = account->cfg != NULL && account->cfg->receipt_pdu == CFG_DATA_SM && m->kind != MESSAGE_MO &&
                   interface_version >= 0x34; /* 3.3 has no data_sm */

    memset(&p->pdu, 0, offsetof(struct smpp_pdu, tlvs));
    p->pdu.command_id = by_data ? CMD_DATA_SM : CMD_DELIVER_SM;
    p->pdu.has_body = true;
    if (p->text.max == 0)
        buf_init(&p->text, SMPP_PAYLOAD_MAX);
    buf_clear(&p->text);
    if (m->kind == MESSAGE_MO)
        build_incoming(account, m, interface_version,
                       session != NULL && profile_is_iso(&account->profile, session->system_type), p);
    else
        build_receipt(account, m, interface_version, p);
}
