/* SPDX-License-Identifier: MIT */
/*
 * manage.c - query_sm and replace_sm: what is known of a message taken before, and another text while it is still here.
 *
 * Both answer from the store, with what the book knows better, and only about the account's own messages. An id that is
 * none of ours is answered like one we have forgotten.
 */
#include "gateway/face.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/group.h"

struct manage { /* a request whose records are being read */
    struct gateway *gw;
    struct account *account;
    struct smpp_ticket ticket;
    uint8_t interface_version;
    char message_id[SMPP_ID_MAX + 1];
    /* replace_sm */
    char source[24];
    struct message *with; /* text, times and registered_delivery to put in */
    bool new_expiry, new_schedule;
    uint64_t id;
};

static void manage_end(struct manage *q, uint32_t status)
{
    answer_ticket(q->gw, &q->ticket, status, NULL);
    message_destroy(q->with);
    free(q);
}

static uint32_t begin(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                      const struct smpp_pdu *pdu, uint32_t unknown, struct manage **out, uint64_t *out_public_id)
{
    struct account *account = session->account;

    if (account->cfg == NULL)
        return STATUS_RSYSERR;
    if (!profile_id_read(pdu->message_id, out_public_id))
        return unknown;
    struct manage *q = calloc(1, sizeof *q);
    if (q == NULL)
        return STATUS_RSYSERR;
    *q = (struct manage){
        .gw = gw, .account = account, .ticket = *ticket, .interface_version = session->interface_version
    };
    snprintf(q->message_id, sizeof q->message_id, "%.*s", (int)pdu->message_id.len, pdu->message_id.at);
    *out = q;
    return STATUS_ROK;
}

/* --- query_sm ----------------------------------------------------------------------------------------------------- */

struct manage_state manage_state_of(struct message *const *records, size_t count, uint8_t version)
{
    struct manage_state s = { .message_state = SMPP_STATE_DELIVERED };
    bool open = false, waits = false;

    for (size_t i = 0; i < count; i++) {
        const struct progress *p = &records[i]->p;

        if (records[i]->kind != MESSAGE_MT)
            continue;
        if (p->final == 0) {
            waits = open ? waits && p->state == MESSAGE_SCHEDULED : p->state == MESSAGE_SCHEDULED;
            open = true;
            continue;
        }
        if (p->done_ms > s.final_ms)
            s.final_ms = p->done_ms;
        if (s.message_state == SMPP_STATE_DELIVERED && p->final != SMPP_STATE_DELIVERED) {
            s.message_state = p->final;
            s.error_code = p->err < 0 ? 0 : p->err > UINT8_MAX ? UINT8_MAX : (uint8_t)p->err;
        }
    }
    if (open) /* [SMPP50 4.7.15]: SCHEDULED is 0; in 3.4 such a message is on its way */
        s = (struct manage_state){ .message_state =
                                       waits && version >= 0x50 ? SMPP_STATE_SCHEDULED : SMPP_STATE_ENROUTE };
    return s;
}

/* The records that are the account's own messages, to the front. */
static size_t own(const struct account *account, struct message **records, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        struct message *m = records[i];

        if (m->kind == MESSAGE_MT && m->p.esme == account->number) {
            records[i] = records[found];
            records[found++] = m;
        }
    }
    return found;
}

static void on_query_records(void *owner, int err, struct message **records, size_t count)
{
    static struct smpp_pdu response;
    struct manage *q = owner;
    size_t found = own(q->account, records, count);
    char final_date[17];

    if (err != 0 || found == 0) {
        manage_end(q, STATUS_RQUERYFAIL);
        return;
    }
    struct manage_state s = manage_state_of(records, found, q->interface_version);
    memset(&response, 0, offsetof(struct smpp_pdu, tlvs));
    response.dests = NULL;
    response.has_body = true;
    response.message_id = smpp_str(q->message_id); /* as it was asked */
    response.message_state = s.message_state;
    response.error_code = s.error_code;
    if (s.final_ms != 0) {
        smpp_time_absolute(s.final_ms, final_date);
        response.final_date = smpp_str(final_date);
    }
    (void)answer_ticket_pdu(q->gw, &q->ticket, &response);
    free(q);
}

uint32_t manage_query(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                      const struct smpp_pdu *pdu)
{
    struct manage *q;
    uint64_t public_id;

    uint32_t status = begin(gw, ticket, session, pdu, STATUS_RQUERYFAIL, &q, &public_id);
    if (status != STATUS_ROK)
        return status;
    if (group_records(gw, public_id, on_query_records, q) != 0) {
        free(q);
        return STATUS_RSYSERR;
    }
    return SMPP_LATER;
}

/* --- replace_sm --------------------------------------------------------------------------------------------------- */

static void on_replaced(void *owner, uint64_t cookie, int err)
{
    struct manage *q = owner;
    struct gateway *gw = q->gw;
    struct item *item = book_find(gw->book, cookie); /* pinned */

    if (err == 0 && item->m->p.state == MESSAGE_SCHEDULED && q->new_schedule &&
        heap_push(&gw->due, item->m->p.due_ms, cookie) != 0)
        log_error("schedule kept only in the store until the next start", "msg=%llu", (unsigned long long)cookie);
    book_unpin(gw->book, item);
    manage_end(q, err == 0 ? STATUS_ROK : STATUS_RREPLACEFAIL);
}

/* Another version of the message, in the book and in the store. */
static int put_in_place(struct manage *q, struct item *item)
{
    struct gateway *gw = q->gw;
    struct message facts = *item->m;
    const struct message *with = q->with;

    facts.text = with->text;
    facts.binary = with->binary;
    facts.channel = with->channel;
    facts.esm_class = with->binary ? with->esm_class : facts.esm_class;
    facts.registered_delivery = with->registered_delivery;
    facts.p.receipt = with->p.receipt;
    if (q->new_expiry)
        facts.expires_ms = with->expires_ms;
    if (q->new_schedule && facts.p.state == MESSAGE_SCHEDULED)
        facts.p.due_ms = with->p.state == MESSAGE_SCHEDULED ? with->p.due_ms : clock_wall_ms();
    struct message *m = message_create(&facts);
    if (m == NULL)
        return ERR_NOMEM;
    int err = store_rewrite(gw->store, m, STORE_KEEP, (struct store_done){ 0 });
    if (err == 0) {
        err = store_move(gw->store, &m->p, STORE_KEEP, (struct store_done){ on_replaced, q, m->id });
        if (err != 0) /* refused: then the text stays, too */
            store_take_back(gw->store, 1);
    }
    if (err != 0) {
        message_destroy(m);
        return err;
    }
    book_pin(gw->book, item);
    book_replace_take(gw->book, item, m);
    return 0;
}

static void on_replace_item(void *owner, uint64_t cookie, int err)
{
    struct manage *q = owner;
    struct item *item = book_find(q->gw->book, q->id);

    UNUSED(cookie);
    /* the states in which it is still here and whole; a message still without its first commit has no id to ask by */
    bool here =
        err == 0 && item != NULL && (item->m->p.state == MESSAGE_QUEUED || item->m->p.state == MESSAGE_SCHEDULED);
    bool fits = here && (item->m->p.state == MESSAGE_SCHEDULED || !read_sm_needs_division(q->with));

    if (!fits || (q->source[0] != '\0' && strcmp(item->m->source.at, q->source) != 0)) {
        manage_end(q, STATUS_RREPLACEFAIL);
        return;
    }
    book_pin(q->gw->book, item);
    err = put_in_place(q, item);
    book_unpin(q->gw->book, item);
    if (err != 0)
        manage_end(q, STATUS_RREPLACEFAIL);
}

static void on_replace_records(void *owner, int err, struct message **records, size_t count)
{
    struct manage *q = owner;
    size_t found = own(q->account, records, count);

    if (err == 0 && found == 1) {
        q->id = records[0]->id;
        err = book_fetch(q->gw->book, &q->id, 1, on_replace_item, q, 0);
        if (err == 0)
            return;
    }
    manage_end(q, STATUS_RREPLACEFAIL);
}

uint32_t manage_replace(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                        const struct smpp_pdu *pdu)
{
    struct manage *q;
    struct reading reading;
    struct message facts = { 0 };
    struct smpp_pdu sm = *pdu;
    uint64_t public_id;

    uint32_t status = begin(gw, ticket, session, pdu, STATUS_RREPLACEFAIL, &q, &public_id);
    if (status != STATUS_ROK)
        return status;
    /* replace_sm has neither destination, data_coding nor esm_class: the alphabet of data_coding 0 is meant */
    sm.sm.dest.addr = sm.sm.source.addr.len > 0 ? sm.sm.source.addr : smpp_str("0");
    status = submit_read(gw, q->account, session, &sm, &reading, &facts);
    if (status == STATUS_ROK) {
        facts.dest.len = 0;
        q->new_expiry = pdu->sm.validity_period.len > 0;
        q->new_schedule = pdu->sm.schedule_delivery_time.len > 0;
        snprintf(q->source, sizeof q->source, "%.*s", (int)pdu->sm.source.addr.len,
                 pdu->sm.source.addr.len == 0 ? "" : pdu->sm.source.addr.at);
        q->with = message_create(&facts);
        status =
            q->with == NULL || group_records(gw, public_id, on_replace_records, q) != 0 ? STATUS_RSYSERR : SMPP_LATER;
    }
    if (status != SMPP_LATER) {
        message_destroy(q->with);
        free(q);
    }
    return status;
}
