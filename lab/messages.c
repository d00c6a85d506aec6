/* SPDX-License-Identifier: MIT */
/*
 * messages.c - the accepted messages: a ring with an index by (phone, id) and a heap of what is due.
 *
 * Apart from the ring stands a table of every (phone, id) ever accepted: it answers the question tests ask most, whether
 * anything was sent twice, long after the message itself has left the ring. Invariant: heap_pos of a message is its
 * place in the heap plus one, or 0.
 */
#include "lab/core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_FIRST = 1 << 12, SEEN_MAX = 1 << 23 };

int lab_messages_init(struct lab_messages *m, size_t max)
{
    size_t index_size = 1024;

    while (index_size < max)
        index_size *= 2;
    *m = (struct lab_messages){ .max = max, .next_serial = 1, .index_size = index_size, .seen_size = SEEN_FIRST };
    /* calloc: pages nobody touches cost nothing, so the ceiling may be generous */
    m->ring = calloc(max, sizeof *m->ring);
    m->index = calloc(index_size, sizeof *m->index);
    m->heap = calloc(max, sizeof *m->heap);
    m->seen = calloc(SEEN_FIRST, sizeof *m->seen);
    if (m->ring == NULL || m->index == NULL || m->heap == NULL || m->seen == NULL) {
        lab_messages_finish(m);
        return ERR_NOMEM;
    }
    return 0;
}

void lab_messages_finish(struct lab_messages *m)
{
    /* slots beyond next_serial have never been used: leave their pages untouched */
    for (size_t i = 0; m->ring != NULL && i < m->max && i < m->next_serial; i++)
        free(m->ring[i].strings);
    free(m->ring);
    free(m->index);
    free(m->heap);
    free(m->seen);
    *m = (struct lab_messages){ .max = m->max };
}

static uint64_t key_of(const char *phone, const char *id)
{
    uint64_t key = lab_hash(id, strlen(id), lab_hash(phone, strlen(phone), 0));

    return key != 0 ? key : 1;
}

static uint32_t slot_of(const struct lab_messages *m, const struct lab_message *message)
{
    return (uint32_t)(message - m->ring);
}

/* ---- the heap ---- */

static void put(struct lab_messages *m, size_t pos, struct lab_heap_entry entry)
{
    m->heap[pos] = entry;
    m->ring[entry.slot].heap_pos = (uint32_t)pos + 1;
}

static void sift(struct lab_messages *m, size_t pos, struct lab_heap_entry entry)
{
    while (pos > 0 && m->heap[(pos - 1) / 2].due_ms > entry.due_ms) {
        put(m, pos, m->heap[(pos - 1) / 2]);
        pos = (pos - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * pos + 1;

        if (child + 1 < m->heap_len && m->heap[child + 1].due_ms < m->heap[child].due_ms)
            child++;
        if (child >= m->heap_len || m->heap[child].due_ms >= entry.due_ms)
            break;
        put(m, pos, m->heap[child]);
        pos = child;
    }
    put(m, pos, entry);
}

void lab_message_unschedule(struct lab_messages *m, struct lab_message *message)
{
    if (message->heap_pos == 0)
        return;

    size_t pos = message->heap_pos - 1;

    message->heap_pos = 0;
    m->heap_len--;
    if (pos < m->heap_len)
        sift(m, pos, m->heap[m->heap_len]);
}

void lab_message_schedule(struct lab_messages *m, struct lab_message *message, int64_t due_ms)
{
    lab_message_unschedule(m, message);
    assert(m->heap_len < m->max);
    message->due_ms = due_ms;
    m->heap_len++;
    sift(m, m->heap_len - 1, (struct lab_heap_entry){ due_ms, slot_of(m, message) });
}

/* ---- ring and index ---- */

static void unlink_from_index(struct lab_messages *m, const struct lab_message *message)
{
    uint32_t *at = &m->index[key_of(message->phone, message->id) & (m->index_size - 1)];
    uint32_t wanted = slot_of(m, message) + 1;

    while (*at != 0 && *at != wanted)
        at = &m->ring[*at - 1].chain;
    if (*at != 0)
        *at = message->chain;
}

struct lab_message *lab_message_oldest(struct lab_messages *m)
{
    struct lab_message *message = &m->ring[m->next_serial % m->max];

    return message->serial != 0 ? message : NULL;
}

static const char *append(char **at, const char *s, size_t len)
{
    const char *start = *at;

    memcpy(*at, s, len);
    (*at)[len] = '\0';
    *at += len + 1;
    return start;
}

struct lab_message *lab_message_add(struct lab_messages *m, const struct lab_message_new *fresh)
{
    struct lab_message *message = &m->ring[m->next_serial % m->max];
    size_t phone_len = strlen(fresh->phone), id_len = strlen(fresh->id), sender_len = strlen(fresh->sender);
    size_t comment_len = strlen(fresh->comment), extras_len = strlen(fresh->extras);
    char *strings = malloc(phone_len + id_len + sender_len + fresh->text_len + comment_len + extras_len + 6);

    if (strings == NULL)
        return NULL;
    if (message->serial != 0) {
        lab_message_unschedule(m, message);
        unlink_from_index(m, message);
        free(message->strings);
    }

    char *at = strings;

    *message = (struct lab_message){ .serial = m->next_serial++, .strings = strings };
    message->phone = append(&at, fresh->phone, phone_len);
    message->id = append(&at, fresh->id, id_len);
    message->sender = append(&at, fresh->sender, sender_len);
    message->text = append(&at, fresh->text, fresh->text_len);
    message->comment = append(&at, fresh->comment, comment_len);
    message->extras = append(&at, fresh->extras, extras_len);

    uint32_t *bucket = &m->index[key_of(fresh->phone, fresh->id) & (m->index_size - 1)];

    message->chain = *bucket; /* in front: the latest with the same id and phone is the one found */
    *bucket = slot_of(m, message) + 1;
    return message;
}

struct lab_message *lab_message_find(struct lab_messages *m, const char *phone, const char *id)
{
    uint32_t at = m->index[key_of(phone, id) & (m->index_size - 1)];

    for (; at != 0; at = m->ring[at - 1].chain) {
        struct lab_message *message = &m->ring[at - 1];

        if (!message->deleted && strcmp(message->phone, phone) == 0 && strcmp(message->id, id) == 0)
            return message;
    }
    return NULL;
}

struct lab_message *lab_message_by_serial(struct lab_messages *m, uint64_t serial)
{
    struct lab_message *message = &m->ring[serial % m->max];

    return serial != 0 && message->serial == serial ? message : NULL;
}

/* ---- every (phone, id) ever accepted ---- */

static struct lab_seen *seen_place(struct lab_seen *table, size_t size, uint64_t key)
{
    size_t at = (size_t)(key & (size - 1));

    while (table[at].key != 0 && table[at].key != key)
        at = (at + 1) & (size - 1);
    return &table[at];
}

static void seen_grow(struct lab_messages *m)
{
    size_t size = m->seen_size * 2;
    struct lab_seen *table = size <= SEEN_MAX ? calloc(size, sizeof *table) : NULL;

    if (table == NULL)
        return;
    for (size_t i = 0; i < m->seen_size; i++) {
        if (m->seen[i].key != 0)
            *seen_place(table, size, m->seen[i].key) = m->seen[i];
    }
    free(m->seen);
    m->seen = table;
    m->seen_size = size;
}

static void note_duplicate(struct lab_messages *m, const char *phone, const char *id, uint32_t times)
{
    for (size_t i = 0; i < m->duplicate_count; i++) {
        struct lab_duplicate *d = &m->duplicates[i];

        if (strncmp(d->phone, phone, sizeof d->phone - 1) == 0 && strncmp(d->id, id, sizeof d->id - 1) == 0) {
            d->times = times;
            return;
        }
    }
    if (m->duplicate_count == LAB_DUPLICATES_MAX)
        return; /* still counted in `repeats` */

    struct lab_duplicate *d = &m->duplicates[m->duplicate_count++];

    memset(d, 0, sizeof *d);
    memcpy(d->phone, phone, strnlen(phone, sizeof d->phone - 1));
    memcpy(d->id, id, strnlen(id, sizeof d->id - 1));
    d->times = times;
}

void lab_message_seen(struct lab_messages *m, const char *phone, const char *id)
{
    if (m->seen_count * 4 >= m->seen_size * 3)
        seen_grow(m);

    struct lab_seen *place = seen_place(m->seen, m->seen_size, key_of(phone, id));

    if (place->key != 0) {
        place->times++;
        m->repeats++;
        note_duplicate(m, phone, id, place->times);
        return;
    }
    if (m->seen_count * 8 >= m->seen_size * 7) { /* it could not grow: a probe must always end at a free place */
        m->unseen++;
        return;
    }
    *place = (struct lab_seen){ key_of(phone, id), 1 };
    m->seen_count++;
    m->unique++;
}
