/* SPDX-License-Identifier: MIT */
/*
 * deliver.c - receipts and incoming messages on their way to the ESME.
 *
 * Each account has one line of ids; a pump hands them to bound receivers in turn while their windows have room. A
 * delivery ends in exactly one way (on_end): delivered, refused for good, or due again later from the store. A receipt
 * waits while the submit_sm_resp of its message has not left yet.
 */
#include "gateway/internal.h"

#include <stdlib.h>
#include <string.h>

enum { FETCH_IDS = 256, RETRY_FIRST_MS = 5000, RETRY_MAX_MS = 300000 };

static void on_front_read(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct account *account = account_by_number(gw, (uint16_t)cookie);

    if (account == NULL)
        return;
    account->deliveries_loading = false;
    if (err != 0) {
        log_error("deliveries could not be read", "sys=%s error=%s", account->system_id, err_name(err));
        return; /* tried again by the next tick */
    }
    while (account->deliveries.count > 0 && book_find(gw->book, lane_peek(&account->deliveries, 0)) == NULL)
        lane_pop(&account->deliveries);
    deliver_pump(account);
}

static void read_front(struct account *account)
{
    struct gateway *gw = account->gateway;
    uint64_t ids[FETCH_IDS];
    size_t count = 0;

    for (size_t i = 0; i < account->deliveries.count && i < FETCH_IDS; i++) {
        uint64_t id = lane_peek(&account->deliveries, i);

        if (book_find(gw->book, id) == NULL)
            ids[count++] = id;
    }
    if (!account->deliveries_loading && book_fetch(gw->book, ids, count, on_front_read, gw, account->number) == 0)
        account->deliveries_loading = true;
}

void deliver_add(struct gateway *gw, struct account *account, uint64_t id, bool front)
{
    int err = front ? lane_push_front(&account->deliveries, id) : lane_push(&account->deliveries, id);

    UNUSED(gw);
    if (err != 0)
        log_error("delivery waits until the next start", "sys=%s msg=%llu", account->system_id, (unsigned long long)id);
    deliver_pump(account);
}

/* A receiver with room, in turn. */
static const struct bound *pick_receiver(struct account *account)
{
    for (size_t i = 0; i < account->bound_count; i++) {
        const struct bound *b = &account->bounds[(account->bound_next + i) % account->bound_count];

        if (b->type != SMPP_BIND_TX && smpp_deliver_room(account->gateway->smpp, b->ref) > 0) {
            account->bound_next = (account->bound_next + i + 1) % account->bound_count;
            return b;
        }
    }
    return NULL;
}

static struct smpp_str str_of(const struct message_text *t)
{
    return (struct smpp_str){ t->at, t->len };
}

/* Storage for one deliver_sm while it is handed over. */
struct parcel {
    struct smpp_pdu pdu;
    struct smpp_receipt_tlvs tlvs;
    struct buf text;
};

static void build_receipt(struct account *account, const struct message *m, uint8_t interface_version, struct parcel *p)
{
    const struct smpp_receipt_style *style = &account->profile.receipt;
    char id[SMPP_ID_MAX + 1], cost[32];

    account_id_text(account, m->public_id, id);
    struct smpp_receipt receipt = { .message_id = id,
                                    .state = m->p.final,
                                    .err = m->p.err < 0 ? 0 : (unsigned)m->p.err,
                                    .submitted_ms = m->accepted_ms,
                                    .done_ms = m->p.done_ms,
                                    .submitted_parts = 1,
                                    .delivered_parts = m->p.final == SMPP_STATE_DELIVERED,
                                    .text = m->binary ? NULL : m->text.at,
                                    .text_len = m->binary ? 0 : m->text.len };
    if (m->p.cost_e6 >= 0) {
        smsc_money_write(m->p.cost_e6, cost);
        receipt.cost = cost;
    }
    smpp_receipt_text(&receipt, style, &p->text);
    p->pdu.sm.esm_class = ESM_RECEIPT;
    p->pdu.sm.source = (struct smpp_addr){ m->dest_ton, m->dest_npi, str_of(&m->dest) };
    p->pdu.sm.dest = (struct smpp_addr){ m->source_ton, m->source_npi, str_of(&m->source) };
    smpp_receipt_add_tlvs(&receipt, style, interface_version, &p->tlvs, &p->pdu);
    p->pdu.sm.short_message = (struct bytes){ (const uint8_t *)p->text.data, p->text.len };
}

static void build_incoming(const struct message *m, struct parcel *p)
{
    bool gsm = smpp_text_fits_gsm(m->text.at, m->text.len);

    smpp_text_from_utf8(gsm ? ALPHABET_GSM7 : ALPHABET_UCS2, m->text.at, m->text.len, &p->text);
    p->pdu.sm.data_coding = gsm ? 0 : 8;
    p->pdu.sm.source = (struct smpp_addr){ m->source_ton, m->source_npi, str_of(&m->source) };
    p->pdu.sm.dest = (struct smpp_addr){ m->dest_ton, m->dest_npi, str_of(&m->dest) };
    if (p->text.len <= SMPP_SHORT_MESSAGE_MAX)
        p->pdu.sm.short_message = (struct bytes){ (const uint8_t *)p->text.data, p->text.len };
    else
        smpp_tlv_add(&p->pdu, TAG_MESSAGE_PAYLOAD, p->text.data, (uint16_t)p->text.len);
}

static int hand_over(struct account *account, struct item *item, const struct bound *to)
{
    static struct parcel parcel; /* loop thread only; too large for the stack of a deep call */

    memset(&parcel.pdu, 0, offsetof(struct smpp_pdu, tlvs));
    parcel.pdu.command_id = CMD_DELIVER_SM;
    parcel.pdu.has_body = true;
    if (parcel.text.max == 0)
        buf_init(&parcel.text, SMPP_PAYLOAD_MAX);
    buf_clear(&parcel.text);
    if (item->m->kind == MESSAGE_MO)
        build_incoming(item->m, &parcel);
    else
        build_receipt(account, item->m, to->interface_version, &parcel);
    return smpp_deliver(account->gateway->smpp, to->ref, &parcel.pdu, item->m->id);
}

void deliver_pump(struct account *account)
{
    struct gateway *gw = account->gateway;

    while (account->deliveries.count > 0 && !account->deliveries_loading && !gw->draining) {
        uint64_t id = lane_peek(&account->deliveries, 0);
        const struct bound *to = pick_receiver(account);

        if (to == NULL)
            return;
        struct item *item = book_find(gw->book, id);
        if (item == NULL) {
            read_front(account);
            return;
        }
        if (item->m->p.state != MESSAGE_DELIVERING) {
            lane_pop(&account->deliveries);
            continue;
        }
        if (item->has_ticket && (!item->answered || !smpp_answer_left(gw->smpp, &item->ticket))) {
            gw->pump_deliveries = true; /* at the end of this turn the answer has left */
            return;
        }
        int err = hand_over(account, item, to);
        if (err == ERR_RANGE) { /* cannot be written as a PDU: our own mistake, never to be tried again */
            log_error("delivery cannot be encoded", "sys=%s msg=%llu", account->system_id, (unsigned long long)id);
            lane_pop(&account->deliveries);
            continue;
        }
        if (err != 0)
            return;
        lane_pop(&account->deliveries);
        book_pin(gw->book, item);
        item->m->p.deliver_tries++;
        account->delivering++;
    }
}

static void close_delivery(struct gateway *gw, struct item *item, enum message_receipt how)
{
    struct message *m = item->m;

    m->p.receipt = (uint8_t)how;
    m->p.state = MESSAGE_CLOSED;
    int err = store_end(gw->store, &m->p, how == RECEIPT_DELIVERED ? clock_wall_ms() : 0, STORE_KEEP,
                        gateway_save_of(gw, m->id));
    if (err == 0)
        book_pin(gw->book, item);
    else
        log_error("delivery not saved: it will be repeated after a restart", "msg=%llu", (unsigned long long)m->id);
}

/* Temporary by the list of smpp-compat A.2. */
static bool is_temporary(uint32_t status)
{
    static const uint32_t temporary[] = { STATUS_RTHROTTLED,  STATUS_RSYSERR,    STATUS_RMSGQFUL,
                                          STATUS_RSUBMITFAIL, STATUS_RQUERYFAIL, STATUS_RDELIVERYFAILURE,
                                          STATUS_RUNKNOWNERR, STATUS_RX_T_APPN };

    for (size_t i = 0; i < ARRAY_LEN(temporary); i++) {
        if (temporary[i] == status)
            return true;
    }
    return false;
}

static void try_later(struct gateway *gw, struct account *account, struct item *item)
{
    unsigned tries = item->m->p.deliver_tries;
    int64_t wait = tries >= 7 ? RETRY_MAX_MS : (int64_t)RETRY_FIRST_MS << (tries > 0 ? tries - 1 : 0);

    if (wait > RETRY_MAX_MS)
        wait = RETRY_MAX_MS;
    account->postponed++;
    if (heap_push(&gw->due, clock_wall_ms() + wait, item->m->id) != 0)
        deliver_add(gw, account, item->m->id, false);
}

void deliver_on_end(void *owner, const struct smpp_session_info *session, uint64_t cookie, enum smpp_deliver_end how,
                    uint32_t status)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie);

    UNUSED(session);
    if (item == NULL)
        return;
    struct account *account = account_by_number(gw, item->m->p.esme);
    account->delivering--;
    switch (how) {
    case SMPP_DELIVER_ANSWERED:
        if (status == STATUS_ROK) {
            if (item->m->kind == MESSAGE_MT)
                meters_count(gw->meters.receipts, account->system_id, smpp_state_stat(item->m->p.final));
            close_delivery(gw, item, RECEIPT_DELIVERED);
        } else if (is_temporary(status)) {
            try_later(gw, account, item);
        } else {
            log_warn("delivery refused", "sys=%s msg=%llu status=%s", account->system_id, (unsigned long long)cookie,
                     smpp_status_name(status));
            close_delivery(gw, item, RECEIPT_REFUSED);
        }
        break;
    case SMPP_DELIVER_NACKED: /* one more try, then it is final */
        if (item->m->p.deliver_tries < 2)
            try_later(gw, account, item);
        else
            close_delivery(gw, item, RECEIPT_REFUSED);
        break;
    case SMPP_DELIVER_TIMED_OUT:
        try_later(gw, account, item);
        break;
    case SMPP_DELIVER_LOST:
        if (lane_push_front(&account->deliveries, cookie) != 0)
            log_error("delivery waits until the next start", "msg=%llu", (unsigned long long)cookie);
        break;
    }
    book_unpin(gw->book, item);
    deliver_pump(account);
}

void deliver_trim(struct account *account, int64_t now_ms)
{
    struct gateway *gw = account->gateway;

    while (account->cfg != NULL && account->deliveries.count > 0 && !account->deliveries_loading) {
        struct item *item = book_find(gw->book, lane_peek(&account->deliveries, 0));
        bool over = account->deliveries.count > account->cfg->receipt_max;

        if (item == NULL) {
            if (over)
                read_front(account);
            return;
        }
        int64_t since_ms = item->m->p.done_ms != 0 ? item->m->p.done_ms : item->m->accepted_ms;
        if (!over && now_ms - since_ms < (int64_t)account->cfg->receipt_hold_ms)
            return;
        lane_pop(&account->deliveries);
        if (item->m->p.state != MESSAGE_DELIVERING)
            continue;
        log_warn("delivery dropped", "sys=%s msg=%llu reason=%s", account->system_id, (unsigned long long)item->m->id,
                 over ? "receipt_max" : "receipt_hold");
        book_pin(gw->book, item);
        close_delivery(gw, item, RECEIPT_DROPPED);
        book_unpin(gw->book, item);
    }
}
