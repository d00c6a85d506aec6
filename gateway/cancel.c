/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - cancel_sm: messages that have not been delivered yet end as DELETED, wherever they wait.
 *
 * Those here end at once; those the aggregator has accepted end when it has deleted them; those in a request under way
 * can be had by nobody and stay. A part that follows another is cancelled with it, a divided message piece by piece. The
 * order is answered when every record has been tried: well when at least one was cancelled.
 */
#include "gateway/face.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/group.h"
#include "gateway/join.h"

enum { PAGE = 200, TRIED_MAX = 10000 };

struct cancel {
    struct gateway *gw;
    size_t pending; /* records under way, plus one while more may be found */
    size_t cancelled, kept, tried;
    uint16_t esme;
    cancel_done_fn *fn;
    void *owner;
    /* by addresses */
    struct store_query query;
    size_t state; /* place in open_states */
    char source[24], dest[NUMBER_MAX + 1], service_type[8];
};

static void settle(struct cancel *c)
{
    if (--c->pending > 0)
        return;
    c->fn(c->owner, c->cancelled, c->kept);
    free(c);
}

static void on_ended(void *owner, uint64_t cookie, int err)
{
    struct cancel *c = owner;

    UNUSED(cookie);
    *(err == 0 ? &c->cancelled : &c->kept) += 1;
    settle(c);
}

static void end_deleted(struct cancel *c, struct item *item, unsigned flags)
{
    struct outcome outcome = { .final = SMPP_STATE_DELETED, .status = -100, .cost_e6 = -1 };

    book_pin(c->gw->book, item);
    if (item->m->p.state == MESSAGE_PART)
        join_forget(c->gw, item->m);
    c->pending++;
    int err = outcome_reached(c->gw, item, &outcome, flags, (struct store_done){ on_ended, c, item->m->id });
    if (err != 0)
        on_ended(c, item->m->id, err);
    book_unpin(c->gw->book, item);
}

static void on_deleted_upstream(void *owner, uint64_t id, bool deleted)
{
    struct cancel *c = owner;
    struct item *item = book_find(c->gw->book, id); /* pinned */

    if (deleted && item->m->p.state == MESSAGE_SENDING)
        end_deleted(c, item, STORE_KEEP);
    else
        c->kept++;
    book_unpin(c->gw->book, item);
    settle(c);
}

static void cancel_item(struct cancel *c, struct item *item)
{
    struct gateway *gw = c->gw;
    const struct message *m = item->m;
    struct send *send = m->p.upid == 0 ? NULL : send_find(gw, m->p.upid);

    switch ((enum message_state)m->p.state) {
    case MESSAGE_PART:
    case MESSAGE_SCHEDULED:
    case MESSAGE_QUEUED:
        end_deleted(c, item, STORE_PLAIN);
        return;
    case MESSAGE_SENDING:
        if (send != NULL && send->state != SEND_ACCEPTED)
            break; /* perhaps on its way right now */
        book_pin(gw->book, item);
        c->pending++;
        if (cancel_upstream(gw, item, on_deleted_upstream, c) == 0)
            return;
        c->pending--;
        book_unpin(gw->book, item);
        break;
    default:
        break;
    }
    c->kept++;
}

/* The records of one id, or one page of a search. */
struct page {
    struct cancel *c;
    size_t count;
    uint64_t ids[];
};

static void next_page(struct cancel *c);

static void on_page_items(void *owner, uint64_t cookie, int err)
{
    struct page *page = owner;
    struct cancel *c = page->c;

    UNUSED(cookie);
    for (size_t i = 0; i < page->count; i++) {
        struct item *item = book_find(c->gw->book, page->ids[i]);

        if (item != NULL)
            cancel_item(c, item);
        else
            c->kept++;
    }
    UNUSED(err);
    free(page);
    if (c->query.limit != 0)
        next_page(c);
    else
        settle(c);
}

/* Which of these records are to be tried: the account's own, what they stand for, each once. */
static struct page *page_of(struct cancel *c, struct message *const *records, size_t count)
{
    struct page *page = malloc(sizeof *page + count * sizeof page->ids[0]);

    if (page == NULL)
        return NULL;
    page->c = c;
    page->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct message *m = records[i];
        uint64_t id = m->p.state == MESSAGE_FOLLOWING ? m->p.leader : m->id;
        bool known = false;

        if (m->p.state == MESSAGE_DIVIDED || m->kind == MESSAGE_MO || m->kind == MESSAGE_NOTE ||
            (c->esme != 0 && m->p.esme != c->esme))
            continue; /* a divided message ends with its pieces, which are records of the same id */
        for (size_t k = 0; k < page->count && !known; k++)
            known = page->ids[k] == id;
        if (!known)
            page->ids[page->count++] = id;
    }
    return page;
}

static void try_records(struct cancel *c, struct message *const *records, size_t count)
{
    struct page *page = page_of(c, records, count);

    if (page == NULL || page->count == 0) {
        free(page);
        page = NULL;
    } else {
        c->tried += page->count;
        if (book_fetch(c->gw->book, page->ids, page->count, on_page_items, page, 0) != 0) {
            c->kept += page->count;
            free(page);
            page = NULL;
        }
    }
    if (page != NULL)
        return;
    if (c->query.limit != 0)
        next_page(c);
    else
        settle(c);
}

static void on_records(void *owner, int err, struct message **records, size_t count)
{
    UNUSED(err);
    try_records(owner, records, count);
}

int cancel_public(struct gateway *gw, uint16_t esme, uint64_t public_id, cancel_done_fn *fn, void *owner)
{
    struct cancel *c = calloc(1, sizeof *c);

    if (c == NULL)
        return ERR_NOMEM;
    *c = (struct cancel){ .gw = gw, .pending = 1, .esme = esme, .fn = fn, .owner = owner };
    int err = group_records(gw, public_id, on_records, c);
    if (err != 0)
        free(c);
    return err;
}

/* --- all messages of a source, a destination and a service_type --------------------------------------------------- */

static const uint8_t open_states[] = { MESSAGE_PART, MESSAGE_SCHEDULED, MESSAGE_QUEUED, MESSAGE_SENDING,
                                       MESSAGE_FOLLOWING };

static bool matches(const struct cancel *c, const struct message *m)
{
    return strcmp(m->source.at, c->source) == 0 && strcmp(m->dest.at, c->dest) == 0 &&
           (c->service_type[0] == '\0' || strcmp(m->service_type.at, c->service_type) == 0);
}

static void on_page(void *owner, uint64_t cookie, int err, struct message **messages, size_t count, uint64_t next)
{
    struct cancel *c = owner;
    size_t fitting = 0;

    UNUSED(cookie);
    c->query.after = next;
    if (err != 0 || next == 0) { /* this state is done */
        c->query.after = 0;
        c->state++;
    }
    if (c->tried >= TRIED_MAX)
        c->state = ARRAY_LEN(open_states);
    for (size_t i = 0; i < count; i++) {
        struct message *m = messages[i];

        if (matches(c, m)) { /* those that fit to the front */
            messages[i] = messages[fitting];
            messages[fitting++] = m;
        }
    }
    try_records(c, messages, fitting);
    for (size_t i = 0; i < count; i++)
        message_destroy(messages[i]);
}

static void next_page(struct cancel *c)
{
    while (c->state < ARRAY_LEN(open_states)) {
        c->query.state = open_states[c->state];
        if (store_find(c->gw->store, &c->query, on_page, c, 0) == 0)
            return;
        c->state++;
    }
    settle(c);
}

/* --- the PDU ------------------------------------------------------------------------------------------------------ */

struct order {
    struct gateway *gw;
    struct smpp_ticket ticket;
};

static void on_done(void *owner, size_t cancelled, size_t kept)
{
    struct order *o = owner;

    UNUSED(kept);
    answer_ticket(o->gw, &o->ticket, cancelled > 0 ? STATUS_ROK : STATUS_RCANCELFAIL, NULL);
    free(o);
}

static void copy_str(struct smpp_str s, char *out, size_t size)
{
    size_t len = s.len < size - 1 ? s.len : size - 1;

    if (len > 0)
        memcpy(out, s.at, len);
    out[len] = '\0';
}

uint32_t cancel_handle(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                       const struct smpp_pdu *pdu)
{
    struct account *account = session->account;
    struct order *o;
    uint64_t public_id;

    if (account->cfg == NULL)
        return STATUS_RSYSERR;
    if (pdu->message_id.len > 0 && !profile_id_read(pdu->message_id, &public_id))
        return STATUS_RINVMSGID;
    if (pdu->message_id.len == 0 && pdu->sm.dest.addr.len == 0)
        return STATUS_RINVDSTADR;
    o = malloc(sizeof *o);
    if (o == NULL)
        return STATUS_RSYSERR;
    *o = (struct order){ gw, *ticket };
    int err;
    if (pdu->message_id.len > 0) {
        err = cancel_public(gw, account->number, public_id, on_done, o);
    } else {
        struct cancel *c = calloc(1, sizeof *c);

        err = c == NULL ? ERR_NOMEM : 0;
        if (err == 0) {
            *c = (struct cancel){ .gw = gw, .pending = 1, .esme = account->number, .fn = on_done, .owner = o };
            copy_str(pdu->sm.source.addr, c->source, sizeof c->source);
            copy_str(pdu->sm.service_type, c->service_type, sizeof c->service_type);
            size_t len = number_normalise(&pdu->sm.dest, account->cfg->numbers, account->cfg->national_prefix, c->dest);
            c->query = (struct store_query){
                .phone = message_phone(c->dest, len), .esme = account->number, .state = open_states[0], .limit = PAGE
            };
            err = store_find(gw->store, &c->query, on_page, c, 0);
            if (err != 0)
                free(c);
        }
    }
    if (err != 0) {
        free(o);
        return STATUS_RSYSERR;
    }
    return SMPP_LATER;
}
