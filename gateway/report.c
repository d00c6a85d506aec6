/* SPDX-License-Identifier: MIT */
/*
 * report.c - a status of one message, whichever way it came: a callback, a poll, an answer about an unclear send.
 *
 * The first final status ends the message; whatever comes after it is recorded and delivered to nobody. A status that is
 * not final is kept for query_sm and becomes an intermediate notification when the ESME asked for one (bit 0x10). Nothing
 * is answered here: the caller's `done` comes when the change is durable, also for a repeat that overtook the commit of
 * the first.
 */
#include "gateway/extra.h"
#include "gateway/pace.h"

#include <stdlib.h>
#include <string.h>

enum { EXTRA_BYTES_MAX = 4096 };

/* --- what happened after the end ----------------------------------------------------------------------------------- */

static int record_late(struct gateway *gw, struct item *item, const struct report *report, unsigned flags,
                       struct store_done done, const char **out_what)
{
    struct message *m = item->m;
    char text[64];

    *out_what = "repeat";
    if (report->status != m->p.status) {
        *out_what = "late";
        snprintf(text, sizeof text, "late status %d err %d", report->status, report->err);
        if (store_note(gw->store, m->id, clock_wall_ms(), text) != 0)
            log_warn("late status not noted", "msg=%llu status=%d", (unsigned long long)m->id, report->status);
    }
    if (!item->ending)
        return REPORT_NOTHING_TO_STORE;
    /* The first report is not durable yet: this key stands behind it in the store's order. */
    snprintf(text, sizeof text, "again:%llu:%d", (unsigned long long)m->id, report->status);
    return store_once(gw->store, text, flags, done);
}

/* --- before the end ------------------------------------------------------------------------------------------------ */

struct passing { /* a status that is not final, on its way into the store */
    struct gateway *gw;
    uint64_t note; /* the notification stored with it, 0 none */
    int status, err;
    struct store_done done;
};

static void on_passed(void *owner, uint64_t cookie, int err)
{
    struct passing *passing = owner;
    struct gateway *gw = passing->gw;
    struct item *item = book_find(gw->book, cookie); /* pinned */
    struct item *note = passing->note == 0 ? NULL : book_find(gw->book, passing->note);

    if (err != 0 && item->m->p.final == 0) {
        item->m->p.status = passing->status;
        item->m->p.err = passing->err;
    }
    if (note != NULL && err == 0)
        deliver_add(gw, account_by_number(gw, note->m->p.esme), passing->note, false);
    else if (note != NULL)
        note->m->p.state = MESSAGE_CLOSED; /* was never stored */
    if (note != NULL)
        book_unpin(gw->book, note);
    book_unpin(gw->book, item);
    struct store_done done = passing->done;
    free(passing);
    if (done.fn != NULL)
        done.fn(done.owner, done.cookie, err);
}

/* The intermediate notification about `item`, in the book and given to the store. NULL: not made, the status stands alone. */
static struct item *make_note(struct gateway *gw, const struct item *item, const struct report *report, unsigned flags)
{
    const struct message *m = item->m;
    struct message facts = *m;

    facts.id = facts.p.id = store_next_id(gw->store);
    facts.kind = MESSAGE_NOTE;
    facts.registered_delivery = 0;
    facts.service_type = facts.text = facts.tlvs = facts.extra = (struct message_text){ (char *)(uintptr_t) "", 0 };
    facts.p = (struct progress){ .id = facts.id,
                                 .state = MESSAGE_DELIVERING,
                                 .receipt = RECEIPT_WAITING,
                                 .esme = m->p.esme,
                                 .upstream = m->p.upstream,
                                 .leader = m->id,
                                 .status = report->status,
                                 .err = report->err,
                                 .done_ms = report->ts_ms != 0 ? report->ts_ms : clock_wall_ms(),
                                 .cost_e6 = -1 };
    struct message *copy = message_create(&facts);
    struct item *note = copy == NULL ? NULL : book_add_take(gw->book, copy);
    if (note != NULL && store_put(gw->store, note->m, flags, (struct store_done){ 0 }) != 0) {
        note->m->p.state = MESSAGE_CLOSED;
        book_unpin(gw->book, note);
        note = NULL;
    }
    if (note != NULL && item->has_ticket) { /* so that it does not overtake the answer either */
        note->has_ticket = true;
        note->answered = item->answered;
        note->ticket = item->ticket;
    }
    return note;
}

static int record_passing(struct gateway *gw, struct item *item, const struct report *report, unsigned flags,
                          struct store_done done, const char **out_what)
{
    struct message *m = item->m;

    *out_what = "not_final";
    if (report->status == m->p.status)
        return REPORT_NOTHING_TO_STORE;
    struct passing *passing = malloc(sizeof *passing);
    if (passing == NULL)
        return ERR_NOMEM;
    *passing = (struct passing){ gw, 0, m->p.status, m->p.err, done };
    m->p.status = report->status;
    m->p.err = report->err;
    int err = store_move(gw->store, &m->p, flags, (struct store_done){ on_passed, passing, m->id });
    if (err != 0) {
        m->p.status = passing->status;
        m->p.err = passing->err;
        free(passing);
        return err;
    }
    book_pin(gw->book, item);
    pace_answer(gw, item, STATUS_ROK); /* the upstream has had it: the answer goes before any notification */
    if (m->kind == MESSAGE_MT && (m->registered_delivery & REG_INTERMEDIATE) != 0) {
        /* the same turn, so the same batch: the note is durable when the status is */
        struct item *note = make_note(gw, item, report, flags);

        passing->note = note == NULL ? 0 : note->m->id;
    }
    return 0;
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

unsigned report_plain_flag(const struct message *m)
{
    static const unsigned types[SMSC_KIND_COUNT] = {
        [SMSC_SMS] = 0, [SMSC_FLASH] = 1, [SMSC_BINARY] = 2, [SMSC_PUSH] = 3,   [SMSC_HLR] = 4,  [SMSC_PING] = 5,
        [SMSC_MMS] = 6, [SMSC_CALL] = 7,  [SMSC_MAIL] = 8,   [SMSC_VIBER] = 10, [SMSC_SOC] = 12,
    };

    return m->channel < SMSC_KIND_COUNT ? types[m->channel] : 0;
}

/* What the receipt will need beyond the progress row goes into `extra`, which the upstream needs no more: the flag when
 * it says more than the kind of message, mapped parameters, and the HLR data. parcel.c reads it back. */
static int keep_result(struct gateway *gw, struct item *item, const struct report *report, unsigned flags)
{
    struct account *account = account_by_number(gw, item->m->p.esme);
    bool flag =
        account->profile.receipt.with_vendor_tlvs && report->has_flag && report->flag != report_plain_flag(item->m);
    struct message facts = *item->m;
    struct buf extra;

    if (report->hlr == NULL && !flag && (report->told == NULL || report->told->len == 0))
        return 0;
    buf_init(&extra, EXTRA_BYTES_MAX);
    if (flag)
        buf_addf(&extra, " flag:%u", report->flag);
    if (report->told != NULL)
        extra_write_told(report->told, &extra);
    if (report->hlr != NULL)
        buf_adds(&extra, report->hlr);
    facts.extra = (struct message_text){ (char *)(uintptr_t)buf_text(&extra), extra.len };
    struct message *copy = message_create(&facts);
    buf_finish(&extra);
    if (copy == NULL)
        return ERR_NOMEM;
    int err = store_rewrite(gw->store, copy, flags, (struct store_done){ 0 });
    if (err != 0)
        message_destroy(copy);
    else
        book_replace_take(gw->book, item, copy);
    return err;
}

void report_hlr(const char *const values[8], struct buf *out)
{
    static const char *const names[8] = { "imsi", "msc", "mcc", "mnc", "cn", "net", "rcn", "rnet" };

    for (size_t i = 0; i < 8; i++) {
        buf_addf(out, " %s:", names[i]);
        buf_add_url(out, values[i], strlen(values[i]));
    }
}

int report_apply(struct gateway *gw, struct item *item, const struct report *report, unsigned flags,
                 struct store_done done, const char **out_what)
{
    enum smpp_message_state final = 0;
    struct message *m = item->m;

    UNUSED(outcome_of_status(report->status, &final));
    trail_add(gw->watch.trail, m->id, report->polled ? TRAIL_TOLD : TRAIL_CALLBACK, (uint64_t)report->err,
              report->status);
    if (report->aside != NULL && store_note(gw->store, m->id, clock_wall_ms(), report->aside) != 0)
        log_warn("details of a status not noted", "msg=%llu", (unsigned long long)m->id);
    if (m->p.state == MESSAGE_DELIVERING || m->p.state == MESSAGE_CLOSED)
        return record_late(gw, item, report, flags, done, out_what);
    if (final == 0)
        return record_passing(gw, item, report, flags, done, out_what);
    *out_what = "stored";
    int err = keep_result(gw, item, report, flags);
    if (err != 0)
        return err;
    struct outcome outcome = { .final = final,
                               .status = report->status,
                               .err = report->err,
                               .cost_e6 = report->cost_e6,
                               .done_ms = report->ts_ms };
    return outcome_reached(gw, item, &outcome, flags, done);
}

void report_polled(struct gateway *gw, struct item *item, const struct smsc_status *status)
{
    enum smpp_message_state final;
    const char *what = "";
    struct report report = { .polled = true,
                             .status = status->status,
                             .err = status->err,
                             .ts_ms = status->last_ts * 1000,
                             .cost_e6 = status->cost_e6,
                             .has_flag = status->flag != 0,
                             .flag = status->flag };
    struct buf hlr;

    if (!outcome_of_status(status->status, &final))
        return;
    buf_init(&hlr, EXTRA_BYTES_MAX);
    if (status->has_hlr) {
        report_hlr((const char *const[8]){ status->imsi, status->msc, status->mcc, status->mnc, status->cn, status->net,
                                           status->rcn, status->rnet },
                   &hlr);
        report.hlr = buf_text(&hlr);
    }
    book_pin(gw->book, item);
    int err = report_apply(gw, item, &report, STORE_KEEP, (struct store_done){ 0 }, &what);
    book_unpin(gw->book, item);
    buf_finish(&hlr);
    if (err < 0) /* still open in the store: asked again */
        log_error("status not saved", "msg=%llu error=%s", (unsigned long long)item->m->id, err_name(err));
}
