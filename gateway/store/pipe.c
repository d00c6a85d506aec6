/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - carries batches to the engine and results back to the loop.
 *
 * The writer takes every batch that waits as one transaction (natural group commit: what arrives while a commit runs is
 * the next one). Here stands what a failed commit means: plain changes end with ERR_IO, STORE_KEEP changes stay in the
 * backlog, in order, and go first next time. Every change added is ended exactly once, on the loop.
 */
#include "gateway/store/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { CHUNK_BYTES = 64 * 1024, SPARE_CHUNKS = 256, RETRY_FIRST_MS = 20, RETRY_LAST_MS = 1000 };

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(16) unsigned char at[];
};

static void list_add(struct change_list *list, struct change *c)
{
    c->next = NULL;
    if (list->last != NULL)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
    list->count++;
}

static void list_append(struct change_list *to, struct change_list *from)
{
    if (from->first == NULL)
        return;
    if (to->last != NULL)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->count += from->count;
    *from = (struct change_list){ 0 };
}

/* --- memory of a batch --- */

static struct chunk *chunk_get(struct store *s, size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct chunk *c = s->spare;

    if (size == CHUNK_BYTES && c != NULL) {
        s->spare = c->next;
        s->spare_count--;
    } else {
        c = malloc(sizeof *c + size);
        if (c == NULL)
            return NULL;
        c->size = size;
    }
    c->used = 0;
    return c;
}

static void chunks_free(struct store *s, struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;

        if (c->size == CHUNK_BYTES && s->spare_count < SPARE_CHUNKS) {
            c->next = s->spare;
            s->spare = c;
            s->spare_count++;
        } else {
            free(c);
        }
        c = next;
    }
}

void *pipe_alloc(struct store *s, size_t bytes)
{
    struct chunk *c;
    void *p;

    bytes = (bytes + 15) & ~(size_t)15;
    if (s->gather == NULL) {
        s->gather = calloc(1, sizeof *s->gather);
        if (s->gather == NULL)
            return NULL;
        s->gather->began_ms = clock_mono_ns() / 1000000; /* not the clock that tests hold still */
    }
    c = s->gather->chunks;
    if (c == NULL || c->size - c->used < bytes) {
        c = chunk_get(s, bytes);
        if (c == NULL)
            return NULL;
        c->next = s->gather->chunks;
        s->gather->chunks = c;
    }
    p = c->at + c->used;
    c->used += bytes;
    return p;
}

struct change *pipe_change(struct store *s)
{
    struct change *c = pipe_alloc(s, sizeof *c);

    if (c != NULL) {
        *c = (struct change){ 0 };
        c->batch = s->gather;
    }
    return c;
}

static void wanted_by_loop(struct store *s)
{
    if (s->waiting + s->lookups > 0)
        uv_ref((uv_handle_t *)&s->wake);
    else
        uv_unref((uv_handle_t *)&s->wake);
}

void pipe_add(struct store *s, struct change *c)
{
    list_add(&s->gather->changes, c);
    if ((c->flags & STORE_SOON) == 0)
        s->gather->urgent = true;
    s->waiting++;
    s->waiting_bytes += c->bytes;
    wanted_by_loop(s);
}

/* --- the writing side --- */

/* Every batch that waits, in order. Never splits a batch: its changes stand or fall together. */
static void take(struct store *s, struct change_list *out)
{
    while (s->todo_first != NULL && out->count < STORE_COMMIT_CHANGES) {
        struct batch *b = s->todo_first;

        s->todo_first = b->next;
        if (s->todo_first == NULL)
            s->todo_last = NULL;
        list_append(out, &b->changes);
    }
}

/* Splits `from`: plain changes end with `err` in `ended`, the others are appended to the backlog. */
static void keep_or_end(struct store *s, struct change_list *from, int err, struct change_list *ended)
{
    struct change *next;

    for (struct change *c = from->first; c != NULL; c = next) {
        next = c->next;
        if (c->flags & STORE_KEEP) {
            list_add(&s->backlog, c);
        } else {
            c->err = err;
            list_add(ended, c);
        }
    }
    *from = (struct change_list){ 0 };
}

static void report(struct store *s, struct change_list *ended)
{
    if (ended->first == NULL)
        return;
    uv_mutex_lock(&s->lock);
    list_append(&s->done, ended);
    uv_mutex_unlock(&s->lock);
    uv_async_send(&s->wake);
}

static void count_commit(struct store *s, int err, size_t changes, uint64_t us)
{
    struct store_stats *t = &s->stats;

    uv_mutex_lock(&s->lock);
    if (err == 0) {
        t->commits++;
        t->changes += changes;
        t->last_commit_us = us;
        if (t->recent == ARRAY_LEN(t->recent_us))
            memmove(t->recent_us, t->recent_us + 1, (ARRAY_LEN(t->recent_us) - 1) * sizeof t->recent_us[0]);
        else
            t->recent++;
        t->recent_us[t->recent - 1] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    } else {
        t->failures++;
    }
    uv_mutex_unlock(&s->lock);
}

/* One transaction: the backlog, then `fresh`. */
static void commit(struct store *s, struct change_list *fresh)
{
    struct change_list all = { 0 }, ended = { 0 };
    uint64_t start = clock_mono_ns();
    int err;

    list_append(&all, &s->backlog);
    list_append(&all, fresh);
    for (struct change *c = all.first; c != NULL; c = c->next)
        c->err = 0; /* a verdict of a transaction that was undone does not count */
    err = s->ops->commit(s->engine, all.first);
    count_commit(s, err, all.count, (clock_mono_ns() - start) / 1000);
    if (err == 0) {
        s->retry_ms = 0;
        list_append(&ended, &all);
    } else {
        s->retry_ms = s->retry_ms == 0 ? RETRY_FIRST_MS : s->retry_ms * 2;
        if (s->retry_ms > RETRY_LAST_MS)
            s->retry_ms = RETRY_LAST_MS;
        s->retry_at_ns = clock_mono_ns() + s->retry_ms * 1000000;
        keep_or_end(s, &all, ERR_IO, &ended);
    }
    atomic_store(&s->failing, err != 0);
    atomic_store(&s->blocked, s->backlog.count > 0);
    report(s, &ended);
}

/* New changes while a backlog waits: kept ones queue behind it, plain ones were handed over too late to be refused. */
static void absorb(struct store *s, struct change_list *fresh)
{
    struct change_list ended = { 0 };

    keep_or_end(s, fresh, ERR_BUSY, &ended);
    report(s, &ended);
}

static void give_up(struct store *s)
{
    struct change_list ended = { 0 };

    for (struct change *c = s->backlog.first; c != NULL; c = c->next)
        c->err = ERR_IO;
    list_append(&ended, &s->backlog);
    report(s, &ended);
}

static void writer_main(void *arg)
{
    struct store *s = arg;
    bool stop = false;

    while (!stop) {
        struct change_list fresh = { 0 };
        bool chores;

        uv_mutex_lock(&s->lock);
        while (s->todo_first == NULL && !s->stop_writer && !s->chores) {
            uint64_t now = clock_mono_ns();

            if (s->backlog.count == 0)
                uv_cond_wait(&s->work, &s->lock);
            else if (now < s->retry_at_ns)
                (void)uv_cond_timedwait(&s->work, &s->lock, s->retry_at_ns - now);
            else
                break;
        }
        take(s, &fresh);
        stop = s->stop_writer && s->todo_first == NULL;
        chores = s->chores;
        uv_mutex_unlock(&s->lock);

        if (s->backlog.count > 0)
            absorb(s, &fresh);
        if (fresh.count > 0 || (s->backlog.count > 0 && (stop || clock_mono_ns() >= s->retry_at_ns)))
            commit(s, &fresh);
        if (chores && !stop && !s->ops->chore(s->engine)) {
            uv_mutex_lock(&s->lock);
            s->chores = false;
            uv_mutex_unlock(&s->lock);
        }
    }
    give_up(s);
}

/* --- the reading side --- */

static struct lookup *pop(struct lookup **first, struct lookup **last)
{
    struct lookup *l = *first;

    *first = l->next;
    if (*first == NULL)
        *last = NULL;
    l->next = NULL;
    return l;
}

static void push(struct lookup **first, struct lookup **last, struct lookup *l)
{
    l->next = NULL;
    if (*last != NULL)
        (*last)->next = l;
    else
        *first = l;
    *last = l;
}

static void answered(struct store *s, struct lookup *l)
{
    uv_mutex_lock(&s->lock);
    push(&s->answered_first, &s->answered_last, l);
    uv_mutex_unlock(&s->lock);
    uv_async_send(&s->wake);
}

static void reader_main(void *arg)
{
    struct store *s = arg;

    for (;;) {
        struct lookup *l = NULL;

        uv_mutex_lock(&s->lock);
        while (s->ask_first == NULL && !s->stop_others)
            uv_cond_wait(&s->asked, &s->lock);
        if (!s->stop_others)
            l = pop(&s->ask_first, &s->ask_last);
        uv_mutex_unlock(&s->lock);
        if (l == NULL)
            return;
        s->ops->answer(s->engine, l);
        answered(s, l);
    }
}

/* Checkpoints and backups: long work that must delay neither commits nor look-ups. */
static void keeper_main(void *arg)
{
    struct store *s = arg;
    bool stop = false;

    while (!stop) {
        struct lookup *backup;
        bool poke;

        uv_mutex_lock(&s->lock);
        while (!s->poke && s->backup == NULL && !s->stop_others)
            uv_cond_wait(&s->poked, &s->lock);
        stop = s->stop_others;
        poke = s->poke;
        s->poke = false;
        backup = stop ? NULL : s->backup;
        if (backup != NULL)
            s->backup = NULL;
        uv_mutex_unlock(&s->lock);
        if (stop)
            return;
        if (poke)
            s->ops->keep(s->engine);
        if (backup != NULL) {
            s->ops->backup(s->engine, backup);
            answered(s, backup);
        }
    }
}

void store_poke_keeper(struct store *s)
{
    uv_mutex_lock(&s->lock);
    s->poke = true;
    uv_cond_signal(&s->poked);
    uv_mutex_unlock(&s->lock);
}

/* --- the loop's side --- */

/* The engine has no threads: the whole turn's work is done here, its callbacks still wait for the next turn. */
static void turn_inline(struct store *s)
{
    struct change_list fresh = { 0 };

    take(s, &fresh);
    if (s->backlog.count > 0) {
        absorb(s, &fresh);
        commit(s, &fresh);
        uv_async_send(&s->wake); /* another turn, another try */
    } else if (fresh.count > 0) {
        commit(s, &fresh);
    }
    while (s->chores && s->backlog.count == 0)
        s->chores = s->ops->chore(s->engine);
    while (s->ask_first != NULL) {
        struct lookup *l = pop(&s->ask_first, &s->ask_last);

        s->ops->answer(s->engine, l);
        answered(s, l);
    }
    if (s->backup != NULL) {
        struct lookup *l = s->backup;

        s->backup = NULL;
        s->ops->backup(s->engine, l);
        answered(s, l);
    }
}

void pipe_flush(struct store *s)
{
    struct batch *b = s->gather;

    if (b != NULL) {
        s->gather = NULL;
        b->left = b->changes.count;
        if (b->left == 0) { /* memory ran out before its first change was complete */
            chunks_free(s, b->chunks);
            free(b);
        } else {
            uv_mutex_lock(&s->lock);
            b->next = NULL;
            if (s->todo_last != NULL)
                s->todo_last->next = b;
            else
                s->todo_first = b;
            s->todo_last = b;
            uv_cond_signal(&s->work);
            uv_mutex_unlock(&s->lock);
        }
    }
    if (!s->ops->threaded)
        turn_inline(s);
}

static void end_change(struct store *s, struct change *c)
{
    struct batch *b = c->batch;
    struct store_done done = c->done;
    int err = c->err;

    s->waiting--;
    s->waiting_bytes -= c->bytes;
    if (done.fn != NULL)
        done.fn(done.owner, done.cookie, err);
    if (--b->left == 0) {
        chunks_free(s, b->chunks);
        free(b);
    }
}

static void end_lookup(struct store *s, struct lookup *l)
{
    s->lookups--;
    switch (l->kind) {
    case LOOKUP_LOAD:
    case LOOKUP_FIND:
        l->fn.messages(l->owner, l->cookie, l->err, l->messages, l->err == 0 ? l->message_count : 0, l->next_cursor);
        if (l->err == 0)
            l->message_count = 0; /* theirs now */
        break;
    case LOOKUP_SEND:
        l->fn.send(l->owner, l->cookie, l->err, l->err == 0 && l->send_found ? &l->send : NULL);
        break;
    case LOOKUP_TIMELINE:
        l->fn.lines(l->owner, l->cookie, l->err, l->lines, l->err == 0 ? l->line_count : 0);
        break;
    case LOOKUP_BACKUP:
        s->backup_running = false;
        l->fn.done(l->owner, l->cookie, l->err);
        break;
    }
    lookup_destroy(l);
}

static void deliver(struct store *s)
{
    struct change_list done;
    struct lookup *l;

    uv_mutex_lock(&s->lock);
    done = s->done;
    s->done = (struct change_list){ 0 };
    l = s->answered_first;
    s->answered_first = s->answered_last = NULL;
    uv_mutex_unlock(&s->lock);
    while (done.first != NULL) {
        struct change *c = done.first;

        done.first = c->next;
        end_change(s, c);
    }
    while (l != NULL) {
        struct lookup *next = l->next;

        end_lookup(s, l);
        l = next;
    }
    wanted_by_loop(s);
}

void pipe_ask(struct store *s, struct lookup *l)
{
    s->lookups++;
    wanted_by_loop(s);
    uv_mutex_lock(&s->lock);
    if (l->kind == LOOKUP_BACKUP) {
        assert(s->backup == NULL);
        s->backup = l;
        uv_cond_signal(&s->poked);
    } else {
        push(&s->ask_first, &s->ask_last, l);
        uv_cond_signal(&s->asked);
    }
    uv_mutex_unlock(&s->lock);
}

static void on_wake(uv_async_t *handle)
{
    deliver(handle->data);
}

static void on_soon(uv_timer_t *handle)
{
    (void)handle; /* waking up is enough: the turn's end looks at the batch */
}

void pipe_turn(struct store *s)
{
    const struct batch *b = s->gather;

    if (b != NULL && !b->urgent && !s->closing && clock_mono_ns() / 1000000 - b->began_ms < STORE_SOON_MS) {
        if (!uv_is_active((uv_handle_t *)&s->soon))
            (void)uv_timer_start(&s->soon, on_soon, STORE_SOON_MS, 0);
        return;
    }
    pipe_flush(s);
}

static void on_prepare(uv_prepare_t *handle)
{
    pipe_turn(handle->data);
}

static void on_check(uv_check_t *handle)
{
    pipe_turn(handle->data);
}

int pipe_open(struct store *s)
{
    if (uv_mutex_init(&s->lock) != 0)
        return ERR_NOMEM;
    if (uv_cond_init(&s->work) != 0 || uv_cond_init(&s->asked) != 0 || uv_cond_init(&s->poked) != 0)
        return ERR_NOMEM;
    if (uv_async_init(s->loop, &s->wake, on_wake) != 0)
        return ERR_NOMEM;
    (void)uv_prepare_init(s->loop, &s->prepare);
    (void)uv_check_init(s->loop, &s->check);
    (void)uv_timer_init(s->loop, &s->soon);
    s->handles = 4;
    s->wake.data = s->prepare.data = s->check.data = s->soon.data = s;
    (void)uv_prepare_start(&s->prepare, on_prepare);
    (void)uv_check_start(&s->check, on_check);
    uv_unref((uv_handle_t *)&s->wake);
    uv_unref((uv_handle_t *)&s->prepare);
    uv_unref((uv_handle_t *)&s->check);
    uv_unref((uv_handle_t *)&s->soon);
    if (!s->ops->threaded)
        return 0;
    if (uv_thread_create(&s->writer, writer_main, s) != 0)
        return ERR_NOMEM;
    s->threads = 1;
    if (uv_thread_create(&s->reader, reader_main, s) != 0)
        return ERR_NOMEM;
    s->threads = 2;
    if (uv_thread_create(&s->keeper, keeper_main, s) != 0)
        return ERR_NOMEM;
    s->threads = 3;
    return 0;
}

static void stop_writer(struct store *s)
{
    uv_mutex_lock(&s->lock);
    s->stop_writer = true;
    uv_cond_signal(&s->work);
    uv_mutex_unlock(&s->lock);
    if (s->threads > 0)
        (void)uv_thread_join(&s->writer);
    else
        give_up(s);
}

static void stop_others(struct store *s)
{
    uv_mutex_lock(&s->lock);
    s->stop_others = true;
    uv_cond_signal(&s->asked);
    uv_cond_signal(&s->poked);
    uv_mutex_unlock(&s->lock);
    if (s->threads > 1)
        (void)uv_thread_join(&s->reader);
    if (s->threads > 2)
        (void)uv_thread_join(&s->keeper);
    while (s->ask_first != NULL) {
        struct lookup *l = pop(&s->ask_first, &s->ask_last);

        l->err = ERR_GONE;
        push(&s->answered_first, &s->answered_last, l);
    }
    if (s->backup != NULL) {
        s->backup->err = ERR_GONE;
        push(&s->answered_first, &s->answered_last, s->backup);
        s->backup = NULL;
    }
}

/* The writer ends when nothing waits; callbacks may have asked for more, which closing refuses (store.c). */
void pipe_close(struct store *s)
{
    pipe_flush(s);
    stop_writer(s);
    stop_others(s);
    deliver(s);
    assert(s->waiting == 0 && s->gather == NULL);
    while (s->spare != NULL) {
        struct chunk *c = s->spare;

        s->spare = c->next;
        free(c);
    }
}
