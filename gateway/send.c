/* SPDX-License-Identifier: MIT */
/*
 * send.c - the table of requests upstream whose members are still open.
 *
 * A send lives from its claim until the outcome of its last member is known. Above sends_max the longest accepted ones
 * are forgotten here; event.c then finds them in the store.
 */
#include "gateway/internal.h"

#include <stdlib.h>
#include <string.h>

enum { EVICT_AT_ONCE = 4 }; /* more than one comes, so a ceiling that a reload has lowered is reached */

struct send *send_create(struct gateway *gw, struct upstream *up, uint64_t upid, size_t member_count)
{
    struct send *send = calloc(1, sizeof *send);

    if (send == NULL)
        return NULL;
    send->members = calloc(member_count, sizeof *send->members);
    if (send->members == NULL) {
        free(send);
        return NULL;
    }
    send->upid = upid;
    send->upstream = up;
    send->state = SEND_IN_FLIGHT;
    send->cost_e6 = -1;
    send->member_count = send->open_count = send->whole_count = member_count;
    HASH_ADD(hh, gw->sends, upid, sizeof send->upid, send);
    if (!TABLE_TOOK(send)) {
        free(send->members);
        free(send);
        return NULL;
    }
    struct send *old, *next; /* in order of addition */
    unsigned left = EVICT_AT_ONCE;
    HASH_ITER(hh, gw->sends, old, next)
    {
        if (HASH_COUNT(gw->sends) <= gw->sends_max || left == 0)
            break;
        if (old->state != SEND_ACCEPTED)
            continue;
        if (old->upid > gw->evicted_upid)
            gw->evicted_upid = old->upid;
        send_drop(gw, old);
        left--;
    }
    return send;
}

struct send *send_find(struct gateway *gw, uint64_t upid)
{
    struct send *send;

    HASH_FIND(hh, gw->sends, &upid, sizeof upid, send);
    return send;
}

void send_drop(struct gateway *gw, struct send *send)
{
    HASH_DEL(gw->sends, send);
    free(send->members);
    free(send);
}

struct send_member *send_member_for(struct send *send, uint64_t phone)
{
    if (send->whole_count == 1 && send->member_count == 1) /* whatever form of the number the aggregator prefers */
        return &send->members[0];
    for (size_t i = 0; i < send->member_count; i++) {
        if (send->members[i].phone == phone)
            return &send->members[i];
    }
    return NULL;
}

struct send_member *send_member_of(struct send *send, uint64_t id)
{
    for (size_t i = 0; i < send->member_count; i++) {
        if (send->members[i].id == id)
            return &send->members[i];
    }
    return NULL;
}

void send_member_done(struct gateway *gw, struct send *send, struct send_member *member)
{
    if (member->done)
        return;
    member->done = true;
    if (--send->open_count == 0 && !send->holds_slot)
        send_drop(gw, send);
}

void send_save(struct gateway *gw, const struct send *send)
{
    struct store_send row = {
        .upid = send->upid,
        .upstream = send->upstream->number,
        .state = send->state,
        .tries = send->tries,
        .at_ms = send->at_ms,
        .replied_ms = send->replied_ms,
        .error = send->error,
        .cost_e6 = send->cost_e6,
    };

    if (store_send_set(gw->store, &row, STORE_KEEP | STORE_SOON, (struct store_done){ 0 }) != 0)
        log_error("send not saved", "upstream=%s send=%llu", send->upstream->name, (unsigned long long)send->upid);
}

void send_id_text(uint64_t upid, char out[24])
{
    snprintf(out, 24, "s%llu", (unsigned long long)upid);
}

bool send_id_read(const char *text, uint64_t *out_upid)
{
    uint64_t value = 0;

    if (*text++ != 's' || strlen(text) == 0 || strlen(text) > 19)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out_upid = value;
    return true;
}

struct item *send_pinned(struct gateway *gw, const struct send_member *member)
{
    return member->pinned ? book_find(gw->book, member->id) : NULL;
}

void send_pin(struct gateway *gw, struct send_member *member)
{
    struct item *item = book_find(gw->book, member->id);

    if (item == NULL || member->pinned)
        return;
    book_pin(gw->book, item);
    member->pinned = true;
}

void send_unpin(struct gateway *gw, struct send_member *member)
{
    struct item *item = send_pinned(gw, member);

    member->pinned = false;
    if (item != NULL)
        book_unpin(gw->book, item);
}

void send_claim(struct send *send)
{
    send->claimed = true;
    send->upstream->in_flight++;
}

void send_leave(struct send *send)
{
    send->under_way = true;
    send->upstream->requesting++;
    rules_start(send->upstream->rules, RULE_SEND, 0, clock_mono_ms());
}

void send_back(struct send *send)
{
    if (send->under_way) {
        send->under_way = false;
        send->upstream->requesting--;
        rules_end(send->upstream->rules, RULE_SEND);
    }
    if (send->claimed) {
        send->claimed = false;
        send->upstream->in_flight--;
    }
}

void send_free_slot(struct send *send)
{
    send_back(send);
    if (send->unclear_ms != 0) {
        send->unclear_ms = 0;
        send->upstream->unclear_count--;
    }
    if (!send->holds_slot)
        return;
    send->holds_slot = false;
    for (size_t i = 0; i < send->member_count; i++)
        queue_phone_free(send->upstream, send->members[i].phone);
}
