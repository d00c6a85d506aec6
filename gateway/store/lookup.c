/* SPDX-License-Identifier: MIT */
/*
 * lookup.c - what both engines share when they answer: building the answer, and what a query means.
 */
#include "gateway/store/engine.h"

#include <stdlib.h>
#include <string.h>

int lookup_add_message(struct lookup *l, const struct message *view)
{
    struct message *copy = message_create(view);
    bool fits = copy != NULL && array_room(&l->messages, &l->message_room, l->message_count, sizeof *l->messages);

    if (!fits) {
        message_destroy(copy);
        return ERR_NOMEM;
    }
    l->messages[l->message_count++] = copy;
    return 0;
}

int lookup_set_send(struct lookup *l, const struct store_send *view)
{
    l->members = calloc(view->member_count + 1, sizeof *l->members);
    if (l->members == NULL)
        return ERR_NOMEM;
    if (view->member_count > 0)
        memcpy(l->members, view->members, view->member_count * sizeof *l->members);
    l->send = *view;
    l->send.members = l->members;
    l->send_found = true;
    return 0;
}

int lookup_add_line(struct lookup *l, int64_t at_ms, const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    bool fits = copy != NULL && array_room(&l->lines, &l->line_room, l->line_count, sizeof *l->lines);

    if (!fits) {
        free(copy);
        return ERR_NOMEM;
    }
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    l->lines[l->line_count++] = (struct store_line){ at_ms, copy };
    return 0;
}

void lookup_destroy(struct lookup *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->message_count; i++)
        message_destroy(l->messages[i]);
    for (size_t i = 0; i < l->line_count; i++)
        free((char *)(uintptr_t)l->lines[i].text);
    free(l->messages);
    free(l->lines);
    free(l->members);
    free(l->ids);
    free(l->path);
    free(l);
}

unsigned message_phones(const struct message *m, uint64_t out[2])
{
    unsigned n = 0;

    out[n++] = message_phone(m->dest.at, m->dest.len);
    if (m->kind == MESSAGE_MT) /* its source is one of the customer's few sender names, nobody's phone */
        return n;
    out[n] = message_phone(m->source.at, m->source.len);
    return out[1] == out[0] ? n : n + 1;
}

bool query_matches(const struct store_query *q, const struct message *m)
{
    if (q->esme != 0 && m->p.esme != q->esme)
        return false;
    if (q->state != 0 && m->p.state != q->state)
        return false;
    if (q->final != 0 && m->p.final != q->final)
        return false;
    if (q->public_id != 0 && m->public_id != q->public_id)
        return false;
    if (q->since_ms != 0 && m->accepted_ms < q->since_ms)
        return false;
    if (q->until_ms != 0 && m->accepted_ms > q->until_ms)
        return false;
    if (q->phone != 0) {
        uint64_t phones[2];
        unsigned n = message_phones(m, phones);

        return phones[0] == q->phone || (n == 2 && phones[1] == q->phone);
    }
    return true;
}
