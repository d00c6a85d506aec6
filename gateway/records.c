/* SPDX-License-Identifier: MIT */
/*
 * records.c - all records of one public id, gathered over as many look-ups as it takes.
 *
 * What the book knows better is put over what the store said, so that nobody acts on a state that has passed.
 */
#include "gateway/group.h"

#include <stdlib.h>

enum { PAGE = 500, RECORDS_MAX = 4096 };

struct gathering {
    struct gateway *gw;
    group_records_fn *fn;
    void *owner;
    struct store_query query;
    struct message **records; /* newest first */
    size_t count;
};

static void gathered(struct gathering *g, int err)
{
    for (size_t i = 0; i < g->count / 2; i++) {
        struct message *last = g->records[g->count - 1 - i];

        g->records[g->count - 1 - i] = g->records[i];
        g->records[i] = last;
    }
    for (size_t i = 0; i < g->count; i++) {
        struct item *item = book_find(g->gw->book, g->records[i]->id);

        if (item != NULL)
            g->records[i]->p = item->m->p;
    }
    g->fn(g->owner, err, g->records, g->count);
    for (size_t i = 0; i < g->count; i++)
        message_destroy(g->records[i]);
    free(g->records);
    free(g);
}

static void on_page(void *owner, uint64_t cookie, int err, struct message **messages, size_t count, uint64_t next)
{
    struct gathering *g = owner;
    struct message **records = NULL;

    UNUSED(cookie);
    if (err == 0 && count > 0 && g->count + count <= RECORDS_MAX)
        records = realloc(g->records, (g->count + count) * sizeof *records);
    if (records == NULL) {
        for (size_t i = 0; i < count; i++)
            message_destroy(messages[i]);
        if (err == 0 && count > 0)
            err = ERR_NOMEM;
    } else {
        g->records = records;
        for (size_t i = 0; i < count; i++)
            g->records[g->count++] = messages[i];
    }
    if (err == 0 && next != 0) {
        g->query.after = next;
        err = store_find(g->gw->store, &g->query, on_page, g, 0);
        if (err == 0)
            return;
    }
    gathered(g, err);
}

int group_records(struct gateway *gw, uint64_t public_id, group_records_fn *fn, void *owner)
{
    struct gathering *g = calloc(1, sizeof *g);

    if (g == NULL)
        return ERR_NOMEM;
    *g = (struct gathering){ gw, fn, owner, { .public_id = public_id, .limit = PAGE }, NULL, 0 };
    int err = store_find(gw->store, &g->query, on_page, g, 0);
    if (err != 0)
        free(g);
    return err;
}
