/* SPDX-License-Identifier: MIT */
/*
 * admin_messages.c - looking for messages, and the whole story of one.
 *
 * One id may be ours (as the ESME knows it, in any form), the aggregator's ("s" and a number), or a phone number: then
 * the newest message to it is shown.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/admin.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000, ROUNDS_MAX = 20 };

/* --- the list ----------------------------------------------------------------------------------------------------- */

struct search {
    struct gateway *gw;
    struct http_exchange *exchange;
    struct store_query query;
    unsigned wanted, found, rounds;
    struct buf out;
};

static void search_end(struct search *s, uint64_t next)
{
    if (next != 0)
        buf_addf(&s->out, "], \"next\": \"%llu\"}\n", (unsigned long long)next);
    else
        buf_adds(&s->out, "], \"next\": null}\n");
    admin_reply(s->exchange, 200, &s->out);
    buf_finish(&s->out);
    free(s);
}

static void search_fail(struct search *s)
{
    admin_fail(s->exchange, 503, "the store is busy", "try again");
    buf_finish(&s->out);
    free(s);
}

static void on_found(void *owner, uint64_t cookie, int err, struct message **messages, size_t count, uint64_t next)
{
    struct search *s = owner;

    UNUSED(cookie);
    for (size_t i = 0; i < count; i++) {
        struct item *item = book_find(s->gw->book, messages[i]->id);

        buf_adds(&s->out, s->found++ == 0 ? "\n" : ",\n");
        admin_add_message(s->gw, item != NULL ? item->m : messages[i], &s->out); /* memory is newer */
        buf_adds(&s->out, "}");
        message_destroy(messages[i]);
    }
    if (err != 0) {
        search_fail(s);
        return;
    }
    if (next == 0 || s->found >= s->wanted || ++s->rounds >= ROUNDS_MAX) {
        search_end(s, next);
        return;
    }
    s->query.after = next; /* one look-up walks so many rows at most */
    s->query.limit = s->wanted - s->found;
    if (store_find(s->gw->store, &s->query, on_found, s, 0) != 0)
        search_fail(s);
}

/* Fills the query; the hint for the parameter that is wrong, or NULL. */
static const char *read_query(struct admin_call *call, struct store_query *q)
{
    const char *phone = http_params_get(&call->query, "phone"), *limit = http_params_get(&call->query, "limit");
    const char *system_id = http_params_get(&call->query, "system_id"), *state = http_params_get(&call->query, "state");
    const char *since = http_params_get(&call->query, "since"), *until = http_params_get(&call->query, "until");
    const char *after = http_params_get(&call->query, "after");
    static const char *const known[] = { "phone", "limit", "system_id", "state", "since", "until", "after" };
    char *end;

    for (size_t i = 0; i < call->query.count; i++) {
        bool found = false;

        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            found = found || strcmp(known[k], call->query.at[i].name) == 0;
        if (!found)
            return "parameters are phone, system_id, state, since, until, after, limit";
    }
    *q = (struct store_query){ .limit = LIMIT_DEFAULT };
    if (phone != NULL && *phone != '\0')
        q->phone = message_phone(phone, strlen(phone));
    if (system_id != NULL && *system_id != '\0') {
        struct account *account;

        HASH_FIND_STR(call->gw->accounts, system_id, account);
        if (account == NULL)
            return "system_id is none of the accounts";
        q->esme = account->number;
    }
    if (state != NULL && *state != '\0' && !admin_state_read(state, &q->state, &q->final))
        return "state is scheduled, queued, sending, delivered, expired, deleted, undeliverable, rejected or unknown";
    if ((since != NULL && *since != '\0' && !admin_time_read(since, &q->since_ms)) ||
        (until != NULL && *until != '\0' && !admin_time_read(until, &q->until_ms)))
        return "since and until are times like 2026-11-22T10:00:00Z, or seconds since 1970";
    if (after != NULL && *after != '\0') {
        q->after = strtoull(after, &end, 10);
        if (*end != '\0' || *after == '-')
            return "after is the value of next in an earlier answer";
    }
    if (limit != NULL && *limit != '\0') {
        unsigned long value = strtoul(limit, &end, 10);

        if (*end != '\0' || value < 1 || value > LIMIT_MAX)
            return "limit is 1 to 1000";
        q->limit = (unsigned)value;
    }
    return NULL;
}

void admin_messages(struct admin_call *call)
{
    struct search *s = calloc(1, sizeof *s);
    const char *hint;

    if (s == NULL) {
        admin_fail(call->exchange, 503, "out of memory", "try again");
        return;
    }
    s->gw = call->gw;
    s->exchange = call->exchange;
    hint = read_query(call, &s->query);
    if (hint != NULL) {
        free(s);
        admin_fail(call->exchange, 400, "a parameter was not understood", hint);
        return;
    }
    s->wanted = s->query.limit;
    buf_init(&s->out, ADMIN_REPLY_MAX);
    buf_adds(&s->out, "{\"items\": [");
    if (store_find(call->gw->store, &s->query, on_found, s, 0) != 0)
        search_fail(s);
}

/* --- one ---------------------------------------------------------------------------------------------------------- */

enum way { BY_ID, BY_PHONE, BY_PUBLIC_ID, BY_SEND, WAYS_OVER };

struct story {
    struct gateway *gw;
    struct http_exchange *exchange;
    char text[128]; /* what was asked for */
    enum way way;
    struct message *m;
    struct store_send send;
    bool has_send;
};

static void story_next(struct story *s);

static void story_end(struct story *s, const struct store_line *notes, size_t count)
{
    struct timeline timeline = { s->m, s->has_send ? &s->send : NULL, notes, count };
    struct buf out;

    buf_init(&out, ADMIN_REPLY_MAX);
    admin_add_message(s->gw, s->m, &out);
    if (!s->m->binary) {
        buf_adds(&out, ", \"text\": ");
        buf_add_json(&out, s->m->text.at == NULL ? "" : s->m->text.at, s->m->text.len);
    } else {
        buf_adds(&out, ", \"text\": null");
    }
    buf_addf(&out,
             ", \"data_coding\": %u, \"esm_class\": %u, \"registered_delivery\": %u, \"tries\": %u, "
             "\"deliver_tries\": %u, \"expires_at\": ",
             s->m->data_coding, s->m->esm_class, s->m->registered_delivery, s->m->p.tries, s->m->p.deliver_tries);
    admin_add_time(&out, s->m->expires_ms);
    if (s->m->p.leader != 0)
        buf_addf(&out, ", \"part_of\": \"%llu\"", (unsigned long long)s->m->p.leader);
    buf_adds(&out, ", \"timeline\": ");
    timeline_write(s->gw, &timeline, &out);
    buf_adds(&out, "}\n");
    admin_reply(s->exchange, 200, &out);
    buf_finish(&out);
    message_destroy(s->m);
    free(s);
}

static void story_fail(struct story *s, int status, const char *error, const char *hint)
{
    admin_fail(s->exchange, status, error, hint);
    message_destroy(s->m);
    free(s);
}

static void on_notes(void *owner, uint64_t cookie, int err, const struct store_line *lines, size_t count)
{
    UNUSED(cookie);
    if (err != 0)
        story_fail(owner, 503, "the store is busy", "try again");
    else
        story_end(owner, lines, count);
}

static void ask_notes(struct story *s)
{
    if (store_timeline(s->gw->store, s->m->id, on_notes, s, 0) != 0)
        story_fail(s, 503, "the store is busy", "try again");
}

static void on_send_row(void *owner, uint64_t cookie, int err, const struct store_send *send)
{
    struct story *s = owner;

    UNUSED(cookie);
    if (err == 0 && send != NULL) {
        s->send = *send;
        s->send.members = NULL;
        s->has_send = true;
    }
    ask_notes(s);
}

/* The message is known: takes it. */
static void with_message(struct story *s, struct message *m)
{
    struct item *item = book_find(s->gw->book, m->id);

    s->m = m;
    if (item != NULL)
        s->m->p = item->m->p; /* memory is newer */
    if (s->m->p.upid == 0 || store_find_send(s->gw->store, s->m->p.upid, on_send_row, s, 0) != 0)
        ask_notes(s);
}

static void on_story_found(void *owner, uint64_t cookie, int err, struct message **messages, size_t count,
                           uint64_t next)
{
    struct story *s = owner;

    UNUSED(cookie);
    UNUSED(next);
    if (err != 0) {
        story_fail(s, 503, "the store is busy", "try again");
        return;
    }
    for (size_t i = 1; i < count; i++)
        message_destroy(messages[i]);
    if (count > 0)
        with_message(s, messages[0]);
    else
        story_next(s);
}

static void on_members(void *owner, uint64_t cookie, int err, const struct store_send *send)
{
    struct story *s = owner;

    UNUSED(cookie);
    if (err != 0 || send == NULL || send->member_count == 0) {
        story_next(s);
        return;
    }
    uint64_t id = send->members[0].id;
    if (store_load(s->gw->store, &id, 1, on_story_found, s, 0) != 0)
        story_fail(s, 503, "the store is busy", "try again");
}

static void story_next(struct story *s)
{
    struct store_query q = { .limit = 1 };
    struct smpp_str text = smpp_str(s->text);
    uint64_t id = 0;
    int err = 0;

    for (;;) { /* the first way that applies */
        enum way way = s->way++;

        if (way == BY_ID && profile_id_read(text, &id)) {
            err = store_load(s->gw->store, &id, 1, on_story_found, s, 0);
        } else if (way == BY_PUBLIC_ID && profile_id_read(text, &id)) {
            q.public_id = id;
            err = store_find(s->gw->store, &q, on_story_found, s, 0);
        } else if (way == BY_PHONE && strspn(s->text, "+0123456789") == text.len && text.len < 18) {
            q.phone = message_phone(text.at, text.len);
            err = store_find(s->gw->store, &q, on_story_found, s, 0);
        } else if (way == BY_SEND && send_id_read(s->text, &id)) {
            err = store_find_send(s->gw->store, id, on_members, s, 0);
        } else if (way >= WAYS_OVER) {
            story_fail(s, 404, "there is no such message",
                       "an id as in submit_sm_resp, an upstream id (s and a number), or a phone number");
            return;
        } else {
            continue;
        }
        break;
    }
    if (err != 0)
        story_fail(s, 503, "the store is busy", "try again");
}

void admin_message(struct admin_call *call)
{
    struct story *s = calloc(1, sizeof *s);

    if (s == NULL) {
        admin_fail(call->exchange, 503, "out of memory", "try again");
        return;
    }
    s->gw = call->gw;
    s->exchange = call->exchange;
    snprintf(s->text, sizeof s->text, "%s", call->arg[0]);
    story_next(s);
}
