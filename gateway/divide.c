/* SPDX-License-Identifier: MIT */
/*
 * divide.c - a text that one send cannot carry goes out in several, each a record of its own (MESSAGE_PIECE).
 *
 * The message the ESME knows stays whole in the store in state DIVIDED. Where it is cut depends on nothing but its text,
 * so pieces that a crash or a full store kept from being made are found missing and made later. When the last has ended
 * their records are read and the message ends once, with the worst of their outcomes and the sum of their costs.
 */
#include "gateway/group.h"
#include "gateway/read_sm.h"

#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 1000 };

/* One piece of the text; `offset` moves behind it. Binary text gets a header for each piece. */
static void cut(const struct message *m, size_t *offset, struct message *piece, struct buf *out)
{
    const char *at = m->text.at + *offset;
    size_t left = m->text.len - *offset, len;

    buf_clear(out);
    if (m->binary) {
        len = left < READ_PIECE_BYTES ? left : READ_PIECE_BYTES;
        smpp_udh_write_part(out, (uint8_t)m->id, piece->part_total, piece->part_number);
        piece->esm_class |= ESM_UDHI;
    } else {
        len = smpp_text_prefix(ALPHABET_UCS2, at, left, READ_TEXT_UNITS);
        if (len == 0)
            len = left;
    }
    buf_add(out, at, len);
    piece->text = (struct message_text){ out->data, out->len };
    *offset += len;
}

static size_t count_pieces(const struct message *m)
{
    size_t count = 0, offset = m->binary ? 1 : 0; /* the octet that says "no header" */

    while (offset < m->text.len) {
        size_t left = m->text.len - offset;
        size_t len = m->binary ? (left < READ_PIECE_BYTES ? left : READ_PIECE_BYTES)
                               : smpp_text_prefix(ALPHABET_UCS2, m->text.at + offset, left, READ_TEXT_UNITS);

        offset += len == 0 ? left : len;
        count++;
    }
    return count;
}

static void on_piece_stored(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie);

    if (item == NULL)
        return;
    struct message *m = item->m;
    if (err == 0 && queue_add(gw, account_by_number(gw, m->p.esme), upstream_by_number(gw, m->p.upstream), m->p.urgent,
                              m->id, false) != 0)
        log_error("message waits until the next start", "msg=%llu", (unsigned long long)cookie);
    book_unpin(gw->book, item);
}

static int make_piece(struct gateway *gw, const struct message *facts)
{
    struct message *m = message_create(facts);
    struct item *item = m == NULL ? NULL : book_add_take(gw->book, m);

    if (item == NULL)
        return ERR_NOMEM;
    int err = group_count_piece(gw, facts->p.leader);
    if (err == 0) {
        account_by_number(gw, facts->p.esme)->queued++;
        err = store_put(gw->store, m, STORE_KEEP, (struct store_done){ on_piece_stored, gw, m->id });
        if (err == 0)
            return 0;
        account_by_number(gw, facts->p.esme)->queued--;
    }
    m->p.state = MESSAGE_CLOSED;
    book_unpin(gw->book, item);
    return err;
}

/* Makes the pieces that `have` lacks. */
static int make_pieces(struct gateway *gw, const struct message *m, const bool have[READ_PIECES_MAX + 1])
{
    size_t offset = m->binary ? 1 : 0;
    struct message piece = *m;
    struct buf text;
    int err = 0;

    buf_init(&text, m->text.len + 64);
    piece.kind = MESSAGE_PIECE;
    piece.registered_delivery = 0;
    piece.tlvs.len = 0;
    piece.part_total = (uint8_t)count_pieces(m);
    for (piece.part_number = 1; err == 0 && offset < m->text.len; piece.part_number++) {
        cut(m, &offset, &piece, &text);
        if (have[piece.part_number])
            continue;
        piece.id = store_next_id(gw->store);
        piece.p = (struct progress){ .id = piece.id,
                                     .state = MESSAGE_QUEUED,
                                     .urgent = m->p.urgent,
                                     .esme = m->p.esme,
                                     .upstream = m->p.upstream,
                                     .leader = m->id,
                                     .status = -100,
                                     .cost_e6 = -1 };
        err = text.failed ? ERR_NOMEM : make_piece(gw, &piece);
    }
    buf_finish(&text);
    return err;
}

static void check_later(struct gateway *gw, uint64_t id)
{
    (void)gateway_look_in(gw, AGAIN_MS, id);
}

void divide_start(struct gateway *gw, struct item *item)
{
    static const bool none[READ_PIECES_MAX + 1];
    struct account *account = account_by_number(gw, item->m->p.esme);

    account->queued--; /* its pieces count from now on */
    if (make_pieces(gw, item->m, none) != 0)
        check_later(gw, item->m->id);
}

static void on_due_stored(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie);

    UNUSED(err); /* kept until durable */
    if (item == NULL)
        return;
    divide_start(gw, item);
    book_unpin(gw->book, item);
}

void divide_due(struct gateway *gw, struct item *item)
{
    item->m->p.state = MESSAGE_DIVIDED;
    item->m->p.due_ms = 0;
    if (store_move(gw->store, &item->m->p, STORE_KEEP, (struct store_done){ on_due_stored, gw, item->m->id }) == 0) {
        book_pin(gw->book, item);
        return;
    }
    item->m->p.state = MESSAGE_SCHEDULED;
    check_later(gw, item->m->id);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

struct checking {
    struct gateway *gw;
    uint64_t id;
};

/* Undelivered before delivered, and of those the first. */
static struct outcome worst_of(struct message **pieces, size_t count, uint64_t leader)
{
    struct outcome outcome = { .final = SMPP_STATE_DELIVERED, .status = -100, .cost_e6 = -1 };
    bool failed = false;

    for (size_t i = 0; i < count; i++) {
        const struct progress *p = &pieces[i]->p;

        if (pieces[i]->kind != MESSAGE_PIECE || p->leader != leader)
            continue;
        if (p->cost_e6 >= 0)
            outcome.cost_e6 = (outcome.cost_e6 < 0 ? 0 : outcome.cost_e6) + p->cost_e6;
        if (p->done_ms > outcome.done_ms)
            outcome.done_ms = p->done_ms;
        if (failed || (p->final == SMPP_STATE_DELIVERED && outcome.status != -100))
            continue;
        failed = p->final != SMPP_STATE_DELIVERED;
        outcome.final = p->final;
        outcome.status = p->status;
        outcome.err = p->err;
    }
    return outcome;
}

/* The message itself is pinned since it was read. */
static void on_records(void *owner, int err, struct message **records, size_t count)
{
    struct checking *c = owner;
    struct gateway *gw = c->gw;
    struct item *item = book_find(gw->book, c->id);
    bool have[READ_PIECES_MAX + 1] = { false };
    size_t made = 0, open = 0;

    for (size_t i = 0; i < count; i++) {
        if (records[i]->kind != MESSAGE_PIECE || records[i]->p.leader != c->id || have[records[i]->part_number])
            continue;
        have[records[i]->part_number] = true;
        made++;
        open += records[i]->p.final == 0;
    }
    if (item->m->p.state != MESSAGE_DIVIDED) {
        /* has ended meanwhile */
    } else if (err != 0) {
        check_later(gw, c->id);
    } else if (made < count_pieces(item->m)) {
        if (make_pieces(gw, item->m, have) != 0)
            check_later(gw, c->id);
    } else if (open == 0) {
        struct outcome outcome = worst_of(records, count, c->id);

        outcome_keep(gw, item, &outcome);
    } else if (!group_has_pieces(gw, c->id)) {
        check_later(gw, c->id); /* an outcome is on its way into the store */
    }
    book_unpin(gw->book, item);
    free(c);
}

static void on_parent_read(void *owner, uint64_t cookie, int err)
{
    struct checking *c = owner;
    struct gateway *gw = c->gw;
    struct item *item = book_find(gw->book, c->id);

    if (item != NULL && item->m->p.state == MESSAGE_DIVIDED && group_records(gw, cookie, on_records, c) == 0) {
        book_pin(gw->book, item);
        return;
    }
    if (err != 0 || (item != NULL && item->m->p.state == MESSAGE_DIVIDED))
        check_later(gw, c->id);
    free(c);
}

void divide_check(struct gateway *gw, uint64_t id, uint64_t public_id)
{
    struct checking *c = calloc(1, sizeof *c);

    if (c != NULL)
        *c = (struct checking){ .gw = gw, .id = id };
    if (c == NULL || book_fetch(gw->book, &id, 1, on_parent_read, c, public_id) != 0) {
        check_later(gw, id);
        free(c);
    }
}
