/* SPDX-License-Identifier: MIT */
/*
 * turn.c - the end of a loop turn, the alarms and the lent memory.
 *
 * libuv's order is timers, idle, prepare, wait, check. Output made in reading or by an async leaves in check, output made
 * by a timer or a chore of the last turn leaves in prepare: never later than the next wait. None of the handles here keeps
 * the loop alive except the idle handle, which runs only while there is work.
 */
#include "smpp/turn.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 64 * 1024, SPARES = 16, SPARE_BYTES_MAX = 256 * 1024, HANDLES = 4, HANDSHAKES = 4 };

struct smpp_turn {
    uv_loop_t *loop;
    struct smpp_turn *next; /* list of this thread's turn objects */
    unsigned users;
    unsigned handles; /* still to be closed */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    uint64_t timer_at_ms;
    struct smpp_alarm **heap; /* heap[1..heap_len], heap[0] unused */
    size_t heap_len, heap_size;
    struct smpp_chore *flush, *later, *running;
    struct buf spare[SPARES];
    size_t spares;
    unsigned handshakes; /* steps still to be taken before others have their turn */
    char read_buffer[READ_BYTES];
};

static _Thread_local struct smpp_turn *turns;

/* ---- alarms: a binary heap ordered by at_ms ---- */

static void heap_put(struct smpp_turn *t, size_t place, struct smpp_alarm *a)
{
    t->heap[place] = a;
    a->place = place;
}

static void heap_up(struct smpp_turn *t, size_t place)
{
    struct smpp_alarm *a = t->heap[place];

    for (; place > 1 && t->heap[place / 2]->at_ms > a->at_ms; place /= 2)
        heap_put(t, place, t->heap[place / 2]);
    heap_put(t, place, a);
}

static void heap_down(struct smpp_turn *t, size_t place)
{
    struct smpp_alarm *a = t->heap[place];

    for (;;) {
        size_t child = place * 2;

        if (child > t->heap_len)
            break;
        if (child < t->heap_len && t->heap[child + 1]->at_ms < t->heap[child]->at_ms)
            child++;
        if (t->heap[child]->at_ms >= a->at_ms)
            break;
        heap_put(t, place, t->heap[child]);
        place = child;
    }
    heap_put(t, place, a);
}

static void heap_remove(struct smpp_turn *t, struct smpp_alarm *a)
{
    size_t place = a->place;
    struct smpp_alarm *last = t->heap[t->heap_len--];

    a->place = 0;
    if (last == a)
        return;
    heap_put(t, place, last);
    heap_up(t, place);
    heap_down(t, last->place);
}

static int heap_grow(struct smpp_turn *t)
{
    size_t size = t->heap_size == 0 ? 64 : t->heap_size * 2;
    struct smpp_alarm **heap = realloc(t->heap, size * sizeof *heap);

    if (heap == NULL)
        return ERR_NOMEM;
    t->heap = heap;
    t->heap_size = size;
    return 0;
}

static void on_timer(uv_timer_t *timer);

static void timer_follow(struct smpp_turn *t)
{
    uint64_t at_ms = t->heap_len == 0 ? UINT64_MAX : t->heap[1]->at_ms;
    uint64_t now_ms = uv_now(t->loop);

    if (at_ms >= t->timer_at_ms)
        return; /* it will ring early and look again */
    t->timer_at_ms = at_ms;
    uv_timer_start(&t->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct smpp_turn *t = timer->data;
    uint64_t now_ms = uv_now(t->loop);

    t->timer_at_ms = UINT64_MAX;
    /* Each once: one that is set to "now" again while ringing waits for the next turn. */
    for (size_t left = t->heap_len; left > 0 && t->heap_len > 0 && t->heap[1]->at_ms <= now_ms; left--) {
        struct smpp_alarm *a = t->heap[1];

        heap_remove(t, a);
        a->at_ms = UINT64_MAX;
        a->ring(a, now_ms);
    }
    timer_follow(t);
}

void smpp_alarm_set(struct smpp_turn *t, struct smpp_alarm *alarm, uint64_t at_ms)
{
    if (at_ms == alarm->at_ms)
        return;
    if (at_ms == UINT64_MAX) {
        if (alarm->place != 0)
            heap_remove(t, alarm);
        alarm->at_ms = UINT64_MAX;
        return;
    }
    alarm->at_ms = at_ms;
    if (alarm->place == 0) {
        /* Out of memory for a pointer: the alarm is lost and only the peer's own end closes the connection. */
        if (t->heap_len + 2 > t->heap_size && heap_grow(t) != 0) {
            alarm->at_ms = UINT64_MAX;
            return;
        }
        heap_put(t, ++t->heap_len, alarm);
    }
    heap_up(t, alarm->place);
    heap_down(t, alarm->place);
    timer_follow(t);
}

/* ---- chores ---- */

static void enlist(struct smpp_chore **list, struct smpp_chore *chore)
{
    chore->enlisted = true;
    chore->next = *list;
    *list = chore;
}

/* One at a time from the list's head: a chore may take another one off the list while it runs. */
static void run_all(struct smpp_chore **list)
{
    while (*list != NULL) {
        struct smpp_chore *chore = *list;

        *list = chore->next;
        chore->enlisted = false;
        chore->run(chore);
    }
}

/* Peers just read and peers that waited (idle) have a number of handshakes each: neither starves the other. */
static void on_prepare(uv_prepare_t *handle)
{
    struct smpp_turn *t = handle->data;

    t->handshakes = HANDSHAKES;
    run_all(&t->flush);
}

static void on_check(uv_check_t *handle)
{
    struct smpp_turn *t = handle->data;

    t->handshakes = HANDSHAKES;
    run_all(&t->flush);
}

bool smpp_turn_handshake(struct smpp_turn *t)
{
    if (t->handshakes == 0)
        return false;
    t->handshakes--;
    return true;
}

static void on_idle(uv_idle_t *handle)
{
    struct smpp_turn *t = handle->data;

    /* What enlists while these run belongs to the turn after. */
    t->running = t->later;
    t->later = NULL;
    run_all(&t->running);
    if (t->later == NULL)
        uv_idle_stop(&t->idle);
}

void smpp_turn_flush(struct smpp_turn *t, struct smpp_chore *chore)
{
    if (!chore->enlisted)
        enlist(&t->flush, chore);
}

void smpp_turn_next(struct smpp_turn *t, struct smpp_chore *chore)
{
    if (chore->enlisted)
        return;
    enlist(&t->later, chore);
    uv_idle_start(&t->idle, on_idle);
}

static bool unlist(struct smpp_chore **list, struct smpp_chore *chore)
{
    for (; *list != NULL; list = &(*list)->next) {
        if (*list == chore) {
            *list = chore->next;
            return true;
        }
    }
    return false;
}

void smpp_turn_forget(struct smpp_turn *t, struct smpp_chore *chore)
{
    if (!chore->enlisted)
        return;
    if (!unlist(&t->flush, chore) && !unlist(&t->later, chore))
        unlist(&t->running, chore);
    chore->enlisted = false;
}

/* ---- memory ---- */

uv_buf_t smpp_turn_read_buffer(struct smpp_turn *t)
{
    return uv_buf_init(t->read_buffer, sizeof t->read_buffer);
}

void smpp_turn_lend(struct smpp_turn *t, struct buf *b)
{
    if (b->data != NULL || t->spares == 0)
        return;

    size_t max = b->max;

    *b = t->spare[--t->spares];
    b->max = max;
}

void smpp_turn_return(struct smpp_turn *t, struct buf *b)
{
    if (t->spares == SPARES || b->data == NULL || b->size > SPARE_BYTES_MAX) {
        buf_finish(b);
        return;
    }
    buf_clear(b);
    t->spare[t->spares++] = *b;
    *b = (struct buf){ .max = b->max };
}

/* ---- life ---- */

/* libuv writes with write(2): to a peer that has gone that is a signal, and its default is the end of the process.
 * A handler somebody has set stays. */
static void ignore_sigpipe(void)
{
    struct sigaction now;

    if (sigaction(SIGPIPE, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

struct smpp_turn *smpp_turn_get(uv_loop_t *loop)
{
    struct smpp_turn *t = turns;

    while (t != NULL && t->loop != loop)
        t = t->next;
    if (t != NULL) {
        t->users++;
        return t;
    }
    t = malloc(sizeof *t);
    if (t == NULL)
        return NULL;
    ignore_sigpipe();
    memset(t, 0, offsetof(struct smpp_turn, read_buffer)); /* the read buffer is not touched before it is used */
    t->loop = loop;
    t->users = 1;
    t->handles = HANDLES;
    t->handshakes = HANDSHAKES;
    t->timer_at_ms = UINT64_MAX;
    uv_prepare_init(loop, &t->prepare);
    uv_check_init(loop, &t->check);
    uv_idle_init(loop, &t->idle);
    uv_timer_init(loop, &t->timer);
    t->prepare.data = t->check.data = t->idle.data = t->timer.data = t;
    uv_prepare_start(&t->prepare, on_prepare);
    uv_check_start(&t->check, on_check);
    uv_unref((uv_handle_t *)&t->prepare);
    uv_unref((uv_handle_t *)&t->check);
    uv_unref((uv_handle_t *)&t->timer);
    t->next = turns;
    turns = t;
    return t;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct smpp_turn *t = handle->data;

    if (--t->handles > 0)
        return;
    while (t->spares > 0)
        buf_finish(&t->spare[--t->spares]);
    free(t->heap);
    free(t);
}

void smpp_turn_put(struct smpp_turn *t)
{
    if (t == NULL || --t->users > 0)
        return;
    assert(t->heap_len == 0 && t->flush == NULL && t->later == NULL);
    for (struct smpp_turn **at = &turns; *at != NULL; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    uv_close((uv_handle_t *)&t->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&t->check, on_handle_closed);
    uv_close((uv_handle_t *)&t->idle, on_handle_closed);
    uv_close((uv_handle_t *)&t->timer, on_handle_closed);
}

uint64_t smpp_turn_now_ms(const struct smpp_turn *t)
{
    return uv_now(t->loop);
}

uv_loop_t *smpp_turn_loop(const struct smpp_turn *t)
{
    return t->loop;
}
