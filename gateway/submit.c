/* SPDX-License-Identifier: MIT */
/*
 * submit.c - a submit_sm becomes a message: read (read_sm.c), made durable, answered. Here too: who handles which request.
 *
 * All messages of one loop turn go to the store together at its end (submit_flush), after the upstreams have had a look
 * at them: what can be sent at once is stored as being sent already, so one commit serves the promise to the ESME and
 * the claim of the request. The answer is given by on_stored, never earlier.
 */
#include "gateway/face.h"
#include "gateway/group.h"
#include "gateway/join.h"
#include "gateway/pace.h"
#include "gateway/waitcall.h"

#include <stdlib.h>
#include <string.h>

static const struct cfg_pair *tlv_map_of(const struct upstream *up)
{
    return up == NULL || up->cfg == NULL || up->cfg->tlv_map == NULL || up->cfg->tlv_map->name == NULL
               ? NULL
               : up->cfg->tlv_map;
}

/* Facts from the PDU; the status to answer with when it cannot be taken. */
uint32_t submit_read(struct gateway *gw, struct account *account, const struct smpp_session_info *session,
                     const struct smpp_pdu *pdu, struct reading *r, struct message *m)
{
    struct upstream *up = route_upstream(gw, account, m);

    *r = (struct reading){
        .cfg = account->cfg,
        .profile = &account->profile,
        .tlv_map = tlv_map_of(up),
        .system_type = session->system_type,
        .interface_version = session->interface_version,
        .now_ms = era_wall_ms(gw),
        .text = &gw->scratch,
        .rest = &gw->body,
    };
    uint32_t status = read_sm(r, pdu, m);
    if (gw->config->route_count > 0 && status == STATUS_ROK) {
        up = route_upstream(gw, account, m); /* now that its addresses are known */
        if (tlv_map_of(up) != r->tlv_map) {
            r->tlv_map = tlv_map_of(up);
            status = read_sm(r, pdu, m);
        }
    }
    if (r->replaced > 0) {
        metric_cell(gw->meters.trouble, METRIC_VALUES("unmappable_character"))->value += (double)r->replaced;
        log_debug("characters without a place in the text", "sys=%s count=%zu data_coding=%u", account->system_id,
                  r->replaced, pdu->sm.data_coding);
    }
    m->p.esme = account->number;
    if (status == STATUS_ROK && up == NULL)
        status = STATUS_RINVDSTADR;
    if (status == STATUS_ROK)
        m->p.upstream = up->number;
    return status;
}

uint32_t submit_way(struct gateway *gw, const struct account *account, const struct message *m)
{
    struct upstream *up = upstream_by_number(gw, m->p.upstream);

    if (account->cfg->when_down != CFG_DOWN_REFUSE || m->p.state == MESSAGE_SCHEDULED)
        return STATUS_ROK;
    if (m->p.state == MESSAGE_PART && m->part_number != 1)
        return STATUS_ROK; /* its first part was taken: a set is never half refused */
    if (!upstream_is_down(up))
        return STATUS_ROK;
    return up->pause == PAUSE_MONEY ? STATUS_RSUBMITFAIL : STATUS_RSYSERR;
}

uint64_t submit_public_id(struct gateway *gw, const struct message *m)
{
    const struct account *account = account_by_number(gw, m->p.esme);

    return profile_wants_short_id(&account->profile, m->interface_version) ? shortid_next(gw) : m->id;
}

void submit_answer(struct gateway *gw, struct item *item, uint32_t status)
{
    char id[SMPP_ID_MAX + 1];

    if (!item->has_ticket || item->answered || item->in_set)
        return;
    item->answered = true;
    account_id_text(account_by_number(gw, item->m->p.esme), item->m->public_id, id);
    answer_ticket(gw, &item->ticket, status, status == STATUS_ROK ? id : NULL);
    trail_add(gw->watch.trail, item->m->id, TRAIL_ANSWERED, 0, status);
    if (item->taken_ns != 0)
        watch_answered(gw, item->taken_ns);
}

/* What a message that does not go straight into its queue waits for. */
static void go_on(struct gateway *gw, const struct account *account, struct item *item)
{
    switch ((enum message_state)item->m->p.state) {
    case MESSAGE_SCHEDULED:
        if (heap_push(&gw->due, item->m->p.due_ms, item->m->id) != 0)
            log_error("schedule kept only in the store until the next start", "sys=%s msg=%llu", account->system_id,
                      (unsigned long long)item->m->id);
        break;
    case MESSAGE_PART:
        join_stored(gw, item);
        break;
    case MESSAGE_DIVIDED:
        divide_start(gw, item);
        break;
    default:
        break;
    }
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
        submit_answer(gw, item, err == ERR_FULL ? STATUS_RMSGQFUL : STATUS_RSYSERR);
        account->queued--;
        account->meters.refused->value += 1;
        if (quota_has(account->cfg))
            quota_count(account, -(int64_t)read_sm_parts(item->m));
        item->m->p.state = MESSAGE_CLOSED; /* was never taken: queues and sends pass over it */
    } else {
        trail_add(gw->watch.trail, item->m->id, TRAIL_STORED, 0, 0);
        if (!pace_hold(gw, item))
            submit_answer(gw, item, STATUS_ROK);
        account->meters.accepted->value += 1;
    }
    if (item->in_set)
        multi_stored(gw, item, err);
    if (err == 0)
        go_on(gw, account, item);
    book_unpin(gw->book, item);
}

static int fresh_add(struct gateway *gw, struct item *item)
{
    if (!array_room(&gw->fresh, &gw->fresh_size, gw->fresh_count, sizeof(struct item *)))
        return ERR_NOMEM;
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
        item->taken_ns = clock_mono_ns();
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
    if (m->kind == MESSAGE_MT && quota_has(account->cfg))
        quota_count(account, (int64_t)read_sm_parts(m));
    return 0;
}

void submit_flush(struct gateway *gw)
{
    for (size_t i = 0; i < gw->fresh_count; i++) {
        struct item *item = gw->fresh[i];
        item->put_upid = item->m->p.upid;
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
    struct reading reading;
    struct message facts = { 0 };
    uint64_t until_ms = 0;

    if (waitcall_is_asked(pdu))
        return waitcall_handle(gw, ticket, session, pdu);
    if (account->queued >= account->cfg->max_queued)
        return STATUS_RMSGQFUL;
    uint32_t status = submit_read(gw, account, session, pdu, &reading, &facts);
    if (status == STATUS_ROK)
        status = submit_way(gw, account, &facts);
    if (status != STATUS_ROK)
        return status;
    /* a joined long message counts once, with its first part */
    uint64_t sms = quota_has(account->cfg) ? read_sm_parts(&facts) : 0;
    if (!quota_admits(account, sms, &status))
        return status;
    if (!(facts.p.state == MESSAGE_PART && facts.part_number != 1) && !pace_admit(account, 1, &until_ms))
        return STATUS_RTHROTTLED;
    facts.id = facts.p.id = store_next_id(gw->store);
    facts.public_id = submit_public_id(gw, &facts);
    if (facts.public_id == 0)
        return STATUS_RSYSERR;
    struct message *m = message_create(&facts);
    if (m == NULL || submit_take(gw, m, ticket) != 0)
        return STATUS_RSYSERR;
    if (until_ms != 0)
        book_find(gw->book, facts.id)->answer_at_ms = until_ms;
    trail_add(gw->watch.trail, facts.id, TRAIL_RECEIVED, session->n, pdu->sequence_number);
    return SMPP_LATER;
}

typedef uint32_t request_fn(struct gateway *gw, const struct smpp_ticket *ticket,
                            const struct smpp_session_info *session, const struct smpp_pdu *pdu);

/* What an ESME may ask for; anything else, the broadcasts of 5.0 too, is answered RINVCMDID in its own response. */
static const struct {
    uint32_t command_id;
    request_fn *handle;
    bool takes_message;
} requests[] = {
    { CMD_SUBMIT_SM, handle_submit, true },   { CMD_DATA_SM, handle_submit, true },
    { CMD_SUBMIT_MULTI, multi_handle, true }, { CMD_QUERY_SM, manage_query, false },
    { CMD_CANCEL_SM, cancel_handle, false },  { CMD_REPLACE_SM, manage_replace, false },
};

uint32_t submit_on_request(void *owner, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                           const struct smpp_pdu *pdu)
{
    struct gateway *gw = owner;
    struct account *account = session->account;

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        if (requests[i].command_id != pdu->command_id)
            continue;
        uint32_t status = STATUS_RSYSERR;
        if (account->cfg != NULL && (!requests[i].takes_message || !gw->draining || gw->handing_over))
            status = requests[i].handle(gw, ticket, session, pdu);
        if (status != SMPP_LATER && status != STATUS_ROK)
            account->meters.refused->value += 1;
        return status;
    }
    return STATUS_RINVCMDID;
}
