/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c - one row per request a peer may send us [SMPP34 2.3, 2.8].
 *
 * A row says where the request is legal and who handles it; those checks exist nowhere else. They come before decoding,
 * so a request in the wrong state costs a table look-up. Every request leaves here answered once, or with SMPP_LATER from
 * the owner, who answers by ticket.
 */
#include "smpp/internal.h"

#include "base/bytes.h"

#define IN(st)    (1u << ST_##st)
#define ANY_BOUND (IN(BOUND_TX) | IN(BOUND_RX) | IN(BOUND_TRX))
#define SENDERS   (IN(BOUND_TX) | IN(BOUND_TRX))
#define CLOSING   (IN(UNBINDING) | IN(FINISHING))

enum { STRIKES_MAX = 5 };

enum kind {
    KIND_BARE,    /* its body, if any, is not looked at */
    KIND_DECODED, /* handled with its fields */
    KIND_MESSAGE, /* the same, counted in the peer's window */
    KIND_SILENT   /* has no response in the protocol */
};

static const struct rule {
    uint32_t command_id;
    uint32_t legal_in; /* set of IN(state); 0: never legal toward us */
    enum kind kind;
    uint32_t (*handle)(struct smpp_session *s, const struct smpp_pdu *pdu);
} rules[] = {
    /* The most frequent first: the table is searched in order. */
    { CMD_SUBMIT_SM, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_ENQUIRE_LINK, IN(OPEN) | ANY_BOUND | CLOSING, KIND_BARE, smpp_handle_enquire_link }, /* OPEN: SMPP50 2.4 */
    { CMD_DATA_SM, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_SUBMIT_MULTI, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_QUERY_SM, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_CANCEL_SM, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_REPLACE_SM, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_BIND_TRANSMITTER, IN(OPEN), KIND_DECODED, smpp_handle_bind },
    { CMD_BIND_RECEIVER, IN(OPEN), KIND_DECODED, smpp_handle_bind },
    { CMD_BIND_TRANSCEIVER, IN(OPEN), KIND_DECODED, smpp_handle_bind },
    { CMD_UNBIND, ANY_BOUND | CLOSING, KIND_BARE, smpp_handle_unbind },
    { CMD_BROADCAST_SM, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_QUERY_BROADCAST_SM, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_CANCEL_BROADCAST_SM, SENDERS, KIND_MESSAGE, smpp_handle_message },
    { CMD_OUTBIND, IN(OPEN), KIND_SILENT, smpp_handle_outbind },
    { CMD_DELIVER_SM, 0, KIND_DECODED, NULL },
    { CMD_ALERT_NOTIFICATION, 0, KIND_SILENT, NULL },
};

static const struct rule *rule_find(uint32_t command_id)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i].command_id == command_id)
            return &rules[i];
    }
    return NULL;
}

static bool is_bind(uint32_t command_id)
{
    return command_id == CMD_BIND_TRANSMITTER || command_id == CMD_BIND_RECEIVER || command_id == CMD_BIND_TRANSCEIVER;
}

static bool is_legal(const struct smpp_session *s, const struct rule *rule)
{
    if ((rule->legal_in & (1u << s->state)) != 0)
        return true;
    /* sent before the peer has seen our unbind: whoever hands over to the next process takes that too */
    return s->state == ST_UNBINDING && s->server->takes_last && rule->kind == KIND_MESSAGE &&
           s->info.type != SMPP_BIND_RX;
}

/* A request that may not be made now. */
static uint32_t refusal(const struct smpp_session *s, const struct rule *rule)
{
    if (is_bind(rule->command_id))
        return STATUS_RALYBND;
    if (rule->kind == KIND_MESSAGE && ((1u << s->state) & CLOSING) != 0)
        return STATUS_RSYSERR; /* we are closing: ESMEs repeat after this one and give up on RINVBNDSTS */
    return STATUS_RINVBNDSTS;
}

/* Not bound and talking nonsense: a few answers, then the end. */
static void strike(struct smpp_session *s)
{
    if (s->state == ST_OPEN && ++s->strikes >= STRIKES_MAX)
        smpp_session_hang_up(s, "no bind");
}

static void nack(struct smpp_session *s, uint32_t sequence_number, uint32_t status)
{
    smpp_session_put(s, CMD_GENERIC_NACK, status, sequence_number, NULL);
}

static void refuse(struct smpp_session *s, const struct rule *rule, uint32_t sequence_number, uint32_t status)
{
    if (rule->kind == KIND_SILENT)
        nack(s, sequence_number, status);
    else
        smpp_session_put(s, rule->command_id | CMD_RESPONSE, status, sequence_number, NULL);
    strike(s);
}

static void handle(struct smpp_session *s, const struct rule *rule, const struct smpp_pdu *pdu)
{
    uint32_t status = rule->handle(s, pdu);

    if (status != SMPP_LATER && s->state != ST_CLOSED)
        smpp_session_put(s, rule->command_id | CMD_RESPONSE, status, pdu->sequence_number, NULL);
}

static void open_and_handle(struct smpp_session *s, const struct rule *rule, const uint8_t *frame, size_t len,
                            uint32_t sequence_number)
{
    struct smpp_pdu pdu;
    uint32_t status = STATUS_RSYSERR;

    switch (smpp_pdu_open(frame, len, s->server->dests, &pdu, &status)) {
    case SMPP_OPEN_OK:
        handle(s, rule, &pdu);
        break;
    case SMPP_OPEN_REJECT:
        smpp_session_trouble(s, "malformed PDU");
        if (s->state != ST_CLOSED)
            refuse(s, rule, sequence_number, status);
        break;
    case SMPP_OPEN_FATAL:
        nack(s, sequence_number, STATUS_RINVCMDLEN);
        smpp_session_hang_up(s, "malformed PDU");
        break;
    }
}

void smpp_dispatch(struct smpp_session *s, const uint8_t *frame, size_t len)
{
    struct reader r = reader_over(frame, len);
    struct smpp_pdu header;

    /* Only these fields: clearing the whole struct would cost more than the rest of this function. */
    header.command_length = read_u32(&r);
    header.command_id = read_u32(&r);
    header.command_status = read_u32(&r);
    header.sequence_number = read_u32(&r);

    if (s->state == ST_LINGER || s->state == ST_CLOSED)
        return; /* we have said our last word */
    if (header.command_id & CMD_RESPONSE) {
        smpp_handle_response(s, &header);
        return;
    }

    const struct rule *rule = rule_find(header.command_id);

    if (rule == NULL) {
        smpp_session_trouble(s, "unknown command");
        if (s->state != ST_CLOSED) {
            nack(s, header.sequence_number, STATUS_RINVCMDID);
            strike(s);
        }
    } else if (!is_legal(s, rule)) {
        refuse(s, rule, header.sequence_number, refusal(s, rule));
    } else if (rule->kind == KIND_MESSAGE && s->in_count >= s->in_limit) {
        refuse(s, rule, header.sequence_number, STATUS_RMSGQFUL);
    } else if (rule->kind == KIND_BARE || rule->kind == KIND_SILENT) {
        handle(s, rule, &header);
    } else {
        open_and_handle(s, rule, frame, len, header.sequence_number);
    }
}
