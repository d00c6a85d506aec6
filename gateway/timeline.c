/* SPDX-License-Identifier: MIT */
/*
 * timeline.c - the story of one message, from the recent trail, its rows and the notes of the store.
 *
 * The trail has exact times but forgets; the rows know the stations for good. A station the trail tells is not told
 * again from the rows. Lines are sorted by time, those of one time in the order they are made here.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/admin.h"

enum { TRAIL_MAX = 128, LINES_MAX = 256 };

struct line {
    int64_t at_ms;
    unsigned order;
    char text[400]; /* JSON members */
};

struct lines {
    struct line *at;
    size_t count;
};

static struct buf line_buf(void)
{
    struct buf b;

    buf_init(&b, sizeof((struct line *)0)->text - 1);
    return b;
}

/* Takes the members in `b` as a line. */
static void add(struct lines *lines, int64_t at_ms, struct buf *b)
{
    if (lines->count < LINES_MAX && at_ms != 0 && !b->failed) {
        struct line *line = &lines->at[lines->count];

        line->at_ms = at_ms;
        line->order = 2 * (unsigned)lines->count++; /* odd: a line that belongs to the one before */
        snprintf(line->text, sizeof line->text, "%s", buf_text(b));
    }
    buf_finish(b);
}

static void add_event(struct lines *lines, int64_t at_ms, const char *event)
{
    struct buf b = line_buf();

    admin_add_string(&b, "event", event);
    add(lines, at_ms, &b);
}

static const char *status_text(uint32_t status, char number[16])
{
    const char *name = smpp_status_name(status);

    if (*name != '\0')
        return name;
    snprintf(number, 16, "0x%08X", status);
    return number;
}

/* What the aggregator's codes say, as far as we know them. */
static void add_meaning(struct buf *b, int status, int err)
{
    const char *status_words = smsc_status_words(status);
    const char *err_words = err == 0 ? NULL : smsc_err_words(err);
    char text[96];

    if (status_words == NULL && err_words == NULL)
        return;
    snprintf(text, sizeof text, "%s%s%s", status_words == NULL ? "" : status_words,
             status_words == NULL || err_words == NULL ? "" : ": ", err_words == NULL ? "" : err_words);
    buf_adds(b, ", ");
    admin_add_string(b, "means", text);
}

static void add_trail(struct lines *lines, const struct message *m, const struct trail_event *e)
{
    static const char *const ends[] = { "deliver_sm_resp", "deliver_sm_nacked", "deliver_sm_unanswered",
                                        "deliver_sm_lost" };
    struct buf b = line_buf();
    char text[24];

    switch (e->what) {
    case TRAIL_RECEIVED:
        admin_add_string(&b, "event", m->kind == MESSAGE_MO ? "incoming" : "received");
        if (e->a == 0)
            buf_adds(&b, ", \"by\": \"http\"");
        else
            buf_addf(&b, ", \"session\": %llu, \"sequence_number\": %u", (unsigned long long)e->a, (uint32_t)e->b);
        break;
    case TRAIL_STORED:
        admin_add_string(&b, "event", "stored");
        break;
    case TRAIL_ANSWERED:
        admin_add_string(&b, "event", "answered");
        buf_adds(&b, ", ");
        admin_add_string(&b, "status", status_text((uint32_t)e->b, text));
        break;
    case TRAIL_SENT:
        admin_add_string(&b, "event", "http_request");
        send_id_text(e->a, text);
        buf_addf(&b, ", \"upstream_id\": \"%s\", \"try\": %d", text, e->b);
        break;
    case TRAIL_REPLY:
        admin_add_string(&b, "event", "http_reply");
        send_id_text(e->a, text);
        buf_addf(&b, ", \"upstream_id\": \"%s\", ", text);
        if (e->b > 0)
            buf_addf(&b, "\"result\": \"refused\", \"error\": %d", e->b);
        else
            admin_add_string(&b, "result",
                             e->b == 0                ? "accepted"
                             : e->b == TRAIL_NOT_SENT ? "not sent"
                                                      : "outcome unknown");
        break;
    case TRAIL_CALLBACK:
        admin_add_string(&b, "event", "callback");
        buf_addf(&b, ", \"status\": %d, \"err\": %llu", e->b, (unsigned long long)e->a);
        add_meaning(&b, e->b, (int)e->a);
        break;
    case TRAIL_JOINED:
        admin_add_string(&b, "event", "joined");
        buf_addf(&b, ", \"parts\": %d", e->b);
        if (e->a != 0)
            buf_addf(&b, ", \"part_of\": \"%llu\"", (unsigned long long)e->a);
        break;
    case TRAIL_ASKED:
        admin_add_string(&b, "event", "status_request");
        send_id_text(e->a, text);
        buf_addf(&b, ", \"upstream_id\": \"%s\"", text);
        break;
    case TRAIL_TOLD:
        admin_add_string(&b, "event", "status_reply");
        buf_addf(&b, ", \"status\": %d, \"err\": %llu", e->b, (unsigned long long)e->a);
        break;
    case TRAIL_NOT_TOLD:
        admin_add_string(&b, "event", "status_reply");
        if (e->b != 0)
            buf_addf(&b, ", \"result\": \"refused\", \"error\": %d", e->b);
        else
            buf_adds(&b, ", \"result\": \"no answer\"");
        break;
    case TRAIL_DELIVER:
        admin_add_string(&b, "event", "deliver_sm");
        buf_addf(&b, ", \"session\": %llu, \"try\": %d", (unsigned long long)e->a, e->b);
        break;
    case TRAIL_DELIVER_END:
        admin_add_string(&b, "event", e->a < ARRAY_LEN(ends) ? ends[e->a] : "deliver_sm_end");
        if (e->a <= SMPP_DELIVER_NACKED) {
            buf_adds(&b, ", ");
            admin_add_string(&b, "status", status_text((uint32_t)e->b, text));
        }
        break;
    default:
        break;
    }
    add(lines, e->at_ms, &b);
}

/* The line that told the end, or NULL: the aggregator's time has whole seconds only and a clock of its own. */
static const struct line *end_line(const struct message *m, const struct lines *lines)
{
    char status[48];

    snprintf(status, sizeof status, "\"status\": %d, \"err\"", m->p.status); /* of a callback or a status_reply */
    for (size_t i = 0; i < lines->count; i++) {
        if (strstr(lines->at[i].text, status) != NULL)
            return &lines->at[i];
    }
    return NULL;
}

static int64_t end_time(const struct message *m, const struct lines *lines)
{
    const struct line *told = end_line(m, lines);

    return told != NULL ? told->at_ms : m->p.done_ms < m->accepted_ms ? m->accepted_ms : m->p.done_ms;
}

static void add_rows(struct lines *lines, const struct timeline *t, const bool told[TRAIL_COUNT])
{
    const struct message *m = t->m;
    char text[24];

    if (!told[TRAIL_RECEIVED])
        add_event(lines, m->accepted_ms, m->kind == MESSAGE_MO ? "incoming" : "received");
    if (!told[TRAIL_STORED])
        add_event(lines, m->accepted_ms, "stored");
    if (t->send != NULL && !told[TRAIL_SENT]) {
        struct buf b = line_buf();

        send_id_text(t->send->upid, text);
        admin_add_string(&b, "event", "http_request");
        buf_addf(&b, ", \"upstream_id\": \"%s\", \"try\": %u", text, t->send->tries);
        add(lines, t->send->at_ms, &b);
    }
    if (t->send != NULL && !told[TRAIL_REPLY] && t->send->replied_ms != 0) {
        struct buf b = line_buf();

        admin_add_string(&b, "event", "http_reply");
        if (t->send->error != 0)
            buf_addf(&b, ", \"result\": \"refused\", \"error\": %d", t->send->error);
        else
            buf_adds(&b, ", \"result\": \"accepted\"");
        add(lines, t->send->replied_ms, &b);
    }
    if (m->p.final != 0) {
        const struct line *cause = end_line(m, lines);
        size_t count = lines->count;
        struct buf b = line_buf();

        admin_add_string(&b, "event", "final");
        buf_adds(&b, ", ");
        admin_add_string(&b, "state", admin_state_name(m));
        if (m->p.status != -100)
            buf_addf(&b, ", \"status\": %d", m->p.status);
        buf_addf(&b, ", \"err\": %d", m->p.err);
        add_meaning(&b, m->p.status, m->p.err);
        add(lines, end_time(m, lines), &b);
        if (cause != NULL && lines->count > count) /* before whatever followed in the same millisecond */
            lines->at[count].order = cause->order + 1;
    }
    if (!told[TRAIL_DELIVER_END] && m->p.state == MESSAGE_CLOSED && m->p.receipt == RECEIPT_DELIVERED)
        add_event(lines, end_time(m, lines), "delivered to the ESME");
}

static int by_time(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

void timeline_write(struct gateway *gw, const struct timeline *t, struct buf *out)
{
    struct trail_event trail[TRAIL_MAX];
    bool told[TRAIL_COUNT] = { false };
    struct lines lines = { .at = calloc(LINES_MAX, sizeof(struct line)) };
    char at[CLOCK_ISO_SIZE];

    buf_adds(out, "[");
    if (lines.at != NULL) {
        size_t count = trail_find(gw->watch.trail, t->m->id, trail, TRAIL_MAX);

        for (size_t i = 0; i < count; i++)
            told[trail[i].what] = true;
        for (size_t i = 0; i < count; i++)
            add_trail(&lines, t->m, &trail[i]);
        add_rows(&lines, t, told);
        for (size_t i = 0; i < t->note_count; i++) {
            struct buf b = line_buf();

            buf_adds(&b, "\"event\": \"note\", ");
            admin_add_string(&b, "text", t->notes[i].text);
            add(&lines, t->notes[i].at_ms, &b);
        }
        qsort(lines.at, lines.count, sizeof lines.at[0], by_time);
    }
    for (size_t i = 0; i < lines.count; i++) {
        clock_iso(lines.at[i].at_ms, at);
        buf_addf(out, "%s\n{\"at\": \"%s\", %s}", i == 0 ? "" : ",", at, lines.at[i].text);
    }
    buf_adds(out, "]");
    free(lines.at);
}
