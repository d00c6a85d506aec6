/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the store without a disk: the same contract, forgotten at the end. For tests and trials.
 *
 * Everything happens on the loop thread at the end of a turn. Rows stand in arrays sorted by id; ids ascend, so adding
 * is appending nearly always.
 */
#include "gateway/store/fake.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/store/engine.h"

enum { ROWS_MAX = 2000000 };

struct row {
    uint64_t key;
    void *item; /* owned: struct message, struct store_send, struct note */
};

struct rows {
    struct row *at;
    size_t count, room;
};

struct note {
    struct note *next;
    int64_t at_ms;
    size_t len;
    char text[];
};

struct notes_of { /* of one message, oldest first */
    struct note *first, *last;
};

struct once {
    char *key;
    int64_t at_ms;
};

struct memory {
    struct rows messages, sends, notes;
    struct once *onces; /* sorted by key */
    size_t once_count, once_room;
    unsigned fail;
    int64_t expire_before;
    int64_t texts_before; /* 0: texts stay */
};

/* Where `key` is or would be. */
static size_t rows_at(const struct rows *r, uint64_t key)
{
    size_t low = 0, high = r->count;

    if (high > 0 && r->at[high - 1].key < key)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->at[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void *rows_get(const struct rows *r, uint64_t key)
{
    size_t i = rows_at(r, key);

    return i < r->count && r->at[i].key == key ? r->at[i].item : NULL;
}

/* Takes `item` when it returns 0. */
static int rows_put(struct rows *r, uint64_t key, void *item)
{
    size_t i = rows_at(r, key);

    if (i < r->count && r->at[i].key == key)
        return ERR_EXISTS;
    if (r->count >= ROWS_MAX)
        return ERR_FULL;
    if (!array_room(&r->at, &r->room, r->count, sizeof *r->at))
        return ERR_NOMEM;
    memmove(r->at + i + 1, r->at + i, (r->count - i) * sizeof *r->at);
    r->at[i] = (struct row){ key, item };
    r->count++;
    return 0;
}

static void rows_drop(struct rows *r, size_t i)
{
    r->count--;
    memmove(r->at + i, r->at + i + 1, (r->count - i) * sizeof *r->at);
}

static void notes_destroy(struct notes_of *n)
{
    while (n != NULL && n->first != NULL) {
        struct note *next = n->first->next;

        free(n->first);
        n->first = next;
    }
    free(n);
}

/* --- changes --- */

/* As the result columns of sqlite.c give it back: they do not hold these two. */
static void close_progress(struct progress *p)
{
    p->state = MESSAGE_CLOSED;
    p->due_ms = 0;
    p->urgent = false;
}

static int put(struct memory *e, const struct message *m)
{
    struct message *copy = message_create(m);
    int err = copy == NULL ? ERR_NOMEM : rows_put(&e->messages, m->id, copy);

    if (err != 0)
        message_destroy(copy);
    else if (copy->p.state == MESSAGE_CLOSED)
        close_progress(&copy->p);
    return err;
}

static struct message *open_message(struct memory *e, uint64_t id)
{
    struct message *m = rows_get(&e->messages, id);

    return m != NULL && m->p.state != MESSAGE_CLOSED ? m : NULL;
}

static int replace(struct memory *e, const struct message *with)
{
    size_t i = rows_at(&e->messages, with->id);
    struct message *copy = message_create(with);

    if (copy == NULL)
        return ERR_NOMEM;
    message_destroy(e->messages.at[i].item);
    e->messages.at[i].item = copy;
    return 0;
}

static int rewrite(struct memory *e, const struct message *m)
{
    struct message *old = open_message(e, m->id);
    struct message both;

    if (old == NULL)
        return ERR_NOT_FOUND;
    both = *old;
    both.text = m->text;
    both.binary = m->binary;
    both.extra = m->extra;
    both.expires_ms = m->expires_ms;
    both.registered_delivery = m->registered_delivery;
    both.channel = m->channel;
    both.data_coding = m->data_coding;
    both.esm_class = m->esm_class;
    return replace(e, &both);
}

static void empty_text(struct message *m)
{
    m->text.len = 0;
    if (m->text.at != NULL)
        m->text.at[0] = '\0';
}

static int end(struct memory *e, const struct change_end *end)
{
    struct message *m = open_message(e, end->p.id);

    if (m == NULL)
        return ERR_NOT_FOUND;
    m->p = end->p;
    close_progress(&m->p);
    if (!end->keep_text || store_id_ms(m->id) < e->texts_before)
        empty_text(m);
    return 0;
}

static int send_put(struct memory *e, const struct store_send *send)
{
    size_t bytes = send->member_count * sizeof *send->members;
    struct store_send *copy = malloc(sizeof *copy + bytes);
    int err;

    if (copy == NULL)
        return ERR_NOMEM;
    *copy = *send;
    copy->members = (struct store_member *)(copy + 1);
    if (bytes > 0)
        memcpy(copy + 1, send->members, bytes);
    err = rows_put(&e->sends, send->upid, copy);
    if (err != 0)
        free(copy);
    return err;
}

static int send_set(struct memory *e, const struct store_send *send)
{
    struct store_send *row = rows_get(&e->sends, send->upid);
    const struct store_member *members;
    size_t count;

    if (row == NULL)
        return ERR_NOT_FOUND;
    members = row->members;
    count = row->member_count;
    *row = *send;
    row->members = members;
    row->member_count = count;
    return 0;
}

static int add_note(struct memory *e, const struct change_note *from)
{
    struct notes_of *of = rows_get(&e->notes, from->message_id);
    struct note *n = malloc(sizeof *n + from->len + 1);

    if (n == NULL)
        return ERR_NOMEM;
    if (of == NULL) {
        int err;

        of = calloc(1, sizeof *of);
        err = of == NULL ? ERR_NOMEM : rows_put(&e->notes, from->message_id, of);
        if (err != 0) {
            free(of);
            free(n);
            return err;
        }
    }
    n->next = NULL;
    n->at_ms = from->at_ms;
    n->len = from->len;
    memcpy(n->text, from->text, from->len + 1);
    if (of->last != NULL)
        of->last->next = n;
    else
        of->first = n;
    of->last = n;
    return 0;
}

static int once(struct memory *e, const struct change_pair *pair)
{
    size_t low = 0, high = e->once_count, size = strlen(pair->key) + 1;
    char *copy;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(e->onces[middle].key, pair->key);

        if (order == 0)
            return ERR_EXISTS;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (e->once_count >= ROWS_MAX)
        return ERR_FULL;
    if (!array_room(&e->onces, &e->once_room, e->once_count, sizeof *e->onces))
        return ERR_NOMEM;
    copy = malloc(size);
    if (copy == NULL)
        return ERR_NOMEM;
    memcpy(copy, pair->key, size);
    memmove(e->onces + low + 1, e->onces + low, (e->once_count - low) * sizeof *e->onces);
    e->onces[low] = (struct once){ copy, pair->value };
    e->once_count++;
    return 0;
}

static int apply(struct memory *e, const struct change *c)
{
    struct message *m;

    switch ((enum change_kind)c->kind) {
    case CHANGE_NONE:
        return 0;
    case CHANGE_PUT:
        return put(e, c->data);
    case CHANGE_MOVE:
        m = open_message(e, ((const struct progress *)c->data)->id);
        if (m == NULL)
            return ERR_NOT_FOUND;
        m->p = *(const struct progress *)c->data;
        return 0;
    case CHANGE_END:
        return end(e, c->data);
    case CHANGE_REWRITE:
        return rewrite(e, c->data);
    case CHANGE_SEND_PUT:
        return send_put(e, c->data);
    case CHANGE_SEND_SET:
        return send_set(e, c->data);
    case CHANGE_NOTE:
        return add_note(e, c->data);
    case CHANGE_ONCE:
        return once(e, c->data);
    case CHANGE_META:
    case CHANGE_NAME:
        return 0; /* store.c holds them */
    }
    return ERR_STATE;
}

static int memory_commit(void *engine, struct change *first)
{
    struct memory *e = engine;
    bool known = false;

    if (e->fail > 0) {
        e->fail--;
        return ERR_IO;
    }
    for (struct change *c = first; c != NULL; c = c->next) {
        c->err = known && (c->flags & STORE_IF_NEW) ? ERR_EXISTS : apply(e, c);
        if (c->kind == CHANGE_ONCE)
            known = c->err != 0;
    }
    return 0;
}

void fake_store_fail(struct store *store, unsigned commits)
{
    if (store->ops == &memory_engine)
        ((struct memory *)store->engine)->fail = commits;
}

/* --- look-ups --- */

static void find(struct memory *e, struct lookup *l)
{
    size_t i = rows_at(&e->messages, l->query.after);

    while (i > 0 && l->err == 0) {
        const struct message *m = e->messages.at[--i].item;

        if (!query_matches(&l->query, m))
            continue;
        l->err = lookup_add_message(l, m);
        if (l->message_count == l->query.limit) {
            l->next_cursor = i > 0 ? m->id : 0;
            return;
        }
    }
}

static void memory_answer(void *engine, struct lookup *l)
{
    struct memory *e = engine;
    const struct store_send *send;
    const struct notes_of *notes;

    switch (l->kind) {
    case LOOKUP_LOAD:
        for (size_t i = 0; i < l->id_count && l->err == 0; i++) {
            const struct message *m = rows_get(&e->messages, l->ids[i]);

            if (m != NULL)
                l->err = lookup_add_message(l, m);
        }
        break;
    case LOOKUP_FIND:
        find(e, l);
        break;
    case LOOKUP_SEND:
        send = rows_get(&e->sends, l->id);
        if (send != NULL)
            l->err = lookup_set_send(l, send);
        break;
    case LOOKUP_TIMELINE:
        notes = rows_get(&e->notes, l->id);
        for (const struct note *n = notes != NULL ? notes->first : NULL; n != NULL && l->err == 0; n = n->next)
            l->err = lookup_add_line(l, n->at_ms, n->text, n->len);
        break;
    case LOOKUP_BACKUP:
        l->err = ERR_UNSUPPORTED;
        break;
    }
}

static void memory_backup(void *engine, struct lookup *l)
{
    UNUSED(engine);
    l->err = ERR_UNSUPPORTED;
}

static void memory_keep(void *engine)
{
    UNUSED(engine);
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int memory_resume(void *engine, const struct store_resume_ops *ops, void *owner)
{
    struct memory *e = engine;
    uint64_t *upids = calloc(e->messages.count + 1, sizeof *upids);
    size_t count = 0;
    int err = 0;

    if (upids == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < e->messages.count; i++) {
        const struct message *m = e->messages.at[i].item;

        if (m->p.state == MESSAGE_CLOSED)
            continue;
        ops->on_open(owner, &m->p);
        if (m->p.upid != 0)
            upids[count++] = m->p.upid;
    }
    qsort(upids, count, sizeof *upids, compare_ids);
    for (size_t i = 0; i < count && err == 0; i++) {
        struct store_send *row = rows_get(&e->sends, upids[i]);
        struct store_member *members;
        struct store_send view;

        if (row == NULL || (i > 0 && upids[i] == upids[i - 1]))
            continue;
        members = calloc(row->member_count + 1, sizeof *members);
        if (members == NULL) {
            err = ERR_NOMEM;
            break;
        }
        view = *row;
        view.members = members;
        view.whole_count = row->member_count;
        view.member_count = 0;
        for (size_t k = 0; k < row->member_count; k++) {
            if (open_message(e, row->members[k].id) != NULL)
                members[view.member_count++] = row->members[k];
        }
        ops->on_send(owner, &view);
        free(members);
    }
    free(upids);
    return err;
}

/* --- housekeeping --- */

static void memory_expire(void *engine, int64_t before_ms)
{
    ((struct memory *)engine)->expire_before = before_ms;
}

static void memory_expire_texts(void *engine, int64_t before_ms)
{
    ((struct memory *)engine)->texts_before = before_ms;
}

static bool any_open(struct memory *e, const struct store_send *send)
{
    for (size_t i = 0; i < send->member_count; i++) {
        if (open_message(e, send->members[i].id) != NULL)
            return true;
    }
    return false;
}

static bool memory_chore(void *engine)
{
    struct memory *e = engine;

    for (size_t i = e->messages.count; i-- > 0;) {
        struct message *m = e->messages.at[i].item;
        size_t n = rows_at(&e->notes, m->id);

        if (m->p.state == MESSAGE_CLOSED && store_id_ms(m->id) < e->texts_before)
            empty_text(m);
        if (m->p.state != MESSAGE_CLOSED || m->accepted_ms >= e->expire_before)
            continue;
        if (n < e->notes.count && e->notes.at[n].key == m->id) {
            notes_destroy(e->notes.at[n].item);
            rows_drop(&e->notes, n);
        }
        message_destroy(m);
        rows_drop(&e->messages, i);
    }
    for (size_t i = e->sends.count; i-- > 0;) {
        struct store_send *send = e->sends.at[i].item;

        if (send->at_ms >= e->expire_before || any_open(e, send))
            continue;
        free(send);
        rows_drop(&e->sends, i);
    }
    for (size_t i = e->once_count; i-- > 0;) {
        if (e->onces[i].at_ms >= e->expire_before)
            continue;
        free(e->onces[i].key);
        e->once_count--;
        memmove(e->onces + i, e->onces + i + 1, (e->once_count - i) * sizeof *e->onces);
    }
    return false;
}

/* --- open and close --- */

static int memory_open(struct store *store, const struct store_opts *opts, void **out, char why[STORE_WHY_SIZE])
{
    UNUSED(store);
    UNUSED(opts);
    UNUSED(why);
    *out = calloc(1, sizeof(struct memory));
    return *out == NULL ? ERR_NOMEM : 0;
}

static void memory_close(void *engine)
{
    struct memory *e = engine;

    for (size_t i = 0; i < e->messages.count; i++)
        message_destroy(e->messages.at[i].item);
    for (size_t i = 0; i < e->sends.count; i++)
        free(e->sends.at[i].item);
    for (size_t i = 0; i < e->notes.count; i++)
        notes_destroy(e->notes.at[i].item);
    for (size_t i = 0; i < e->once_count; i++)
        free(e->onces[i].key);
    free(e->messages.at);
    free(e->sends.at);
    free(e->notes.at);
    free(e->onces);
    free(e);
}

const struct engine_ops memory_engine = {
    .threaded = false,
    .open = memory_open,
    .close = memory_close,
    .commit = memory_commit,
    .chore = memory_chore,
    .expire = memory_expire,
    .expire_texts = memory_expire_texts,
    .answer = memory_answer,
    .keep = memory_keep,
    .backup = memory_backup,
    .resume = memory_resume,
};
