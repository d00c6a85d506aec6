/* SPDX-License-Identifier: MIT */
/*
 * admin_submit.c - POST /v1/messages and DELETE: a message over HTTP the way an ESME would send or cancel it.
 *
 * The JSON becomes a PDU and goes to the same place as one from the network, with a ticket that belongs to no session;
 * answer.c brings the answer back here.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/admin.h"

enum { WAITING_MAX = 10000, TEXT_MAX = SMPP_PAYLOAD_MAX + 4 };
#define NO_SESSION UINT32_MAX

struct admin_waiting { /* a request that waits for the answer to its PDU */
    uint32_t sequence;
    struct http_exchange *exchange;
    bool cancel;
    char id[SMPP_ID_MAX + 1]; /* only if cancel */
    UT_hash_handle hh;
};

/* --- what a status means to somebody over HTTP -------------------------------------------------------------------- */

static const struct refusal {
    uint32_t status;
    int http;
    const char *hint;
} refusals[] = {
    { STATUS_RTHROTTLED, 429, "the account's rate is used up: send slower" },
    { STATUS_RMSGQFUL, 503, "too many messages of the account wait already (max_queued)" },
    { STATUS_RSYSERR, 503, "the gateway is stopping, its store cannot be written, or no upstream works (when_down)" },
    { STATUS_RINVDSTADR, 400, "\"to\" is no number, or no upstream carries it" },
    { STATUS_RINVSRCADR, 403, "\"from\" is none of the account's sources" },
    { STATUS_RINVMSGLEN, 400, "the text is too long" },
    { STATUS_RINVEXPIRY, 400, "validity_period is malformed or past" },
    { STATUS_RINVSCHED, 400, "schedule_delivery_time is malformed" },
    { STATUS_RINVESMCLASS, 400, "esm_class does not fit the message" },
    { STATUS_RINVMSGID, 404, "there is no such message" },
    { STATUS_RCANCELFAIL, 409, "it is on its way already, or final" },
    { STATUS_RINVCMDID, 501, "this gateway does not do that" },
};

static int http_status_of(uint32_t status)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].status == status)
            return refusals[i].http;
    }
    return 400;
}

const char *admin_status_hint(uint32_t status)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].status == status)
            return refusals[i].hint;
    }
    return "see the SMPP specification for this status";
}

static void refuse(struct http_exchange *exchange, uint32_t status)
{
    const char *name = smpp_status_name(status);
    char number[16];

    if (*name == '\0') {
        snprintf(number, sizeof number, "0x%08X", status);
        name = number;
    }
    admin_fail(exchange, http_status_of(status), name, admin_status_hint(status));
}

/* --- tickets ------------------------------------------------------------------------------------------------------ */

bool admin_is_ticket(const struct smpp_ticket *ticket)
{
    return ticket->session.slot == NO_SESSION;
}

static struct admin_waiting *wait_for(struct admin *admin, struct http_exchange *exchange, uint32_t command_id,
                                      struct smpp_ticket *out)
{
    struct admin_waiting *w = HASH_COUNT(admin->waiting) >= WAITING_MAX ? NULL : calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->sequence = ++admin->next_sequence;
    w->exchange = exchange;
    HASH_ADD(hh, admin->waiting, sequence, sizeof w->sequence, w);
    if (!TABLE_TOOK(w)) {
        free(w);
        return NULL;
    }
    *out = (struct smpp_ticket){ { NO_SESSION, 1 }, w->sequence, command_id };
    return w;
}

void admin_answered(struct gateway *gw, const struct smpp_ticket *ticket, uint32_t status, const char *message_id)
{
    struct admin *admin = gw->admin;
    struct admin_waiting *w = NULL;

    if (admin == NULL) /* stopping */
        return;
    HASH_FIND(hh, admin->waiting, &ticket->sequence_number, sizeof ticket->sequence_number, w);
    if (w == NULL)
        return;
    HASH_DEL(admin->waiting, w);
    if (status != STATUS_ROK) {
        refuse(w->exchange, status);
    } else {
        struct buf out;

        buf_init(&out, 512);
        buf_adds(&out, "{");
        admin_add_string(&out, "id", w->cancel ? w->id : message_id == NULL ? "" : message_id);
        buf_adds(&out, w->cancel ? ", \"cancelled\": true}\n" : "}\n");
        admin_reply(w->exchange, w->cancel ? 200 : 202, &out);
        buf_finish(&out);
    }
    free(w);
}

void admin_submit_finish(struct admin *admin)
{
    struct admin_waiting *w, *next;

    HASH_ITER(hh, admin->waiting, w, next)
    {
        HASH_DEL(admin->waiting, w);
        free(w); /* its exchange ends with the server */
    }
}

/* --- JSON to submit_sm -------------------------------------------------------------------------------------------- */

#define SM(m) offsetof(struct smpp_pdu, sm.m)
static const struct octet_field {
    const char *name;
    size_t offset;
} octets[] = {
    { "source_addr_ton", SM(source.ton) },
    { "source_addr_npi", SM(source.npi) },
    { "dest_addr_ton", SM(dest.ton) },
    { "dest_addr_npi", SM(dest.npi) },
    { "esm_class", SM(esm_class) },
    { "protocol_id", SM(protocol_id) },
    { "priority_flag", SM(priority_flag) },
    { "registered_delivery", SM(registered_delivery) },
    { "replace_if_present_flag", SM(replace_if_present_flag) },
    { "data_coding", SM(data_coding) },
    { "sm_default_msg_id", SM(sm_default_msg_id) },
};
static const struct string_field {
    const char *name;
    size_t offset, max;
} strings[] = {
    { "from", SM(source.addr), 20 },
    { "source_addr", SM(source.addr), 20 },
    { "to", SM(dest.addr), 63 },
    { "destination_addr", SM(dest.addr), 63 },
    { "service_type", SM(service_type), 5 },
    { "schedule_delivery_time", SM(schedule_delivery_time), 16 },
    { "validity_period", SM(validity_period), 16 },
};

static int bad(struct admin_sm *sm, const char *name, const char *what)
{
    snprintf(sm->hint, sizeof sm->hint, "%.30s %.160s", name, what);
    return ERR_SYNTAX;
}

static int read_octet(struct admin_sm *sm, const struct octet_field *field, const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 0);

    if (*text < '0' || *text > '9' || *end != '\0' || value > 255)
        return bad(sm, field->name, "is a number from 0 to 255");
    *((uint8_t *)&sm->pdu + field->offset) = (uint8_t)value;
    return 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static int read_hex(struct admin_sm *sm, const char *name, const char *text)
{
    for (; *text != '\0'; text += 2) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

        if (low < 0)
            return bad(sm, name, "is an even number of hexadecimal digits");
        buf_addc(&sm->text, (char)(high << 4 | low));
    }
    return 0;
}

/* One member of the JSON object. */
static int read_field(struct admin_sm *sm, const struct http_param *p)
{
    for (size_t i = 0; i < ARRAY_LEN(octets); i++) {
        if (strcmp(octets[i].name, p->name) == 0)
            return read_octet(sm, &octets[i], p->value);
    }
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        if (strcmp(strings[i].name, p->name) != 0)
            continue;
        if (p->len > strings[i].max || strlen(p->value) != p->len)
            return bad(sm, p->name, "is too long");
        *(struct smpp_str *)((char *)&sm->pdu + strings[i].offset) = (struct smpp_str){ p->value, p->len };
        return 0;
    }
    if (strcmp(p->name, "short_message_hex") == 0 || strcmp(p->name, "message_payload_hex") == 0)
        return read_hex(sm, p->name, p->value);
    if (strcmp(p->name, "system_id") == 0 || strcmp(p->name, "text") == 0)
        return 0;
    return bad(sm, p->name,
               "is no field of submit_sm; there are system_id, from, to, text, short_message_hex, "
               "data_coding, esm_class, registered_delivery, validity_period and their kin");
}

/* The text in the alphabet of data_coding; without one the account's own when it has every character, else UCS-2. */
static int read_text(struct admin_sm *sm, const struct http_params *params)
{
    const struct http_param *text = http_params_find(params, "text");
    const struct profile *profile = &sm->account->profile;

    if (text == NULL)
        return 0;
    if (sm->text.len > 0)
        return bad(sm, "text", "and short_message_hex exclude each other");
    if (http_params_get(params, "data_coding") == NULL) {
        if (smpp_text_from_utf8(profile->zero, text->value, text->len, &sm->text) == 0)
            return 0;
        buf_clear(&sm->text);
        sm->pdu.sm.data_coding = 8;
    }
    struct smpp_coding coding =
        smpp_coding_of(sm->pdu.sm.data_coding, profile->zero, profile->one, profile->four_is_text);
    if (coding.alphabet == ALPHABET_NONE)
        return bad(sm, "data_coding", "is binary: give short_message_hex");
    smpp_text_from_utf8(coding.alphabet, text->value, text->len, &sm->text);
    return 0;
}

static void default_types(struct admin_sm *sm, const struct http_params *params)
{
    struct smpp_addr *from = &sm->pdu.sm.source, *to = &sm->pdu.sm.dest;
    bool digits = from->addr.len > 0;

    for (size_t i = 0; i < from->addr.len; i++)
        digits =
            digits && ((from->addr.at[i] >= '0' && from->addr.at[i] <= '9') || (i == 0 && from->addr.at[i] == '+'));
    if (http_params_get(params, "source_addr_ton") == NULL && from->addr.len > 0) {
        from->ton = digits ? 1 : 5;
        from->npi = digits ? 1 : 0;
    }
    if (http_params_get(params, "dest_addr_ton") == NULL)
        to->ton = to->npi = 1;
}

int admin_sm_read(struct gateway *gw, const struct http_params *params, struct admin_sm *sm)
{
    const char *system_id = http_params_get(params, "system_id");
    int err = 0;

    memset(sm, 0, sizeof *sm);
    buf_init(&sm->text, TEXT_MAX);
    sm->pdu.command_id = CMD_SUBMIT_SM;
    sm->pdu.has_body = true;
    if (system_id == NULL)
        return bad(sm, "system_id", "is missing: the account the message is sent for");
    HASH_FIND_STR(gw->accounts, system_id, sm->account);
    if (sm->account == NULL || sm->account->cfg == NULL)
        return bad(sm, "system_id", "is none of the accounts");
    for (size_t i = 0; i < params->count && err == 0; i++)
        err = read_field(sm, &params->at[i]);
    if (err == 0 && sm->pdu.sm.dest.addr.len == 0)
        err = bad(sm, "to", "is missing: the number the message goes to");
    if (err == 0)
        err = read_text(sm, params);
    if (err != 0)
        return err;
    if (sm->text.failed)
        return bad(sm, "text", "is too long");
    default_types(sm, params);
    if (sm->text.len <= SMPP_SHORT_MESSAGE_MAX)
        sm->pdu.sm.short_message = (struct bytes){ (const uint8_t *)buf_text(&sm->text), sm->text.len };
    else
        smpp_tlv_add(&sm->pdu, TAG_MESSAGE_PAYLOAD, sm->text.data, (uint16_t)sm->text.len);
    return 0;
}

void admin_sm_finish(struct admin_sm *sm)
{
    buf_finish(&sm->text);
}

struct smpp_session_info admin_sm_session(const struct account *account, const char *peer)
{
    return (struct smpp_session_info){ .ref = { NO_SESSION, 1 },
                                       .account = (void *)(uintptr_t)account,
                                       .type = SMPP_BIND_TRX,
                                       .interface_version = 0x34,
                                       .system_id = account->system_id,
                                       .system_type = "",
                                       .address = peer };
}

/* --- handlers ----------------------------------------------------------------------------------------------------- */

/* Hands the PDU to the gateway as if it had come by a session. */
static void hand_in(struct admin_call *call, struct account *account, struct smpp_pdu *pdu, const char *cancel_id)
{
    struct smpp_session_info session = admin_sm_session(account, call->request->peer);
    struct smpp_ticket ticket;
    struct admin_waiting *w = wait_for(call->gw->admin, call->exchange, pdu->command_id, &ticket);

    if (w == NULL) {
        admin_fail(call->exchange, 503, "too many requests wait", "try again");
        return;
    }
    pdu->sequence_number = ticket.sequence_number;
    if (cancel_id != NULL) {
        w->cancel = true;
        snprintf(w->id, sizeof w->id, "%s", cancel_id);
    }
    uint32_t status = submit_on_request(call->gw, &ticket, &session, pdu);
    if (status != SMPP_LATER)
        admin_answered(call->gw, &ticket, status, "");
}

void admin_submit(struct admin_call *call)
{
    static struct admin_sm sm; /* loop thread only; a PDU is too large for the stack of a deep call */
    struct http_params params;

    http_params_init(&params);
    if (http_params_read_json(&params, call->request->body, call->request->body_len) != 0)
        admin_fail(call->exchange, 400, "the body is no flat JSON object",
                   "{\"system_id\": \"shop\", \"from\": \"Shop\", \"to\": \"79991234567\", \"text\": \"Hello\"}");
    else if (admin_sm_read(call->gw, &params, &sm) != 0)
        admin_fail(call->exchange, 400, "the message was not understood", sm.hint);
    else
        hand_in(call, sm.account, &sm.pdu, NULL);
    admin_sm_finish(&sm);
    http_params_finish(&params);
}

struct cancelling {
    struct gateway *gw;
    struct http_exchange *exchange;
    char id[SMPP_ID_MAX + 1];
};

/* cancel_sm must name the addresses: the message is looked up for them. */
static void on_cancel_found(void *owner, uint64_t cookie, int err, struct message **messages, size_t count,
                            uint64_t next)
{
    static struct smpp_pdu pdu;
    struct cancelling *c = owner;
    struct account *account = count == 0 ? NULL : account_by_number(c->gw, messages[0]->p.esme);

    UNUSED(cookie);
    UNUSED(next);
    if (err != 0) {
        admin_fail(c->exchange, 503, "the store is busy", "try again");
    } else if (account == NULL || c->gw->admin == NULL) {
        refuse(c->exchange, STATUS_RINVMSGID);
    } else {
        const struct message *m = messages[0];
        char id[SMPP_ID_MAX + 1];
        struct http_request_in request = { .peer = "http" };
        struct admin_call call = { .gw = c->gw, .exchange = c->exchange, .request = &request };

        account_id_text(account, m->public_id, id);
        pdu = (struct smpp_pdu){ .command_id = CMD_CANCEL_SM, .has_body = true, .message_id = smpp_str(id) };
        pdu.sm.source = (struct smpp_addr){ m->source_ton, m->source_npi, { m->source.at, m->source.len } };
        pdu.sm.dest = (struct smpp_addr){ m->dest_ton, m->dest_npi, { m->dest.at, m->dest.len } };
        hand_in(&call, account, &pdu, c->id);
    }
    for (size_t i = 0; i < count; i++)
        message_destroy(messages[i]);
    free(c);
}

void admin_cancel(struct admin_call *call)
{
    struct cancelling *c = calloc(1, sizeof *c);
    struct store_query q = { .limit = 1 };

    if (c != NULL && strlen(call->arg[0]) <= SMPP_ID_MAX && profile_id_read(smpp_str(call->arg[0]), &q.public_id)) {
        c->gw = call->gw;
        c->exchange = call->exchange;
        snprintf(c->id, sizeof c->id, "%.*s", SMPP_ID_MAX, call->arg[0]);
        if (store_find(call->gw->store, &q, on_cancel_found, c, 0) == 0)
            return;
    }
    free(c);
    refuse(call->exchange, STATUS_RINVMSGID);
}
