/* SPDX-License-Identifier: MIT */
/*
 * join.c - parts of long messages become one text [see join.h]; the text itself is made by join_text.c.
 *
 * A set is what memory knows about one long message: which parts have come. It is made from the stored parts and can be
 * lost without harm. After it was joined it is remembered for a minute, so that a part repeated by a client that missed
 * our answer follows the message instead of waiting for companions that will never come.
 */
#include "gateway/join.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/extra.h"
#include "gateway/group.h"
#include "gateway/read_sm.h"

enum {
    REMEMBER_MS = 60000,
    AGAIN_MS = 1000,
    FETCH_IDS = 2000,
    RESUMED_MS = 3000 /* until all have been read */,
    ERR_PARTS_MISSING = 241 /* [API errors] */
};

struct part {
    uint64_t id, hash;
    uint8_t number;
    bool repeated; /* the same part once more */
};

struct set {
    char key[160];
    struct part *parts;
    size_t count, size;
    unsigned present; /* different numbers */
    uint8_t total;
    bool joined;        /* remembered only */
    bool joining;       /* its parts are being read */
    uint64_t leader;    /* only if joined */
    uint64_t forget_ms; /* mono */
    struct set *next_joined;
    UT_hash_handle hh;
};

struct joins {
    struct set *sets;
    struct set *joined_first, *joined_last; /* in order of forget_ms */
    size_t waiting;
    struct lane resumed;
};

static struct joins *joins_of(struct gateway *gw)
{
    if (gw->joins == NULL)
        gw->joins = calloc(1, sizeof *gw->joins);
    return gw->joins;
}

static void key_of(const struct message *m, char out[160])
{
    /* the lengths keep "1" + "23" and "12" + "3" apart */
    snprintf(out, 160, "%u %08x %u %zu %.60s %.60s", m->p.esme, (unsigned)m->part_reference, m->part_total,
             m->source.len, m->source.at, m->dest.at);
}

static uint64_t hash_of(const struct message *m)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ m->data_coding;

    for (size_t i = 0; i < m->text.len; i++)
        hash = (hash ^ (unsigned char)m->text.at[i]) * UINT64_C(1099511628211);
    return hash;
}

static void set_drop(struct joins *j, struct set *set)
{
    HASH_DEL(j->sets, set);
    if (!set->joined)
        j->waiting--;
    free(set->parts);
    free(set);
}

/* Joined sets leave the list oldest first; one that was replaced has left the table before. */
static void forget_joined(struct joins *j, uint64_t now_ms)
{
    while (j->joined_first != NULL && j->joined_first->forget_ms <= now_ms) {
        struct set *set = j->joined_first;

        j->joined_first = set->next_joined;
        if (j->joined_first == NULL)
            j->joined_last = NULL;
        set_drop(j, set);
    }
}

static void remember(struct joins *j, struct set *set, uint64_t leader)
{
    set->joined = true;
    set->joining = false;
    set->leader = leader;
    set->forget_ms = clock_mono_ms() + REMEMBER_MS;
    set->next_joined = NULL;
    if (j->joined_last != NULL)
        j->joined_last->next_joined = set;
    else
        j->joined_first = set;
    j->joined_last = set;
    j->waiting--;
}

/* Another message begins under the same reference: what was remembered under it is forgotten, what waits goes on
 * waiting part by part. */
static void set_displace(struct joins *j, struct set *set)
{
    if (!set->joined) {
        set_drop(j, set);
        return;
    }
    struct set **at = &j->joined_first, *before = NULL;
    while (*at != set) {
        before = *at;
        at = &(*at)->next_joined;
    }
    *at = set->next_joined;
    if (j->joined_last == set)
        j->joined_last = before;
    set_drop(j, set);
}

static struct set *set_find(struct gateway *gw, const struct message *m)
{
    char key[160];
    struct set *set;

    if (gw->joins == NULL)
        return NULL;
    key_of(m, key);
    HASH_FIND_STR(gw->joins->sets, key, set);
    return set;
}

static struct set *set_create(struct joins *j, const struct message *m)
{
    struct set *set = calloc(1, sizeof *set);

    if (set == NULL)
        return NULL;
    key_of(m, set->key);
    set->total = m->part_total;
    HASH_ADD_STR(j->sets, key, set);
    if (!TABLE_TOOK(set)) {
        free(set);
        return NULL;
    }
    j->waiting++;
    return set;
}

static struct part *part_numbered(struct set *set, uint8_t number)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->parts[i].number == number && !set->parts[i].repeated)
            return &set->parts[i];
    }
    return NULL;
}

static bool set_has(const struct set *set, uint64_t id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->parts[i].id == id)
            return true;
    }
    return false;
}

static int set_add(struct set *set, struct part part)
{
    if (!array_room(&set->parts, &set->size, set->count, sizeof *set->parts))
        return ERR_NOMEM;
    set->parts[set->count++] = part;
    set->present += !part.repeated;
    return 0;
}

/* --- joined ------------------------------------------------------------------------------------------------------- */

struct gathered { /* the parts of a set while they are read */
    struct gateway *gw;
    char key[160];
    size_t count;
    struct part parts[];
};

/* The whole text is durable in its leader: it goes its way. */
static void on_leader_stored(void *owner, uint64_t cookie, int err)
{
    struct gateway *gw = owner;
    struct item *item = book_find(gw->book, cookie);

    UNUSED(err); /* kept until durable */
    if (item == NULL)
        return;
    struct message *m = item->m;
    int failed = 0;
    if (m->p.state == MESSAGE_QUEUED)
        failed = queue_add(gw, account_by_number(gw, m->p.esme), upstream_by_number(gw, m->p.upstream), m->p.urgent,
                           m->id, false);
    else if (m->p.state == MESSAGE_SCHEDULED)
        failed = heap_push(&gw->due, m->p.due_ms, m->id);
    else if (m->p.state == MESSAGE_DIVIDED)
        divide_start(gw, item);
    if (failed != 0)
        log_error("message waits until the next start", "msg=%llu", (unsigned long long)m->id);
    book_unpin(gw->book, item);
}

/* Facts of the whole from its leader's; a part's "time" becomes the schedule it stood for. */
static int make_whole(struct gateway *gw, struct item *leader, struct buf *text)
{
    struct account *account = account_by_number(gw, leader->m->p.esme);
    struct message facts = *leader->m;
    struct extra extra;
    struct buf rest;

    facts.text = (struct message_text){ text->data, text->len };
    facts.binary = false;
    facts.esm_class &= (uint8_t)~ESM_UDHI;
    facts.p.state = read_sm_needs_division(&facts) ? MESSAGE_DIVIDED : MESSAGE_QUEUED;
    facts.p.due_ms = 0;
    extra_read(facts.extra.at, facts.extra.len, &extra);
    buf_init(&rest, EXTRA_BYTES);
    if (extra_time(&extra) > 0 && (account->cfg == NULL || account->cfg->schedule == CFG_SCHEDULE_HERE)) {
        for (size_t i = 0; i < extra.count; i++) {
            if (strcmp(extra.at[i].name, "time") != 0)
                extra_add(&rest, extra.at[i].name, extra.at[i].value, strlen(extra.at[i].value));
        }
        facts.extra = (struct message_text){ rest.data, rest.len };
        if (extra_time(&extra) * 1000 > clock_wall_ms()) {
            facts.p.state = MESSAGE_SCHEDULED;
            facts.p.due_ms = extra_time(&extra) * 1000;
        }
    }
    struct message *whole = message_create(&facts);
    buf_finish(&rest);
    if (whole == NULL)
        return ERR_NOMEM;
    int err = store_rewrite(gw->store, whole, STORE_KEEP, (struct store_done){ 0 });
    if (err == 0) {
        err = store_move(gw->store, &whole->p, STORE_KEEP, (struct store_done){ on_leader_stored, gw, whole->id });
        if (err != 0) /* a part with the text of the whole would be joined once more */
            store_take_back(gw->store, 1);
    }
    if (err != 0) {
        message_destroy(whole);
        return err;
    }
    book_replace_take(gw->book, leader, whole);
    book_pin(gw->book, leader);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    if (x->repeated != y->repeated)
        return x->repeated ? 1 : -1;
    return x->id < y->id ? -1 : 1;
}

static int join_now(struct gateway *gw, const struct gathered *g, struct item *const *items)
{
    const struct message *parts[UINT8_MAX];
    struct account *account = account_by_number(gw, items[0]->m->p.esme);
    struct buf text;
    size_t count = 0;

    for (size_t i = 0; i < g->count && count < UINT8_MAX; i++) {
        if (!g->parts[i].repeated)
            parts[count++] = items[i]->m;
    }
    buf_init(&text, (size_t)256 << 10);
    size_t replaced = join_text(&account->profile, parts, count, &text);
    int err = text.failed ? ERR_FULL : make_whole(gw, items[0], &text);
    buf_finish(&text);
    if (err != 0)
        return err;
    if (replaced > 0)
        metric_cell(gw->meters.trouble, METRIC_VALUES("unmappable_character"))->value += (double)replaced;
    trail_add(gw->watch.trail, items[0]->m->id, TRAIL_JOINED, 0, (int64_t)count);
    for (size_t i = 1; i < g->count; i++) {
        trail_add(gw->watch.trail, items[i]->m->id, TRAIL_JOINED, items[0]->m->id, (int64_t)count);
        group_follow(gw, items[i], items[0]->m->id);
    }
    return 0;
}

static void on_parts_read(void *owner, uint64_t cookie, int err)
{
    struct gathered *g = owner;
    struct gateway *gw = g->gw;
    struct item **items = calloc(g->count, sizeof(struct item *));
    struct set *set;
    bool whole = items != NULL && err == 0;

    UNUSED(cookie);
    for (size_t i = 0; whole && i < g->count; i++) {
        items[i] = book_find(gw->book, g->parts[i].id);
        whole = items[i] != NULL && items[i]->m->p.state == MESSAGE_PART;
    }
    HASH_FIND_STR(gw->joins->sets, g->key, set);
    if (set != NULL && (set->joined || !set_has(set, g->parts[0].id)))
        set = NULL;
    if (whole)
        whole = join_now(gw, g, items) == 0;
    if (set != NULL && whole)
        remember(gw->joins, set, g->parts[0].id);
    else if (set != NULL)
        set->joining = false;
    if (!whole) /* one was cancelled meanwhile, or could not be read: looked at again when due */
        (void)gateway_look_in(gw, AGAIN_MS, g->parts[0].id);
    free(items);
    free(g);
}

static void complete(struct gateway *gw, struct set *set)
{
    struct gathered *g = malloc(sizeof *g + set->count * sizeof g->parts[0]);
    uint64_t *ids = malloc(set->count * sizeof *ids);

    if (g == NULL || ids == NULL) {
        (void)gateway_look_in(gw, AGAIN_MS, set->parts[0].id);
        free(g);
        free(ids);
        return;
    }
    g->gw = gw;
    g->count = set->count;
    snprintf(g->key, sizeof g->key, "%s", set->key);
    qsort(set->parts, set->count, sizeof set->parts[0], by_number);
    memcpy(g->parts, set->parts, set->count * sizeof g->parts[0]);
    for (size_t i = 0; i < set->count; i++)
        ids[i] = set->parts[i].id;
    if (book_fetch(gw->book, ids, set->count, on_parts_read, g, 0) == 0) {
        set->joining = true;
    } else {
        (void)gateway_look_in(gw, AGAIN_MS, set->parts[0].id);
        free(g);
    }
    free(ids);
}

/* --- arrival ------------------------------------------------------------------------------------------------------ */

static uint64_t left_ms(struct gateway *gw, const struct message *part)
{
    int64_t now_ms = era_now_ms(gw, part->id);

    return part->p.due_ms > now_ms ? (uint64_t)(part->p.due_ms - now_ms) : 0;
}

static void add_part(struct gateway *gw, struct item *item, uint64_t wait_ms)
{
    struct joins *j = joins_of(gw);
    const struct message *m = item->m;
    struct part part = { m->id, hash_of(m), m->part_number, false };

    (void)gateway_look_in(gw, wait_ms, m->id);
    if (j == NULL)
        return; /* it will be due */
    forget_joined(j, clock_mono_ms());
    struct set *set = set_find(gw, m);
    struct part *same = set == NULL ? NULL : part_numbered(set, part.number);
    if (set != NULL && set_has(set, part.id))
        return;
    if (same != NULL && same->hash == part.hash && set->joined) {
        log_info("part repeated after its message was joined", "msg=%llu leader=%llu", (unsigned long long)part.id,
                 (unsigned long long)set->leader);
        group_follow(gw, item, set->leader);
        return;
    }
    if (set != NULL && (set->joined || set->joining || (same != NULL && same->hash != part.hash))) {
        set_displace(j, set); /* the reference is used again */
        set = NULL;
        same = NULL;
    }
    if (set == NULL)
        set = set_create(j, m);
    part.repeated = same != NULL;
    if (set == NULL || set_add(set, part) != 0)
        return;
    if (set->present == set->total && !set->joining)
        complete(gw, set);
}

void join_stored(struct gateway *gw, struct item *item)
{
    add_part(gw, item, left_ms(gw, item->m));
}

void join_forget(struct gateway *gw, const struct message *part)
{
    struct set *set = set_find(gw, part);

    for (size_t i = 0; set != NULL && !set->joined && i < set->count; i++) {
        if (set->parts[i].id != part->id)
            continue;
        set->present -= !set->parts[i].repeated;
        set->parts[i] = set->parts[--set->count];
        if (set->count == 0)
            set_drop(gw->joins, set);
        return;
    }
}

/* --- time out ----------------------------------------------------------------------------------------------------- */

static void expire_one(struct gateway *gw, struct item *item)
{
    struct account *account = account_by_number(gw, item->m->p.esme);

    if (item->m->p.state != MESSAGE_PART)
        return;
    book_pin(gw->book, item);
    if (account->cfg != NULL && account->cfg->reassemble_policy == CFG_INCOMPLETE_FAIL)
        outcome_keep(gw, item,
                     &(struct outcome){
                         .final = SMPP_STATE_UNDELIVERABLE, .status = -100, .err = ERR_PARTS_MISSING, .cost_e6 = -1 });
    else
        outcome_requeue(gw, item, 0, false);
    book_unpin(gw->book, item);
}

static void on_expired_read(void *owner, uint64_t cookie, int err)
{
    struct gathered *g = owner;
    uint64_t first = 0; /* of this number */

    UNUSED(cookie);
    for (size_t i = 0; i < g->count; i++) {
        struct item *item = book_find(g->gw->book, g->parts[i].id);

        if (!g->parts[i].repeated)
            first = g->parts[i].id;

        if (item != NULL && g->parts[i].repeated && item->m->p.state == MESSAGE_PART && first != 0)
            group_follow(g->gw, item, first); /* by_number has put it behind the one it repeats */
        else if (item != NULL)
            expire_one(g->gw, item);
        else if (err != 0)
            (void)gateway_look_in(g->gw, AGAIN_MS, g->parts[i].id);
    }
    free(g);
}

/* All that wait go together, in the order of their numbers. */
static void expire(struct gateway *gw, struct set *set)
{
    struct gathered *g = malloc(sizeof *g + set->count * sizeof g->parts[0]);
    uint64_t *ids = malloc(set->count * sizeof *ids);
    int err = g == NULL || ids == NULL ? ERR_NOMEM : 0;

    log_warn("long message incomplete", "parts=%u of=%u first_msg=%llu", set->present, set->total,
             (unsigned long long)set->parts[0].id);
    if (err == 0) {
        g->gw = gw;
        g->count = set->count;
        g->key[0] = '\0';
        qsort(set->parts, set->count, sizeof set->parts[0], by_number);
        memcpy(g->parts, set->parts, set->count * sizeof g->parts[0]);
        for (size_t i = 0; i < set->count; i++)
            ids[i] = set->parts[i].id;
        err = book_fetch(gw->book, ids, set->count, on_expired_read, g, 0);
    }
    if (err != 0) {
        (void)gateway_look_in(gw, AGAIN_MS, set->parts[0].id);
        free(g);
    } else {
        set_drop(gw->joins, set);
    }
    free(ids);
}

void join_due(struct gateway *gw, struct item *item)
{
    struct set *set = set_find(gw, item->m);

    if (set == NULL || !set_has(set, item->m->id))
        expire_one(gw, item); /* its companions have gone another way */
    else if (set->joining || set->joined)
        return;
    else if (set->present == set->total)
        complete(gw, set);
    else
        expire(gw, set);
}

/* --- start -------------------------------------------------------------------------------------------------------- */

void join_resume(struct gateway *gw, const struct progress *p)
{
    struct joins *j = joins_of(gw);

    if (j == NULL || lane_push(&j->resumed, p->id) != 0)
        (void)gateway_look_in(gw, RESUMED_MS, p->id);
}

struct resuming {
    struct gateway *gw;
    size_t count;
    uint64_t ids[FETCH_IDS];
};

static void on_resumed_read(void *owner, uint64_t cookie, int err)
{
    struct resuming *r = owner;
    struct gateway *gw = r->gw;

    UNUSED(cookie);
    for (size_t i = 0; i < r->count; i++) {
        struct item *item = book_find(gw->book, r->ids[i]);

        if (item != NULL && item->m->p.state == MESSAGE_PART)
            add_part(gw, item, left_ms(gw, item->m) < RESUMED_MS ? RESUMED_MS : left_ms(gw, item->m));
        else if (item == NULL && err != 0)
            (void)gateway_look_in(gw, AGAIN_MS, r->ids[i]);
    }
    free(r);
    join_resumed(gw);
}

void join_resumed(struct gateway *gw)
{
    struct joins *j = gw->joins;
    struct resuming *r;

    if (j == NULL || j->resumed.count == 0 || (r = malloc(sizeof *r)) == NULL)
        return;
    r->gw = gw;
    for (r->count = 0; r->count < FETCH_IDS && j->resumed.count > 0; r->count++)
        r->ids[r->count] = lane_pop(&j->resumed);
    if (book_fetch(gw->book, r->ids, r->count, on_resumed_read, r, 0) != 0) {
        log_error("parts wait until the next start", "count=%zu", r->count);
        free(r);
    }
}

void join_finish(struct gateway *gw)
{
    struct joins *j = gw->joins;
    struct set *set, *next;

    if (j == NULL)
        return;
    HASH_ITER(hh, j->sets, set, next)
    {
        HASH_DEL(j->sets, set);
        free(set->parts);
        free(set);
    }
    lane_finish(&j->resumed);
    free(j);
    gw->joins = NULL;
}

size_t join_waiting(const struct gateway *gw)
{
    return gw->joins == NULL ? 0 : gw->joins->waiting;
}
