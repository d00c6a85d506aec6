/* SPDX-License-Identifier: MIT */
/*
 * incoming.c - what subscribers send: to which account it belongs, and that it is stored once for ever.
 *
 * A reply goes to the account whose message it answers; all else by the rules of `incoming`. Without a rule it is kept
 * under an account of its own and routed again after a start or a reload. Webhook and poll use the same keys, so an event
 * that comes both ways is stored by the first. The key and the message become durable together or not at all.
 */
#include "gateway/internal.h"
#include "gateway/lab_accounts.h"
#include "gateway/parcel.h"

#include <stdlib.h>
#include <string.h>

enum {
    REROUTE_AT_ONCE = 256,
    PARTS_MAX = 255,
    TLV_HEAD_BYTES = 4,
    TEXT_LEAST = 254,
    OWNER_BYTES = 62,
    KEY_BYTES = 121 /* store_once takes 120 */
};

struct intake { /* one incoming event between its arrival and its commit */
    struct gateway *gw;
    struct store_done done;
    unsigned flags;
    char key[KEY_BYTES];
    struct incoming in; /* strings stand behind the struct */
    struct message_text tlvs;
    bool divides;   /* parts of a message that is stored already: they go to the front of the line */
    uint64_t asker; /* the message it answers, 0 none */
    uint64_t ids[PARTS_MAX];
    unsigned count;
};

/* Whose ids these are: two accounts of the aggregator, or one login at two of its sisters, may use the same. Upstreams that
 * share a login share its messages. */
static void owner_of(const struct incoming *in, char out[OWNER_BYTES])
{
    const struct cfg_upstream *cfg = in->upstream == NULL ? NULL : in->upstream->cfg;

    out[0] = '\0';
    if (cfg == NULL)
        return;
    struct message_text service = upstream_service(cfg);
    snprintf(out, OWNER_BYTES, "%.*s/%.30s", (int)(service.len < 30 ? service.len : 30), service.at,
             cfg->login[0] != '\0' ? cfg->login : cfg->name);
}

static void key_of(const struct incoming *in, char out[KEY_BYTES])
{
    const char *phone = in->phone[0] == '+' ? in->phone + 1 : in->phone;
    char owner[OWNER_BYTES];

    owner_of(in, owner);
    if (in->call)
        snprintf(out, KEY_BYTES, "call:%s:%.20s:%lld", owner, phone, (long long)in->ts_s);
    else
        snprintf(out, KEY_BYTES, "mo:%s:%.54s", owner, in->id);
}

static const char *place(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *to = *at;

    memcpy(to, text, size);
    *at += size;
    return to;
}

static struct intake *intake_create(struct gateway *gw, const struct incoming *in, unsigned flags,
                                    struct store_done done)
{
    size_t bytes = strlen(in->id) + strlen(in->phone) + strlen(in->to) + strlen(in->text) + strlen(in->sms_id) + 5;
    size_t told_len = in->told == NULL ? 0 : in->told->len;
    struct intake *intake = calloc(1, sizeof *intake + bytes + told_len);

    if (intake == NULL)
        return NULL;
    char *at = (char *)(intake + 1);
    intake->gw = gw;
    intake->done = done;
    intake->flags = flags;
    key_of(in, intake->key);
    intake->in = *in;
    intake->in.id = place(&at, in->id);
    intake->in.phone = place(&at, in->phone);
    intake->in.to = place(&at, in->to);
    intake->in.text = place(&at, in->text);
    intake->in.sms_id = place(&at, in->sms_id);
    intake->in.told = NULL;
    if (told_len > 0)
        memcpy(at, in->told->data, told_len);
    intake->tlvs = (struct message_text){ at, told_len };
    return intake;
}

static void intake_end(struct intake *intake, int err)
{
    struct store_done done = intake->done;

    free(intake);
    if (done.fn != NULL)
        done.fn(done.owner, done.cookie, err);
}

/* --- storing ------------------------------------------------------------------------------------------------------- */

static void put_in_front(struct intake *intake, int err)
{
    struct gateway *gw = intake->gw;
    struct account *account = account_by_number(gw, book_find(gw->book, intake->ids[0])->m->p.esme);

    account->dividing = false;
    for (unsigned i = err == 0 ? intake->count : 0; i > 0; i--) {
        if (lane_push_front(&account->deliveries, intake->ids[i - 1]) != 0)
            log_error("delivery waits until the next start", "sys=%s msg=%llu", account->system_id,
                      (unsigned long long)intake->ids[i - 1]);
    }
    deliver_pump(account);
}

static void on_saved(void *owner, uint64_t cookie, int err)
{
    struct intake *intake = owner;
    struct gateway *gw = intake->gw;

    if (intake->divides)
        put_in_front(intake, err);
    UNUSED(cookie); /* the last of the parts: the others were stored before it, in the same batch */
    for (unsigned i = 0; i < intake->count; i++) {
        struct item *item = book_find(gw->book, intake->ids[i]); /* pinned */

        if (err == 0 && !intake->divides)
            deliver_add(gw, account_by_number(gw, item->m->p.esme), intake->ids[i], false);
        else if (err != 0)
            item->m->p.state = MESSAGE_CLOSED; /* never stored */
        book_unpin(gw->book, item);
    }
    intake_end(intake, err);
}

/* One record: the whole text, or one part of it. */
static int store_part(struct intake *intake, struct message *facts, const char *text, size_t len, bool last)
{
    struct gateway *gw = intake->gw;

    facts->id = facts->p.id = facts->public_id = store_next_id(gw->store);
    facts->text = (struct message_text){ (char *)(uintptr_t)text, len };
    struct message *m = message_create(facts);
    struct item *item = m == NULL ? NULL : book_add_take(gw->book, m);
    if (item == NULL)
        return ERR_NOMEM;
    int err = store_put(gw->store, item->m, intake->flags | (intake->divides ? 0u : STORE_IF_NEW),
                        last ? (struct store_done){ on_saved, intake, 0 } : (struct store_done){ 0 });
    if (err != 0) {
        item->m->p.state = MESSAGE_CLOSED;
        book_unpin(gw->book, item);
        return err;
    }
    intake->ids[intake->count++] = facts->id;
    return 0;
}

/* What a text needs in this alphabet, and what its account's client has for it in one PDU. */
struct size {
    enum smpp_alphabet alphabet;
    size_t units;     /* of the text */
    size_t pdu_units; /* that fit one PDU, in message_payload */
};

/* Pieces that are messages of their own, as long as a PDU may be: for what has no place in 255 parts. */
static int store_pieces(struct intake *intake, struct message *facts, const struct size *size)
{
    size_t len = strlen(intake->in.text);

    if (size->units / (size->pdu_units - 1) >= PARTS_MAX) /* a piece may end one unit early, before a pair */
        return ERR_RANGE;
    for (size_t at = 0; at < len;) {
        size_t take = smpp_text_prefix(size->alphabet, intake->in.text + at, len - at, size->pdu_units);
        int err = store_part(intake, facts, intake->in.text + at, take, at + take == len);

        if (err != 0)
            return err;
        at += take;
    }
    return 0;
}

/* Parts for an ESME that joins by user data header: all in the alphabet of the whole. */
static int store_parts(struct intake *intake, struct message *facts, enum smpp_alphabet alphabet)
{
    size_t units = smpp_text_part_units(alphabet, false), len = strlen(intake->in.text), total = 0;

    for (size_t at = 0; at < len; total++)
        at += smpp_text_prefix(alphabet, intake->in.text + at, len - at, units);
    if (total > PARTS_MAX)
        return ERR_RANGE;
    facts->part_total = (uint8_t)total;
    facts->part_reference = (uint32_t)(store_next_id(intake->gw->store) & 0xFF);
    for (size_t at = 0, number = 1; at < len; number++) {
        size_t take = smpp_text_prefix(alphabet, intake->in.text + at, len - at, units);

        facts->part_number = (uint8_t)number;
        int err = store_part(intake, facts, intake->in.text + at, take, number == total);
        if (err != 0)
            return err;
        at += take;
    }
    return 0;
}

/* The key is taken back with them: else the event, repeated, would be known and its message nowhere. */
static void forget_parts(struct intake *intake)
{
    store_take_back(intake->gw->store, 1 + intake->count);
    for (unsigned i = 0; i < intake->count; i++) {
        struct item *item = book_find(intake->gw->book, intake->ids[i]);

        item->m->p.state = MESSAGE_CLOSED;
        book_unpin(intake->gw->book, item);
    }
    intake->count = 0;
}

static struct size measure(const struct account *account, const struct intake *intake, uint8_t *out_data_coding)
{
    const struct incoming *in = &intake->in;
    const struct profile *profile = &account->profile;
    size_t len = strlen(in->text), room = parcel_room(profile, strlen(in->phone), strlen(in->to));
    enum smpp_alphabet alphabet = profile_alphabet_for(profile, false, in->text, len, out_data_coding);

    /* It may go to a bind that reads Latin-1: what that cannot hold is UCS2 for all, or parts would differ. */
    if (profile->iso_system_type && !smpp_text_fits(ALPHABET_LATIN1, in->text, len)) {
        alphabet = ALPHABET_UCS2;
        *out_data_coding = 8;
    }
    room = room < SMPP_PAYLOAD_MAX ? room : SMPP_PAYLOAD_MAX;
    if (room < TEXT_LEAST + TLV_HEAD_BYTES + intake->tlvs.len) /* then the TLVs are left out */
        room = TEXT_LEAST;
    else
        room -= TLV_HEAD_BYTES + intake->tlvs.len;
    return (struct size){ alphabet, smpp_text_units(alphabet, in->text, len),
                          alphabet == ALPHABET_UCS2 ? room / 2 : room };
}

static int store_for(struct intake *intake, struct account *account)
{
    const struct incoming *in = &intake->in;
    struct gateway *gw = intake->gw;
    uint8_t data_coding;
    struct size size = measure(account, intake, &data_coding);
    struct message facts = {
        .accepted_ms = clock_wall_ms(),
        .kind = MESSAGE_MO,
        .source_ton = 1,
        .source_npi = 1,
        .dest_ton = 1,
        .dest_npi = 1,
        .data_coding = data_coding,
        .source = { (char *)(uintptr_t)in->phone, strlen(in->phone) },
        .dest = { (char *)(uintptr_t)in->to, strlen(in->to) },
        .tlvs = intake->tlvs,
        .p = { .state = MESSAGE_DELIVERING,
               .receipt = RECEIPT_WAITING,
               .esme = account->number,
               .leader = intake->asker,
               .status = -100,
               .cost_e6 = -1 },
    };
    bool too_long = size.units > size.pdu_units;
    bool parts = too_long || (account->cfg != NULL && account->cfg->incoming_long == CFG_UDH &&
                              size.units > smpp_text_part_units(size.alphabet, true));

    /* The key and all parts are in one batch, so they are stored together or not at all, and who brought them is told. */
    int err = store_once(gw->store, intake->key, intake->flags, (struct store_done){ 0 });
    if (err != 0)
        return err;
    err = parts ? store_parts(intake, &facts, size.alphabet) : ERR_RANGE;
    if (err == ERR_RANGE) { /* short, or too long for any header */
        facts.part_total = facts.part_number = 0;
        err = too_long ? store_pieces(intake, &facts, &size) : ERR_RANGE;
    }
    if (err == ERR_RANGE)
        err = store_part(intake, &facts, in->text, strlen(in->text), true);
    if (err != 0)
        forget_parts(intake);
    return err;
}

int incoming_divide(struct account *account, struct item *item)
{
    struct gateway *gw = account->gateway;
    struct message *m = item->m;
    struct incoming in = { .id = "", .phone = m->source.at, .to = m->dest.at, .text = m->text.at, .sms_id = "" };
    struct intake *intake = intake_create(gw, &in, STORE_KEEP, (struct store_done){ 0 });
    struct message facts = *m;

    if (intake == NULL)
        return ERR_NOMEM;
    intake->divides = true;
    struct size size = measure(account, intake, &facts.data_coding);
    int err = store_parts(intake, &facts, size.alphabet);
    if (err != 0) {
        forget_parts(intake);
        free(intake);
        return err;
    }
    account->dividing = true;
    log_info("incoming message divided for its bind", "sys=%s msg=%llu parts=%u", account->system_id,
             (unsigned long long)m->id, intake->count);
    m->p.state = MESSAGE_CLOSED;
    m->p.receipt = RECEIPT_DELIVERED;
    book_pin(gw->book, item);
    err = store_end(gw->store, &m->p, clock_wall_ms(), STORE_KEEP, gateway_save_of(gw, m->id));
    if (err != 0) {
        book_unpin(gw->book, item);
        log_error("division not saved: it will be repeated after a restart", "msg=%llu", (unsigned long long)m->id);
    }
    return 0;
}

/* --- routing ------------------------------------------------------------------------------------------------------- */

static struct account *route_by_rules(struct gateway *gw, const char *to, const char *text)
{
    struct account *account = route_incoming(gw, to, text);

    if (account != NULL)
        return account;
    log_warn("incoming message without a route is kept", "to=%s", to);
    return account_get(gw, INCOMING_NO_ROUTE);
}

/* Returns what incoming_take does. */
static int route_and_store(struct intake *intake)
{
    struct gateway *gw = intake->gw;
    struct account *marked = lab_account_marked(gw, &intake->in);
    struct item *asker = intake->asker == 0 ? NULL : book_find(gw->book, intake->asker);
    struct account *account = asker == NULL ? NULL : account_by_number(gw, asker->m->p.esme);

    if (account == NULL || account->cfg == NULL || (intake->in.lab && !lab_account_is(account))) {
        intake->asker = 0;
        account = marked != NULL   ? marked
                  : intake->in.lab ? lab_account_for(gw, &intake->in)
                                   : route_by_rules(gw, intake->in.to, intake->in.text);
    }
    return account == NULL ? ERR_NOMEM : store_for(intake, account);
}

static void route_later(struct intake *intake)
{
    int err = route_and_store(intake);

    if (err != 0)
        intake_end(intake, err);
}

static void on_asker_read(void *owner, uint64_t cookie, int err)
{
    struct intake *intake = owner;

    UNUSED(cookie);
    if (err != 0)
        intake_end(intake, err);
    else
        route_later(intake);
}

static void on_send_read(void *owner, uint64_t cookie, int err, const struct store_send *send)
{
    struct intake *intake = owner;
    uint64_t phone = message_phone(intake->in.phone, strlen(intake->in.phone));

    UNUSED(cookie);
    if (err != 0) {
        intake_end(intake, err);
        return;
    }
    /* one account's handler must not reach the senders of another */
    bool ours =
        send != NULL && (intake->in.lab || intake->in.upstream == NULL ||
                         upstream_same_account(upstream_by_number(intake->gw, send->upstream), intake->in.upstream));
    for (size_t i = 0; ours && i < send->member_count; i++) {
        if (send->member_count == 1 || send->members[i].phone == phone)
            intake->asker = send->members[i].id;
    }
    if (intake->asker == 0 || book_find(intake->gw->book, intake->asker) != NULL)
        route_later(intake);
    else if ((err = book_fetch(intake->gw->book, &intake->asker, 1, on_asker_read, intake, 0)) != 0)
        intake_end(intake, err);
}

int incoming_take(struct gateway *gw, const struct incoming *in, unsigned flags, struct store_done done)
{
    struct incoming told = *in;
    uint64_t upid = 0;

    if (in->call) {
        told.text = "[waitcall]";
        told.id = "";
    }
    struct intake *intake = intake_create(gw, &told, flags, done);
    if (intake == NULL)
        return ERR_NOMEM;
    bool reply = in->sms_id[0] != '\0' && send_id_read(in->sms_id, &upid);
    int err = reply ? store_find_send(gw->store, upid, on_send_read, intake, 0) : route_and_store(intake);
    if (err != 0)
        free(intake);
    return err;
}

/* --- routing again ------------------------------------------------------------------------------------------------- */

struct reroute {
    struct gateway *gw;
    uint64_t left; /* still to be looked at */
    uint64_t ids[REROUTE_AT_ONCE];
    size_t count;
};

static void reroute_more(struct reroute *r);

static void on_unrouted_read(void *owner, uint64_t cookie, int err)
{
    struct reroute *r = owner;
    struct gateway *gw = r->gw;
    struct account *kept = account_get(gw, INCOMING_NO_ROUTE);

    UNUSED(cookie);
    for (size_t i = 0; i < r->count; i++) {
        struct item *item = book_find(gw->book, r->ids[i]);
        struct account *account = item == NULL ? NULL : route_incoming(gw, item->m->dest.at, item->m->text.at);

        if (err == 0 && item == NULL)
            continue; /* gone meanwhile */
        if (account != NULL) {
            item->m->p.esme = account->number;
            if (store_move(gw->store, &item->m->p, STORE_KEEP, gateway_save_of(gw, r->ids[i])) == 0) {
                book_pin(gw->book, item);
                deliver_add(gw, account, r->ids[i], false);
                log_info("incoming message has a route now", "sys=%s msg=%llu", account->system_id,
                         (unsigned long long)r->ids[i]);
                continue;
            }
            item->m->p.esme = kept->number;
        }
        if (lane_push(&kept->deliveries, r->ids[i]) != 0)
            log_error("delivery waits until the next start", "msg=%llu", (unsigned long long)r->ids[i]);
    }
    reroute_more(r);
}

static void reroute_more(struct reroute *r)
{
    struct account *kept = account_get(r->gw, INCOMING_NO_ROUTE);

    for (r->count = 0; r->left > 0 && r->count < REROUTE_AT_ONCE && kept->deliveries.count > 0; r->left--)
        r->ids[r->count++] = lane_pop(&kept->deliveries);
    if (r->count == 0) {
        free(r);
        return;
    }
    if (book_fetch(r->gw->book, r->ids, r->count, on_unrouted_read, r, 0) != 0) {
        for (size_t i = r->count; i > 0; i--) {
            if (lane_push_front(&kept->deliveries, r->ids[i - 1]) != 0)
                log_error("delivery waits until the next start", "msg=%llu", (unsigned long long)r->ids[i - 1]);
        }
        free(r);
    }
}

void incoming_reroute(struct gateway *gw)
{
    struct account *kept;

    HASH_FIND_STR(gw->accounts, INCOMING_NO_ROUTE, kept);
    if (kept == NULL || kept->deliveries.count == 0)
        return;
    struct reroute *r = calloc(1, sizeof *r);
    if (r == NULL)
        return; /* they stay where they are */
    r->gw = gw;
    r->left = kept->deliveries.count;
    reroute_more(r);
}
