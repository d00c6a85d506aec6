/* SPDX-License-Identifier: MIT */
/*
 * waitcall.c - wait_call.php for ESMEs [see waitcall.h].
 *
 * Status 0 is given only when the number to call is stored as a delivery for the ESME: what is promised comes, also
 * after a crash. Before that nothing is stored, so whatever goes wrong is one refused submit_sm.
 */
#include "gateway/waitcall.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/account_ask.h"
#include "gateway/face.h"

struct asked {
    struct gateway *gw;
    struct smpp_ticket ticket;
    struct message *m; /* the facts of the request, as read from its PDU */
};

static void asked_end(struct asked *asked, uint32_t status)
{
    answer_ticket(asked->gw, &asked->ticket, status, NULL);
    message_destroy(asked->m);
    free(asked);
}

/* [smsc-api 14, 18.6] */
static uint32_t status_for(const struct account_answer *answer)
{
    static const uint32_t of_error[10] = {
        [1] = STATUS_RINVDSTADR, [2] = STATUS_RSYSERR,     [3] = STATUS_RSUBMITFAIL, [4] = STATUS_RSYSERR,
        [5] = STATUS_RINVDSTADR, [6] = STATUS_RSUBMITFAIL, [9] = STATUS_RTHROTTLED,
    };

    if (answer->kind != SMSC_REPLY_ERROR)
        return STATUS_RSYSERR;
    uint32_t status = answer->error > 0 && answer->error < 10 ? of_error[answer->error] : 0;
    return status == 0 ? STATUS_RSUBMITFAIL : status;
}

static void on_stored(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie); /* pinned */
    struct account *account = account_by_number(gw, item->m->p.esme);
    char id[SMPP_ID_MAX + 1];

    if (err != 0) {
        item->m->p.state = MESSAGE_CLOSED; /* never stored */
        answer_ticket(gw, &item->ticket, err == ERR_FULL ? STATUS_RMSGQFUL : STATUS_RSYSERR, NULL);
    } else {
        account_id_text(account, item->m->public_id, id);
        answer_ticket(gw, &item->ticket, STATUS_ROK, id);
        account->meters.accepted->value += 1;
        item->answered = true;
        deliver_add(gw, account, cookie, false);
    }
    book_unpin(gw->book, item);
}

/* The number to call as a delivery from the subscriber to the ESME. */
static int store_number(const struct asked *asked, const char *number)
{
    struct gateway *gw = asked->gw;
    const struct message *from = asked->m;
    struct message facts = {
        .id = store_next_id(gw->store),
        .accepted_ms = clock_wall_ms(),
        .kind = MESSAGE_MO,
        .source_ton = from->dest_ton,
        .source_npi = from->dest_npi,
        .dest_ton = from->source_ton,
        .dest_npi = from->source_npi,
        .interface_version = from->interface_version,
        .source = from->dest,
        .dest = from->source,
        .text = { (char *)(uintptr_t)number, strlen(number) },
        .p = { .state = MESSAGE_DELIVERING,
               .receipt = RECEIPT_WAITING,
               .esme = from->p.esme,
               .upstream = from->p.upstream,
               .status = -100,
               .cost_e6 = -1 },
    };

    facts.p.id = facts.id;
    facts.public_id = submit_public_id(gw, &facts);
    struct message *m = facts.public_id == 0 ? NULL : message_create(&facts);
    struct item *item = m == NULL ? NULL : book_add_take(gw->book, m);
    if (item == NULL)
        return ERR_NOMEM;
    item->has_ticket = true;
    item->ticket = asked->ticket;
    int err = store_put(gw->store, item->m, STORE_PLAIN, (struct store_done){ on_stored, gw, item->m->id });
    if (err != 0) {
        item->m->p.state = MESSAGE_CLOSED;
        book_unpin(gw->book, item);
    }
    return err;
}

static void on_answer(void *owner, const struct account_answer *answer)
{
    struct asked *asked = owner;
    struct gateway *gw = asked->gw;
    cJSON *root = NULL;

    if (gw->stopped) { /* the sessions are gone */
        message_destroy(asked->m);
        free(asked);
        return;
    }
    if (answer->kind == SMSC_REPLY_OK)
        root = cJSON_Parse(buf_text(&answer->json));
    const char *number = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "phone"));
    if (number == NULL) {
        uint32_t status = status_for(answer);

        log_warn("no number to call", "sys=%s phone=%s reason=%s", account_by_number(gw, asked->m->p.esme)->system_id,
                 asked->m->dest.at, answer->words[0] != '\0' ? answer->words : "none in the reply");
        asked_end(asked, status);
    } else {
        int err = store_number(asked, number);

        if (err != 0) {
            asked_end(asked, err == ERR_FULL ? STATUS_RMSGQFUL : STATUS_RSYSERR);
        } else {
            message_destroy(asked->m);
            free(asked);
        }
    }
    cJSON_Delete(root);
}

bool waitcall_is_asked(const struct smpp_pdu *pdu)
{
    return smpp_str_is(pdu->sm.service_type, WAITCALL_SERVICE_TYPE);
}

uint32_t waitcall_handle(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                         const struct smpp_pdu *pdu)
{
    struct account *account = session->account;
    const struct account_method *method = account_method_named("wait-call");
    struct reading reading;
    struct message facts = { 0 };
    uint64_t wait_ms;
    char why[200];

    uint32_t status = submit_read(gw, account, session, pdu, &reading, &facts);
    if (status != STATUS_ROK)
        return status;
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL)
        return STATUS_RSYSERR;
    asked->gw = gw;
    asked->ticket = *ticket;
    asked->m = message_create(&facts);
    struct upstream *up = upstream_by_number(gw, facts.p.upstream);
    int err = asked->m == NULL ? ERR_NOMEM
                               : account_ask(up, method, &(struct smsc_param){ "phone", asked->m->dest.at }, 1,
                                             on_answer, asked, &wait_ms, why);
    if (err == 0)
        return SMPP_LATER;
    message_destroy(asked->m);
    free(asked);
    return err == ERR_SYNTAX                    ? STATUS_RINVDSTADR
           : err == ERR_BUSY || err == ERR_FULL ? STATUS_RTHROTTLED
                                                : STATUS_RSYSERR;
}
