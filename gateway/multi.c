/* SPDX-License-Identifier: MIT */
/*
 * multi.c - submit_multi: one record per destination, one id for the set, one answer when the last is durable.
 *
 * Destinations that cannot be taken are named in unsuccess_sme; only when none can does the whole request fail. The id
 * of the set is that of its first record; each record gets its own receipt under it.
 */
#include "gateway/face.h"
#include "gateway/pace.h"

#include <stdlib.h>
#include <string.h>

struct refused {
    struct smpp_dest dest;
    char addr[24];
};

struct multi { /* a set that waits for its answer */
    uint64_t public_id;
    struct smpp_ticket ticket;
    struct account *account;
    size_t waiting, taken, refused_count, id_count;
    struct refused *refused;
    uint64_t *ids; /* of the records taken, pinned until the answer */
    UT_hash_handle hh;
};

static void multi_drop(struct gateway *gw, struct multi *multi, bool listed)
{
    if (listed)
        HASH_DEL(gw->multis, multi);
    free(multi->refused);
    free(multi->ids);
    free(multi);
}

void multi_finish(struct gateway *gw)
{
    struct multi *multi, *next;

    HASH_ITER(hh, gw->multis, multi, next)
    {
        multi_drop(gw, multi, true);
    }
}

static void refuse(struct multi *multi, const struct smpp_dest *dest, uint32_t status)
{
    struct refused *r = &multi->refused[multi->refused_count++];

    r->dest = *dest;
    r->dest.status = status;
    if (r->dest.address.addr.len > sizeof r->addr)
        r->dest.address.addr.len = sizeof r->addr;
    if (r->dest.address.addr.len > 0)
        memcpy(r->addr, dest->address.addr.at, r->dest.address.addr.len);
    r->dest.address.addr.at = r->addr;
}

static void answer(struct gateway *gw, struct multi *multi)
{
    static struct smpp_pdu response; /* loop thread only; too large for a deep stack */
    struct smpp_dest dests[SMPP_DESTS_MAX];
    char id[SMPP_ID_MAX + 1];

    account_id_text(multi->account, multi->public_id, id);
    memset(&response, 0, offsetof(struct smpp_pdu, tlvs));
    response.dests = dests;
    if (multi->taken == 0) {
        response.command_status = multi->refused[0].dest.status;
    } else {
        response.has_body = true;
        response.message_id = smpp_str(id);
        response.dest_count = multi->refused_count;
        for (size_t i = 0; i < multi->refused_count; i++)
            dests[i] = multi->refused[i].dest;
    }
    int err = answer_ticket_pdu(gw, &multi->ticket, &response);
    if (err != 0 && err != ERR_GONE)
        log_error("submit_multi not answered", "sys=%s error=%s", multi->account->system_id, err_name(err));
    for (size_t i = 0; i < multi->id_count; i++) {
        struct item *item = book_find(gw->book, multi->ids[i]);

        if (item == NULL)
            continue;
        item->answered = true;
        book_unpin(gw->book, item);
    }
    multi_drop(gw, multi, true);
}

void multi_stored(struct gateway *gw, struct item *item, int err)
{
    struct multi *multi;

    HASH_FIND(hh, gw->multis, &item->m->public_id, sizeof(uint64_t), multi);
    if (multi == NULL)
        return;
    if (err == 0) {
        multi->taken++;
    } else {
        struct smpp_dest dest = { 1,
                                  { item->m->dest_ton, item->m->dest_npi, { item->m->dest.at, item->m->dest.len } },
                                  0 };

        refuse(multi, &dest, err == ERR_FULL ? STATUS_RMSGQFUL : STATUS_RSYSERR);
    }
    if (--multi->waiting == 0)
        answer(gw, multi);
}

/* One destination: a record in this turn's batch, or the status it is refused with. */
static uint32_t take(struct gateway *gw, struct multi *multi, struct reading *reading, const struct message *shared,
                     const struct smpp_dest *dest)
{
    struct message facts = *shared;

    if (dest->dest_flag != 1)
        return STATUS_RINVDLNAME; /* no distribution lists here */
    uint32_t status = read_sm_dest(reading, &dest->address, &facts);
    if (status != STATUS_ROK)
        return status;
    if (gw->config->route_count > 0) { /* the set's own route was looked up without a destination */
        const struct upstream *up = route_upstream(gw, multi->account, &facts);

        if (up == NULL)
            return STATUS_RINVDSTADR;
        facts.p.upstream = up->number;
    }
    status = submit_way(gw, multi->account, &facts);
    if (status != STATUS_ROK)
        return status;
    facts.id = facts.p.id = multi->id_count == 0 ? shared->id : store_next_id(gw->store);
    facts.public_id = multi->public_id;
    struct message *m = message_create(&facts);
    if (m == NULL || submit_take(gw, m, &multi->ticket) != 0)
        return STATUS_RSYSERR;
    struct item *item = book_find(gw->book, facts.id);
    item->in_set = true;
    book_pin(gw->book, item);
    multi->ids[multi->id_count++] = facts.id;
    multi->waiting++;
    return STATUS_ROK;
}

uint32_t multi_handle(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                      const struct smpp_pdu *pdu)
{
    struct account *account = session->account;
    struct reading reading;
    struct message shared = { 0 };

    if (pdu->dest_count == 0 || pdu->dests == NULL)
        return STATUS_RINVNUMDESTS;
    if (account->queued + pdu->dest_count > account->cfg->max_queued)
        return STATUS_RMSGQFUL;
    uint32_t status = submit_read(gw, account, session, pdu, &reading, &shared);
    if (status != STATUS_ROK)
        return status;
    uint64_t sms = quota_has(account->cfg) ? read_sm_parts(&shared) * pdu->dest_count : 0;
    if (!quota_admits(account, sms, &status))
        return status;
    uint64_t until_ms; /* the answer of a set is not held back: its debt slows down what follows */
    if (!pace_admit(account, (unsigned)pdu->dest_count, &until_ms))
        return STATUS_RTHROTTLED;
    struct multi *multi = calloc(1, sizeof *multi);
    if (multi == NULL)
        return STATUS_RSYSERR;
    shared.id = store_next_id(gw->store);
    *multi = (struct multi){ .public_id = submit_public_id(gw, &shared), .ticket = *ticket, .account = account };
    multi->refused = calloc(pdu->dest_count, sizeof *multi->refused);
    multi->ids = calloc(pdu->dest_count, sizeof *multi->ids);
    if (multi->public_id == 0 || multi->refused == NULL || multi->ids == NULL) {
        multi_drop(gw, multi, false);
        return STATUS_RSYSERR;
    }
    HASH_ADD(hh, gw->multis, public_id, sizeof multi->public_id, multi);
    if (!TABLE_TOOK(multi)) {
        multi_drop(gw, multi, false);
        return STATUS_RSYSERR;
    }
    for (size_t i = 0; i < pdu->dest_count; i++) {
        status = take(gw, multi, &reading, &shared, &pdu->dests[i]);
        if (status != STATUS_ROK)
            refuse(multi, &pdu->dests[i], status);
    }
    if (multi->waiting == 0) { /* none could be taken: the first reason stands for all */
        status = multi->refused[0].dest.status;
        multi_drop(gw, multi, true);
        return status;
    }
    return SMPP_LATER;
}
