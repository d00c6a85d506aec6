/* SPDX-License-Identifier: MIT */
/*
 * group.c - who waits for whose outcome [see group.h]; the pieces themselves are divide.c's.
 *
 * Invariant: a member's outcome is stored by outcome.c alone, so each has exactly one end however often it is told. What
 * cannot be looked up now becomes due again in a second; what the process forgets stands in the store.
 */
#include "gateway/group.h"

#include <stdlib.h>

enum { AGAIN_MS = 1000, FETCH_IDS = 5000 };

struct group {
    uint64_t leader;
    struct lane followers; /* of a joined message */
    size_t pieces;         /* of a divided one: not ended yet */
    UT_hash_handle hh;
};

static struct group *group_find(struct gateway *gw, uint64_t leader)
{
    struct group *g;

    HASH_FIND(hh, gw->groups, &leader, sizeof leader, g);
    return g;
}

static struct group *group_get(struct gateway *gw, uint64_t leader)
{
    struct group *g = group_find(gw, leader);

    if (g != NULL)
        return g;
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->leader = leader;
    HASH_ADD(hh, gw->groups, leader, sizeof g->leader, g);
    if (TABLE_TOOK(g))
        return g;
    free(g);
    return NULL;
}

static void group_drop(struct gateway *gw, struct group *g)
{
    HASH_DEL(gw->groups, g);
    lane_finish(&g->followers);
    free(g);
}

void group_finish(struct gateway *gw)
{
    struct group *g, *next;

    HASH_ITER(hh, gw->groups, g, next)
    {
        group_drop(gw, g);
    }
    lane_finish(&gw->divided);
}

static void due_again(struct gateway *gw, uint64_t id)
{
    (void)gateway_look_in(gw, AGAIN_MS, id);
}

/* --- followers ---------------------------------------------------------------------------------------------------- */

/* The leader's outcome for this follower. What it cost is counted once, at the leader. */
static void end_like(struct gateway *gw, struct item *follower, const struct message *leader)
{
    struct outcome outcome = { .final = leader->p.final,
                               .status = leader->p.status,
                               .err = leader->p.err,
                               .cost_e6 = -1,
                               .done_ms = leader->p.done_ms };

    if (follower->m->p.state != MESSAGE_FOLLOWING)
        return;
    book_pin(gw->book, follower);
    outcome_keep(gw, follower, &outcome);
    book_unpin(gw->book, follower);
}

struct telling { /* followers being told of their leader's end */
    struct gateway *gw;
    struct message leader; /* of its views none is used */
    size_t count;
    uint64_t ids[];
};

/* Takes up to FETCH_IDS ids of the lane. */
static struct telling *telling_of(struct gateway *gw, struct lane *lane, const struct message *leader)
{
    size_t count = lane->count < FETCH_IDS ? lane->count : FETCH_IDS;
    struct telling *t = malloc(sizeof *t + count * sizeof t->ids[0]);

    if (t == NULL)
        return NULL;
    t->gw = gw;
    t->leader = *leader;
    for (t->count = 0; t->count < count; t->count++)
        t->ids[t->count] = lane_pop(lane);
    return t;
}

static void on_followers_read(void *owner, uint64_t cookie, int err)
{
    struct telling *t = owner;

    UNUSED(cookie);
    for (size_t i = 0; i < t->count; i++) {
        struct item *item = book_find(t->gw->book, t->ids[i]);

        if (item != NULL)
            end_like(t->gw, item, &t->leader);
        else if (err != 0)
            due_again(t->gw, t->ids[i]);
    }
    free(t);
}

static void tell_followers(struct gateway *gw, struct group *g, const struct message *leader)
{
    while (g->followers.count > 0) {
        struct telling *t = telling_of(gw, &g->followers, leader);

        if (t == NULL)
            due_again(gw, lane_pop(&g->followers));
        else if (book_fetch(gw->book, t->ids, t->count, on_followers_read, t, 0) != 0)
            on_followers_read(t, 0, ERR_BUSY);
    }
}

void group_on_final(struct gateway *gw, const struct message *m)
{
    struct group *g = group_find(gw, m->kind == MESSAGE_PIECE ? m->p.leader : m->id);

    if (g == NULL)
        return;
    if (m->kind != MESSAGE_PIECE) {
        tell_followers(gw, g, m);
        group_drop(gw, g);
    } else if (g->pieces > 0 && --g->pieces == 0) {
        uint64_t leader = g->leader;

        if (g->followers.count == 0)
            group_drop(gw, g);
        divide_check(gw, leader, m->public_id);
    }
}

struct looking { /* a follower looking at its leader */
    struct gateway *gw;
    uint64_t follower, leader;
};

static void on_leader_read(void *owner, uint64_t cookie, int err)
{
    struct looking *l = owner;
    struct gateway *gw = l->gw;
    struct item *leader = book_find(gw->book, l->leader), *follower = book_find(gw->book, l->follower);
    struct message unknown = { .p = { .final = SMPP_STATE_UNKNOWN, .status = -100 } };
    struct group *g;

    UNUSED(cookie);
    if (err != 0 || follower == NULL) {
        due_again(gw, l->follower);
    } else if (leader == NULL) { /* expired from the store: nobody knows any more */
        end_like(gw, follower, &unknown);
    } else if (leader->m->p.final != 0) {
        end_like(gw, follower, leader->m);
    } else {
        g = group_get(gw, l->leader);
        if (g == NULL || lane_push(&g->followers, l->follower) != 0)
            due_again(gw, l->follower);
    }
    free(l);
}

void group_due(struct gateway *gw, struct item *item)
{
    struct looking *l = malloc(sizeof *l);

    if (l != NULL)
        *l = (struct looking){ gw, item->m->id, item->m->p.leader };
    if (l == NULL || book_fetch(gw->book, (uint64_t[]){ l->leader, l->follower }, 2, on_leader_read, l, 0) != 0) {
        due_again(gw, item->m->id);
        free(l);
    }
}

void group_follow(struct gateway *gw, struct item *item, uint64_t leader)
{
    struct account *account = account_by_number(gw, item->m->p.esme);

    account->queued--; /* nothing of it is sent any more */
    item->m->p.state = MESSAGE_FOLLOWING;
    item->m->p.leader = leader;
    item->m->p.due_ms = 0;
    int err = store_move(gw->store, &item->m->p, STORE_KEEP, gateway_save_of(gw, item->m->id));
    if (err == 0)
        book_pin(gw->book, item);
    else
        log_error("part not saved: joined again after a restart", "msg=%llu error=%s", (unsigned long long)item->m->id,
                  err_name(err));
    struct group *g = group_find(gw, leader);
    if (g != NULL && lane_push(&g->followers, item->m->id) == 0)
        return;
    group_due(gw, item);
}

/* --- pieces ------------------------------------------------------------------------------------------------------- */

int group_count_piece(struct gateway *gw, uint64_t leader)
{
    struct group *g = group_get(gw, leader);

    if (g == NULL)
        return ERR_NOMEM;
    g->pieces++;
    return 0;
}

bool group_has_pieces(struct gateway *gw, uint64_t leader)
{
    struct group *g = group_find(gw, leader);

    return g != NULL && g->pieces > 0;
}

/* --- start -------------------------------------------------------------------------------------------------------- */

void group_resume(struct gateway *gw, const struct progress *p)
{
    struct group *g;

    switch ((enum message_state)p->state) {
    case MESSAGE_FOLLOWING:
        g = group_get(gw, p->leader);
        if (g == NULL || lane_push(&g->followers, p->id) != 0)
            due_again(gw, p->id);
        break;
    case MESSAGE_DIVIDED:
        if (lane_push(&gw->divided, p->id) != 0)
            log_error("message waits until the next start", "msg=%llu", (unsigned long long)p->id);
        break;
    case MESSAGE_QUEUED:
    case MESSAGE_SENDING:
        if (p->leader != 0 && group_count_piece(gw, p->leader) != 0)
            log_error("message waits until the next start", "msg=%llu", (unsigned long long)p->leader);
        break;
    default:
        break;
    }
}

/* The divided messages and the leaders of followers are in the book, as far as they exist. */
static void on_resumed_read(void *owner, uint64_t cookie, int err)
{
    struct telling *t = owner;
    struct gateway *gw = t->gw;

    UNUSED(cookie);
    for (size_t i = 0; i < t->count; i++) {
        struct item *item = book_find(gw->book, t->ids[i]);
        struct group *g = group_find(gw, t->ids[i]);
        struct message unknown = { .p = { .final = SMPP_STATE_UNKNOWN, .status = -100 } };

        if (item != NULL && item->m->p.state == MESSAGE_DIVIDED) {
            if (g == NULL || g->pieces == 0)
                divide_check(gw, item->m->id, item->m->public_id);
        } else if (err == 0 && g != NULL && g->followers.count > 0 && (item == NULL || item->m->p.final != 0)) {
            tell_followers(gw, g, item == NULL ? &unknown : item->m); /* the end came between the two */
            group_drop(gw, g);
        }
    }
    if (err != 0)
        log_error("long messages could not be read: they go on at the next start", "error=%s", err_name(err));
    free(t);
}

void group_resumed(struct gateway *gw)
{
    const struct message nobody = { 0 };
    struct group *g, *next;

    HASH_ITER(hh, gw->groups, g, next)
    {
        if (g->followers.count > 0 && lane_push(&gw->divided, g->leader) != 0)
            log_error("message waits until the next start", "msg=%llu", (unsigned long long)g->leader);
    }
    while (gw->divided.count > 0) {
        struct telling *t = telling_of(gw, &gw->divided, &nobody);

        if (t == NULL)
            return;
        if (book_fetch(gw->book, t->ids, t->count, on_resumed_read, t, 0) != 0)
            on_resumed_read(t, 0, ERR_BUSY);
    }
}
