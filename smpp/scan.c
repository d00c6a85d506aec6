/* SPDX-License-Identifier: MIT */
/*
 * scan.c - the airlock's outer door: one pass over an untrusted PDU, driven by the rows of fields.h.
 *
 * Copies nothing and converts nothing. The status of a refusal is chosen here because libsmpp34 says only "no"
 * [measured: rc -1 without a reason]. Invariant: `pos` never passes `len`, and every field is checked before it moves.
 */
#include "smpp/scan.h"

#include <string.h>

#define F(kind_, name, member, longest_, status_)                                                                      \
    { .kind = FIELD_##kind_,                                                                                           \
      .longest = (longest_),                                                                                           \
      .status = STATUS_##status_,                                                                                      \
      .place = offsetof(struct smpp_pdu, member) },
#define L(name, tlvs)                                                                                                  \
    static const struct scan_field rows_##name[] = { FIELDS_##name(F){ 0, 0, 0, 0 } };                                 \
    _Static_assert(ARRAY_LEN(rows_##name) - 1 <= SCAN_FIELDS_MAX, "more fields than struct scan holds");
LAYOUT_LIST(L)
#undef L
#undef F

static const struct scan_layout layouts[LAYOUT_COUNT] = {
#define L(name, tlvs) [LAYOUT_##name] = { rows_##name, ARRAY_LEN(rows_##name) - 1, tlvs },
    LAYOUT_LIST(L)
#undef L
};

const struct scan_layout *scan_layout(enum smpp_layout_id id)
{
    return &layouts[id];
}

int scan_layout_of(uint32_t command_id)
{
    switch (command_id) {
    case CMD_SUBMIT_SM:
    case CMD_DELIVER_SM:
        return LAYOUT_SUBMIT;
    case CMD_BIND_RECEIVER:
    case CMD_BIND_TRANSMITTER:
    case CMD_BIND_TRANSCEIVER:
        return LAYOUT_BIND;
    case CMD_BIND_RECEIVER | CMD_RESPONSE:
    case CMD_BIND_TRANSMITTER | CMD_RESPONSE:
    case CMD_BIND_TRANSCEIVER | CMD_RESPONSE:
        return LAYOUT_BIND_RESP;
    case CMD_OUTBIND:
        return LAYOUT_OUTBIND;
    case CMD_SUBMIT_MULTI:
        return LAYOUT_MULTI;
    case CMD_SUBMIT_MULTI | CMD_RESPONSE:
        return LAYOUT_MULTI_RESP;
    case CMD_DATA_SM:
        return LAYOUT_DATA;
    case CMD_REPLACE_SM:
        return LAYOUT_REPLACE;
    case CMD_QUERY_SM:
        return LAYOUT_QUERY;
    case CMD_QUERY_SM | CMD_RESPONSE:
        return LAYOUT_QUERY_RESP;
    case CMD_CANCEL_SM:
        return LAYOUT_CANCEL;
    case CMD_ALERT_NOTIFICATION:
        return LAYOUT_ALERT;
    case CMD_BROADCAST_SM:
        return LAYOUT_BROADCAST;
    case CMD_QUERY_BROADCAST_SM:
        return LAYOUT_QUERY_BROADCAST;
    case CMD_CANCEL_BROADCAST_SM:
        return LAYOUT_CANCEL_BROADCAST;
    case CMD_ENQUIRE_LINK:
    case CMD_UNBIND:
        return LAYOUT_HEADER;
    case CMD_SUBMIT_SM | CMD_RESPONSE:
    case CMD_DELIVER_SM | CMD_RESPONSE:
    case CMD_DATA_SM | CMD_RESPONSE:
    case CMD_BROADCAST_SM | CMD_RESPONSE:
    case CMD_QUERY_BROADCAST_SM | CMD_RESPONSE:
    /* These have no body in the specification; peers send a NUL all the same, and TLVs come with SMPP50. */
    case CMD_CANCEL_BROADCAST_SM | CMD_RESPONSE:
    case CMD_REPLACE_SM | CMD_RESPONSE:
    case CMD_CANCEL_SM | CMD_RESPONSE:
    case CMD_ENQUIRE_LINK | CMD_RESPONSE:
    case CMD_UNBIND | CMD_RESPONSE:
    case CMD_GENERIC_NACK:
        return LAYOUT_ID_RESP;
    default:
        return -1;
    }
}

/* Bytes of the string at `pos` with its NUL, or 0 after setting *status. */
static size_t string_at(const uint8_t *frame, size_t len, size_t pos, size_t longest, uint32_t too_long,
                        uint32_t *status)
{
    size_t left = len - pos;
    size_t within = left < longest ? left : longest;

    if (within > 0 && frame[pos] == 0)
        return 1;
    const uint8_t *nul = within > 0 ? memchr(frame + pos, 0, within) : NULL;
    if (nul == NULL) {
        *status = left > longest ? too_long : STATUS_RINVCMDLEN;
        return 0;
    }
    return (size_t)(nul - (frame + pos)) + 1;
}

static struct smpp_str view(const uint8_t *frame, size_t pos, size_t with_nul)
{
    return (struct smpp_str){ (const char *)frame + pos, with_nul - 1 };
}

/* The list at `pos` with its counter. Returns where it ends, or 0 after setting *status. */
static size_t dests_at(const uint8_t *frame, size_t len, size_t pos, struct smpp_dest *dests, struct smpp_pdu *pdu,
                       uint32_t *status)
{
    *status = STATUS_RINVNUMDESTS;
    if (frame[pos] == 0 || dests == NULL)
        return 0;
    pdu->dest_count = frame[pos++];
    pdu->dests = dests;
    for (size_t i = 0; i < pdu->dest_count; i++) {
        struct smpp_dest *d = &dests[i];

        *status = STATUS_RINVCMDLEN;
        *d = (struct smpp_dest){ 0 };
        if (pos == len)
            return 0;
        d->dest_flag = frame[pos++];
        if (d->dest_flag == 1) {
            if (len - pos < 2)
                return 0;
            d->address.ton = frame[pos++];
            d->address.npi = frame[pos++];
        } else if (d->dest_flag != 2) {
            *status = STATUS_RINVDESTFLAG;
            return 0;
        }
        size_t n = string_at(frame, len, pos, 21, d->dest_flag == 1 ? STATUS_RINVDSTADR : STATUS_RINVDLNAME, status);
        if (n == 0)
            return 0;
        d->address.addr = view(frame, pos, n);
        pos += n;
    }
    return pos;
}

static size_t unsuccess_at(const uint8_t *frame, size_t len, size_t pos, struct smpp_dest *dests, struct smpp_pdu *pdu,
                           uint32_t *status)
{
    size_t count = frame[pos++];

    *status = STATUS_RINVCMDLEN;
    for (size_t i = 0; i < count; i++) {
        struct smpp_dest d = { .dest_flag = 1 };

        if (len - pos < 2)
            return 0;
        d.address.ton = frame[pos];
        d.address.npi = frame[pos + 1];
        pos += 2;
        size_t n = string_at(frame, len, pos, 21, STATUS_RINVDSTADR, status);
        if (n == 0)
            return 0;
        d.address.addr = view(frame, pos, n);
        pos += n;
        if (len - pos < 4)
            return 0;
        struct reader r = reader_over(frame + pos, 4);
        d.status = read_u32(&r);
        pos += 4;
        if (dests != NULL)
            dests[i] = d;
    }
    if (dests != NULL) { /* without storage the outcome counts, the list is dropped */
        pdu->dest_count = count;
        pdu->dests = dests;
    }
    return pos;
}

uint32_t scan_body(const uint8_t *frame, size_t len, struct smpp_dest *dests, struct smpp_pdu *pdu, struct scan *out)
{
    int id = scan_layout_of(pdu->command_id);
    size_t pos = SMPP_HEADER_BYTES, n;
    uint32_t status = STATUS_RINVCMDLEN;

    if (id < 0)
        return STATUS_RINVCMDID;
    if ((pdu->command_id & CMD_RESPONSE) && len == SMPP_HEADER_BYTES)
        id = LAYOUT_HEADER;
    out->layout = (enum smpp_layout_id)id;
    pdu->has_body = id != LAYOUT_HEADER;

    const struct scan_layout *layout = &layouts[id];
    for (size_t i = 0; i < layout->count; i++) {
        const struct scan_field *f = &layout->fields[i];

        out->at[i] = (uint32_t)pos;
        if (f->kind == FIELD_STRING) {
            n = string_at(frame, len, pos, f->longest, f->status, &status);
            if (n == 0)
                return status;
            pos += n;
            continue;
        }
        if (pos == len)
            return STATUS_RINVCMDLEN;
        switch (f->kind) {
        case FIELD_TEXT:
            n = (size_t)frame[pos] + 1;
            if (frame[pos] > f->longest || n > len - pos)
                return f->status;
            pos += n;
            break;
        case FIELD_DESTS:
            pos = dests_at(frame, len, pos, dests, pdu, &status);
            if (pos == 0)
                return status;
            break;
        case FIELD_UNSUCCESS:
            pos = unsuccess_at(frame, len, pos, dests, pdu, &status);
            if (pos == 0)
                return status;
            break;
        default:
            pos++;
        }
    }
    out->at[layout->count] = (uint32_t)pos;
    if (pos == len)
        return STATUS_ROK;
    return layout->takes_tlvs ? tlv_scan((struct bytes){ frame + pos, len - pos }, pdu) : STATUS_RINVCMDLEN;
}
