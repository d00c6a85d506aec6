/* SPDX-License-Identifier: MIT */
/*
 * store.c - the door of the store: chooses the engine, copies arguments into this turn's batch, gives ids and names.
 *
 * Leaves threads and failed commits to pipe.c and all storing to an engine. Names and meta values are kept here in full,
 * so asking for one never waits.
 */
#include "gateway/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/store/engine.h"

enum {
    DEFAULT_MAX_WAITING = 200000,
    KEEP_FACTOR = 2, /* STORE_KEEP changes speak of work already begun: they may use this much more of the ceiling */
    NAMES_MAX = 65535,
    META_MAX = 150000
};
#define WAITING_BYTES_MAX ((size_t)256 << 20)
#define IDS_PER_MS        UINT64_C(1000000) /* store_id_ms knows it too */
#define ID_MARGIN         UINT64_C(1000000) /* ids given before a crash that reached no row; nobody was told of them */

/* --- small tables --- */

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

static bool name_set(struct store *s, uint16_t number, const char *name)
{
    char *copy = copy_text(name);

    if (copy == NULL || !array_room(&s->names, &s->name_room, number, sizeof *s->names)) {
        free(copy);
        return false;
    }
    while (s->name_count <= number)
        s->names[s->name_count++] = NULL;
    free(s->names[number]);
    s->names[number] = copy;
    return true;
}

static bool meta_set(struct store *s, const char *key, int64_t value)
{
    char *copy;

    for (size_t i = 0; i < s->meta_count; i++) {
        if (strcmp(s->metas[i].key, key) == 0) {
            struct change_pair hit = { s->metas[i].key, value };

            s->metas[i] = s->metas[i / 2]; /* what is set often is found soon */
            s->metas[i / 2] = hit;
            return true;
        }
    }
    if (s->meta_count >= META_MAX)
        return false;
    copy = copy_text(key);
    if (copy == NULL || !array_room(&s->metas, &s->meta_room, s->meta_count, sizeof *s->metas)) {
        free(copy);
        return false;
    }
    s->metas[s->meta_count++] = (struct change_pair){ copy, value };
    return true;
}

void store_found_name(struct store *s, uint16_t number, const char *name)
{
    (void)name_set(s, number, name); /* out of memory: shows as an unknown name */
}

void store_found_meta(struct store *s, const char *key, int64_t value)
{
    (void)meta_set(s, key, value);
}

void store_found_id(struct store *s, uint64_t highest)
{
    if (highest > 0 && highest + ID_MARGIN > s->last_id)
        s->last_id = highest + ID_MARGIN;
}

/* --- open and close --- */

static void free_all(struct store *s)
{
    for (size_t i = 0; i < s->name_count; i++)
        free(s->names[i]);
    for (size_t i = 0; i < s->meta_count; i++)
        free((char *)(uintptr_t)s->metas[i].key);
    free(s->names);
    free(s->metas);
    uv_cond_destroy(&s->work);
    uv_cond_destroy(&s->asked);
    uv_cond_destroy(&s->poked);
    uv_mutex_destroy(&s->lock);
    free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct store *s = handle->data;

    if (--s->handles == 0)
        free_all(s);
}

int store_open(uv_loop_t *loop, const struct store_opts *opts, struct store **out, char why[STORE_WHY_SIZE])
{
    const struct engine_ops *ops = NULL;
    struct store *s;
    int err;

    if (strncmp(opts->url, "sqlite:", 7) == 0 && opts->url[7] != '\0')
        ops = &sqlite_engine;
    else if (strcmp(opts->url, "memory:") == 0)
        ops = &memory_engine;
    if (ops == NULL) {
        (void)snprintf(why, STORE_WHY_SIZE, "store \"%.100s\": write sqlite:/path/to/file.db or memory:", opts->url);
        return ERR_CONFIG;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        (void)snprintf(why, STORE_WHY_SIZE, "out of memory");
        return ERR_NOMEM;
    }
    s->loop = loop;
    s->ops = ops;
    store_configure(s, opts);
    err = ops->open(s, opts, &s->engine, why);
    if (err != 0) {
        for (size_t i = 0; i < s->name_count; i++)
            free(s->names[i]);
        for (size_t i = 0; i < s->meta_count; i++)
            free((char *)(uintptr_t)s->metas[i].key);
        free(s->names);
        free(s->metas);
        free(s);
        return err;
    }
    err = pipe_open(s);
    if (err != 0) {
        (void)snprintf(why, STORE_WHY_SIZE, "no thread or memory for the store");
        store_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    s->closing = true;
    pipe_close(s);
    s->ops->close(s->engine);
    s->engine = NULL;
    if (s->handles == 0) {
        free_all(s);
        return;
    }
    uv_close((uv_handle_t *)&s->wake, on_handle_closed);
    uv_close((uv_handle_t *)&s->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&s->check, on_handle_closed);
    uv_close((uv_handle_t *)&s->soon, on_handle_closed);
}

void store_configure(struct store *s, const struct store_opts *opts)
{
    s->keep_text = opts->keep_text;
    s->max_waiting = opts->max_waiting == 0 ? DEFAULT_MAX_WAITING : opts->max_waiting;
}

/* --- names and ids --- */

uint64_t store_next_id(struct store *s)
{
    uint64_t now = (uint64_t)clock_wall_ms() * IDS_PER_MS;

    s->last_id = s->last_id + 1 > now ? s->last_id + 1 : now;
    return s->last_id;
}

uint64_t store_last_id(const struct store *s)
{
    return s->last_id;
}

const char *store_name(const struct store *s, uint16_t number)
{
    return number < s->name_count ? s->names[number] : NULL;
}

/* --- changes --- */

static int admit(const struct store *s, unsigned flags)
{
    size_t factor = flags & STORE_KEEP ? KEEP_FACTOR : 1;

    if (s->closing)
        return ERR_BUSY;
    if (!(flags & STORE_KEEP) && atomic_load(&s->blocked))
        return ERR_BUSY;
    if (s->waiting >= s->max_waiting * factor || s->waiting_bytes >= WAITING_BYTES_MAX * factor)
        return ERR_FULL;
    return 0;
}

static int add(struct store *s, enum change_kind kind, const void *data, size_t bytes, unsigned flags,
               struct store_done done)
{
    struct change *c = pipe_change(s);

    if (c == NULL)
        return ERR_NOMEM;
    c->kind = (uint8_t)kind;
    c->flags = (uint8_t)flags;
    c->done = done;
    c->data = data;
    c->bytes = bytes + sizeof *c;
    pipe_add(s, c);
    return 0;
}

static char *copy_bytes(struct store *s, const void *from, size_t len)
{
    char *to = pipe_alloc(s, len + 1);

    if (to == NULL)
        return NULL;
    if (len > 0)
        memcpy(to, from, len);
    to[len] = '\0';
    return to;
}

static int add_message(struct store *s, enum change_kind kind, const struct message *m, unsigned flags,
                       struct store_done done)
{
    struct message *copy;
    struct message_text *texts[6];
    char *at;
    int err = admit(s, flags);

    if (err != 0)
        return err;
    copy = pipe_alloc(s, message_bytes(m));
    if (copy == NULL)
        return ERR_NOMEM;
    *copy = *m;
    texts[0] = &copy->source;
    texts[1] = &copy->dest;
    texts[2] = &copy->service_type;
    texts[3] = &copy->text;
    texts[4] = &copy->tlvs;
    texts[5] = &copy->extra;
    at = (char *)(copy + 1);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i]->len > 0)
            memcpy(at, texts[i]->at, texts[i]->len);
        texts[i]->at = at;
        at[texts[i]->len] = '\0';
        at += texts[i]->len + 1;
    }
    return add(s, kind, copy, message_bytes(m), flags, done);
}

int store_put(struct store *s, const struct message *m, unsigned flags, struct store_done done)
{
    assert(m->id != 0 && m->id <= INT64_MAX);
    return add_message(s, CHANGE_PUT, m, flags, done);
}

int store_rewrite(struct store *s, const struct message *m, unsigned flags, struct store_done done)
{
    return add_message(s, CHANGE_REWRITE, m, flags, done);
}

int store_move(struct store *s, const struct progress *p, unsigned flags, struct store_done done)
{
    struct progress *copy;
    int err = admit(s, flags);

    assert(p->state != MESSAGE_CLOSED); /* store_end closes */
    if (err != 0)
        return err;
    copy = pipe_alloc(s, sizeof *copy);
    if (copy == NULL)
        return ERR_NOMEM;
    *copy = *p;
    return add(s, CHANGE_MOVE, copy, sizeof *copy, flags, done);
}

int store_end(struct store *s, const struct progress *p, int64_t receipt_ms, unsigned flags, struct store_done done)
{
    struct change_end *copy;
    int err = admit(s, flags);

    if (err != 0)
        return err;
    copy = pipe_alloc(s, sizeof *copy);
    if (copy == NULL)
        return ERR_NOMEM;
    *copy = (struct change_end){ *p, receipt_ms, s->keep_text };
    return add(s, CHANGE_END, copy, sizeof *copy, flags, done);
}

static int add_send(struct store *s, enum change_kind kind, const struct store_send *send, size_t members,
                    unsigned flags, struct store_done done)
{
    struct store_send *copy;
    struct store_member *list;
    size_t bytes = members * sizeof *list;
    int err = admit(s, flags);

    if (err != 0)
        return err;
    copy = pipe_alloc(s, sizeof *copy + bytes);
    if (copy == NULL)
        return ERR_NOMEM;
    list = (struct store_member *)(copy + 1);
    *copy = *send;
    copy->members = list;
    copy->member_count = members;
    if (members > 0)
        memcpy(list, send->members, bytes);
    return add(s, kind, copy, sizeof *copy + bytes, flags, done);
}

int store_send_put(struct store *s, const struct store_send *send, unsigned flags, struct store_done done)
{
    assert(send->upid != 0 && send->upid <= INT64_MAX);
    return add_send(s, CHANGE_SEND_PUT, send, send->member_count, flags, done);
}

int store_send_set(struct store *s, const struct store_send *send, unsigned flags, struct store_done done)
{
    return add_send(s, CHANGE_SEND_SET, send, 0, flags, done);
}

int store_note(struct store *s, uint64_t message_id, int64_t at_ms, const char *text)
{
    struct change_note *note;
    size_t len = strnlen(text, STORE_NOTE_MAX);
    int err = admit(s, STORE_PLAIN);

    if (err != 0)
        return err;
    while (len > 0 && text[len] != '\0' && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--; /* cut between characters */
    note = pipe_alloc(s, sizeof *note);
    if (note == NULL)
        return ERR_NOMEM;
    *note = (struct change_note){ message_id, at_ms, len, copy_bytes(s, text, len) };
    if (note->text == NULL)
        return ERR_NOMEM;
    return add(s, CHANGE_NOTE, note, sizeof *note + len, STORE_SOON, (struct store_done){ 0 });
}

static int add_pair(struct store *s, enum change_kind kind, const char *key, int64_t value, unsigned flags,
                    struct store_done done)
{
    size_t len = strlen(key);
    struct change_pair *pair = pipe_alloc(s, sizeof *pair);

    if (pair == NULL)
        return ERR_NOMEM;
    *pair = (struct change_pair){ copy_bytes(s, key, len), value };
    if (pair->key == NULL)
        return ERR_NOMEM;
    return add(s, kind, pair, sizeof *pair + len, flags, done);
}

int store_meta_set(struct store *s, const char *key, int64_t value, unsigned flags)
{
    int err = admit(s, flags);

    if (err != 0)
        return err;
    if (!meta_set(s, key, value))
        return ERR_FULL;
    return add_pair(s, CHANGE_META, key, value, flags, (struct store_done){ 0 });
}

bool store_meta_get(struct store *s, const char *key, int64_t *out)
{
    for (size_t i = 0; i < s->meta_count; i++) {
        if (strcmp(s->metas[i].key, key) == 0) {
            *out = s->metas[i].value;
            return true;
        }
    }
    return false;
}

int store_once(struct store *s, const char *key, unsigned flags, struct store_done done)
{
    int err = admit(s, flags);

    if (err != 0)
        return err;
    if (strlen(key) > STORE_KEY_MAX)
        return ERR_RANGE;
    return add_pair(s, CHANGE_ONCE, key, clock_wall_ms(), flags, done);
}

uint16_t store_intern(struct store *s, const char *name)
{
    size_t number;

    for (number = 1; number < s->name_count; number++) {
        if (s->names[number] != NULL && strcmp(s->names[number], name) == 0)
            return (uint16_t)number;
    }
    if (number > NAMES_MAX || s->closing || !name_set(s, (uint16_t)number, name))
        return 0;
    /* Kept, and past the ceiling: rows that use the number stand behind it in the same queue. */
    if (add_pair(s, CHANGE_NAME, name, (int64_t)number, STORE_KEEP, (struct store_done){ 0 }) != 0) {
        free(s->names[number]);
        s->names[number] = NULL;
        return 0;
    }
    return (uint16_t)number;
}

void store_take_back(struct store *s, size_t count)
{
    struct change *c = s->gather == NULL ? NULL : s->gather->changes.first;
    size_t before = c == NULL ? 0 : s->gather->changes.count;

    assert(count <= before);
    for (before -= count; c != NULL; c = c->next) {
        if (before > 0) {
            before--;
            continue;
        }
        c->kind = CHANGE_NONE;
        c->done = (struct store_done){ 0 };
    }
}

void store_flush(struct store *s)
{
    pipe_turn(s);
}

bool store_healthy(const struct store *s)
{
    return !atomic_load(&s->blocked) && !atomic_load(&s->failing);
}

size_t store_waiting(const struct store *s)
{
    return s->waiting;
}

/* --- look-ups --- */

static int look(struct store *s, enum lookup_kind kind, union lookup_fn fn, void *owner, uint64_t cookie,
                struct lookup **out)
{
    struct lookup *l;

    if (s->closing)
        return ERR_BUSY;
    if (s->lookups >= STORE_LOOKUPS_MAX)
        return ERR_FULL;
    l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR_NOMEM;
    l->kind = kind;
    l->fn = fn;
    l->owner = owner;
    l->cookie = cookie;
    *out = l;
    return 0;
}

int store_load(struct store *s, const uint64_t *ids, size_t count, store_messages_fn *fn, void *owner, uint64_t cookie)
{
    struct lookup *l;
    int err;

    if (count > STORE_LOAD_MAX)
        return ERR_RANGE;
    err = look(s, LOOKUP_LOAD, (union lookup_fn){ .messages = fn }, owner, cookie, &l);
    if (err != 0)
        return err;
    l->ids = calloc(count + 1, sizeof *ids);
    if (l->ids == NULL) {
        lookup_destroy(l);
        return ERR_NOMEM;
    }
    if (count > 0)
        memcpy(l->ids, ids, count * sizeof *ids);
    l->id_count = count;
    pipe_ask(s, l);
    return 0;
}

int store_find(struct store *s, const struct store_query *query, store_messages_fn *fn, void *owner, uint64_t cookie)
{
    struct lookup *l;
    int err;

    if (query->limit < 1 || query->limit > STORE_FIND_MAX)
        return ERR_RANGE;
    err = look(s, LOOKUP_FIND, (union lookup_fn){ .messages = fn }, owner, cookie, &l);
    if (err != 0)
        return err;
    l->query = *query;
    if (l->query.after == 0 || l->query.after > INT64_MAX)
        l->query.after = INT64_MAX;
    pipe_ask(s, l);
    return 0;
}

/* The question is one id. */
static int look_for(struct store *s, enum lookup_kind kind, uint64_t id, union lookup_fn fn, void *owner,
                    uint64_t cookie)
{
    struct lookup *l;
    int err = look(s, kind, fn, owner, cookie, &l);

    if (err != 0)
        return err;
    l->id = id;
    pipe_ask(s, l);
    return 0;
}

int store_find_send(struct store *s, uint64_t upid, store_send_fn *fn, void *owner, uint64_t cookie)
{
    return look_for(s, LOOKUP_SEND, upid, (union lookup_fn){ .send = fn }, owner, cookie);
}

int store_timeline(struct store *s, uint64_t message_id, store_lines_fn *fn, void *owner, uint64_t cookie)
{
    return look_for(s, LOOKUP_TIMELINE, message_id, (union lookup_fn){ .lines = fn }, owner, cookie);
}

int store_backup(struct store *s, const char *path, store_done_fn *fn, void *owner, uint64_t cookie)
{
    struct lookup *l;
    int err;

    if (s->backup_running)
        return ERR_BUSY;
    err = look(s, LOOKUP_BACKUP, (union lookup_fn){ .done = fn }, owner, cookie, &l);
    if (err != 0)
        return err;
    l->path = copy_text(path);
    if (l->path == NULL) {
        lookup_destroy(l);
        return ERR_NOMEM;
    }
    s->backup_running = true;
    pipe_ask(s, l);
    return 0;
}

int store_resume(struct store *s, const struct store_resume_ops *ops, void *owner)
{
    return s->ops->resume(s->engine, ops, owner);
}

/* --- housekeeping --- */

static void wake_for_chores(struct store *s)
{
    uv_mutex_lock(&s->lock);
    s->chores = true;
    uv_cond_signal(&s->work);
    uv_mutex_unlock(&s->lock);
}

void store_expire(struct store *s, int64_t before_ms)
{
    s->ops->expire(s->engine, before_ms);
    wake_for_chores(s);
}

void store_expire_texts(struct store *s, int64_t before_ms)
{
    s->ops->expire_texts(s->engine, before_ms);
    wake_for_chores(s);
}

void store_stats(struct store *s, struct store_stats *out)
{
    uv_mutex_lock(&s->lock);
    *out = s->stats;
    s->stats.recent = 0;
    uv_mutex_unlock(&s->lock);
}
