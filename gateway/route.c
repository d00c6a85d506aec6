/* SPDX-License-Identifier: MIT */
/* route.c - which upstream carries a message, and which account an incoming one belongs to. Pure look-ups. */
#include "gateway/internal.h"
#include "gateway/lab_accounts.h"
#include "gateway/match.h"

#include <stdlib.h>
#include <string.h>

static bool text_matches(const char *pattern, const struct message_text *text)
{
    return match_number(pattern, text->at == NULL ? "" : text->at);
}

struct wanted_digits {
    const char *at;
    size_t len;
};

static int by_digits(const void *key, const void *element)
{
    const struct wanted_digits *wanted = key;
    const struct cfg_prefix *prefix = element;
    int order = strncmp(wanted->at, prefix->digits, wanted->len);

    return order != 0 ? order : prefix->digits[wanted->len] == '\0' ? 0 : -1; /* the shorter stands first */
}

const char *route_operator(const struct config *config, const char *number)
{
    if (*number == '+')
        number++;
    size_t len = strspn(number, "0123456789");
    for (len = len > CFG_PREFIX_MAX ? CFG_PREFIX_MAX : len; config->prefix_count > 0 && len > 0; len--) {
        const struct wanted_digits wanted = { number, len };
        const struct cfg_prefix *found =
            bsearch(&wanted, config->prefixes, config->prefix_count, sizeof *config->prefixes, by_digits);

        if (found != NULL)
            return found->operator_name;
    }
    return "";
}

/* `*operator_name`: of the destination, looked up when the first route asks for it. */
static bool route_matches(const struct config *config, const struct cfg_route *route, const struct account *account,
                          const struct message *m, const char **operator_name)
{
    if ((route->system_id[0] != '\0' && strcmp(route->system_id, account->system_id) != 0) ||
        !text_matches(route->to, &m->dest) || !text_matches(route->from, &m->source))
        return false;
    if (route->operator_name[0] == '\0')
        return true;
    if (*operator_name == NULL)
        *operator_name = route_operator(config, m->dest.at == NULL ? "" : m->dest.at);
    return strcmp(route->operator_name, *operator_name) == 0;
}

static bool same_conditions(const struct cfg_route *a, const struct cfg_route *b)
{
    return strcmp(a->system_id, b->system_id) == 0 && strcmp(a->to, b->to) == 0 && strcmp(a->from, b->from) == 0 &&
           strcmp(a->operator_name, b->operator_name) == 0;
}

/* Among the routes of the same conditions as `first`, by weight; a phone keeps its upstream while all of them work. NULL
 * when none of them works. */
static struct upstream *choose(struct gateway *gw, size_t first, uint64_t phone)
{
    const struct cfg_route *routes = gw->config->routes;
    uint64_t total = 0, point = rules_key((const char *)&phone, sizeof phone);
    struct upstream *reserve = NULL;

    for (size_t i = first; i < gw->config->route_count; i++) {
        struct upstream *up = upstream_named(gw, routes[i].upstream);

        if (!same_conditions(&routes[first], &routes[i]) || up == NULL || upstream_is_broken(up))
            continue;
        total += routes[i].weight;
        if (reserve == NULL)
            reserve = up;
    }
    if (total == 0)
        return reserve;
    point %= total;
    for (size_t i = first; i < gw->config->route_count; i++) {
        struct upstream *up = upstream_named(gw, routes[i].upstream);

        if (!same_conditions(&routes[first], &routes[i]) || up == NULL || upstream_is_broken(up))
            continue;
        if (point < routes[i].weight)
            return up;
        point -= routes[i].weight;
    }
    return reserve;
}

struct upstream *route_upstream(struct gateway *gw, const struct account *account, const struct message *m)
{
    uint64_t phone = m->dest.at == NULL ? 0 : message_phone(m->dest.at, m->dest.len);
    struct upstream *broken = NULL; /* what the first match would be, did it work */
    const char *operator_name = NULL;

    if (account->cfg != NULL && account->cfg->mode == CFG_LAB)
        return upstream_named(gw, LAB_UPSTREAM);
    for (size_t i = 0; i < gw->config->route_count; i++) {
        if (!route_matches(gw->config, &gw->config->routes[i], account, m, &operator_name))
            continue;
        struct upstream *up = choose(gw, i, phone);
        if (up != NULL)
            return up;
        if (broken == NULL)
            broken = upstream_named(gw, gw->config->routes[i].upstream);
    }
    if (broken != NULL)
        return broken;
    if (account->cfg != NULL && account->cfg->upstream[0] != '\0')
        return upstream_named(gw, account->cfg->upstream);
    return gw->config->upstream_count == 0 ? NULL : upstream_named(gw, gw->config->upstreams[0].name);
}

/* --- another way ---------------------------------------------------------------------------------------------------
 * Order to one destination holds as long as messages are looked at from the front on, and all by the same facts: a queue
 * is looked through once for each epoch. Those that stay keep their places; those that go leave holes. */

enum look {
    STAYS,
    HAS_GONE,
    NOT_NOW /* nor those behind it */
};

static bool is_gone(const struct upstream *up)
{
    return up->cfg == NULL || up->retired;
}

static enum look look_at(struct queue *q, struct item *item)
{
    struct upstream *up = q->upstream;
    struct gateway *gw = up->gateway;
    struct progress *p = &item->m->p;

    if (p->state != MESSAGE_QUEUED || p->upstream != up->number)
        return HAS_GONE;
    if (item->fresh)
        return NOT_NOW;
    if (queue_phone_busy(up, message_phone(item->m->dest.at, item->m->dest.len))) /* behind one that stays */
        return queue_park(up, item) ? HAS_GONE : NOT_NOW;
    struct upstream *other = route_upstream(gw, q->account, item->m);
    if (other == NULL || other == up || (upstream_is_broken(other) && !is_gone(up)))
        return STAYS;
    p->upstream = other->number;
    if (store_move(gw->store, p, STORE_KEEP, gateway_save_of(gw, item->m->id)) != 0) {
        p->upstream = up->number;
        return NOT_NOW;
    }
    book_pin(gw->book, item);
    if (queue_add(gw, q->account, other, p->urgent, item->m->id, false) != 0)
        log_error("message waits until the next start", "msg=%llu", (unsigned long long)item->m->id);
    return HAS_GONE;
}

/* The place `at`: true when it was looked at. */
static bool look(struct queue *q, size_t at, bool *out_gone)
{
    uint64_t id = lane_peek(&q->lane, at);
    struct item *item = id == 0 ? NULL : book_find(q->upstream->gateway->book, id);

    *out_gone = false;
    if (id == 0)
        return true;
    if (item == NULL) {
        queue_load(q, at);
        return false;
    }
    enum look found = look_at(q, item);
    *out_gone = found == HAS_GONE;
    return found != NOT_NOW;
}

/* Has anything changed that decides about ways? */
static unsigned epoch_now(struct gateway *gw)
{
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        bool broken = upstream_is_broken(up);

        gw->route_epoch += broken != up->was_broken;
        up->was_broken = broken;
    }
    return gw->route_epoch;
}

static bool has_another_way(const struct upstream *up)
{
    const struct gateway *gw = up->gateway;

    if (!is_gone(up) && gw->config->route_count == 0)
        return false;
    for (struct upstream *other = gw->upstreams; other != NULL; other = other->next) {
        if (other != up && !is_gone(other) && (is_gone(up) || !upstream_is_broken(other)))
            return true;
    }
    return false;
}

void route_away_queue(struct queue *q)
{
    enum { AT_ONCE = 1000 };
    struct gateway *gw = q->upstream->gateway;
    unsigned epoch = epoch_now(gw);
    bool gone;

    if (!upstream_is_broken(q->upstream) || !has_another_way(q->upstream) || q->loading || gw->draining)
        return;
    if (q->route_epoch != epoch) {
        q->route_epoch = epoch;
        q->routed = q->routed_late = 0;
    }
    for (size_t late = 0; late < q->routed_late; late++) {
        if (!look(q, late, &gone))
            return;
        if (gone) {
            size_t before = q->routed_late;

            queue_leave(q, late);
            late -= before - q->routed_late; /* places before it have moved on */
        }
    }
    q->routed_late = 0;
    for (size_t n = 0; n < AT_ONCE && q->routed < q->lane.count; n++) {
        size_t at = q->routed;

        if (!look(q, at, &gone))
            return;
        q->routed = at + 1;
        if (gone)
            queue_leave(q, at);
    }
}

void route_away(struct upstream *up)
{
    struct account *account, *next;

    if (!upstream_is_broken(up) || !has_another_way(up))
        return;
    HASH_ITER(hh, up->gateway->accounts, account, next)
    {
        for (struct queue *q = account->queues; q != NULL; q = q->sibling) {
            if (q->upstream == up)
                route_away_queue(q);
        }
    }
}

struct account *route_incoming_by(struct gateway *gw, const struct cfg_incoming *rule, const char *to, const char *text)
{
    if (!match_number(rule->to, to) || (rule->keyword[0] != '\0' && !match_keyword(rule->keyword, text)))
        return NULL;
    return account_get(gw, rule->system_id);
}

struct account *route_incoming(struct gateway *gw, const char *to, const char *text)
{
    for (size_t i = 0; i < gw->config->incoming_count; i++) {
        struct account *account = route_incoming_by(gw, &gw->config->incoming[i], to, text);

        if (account != NULL)
            return account;
    }
    return NULL;
}
