/* SPDX-License-Identifier: MIT */
/*
 * submit.c - a submit_sm becomes a message: checked, translated to UTF-8, made durable, answered.
 *
 * All messages of one loop turn go to the store together at its end (submit_flush), after the upstreams have had a look
 * at them: what can be sent at once is stored as being sent already, so one commit serves the promise to the ESME and
 * the claim of the request. The answer is given by on_stored, never earlier.
 */
#include "gateway/internal.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_CHARS_MAX = 1000 /* [API send, mes] */, FRESH_FIRST = 256 };

/* Where a message stands between the PDU and the struct: views into the PDU and into gw->scratch. */
static uint32_t read_text(struct gateway *gw, const struct account *account, const struct smpp_pdu *pdu,
                          struct message *m)
{
    struct bytes text = smpp_sm_text(pdu);
    struct smpp_coding coding =
        smpp_coding_of(pdu->sm.data_coding, smpp_alphabet_named(account->cfg->alphabet), ALPHABET_ASCII, false);

    m->channel = coding.flash ? SMSC_FLASH : SMSC_SMS;
    if (coding.alphabet == ALPHABET_NONE || (pdu->sm.esm_class & ESM_UDHI) != 0) {
        m->binary = true;
        m->channel = SMSC_BINARY;
        m->text = (struct message_text){ (char *)(uintptr_t)text.at, text.len };
        return STATUS_ROK;
    }
    buf_clear(&gw->scratch);
    smpp_text_to_utf8(coding.alphabet, text.at, text.len, &gw->scratch);
    if (gw->scratch.failed)
        return STATUS_RSYSERR;
    if (smpp_utf8_chars(buf_text(&gw->scratch), gw->scratch.len) > TEXT_CHARS_MAX)
        return STATUS_RINVMSGLEN;
    m->text = (struct message_text){ gw->scratch.data, gw->scratch.len };
    return STATUS_ROK;
}

static struct message_text text_of(struct smpp_str s)
{
    return (struct message_text){ (char *)(uintptr_t)s.at, s.len };
}

/* Facts from the PDU; the status to answer with when it cannot be taken. */
static uint32_t read_facts(struct gateway *gw, struct account *account, const struct smpp_session_info *session,
                           const struct smpp_pdu *pdu, struct message *m)
{
    int64_t now_ms = clock_wall_ms();
    int64_t schedule_ms;

    *m = (struct message){
        .accepted_ms = now_ms,
        .kind = MESSAGE_MT,
        .source_ton = pdu->sm.source.ton,
        .source_npi = pdu->sm.source.npi,
        .dest_ton = pdu->sm.dest.ton,
        .dest_npi = pdu->sm.dest.npi,
        .esm_class = pdu->sm.esm_class,
        .protocol_id = pdu->sm.protocol_id,
        .priority_flag = pdu->sm.priority_flag,
        .registered_delivery = pdu->sm.registered_delivery,
        .data_coding = pdu->sm.data_coding,
        .interface_version = session == NULL ? 0x34 : session->interface_version,
        .source = text_of(pdu->sm.source.addr),
        .dest = text_of(pdu->sm.dest.addr),
        .service_type = text_of(pdu->sm.service_type),
        .p = { .state = MESSAGE_QUEUED,
               .esme = account->number,
               .urgent = pdu->sm.priority_flag > 0,
               .status = -100,
               .cost_e6 = -1 },
    };
    if (pdu->sm.dest.addr.len == 0)
        return STATUS_RINVDSTADR;
    if (smpp_time_read(pdu->sm.validity_period, now_ms, &m->expires_ms) != 0 ||
        (m->expires_ms != 0 && m->expires_ms <= now_ms))
        return STATUS_RINVEXPIRY;
    if (smpp_time_read(pdu->sm.schedule_delivery_time, now_ms, &schedule_ms) != 0)
        return STATUS_RINVSCHED;
    if (schedule_ms > now_ms) {
        m->p.state = MESSAGE_SCHEDULED;
        m->p.due_ms = schedule_ms;
    }
    if ((pdu->sm.registered_delivery & REG_RECEIPT_MASK) != 0)
        m->p.receipt = RECEIPT_WAITING;
    return read_text(gw, account, pdu, m);
}

static void answer(struct gateway *gw, struct item *item, uint32_t status)
{
    char id[SMPP_ID_MAX + 1];

    if (!item->has_ticket || item->answered)
        return;
    item->answered = true;
    account_id_text(account_by_number(gw, item->m->p.esme), item->m->public_id, id);
    smpp_answer(gw->smpp, &item->ticket, status, status == STATUS_ROK ? id : NULL);
}

/* The message is durable, or could not be made so. */
static void on_stored(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie);

    if (item == NULL)
        return;
    struct account *account = account_by_number(gw, item->m->p.esme);
    item->fresh = false;
    if (err != 0) {
        answer(gw, item, err == ERR_FULL ? STATUS_RMSGQFUL : STATUS_RSYSERR);
        account->queued--;
        account->meters.refused->value += 1;
        item->m->p.state = MESSAGE_CLOSED; /* was never taken: queues and sends pass over it */
    } else {
        answer(gw, item, STATUS_ROK);
        account->meters.accepted->value += 1;
        if (item->m->p.state == MESSAGE_SCHEDULED && heap_push(&gw->due, item->m->p.due_ms, item->m->id) != 0)
            log_error("schedule kept only in the store until the next start", "sys=%s msg=%llu", account->system_id,
                      (unsigned long long)item->m->id);
    }
    book_unpin(gw->book, item);
}

static int fresh_add(struct gateway *gw, struct item *item)
{
    if (gw->fresh_count == gw->fresh_size) {
        size_t size = gw->fresh_size == 0 ? FRESH_FIRST : gw->fresh_size * 2;
        struct item **fresh = realloc(gw->fresh, size * sizeof(struct item *));

        if (fresh == NULL)
            return ERR_NOMEM;
        gw->fresh = fresh;
        gw->fresh_size = size;
    }
    gw->fresh[gw->fresh_count++] = item;
    return 0;
}

int submit_take(struct gateway *gw, struct message *m, const struct smpp_ticket *ticket)
{
    struct account *account = account_by_number(gw, m->p.esme);
    struct upstream *up = upstream_by_number(gw, m->p.upstream);
    struct item *item = book_add_take(gw->book, m);

    if (item == NULL)
        return ERR_NOMEM;
    item->fresh = true;
    if (ticket != NULL) {
        item->has_ticket = true;
        item->answered = false;
        item->ticket = *ticket;
    }
    int err = fresh_add(gw, item);
    if (err == 0 && m->p.state == MESSAGE_QUEUED)
        err = queue_add(gw, account, up, m->p.urgent, m->id, false);
    if (err != 0) {
        if (gw->fresh_count > 0 && gw->fresh[gw->fresh_count - 1] == item)
            gw->fresh_count--;
        m->p.state = MESSAGE_CLOSED;
        book_unpin(gw->book, item);
        return err;
    }
    account->queued++;
    return 0;
}

void submit_flush(struct gateway *gw)
{
    for (size_t i = 0; i < gw->fresh_count; i++) {
        struct item *item = gw->fresh[i];
        int err = store_put(gw->store, item->m, STORE_PLAIN, (struct store_done){ on_stored, gw, item->m->id });

        if (err != 0)
            on_stored(gw, item->m->id, err);
    }
    gw->fresh_count = 0;
}

static uint32_t handle_submit(struct gateway *gw, const struct smpp_ticket *ticket,
                              const struct smpp_session_info *session, const struct smpp_pdu *pdu)
{
    struct account *account = session->account;
    struct message facts;

    if (account->cfg == NULL || gw->draining || !store_healthy(gw->store))
        return STATUS_RSYSERR;
    if (account->queued >= account->cfg->max_queued)
        return STATUS_RMSGQFUL;
    uint32_t status = read_facts(gw, account, session, pdu, &facts);
    if (status != STATUS_ROK)
        return status;
    struct upstream *up = route_upstream(gw, account, &facts);
    if (up == NULL)
        return STATUS_RINVDSTADR;
    facts.p.upstream = up->number;
    facts.id = store_next_id(gw->store);
    facts.public_id = facts.p.id = facts.id;
    struct message *m = message_create(&facts);
    if (m == NULL || submit_take(gw, m, ticket) != 0)
        return STATUS_RSYSERR;
    return SMPP_LATER;
}

uint32_t submit_on_request(void *owner, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                           const struct smpp_pdu *pdu)
{
    struct gateway *gw = owner;
    struct account *account = session->account;
    uint32_t status;

    switch (pdu->command_id) {
    case CMD_SUBMIT_SM:
    case CMD_DATA_SM:
        status = handle_submit(gw, ticket, session, pdu);
        break;
    default:
        status = STATUS_RINVCMDID;
        break;
    }
    if (status != SMPP_LATER && status != STATUS_ROK)
        account->meters.refused->value += 1;
    return status;
}
