/* SPDX-License-Identifier: MIT */
/*
 * conformance.c - the analyser behind a session's conformance report [see conformance.h].
 *
 * Both tables of a session are direct-mapped by sequence number: one look per PDU, nothing to search. A place taken by a
 * newer request ends the older one as unanswered, which is what a peer that far behind is.
 */
#include "gateway/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/table.h"
#include "smpp/smpp.h"

enum { SEEN = 1024, ASKED = 256, PATIENCE_MS = 30000, LATE_SHARE = 6 };

enum finding {
    LATE_DELIVER_RESP,
    UNANSWERED_DELIVER,
    UNANSWERED_ENQUIRE_LINK,
    ANSWER_TO_NOTHING,
    REUSED_SEQUENCE,
    SEQUENCE_RANGE,
    STATUS_IN_REQUEST,
    WRONG_ESM_CLASS,
    UDH_WITHOUT_FLAG,
    FLAG_WITHOUT_UDH,
    NOT_UNDERSTOOD,
    FINDING_COUNT
};

enum window { WINDOW_NONE, WINDOW_LATE, WINDOW_UNANSWERED };

static const struct {
    const char *name, *words;
    enum window window; /* stands before `after` */
    const char *after;
} findings[FINDING_COUNT] = {
    [LATE_DELIVER_RESP] = { "late_deliver_sm_resp", "deliver_sm_resp after more than ", WINDOW_LATE,
                            ": answer at once, work afterwards" },
    [UNANSWERED_DELIVER] = { "unanswered_deliver_sm", "no deliver_sm_resp within ", WINDOW_UNANSWERED,
                             ": the message is delivered again" },
    [UNANSWERED_ENQUIRE_LINK] = { "unanswered_enquire_link", "no enquire_link_resp within ", WINDOW_UNANSWERED,
                                  " [SMPP34 4.11]" },
    [ANSWER_TO_NOTHING] = { "answer_to_nothing", "a response whose sequence_number belongs to no request of ours",
                            WINDOW_NONE, "" },
    [REUSED_SEQUENCE] = { "reused_sequence_number",
                          "a sequence_number used again: each request of a session has its "
                          "own, going up [SMPP34 3.2]",
                          WINDOW_NONE, "" },
    [SEQUENCE_RANGE] = { "sequence_number_range", "a sequence_number beyond 1..0x7FFFFFFF [SMPP34 5.1.4]", WINDOW_NONE,
                         "" },
    [STATUS_IN_REQUEST] = { "status_in_request", "a request whose command_status is not 0 [SMPP34 3.2]", WINDOW_NONE,
                            "" },
    [WRONG_ESM_CLASS] = { "wrong_esm_class",
                          "a message type in esm_class that only the SMSC may send, or a reserved "
                          "one [SMPP34 5.2.12]",
                          WINDOW_NONE, "" },
    [UDH_WITHOUT_FLAG] = { "udh_without_flag",
                           "short_message begins with a concatenation header but esm_class lacks "
                           "0x40 [SMPP34 5.2.12]",
                           WINDOW_NONE, "" },
    [FLAG_WITHOUT_UDH] = { "flag_without_udh", "esm_class 0x40, but the user data header is longer than the message",
                           WINDOW_NONE, "" },
    [NOT_UNDERSTOOD] = { "not_understood", "a PDU we had to answer with generic_nack", WINDOW_NONE, "" },
};

struct found {
    uint64_t count;
    int64_t first_ms, last_ms;
    uint32_t sequence_number; /* of the last */
};

struct asked { /* a request of ours */
    uint32_t sequence_number, command_id;
    int64_t at_ms; /* 0: free */
};

struct session {
    uint64_t n;
    char system_id[72];
    uint32_t seen[SEEN]; /* sequence numbers of the peer's last requests; 0 free */
    struct asked asked[ASKED];
    struct found found[FINDING_COUNT];
    uint64_t requests, deliveries, answers;
    int64_t first_ms, last_ms, worst_answer_ms;
    UT_hash_handle hh; /* in order of appearance */
};

struct conformance {
    struct session *sessions;
    size_t max;
    int64_t window_ms[3]; /* by enum window */
};

struct conformance *conformance_create(size_t sessions_max)
{
    struct conformance *c = calloc(1, sizeof *c);

    if (c != NULL) {
        c->max = sessions_max;
        conformance_configure(c, 0);
    }
    return c;
}

void conformance_configure(struct conformance *c, uint64_t response_timeout_ms)
{
    c->window_ms[WINDOW_UNANSWERED] = response_timeout_ms == 0 ? PATIENCE_MS : (int64_t)response_timeout_ms;
    c->window_ms[WINDOW_LATE] = c->window_ms[WINDOW_UNANSWERED] / LATE_SHARE;
}

static void drop(struct conformance *c, struct session *s)
{
    HASH_DEL(c->sessions, s);
    free(s);
}

void conformance_destroy(struct conformance *c)
{
    if (c == NULL)
        return;
    while (c->sessions != NULL)
        drop(c, c->sessions);
    free(c);
}

static struct session *session_of(struct conformance *c, uint64_t n, int64_t now_ms)
{
    struct session *s;

    HASH_FIND(hh, c->sessions, &n, sizeof n, s);
    if (s != NULL)
        return s;
    if (HASH_COUNT(c->sessions) >= c->max)
        drop(c, c->sessions);
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->n = n;
    s->first_ms = now_ms;
    HASH_ADD(hh, c->sessions, n, sizeof s->n, s);
    if (TABLE_TOOK(s))
        return s;
    free(s);
    return NULL;
}

static void note(struct session *s, enum finding what, uint32_t sequence_number, int64_t now_ms)
{
    struct found *f = &s->found[what];

    if (f->count++ == 0)
        f->first_ms = now_ms;
    f->last_ms = now_ms;
    f->sequence_number = sequence_number;
}

static enum finding unanswered(const struct asked *a)
{
    return a->command_id == CMD_ENQUIRE_LINK ? UNANSWERED_ENQUIRE_LINK : UNANSWERED_DELIVER;
}

static void on_our_request(struct session *s, uint32_t command_id, uint32_t sequence_number, int64_t now_ms)
{
    struct asked *a = &s->asked[sequence_number % ASKED];
    bool delivery = command_id == CMD_DELIVER_SM || command_id == CMD_DATA_SM;

    if (!delivery && command_id != CMD_ENQUIRE_LINK)
        return;
    if (a->at_ms != 0)
        note(s, unanswered(a), a->sequence_number, now_ms);
    *a = (struct asked){ sequence_number, command_id, now_ms };
    s->deliveries += delivery;
}

static void on_answer(const struct conformance *c, struct session *s, uint32_t command_id, uint32_t sequence_number,
                      int64_t now_ms)
{
    struct asked *a = &s->asked[sequence_number % ASKED];
    uint32_t request = command_id & ~(uint32_t)CMD_RESPONSE;

    if (request != CMD_DELIVER_SM && request != CMD_DATA_SM && request != CMD_ENQUIRE_LINK && request != 0)
        return; /* unbind_resp and what we do not follow */
    if (a->at_ms == 0 || a->sequence_number != sequence_number || (request != 0 && a->command_id != request)) {
        if (request != 0)
            note(s, ANSWER_TO_NOTHING, sequence_number, now_ms);
        return;
    }
    int64_t took_ms = now_ms - a->at_ms;
    if (a->command_id != CMD_ENQUIRE_LINK) {
        s->answers++;
        if (took_ms > s->worst_answer_ms)
            s->worst_answer_ms = took_ms;
        if (took_ms > c->window_ms[WINDOW_LATE])
            note(s, LATE_DELIVER_RESP, sequence_number, now_ms);
    } else if (took_ms > c->window_ms[WINDOW_UNANSWERED]) {
        note(s, UNANSWERED_ENQUIRE_LINK, sequence_number, now_ms);
    }
    a->at_ms = 0;
}

/* Skips a C-octet string. */
static void skip_string(struct reader *r)
{
    while (reader_left(r) > 0 && read_u8(r) != 0)
        ;
}

static void look_into_message(struct session *s, uint32_t command_id, uint32_t sequence_number, const uint8_t *frame,
                              size_t len, int64_t now_ms)
{
    struct reader r = reader_over(frame + SMPP_HEADER_BYTES, len - SMPP_HEADER_BYTES);

    skip_string(&r); /* service_type */
    for (int i = 0; i < 2; i++) {
        (void)read_u16(&r); /* ton, npi */
        skip_string(&r);
    }
    uint8_t esm_class = read_u8(&r);
    if (r.failed)
        return; /* refused elsewhere */
    /* of the message types only "default" and the two acknowledgements come from an ESME */
    uint8_t type = esm_class & 0x3C;
    if (type != 0 && type != 0x08 && type != 0x10)
        note(s, WRONG_ESM_CLASS, sequence_number, now_ms);
    if (command_id != CMD_SUBMIT_SM)
        return;
    (void)read_u16(&r);      /* protocol_id, priority_flag */
    skip_string(&r);         /* schedule_delivery_time */
    skip_string(&r);         /* validity_period */
    (void)read_bytes(&r, 4); /* registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id */
    struct bytes text = read_bytes(&r, read_u8(&r));
    if (r.failed)
        return;
    if ((esm_class & 0x40) == 0 && smpp_udh_is_unannounced(text))
        note(s, UDH_WITHOUT_FLAG, sequence_number, now_ms);
    if ((esm_class & 0x40) != 0 && text.len > 0 && (size_t)text.at[0] + 1 > text.len)
        note(s, FLAG_WITHOUT_UDH, sequence_number, now_ms);
}

static void on_request(struct session *s, uint32_t command_id, uint32_t status, uint32_t sequence_number,
                       const uint8_t *frame, size_t len, int64_t now_ms)
{
    uint32_t *seen = &s->seen[sequence_number % SEEN];

    s->requests++;
    if (sequence_number == 0 || sequence_number > 0x7FFFFFFF)
        note(s, SEQUENCE_RANGE, sequence_number, now_ms);
    else if (*seen == sequence_number)
        note(s, REUSED_SEQUENCE, sequence_number, now_ms);
    *seen = sequence_number;
    if (status != 0)
        note(s, STATUS_IN_REQUEST, sequence_number, now_ms);
    if (command_id == CMD_SUBMIT_SM || command_id == CMD_DATA_SM)
        look_into_message(s, command_id, sequence_number, frame, len, now_ms);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void conformance_add(struct conformance *c, uint64_t n, const char *system_id, bool outgoing, const uint8_t *frame,
                     size_t len, int64_t now_ms)
{
    struct session *s = len < SMPP_HEADER_BYTES ? NULL : session_of(c, n, now_ms);

    if (s == NULL)
        return;
    uint32_t command_id = be32(frame + 4), sequence_number = be32(frame + 12);
    bool response = (command_id & CMD_RESPONSE) != 0;

    s->last_ms = now_ms;
    if (s->system_id[0] == '\0' && system_id != NULL && system_id[0] != '\0')
        snprintf(s->system_id, sizeof s->system_id, "%s", system_id);
    if (outgoing && command_id == CMD_GENERIC_NACK)
        note(s, NOT_UNDERSTOOD, sequence_number, now_ms);
    else if (outgoing && !response)
        on_our_request(s, command_id, sequence_number, now_ms);
    else if (!outgoing && response)
        on_answer(c, s, command_id, sequence_number, now_ms);
    else if (!outgoing)
        on_request(s, command_id, be32(frame + 8), sequence_number, frame, len, now_ms);
}

static void add_time(struct buf *out, const char *name, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_addf(out, "\"%s\": \"%s.%03dZ\"", name, text, (int)(ms % 1000));
}

static void add_words(const struct conformance *c, enum finding what, struct buf *out)
{
    char seconds[24] = "", words[256];

    if (findings[what].window != WINDOW_NONE)
        snprintf(seconds, sizeof seconds, "%g s", (double)c->window_ms[findings[what].window] / 1000);
    int len = snprintf(words, sizeof words, "%s%s%s", findings[what].words, seconds, findings[what].after);
    buf_add_json(out, words, len < 0 ? 0 : strnlen(words, sizeof words));
}

int conformance_write(const struct conformance *c, uint64_t n, int64_t now_ms, struct buf *out)
{
    struct session *kept, now;
    bool first = true;

    HASH_FIND(hh, c->sessions, &n, sizeof n, kept);
    if (kept == NULL)
        return ERR_NOT_FOUND;
    now = *kept; /* what has gone unanswered until now is said, but not written down: an answer may still come */
    for (size_t i = 0; i < ASKED; i++) {
        if (now.asked[i].at_ms != 0 && now_ms - now.asked[i].at_ms > c->window_ms[WINDOW_UNANSWERED])
            note(&now, unanswered(&now.asked[i]), now.asked[i].sequence_number, now_ms);
    }
    buf_addf(out, "{\"n\": %llu, \"system_id\": ", (unsigned long long)n);
    buf_add_json(out, now.system_id, strlen(now.system_id));
    buf_adds(out, ", ");
    add_time(out, "since", now.first_ms);
    buf_addf(out,
             ", \"requests\": %llu, \"deliveries\": %llu, \"deliveries_answered\": %llu, \"slowest_answer_ms\": %lld, "
             "\"findings\": [",
             (unsigned long long)now.requests, (unsigned long long)now.deliveries, (unsigned long long)now.answers,
             (long long)now.worst_answer_ms);
    for (size_t i = 0; i < FINDING_COUNT; i++) {
        const struct found *f = &now.found[i];

        if (f->count == 0)
            continue;
        buf_addf(out, "%s\n  {\"finding\": \"%s\", \"count\": %llu, ", first ? "" : ",", findings[i].name,
                 (unsigned long long)f->count);
        add_time(out, "first_at", f->first_ms);
        buf_adds(out, ", ");
        add_time(out, "last_at", f->last_ms);
        buf_addf(out, ", \"sequence_number\": %u, \"words\": ", f->sequence_number);
        add_words(c, (enum finding)i, out);
        buf_addc(out, '}');
        first = false;
    }
    buf_addf(out, "], \"conforms\": %s}\n", first ? "true" : "false");
    return out->failed ? ERR_FULL : 0;
}
