/* SPDX-License-Identifier: MIT */
/* route.c - which upstream carries a message, and which account an incoming one belongs to. Pure look-ups. */
#include "gateway/internal.h"
#include "gateway/lab_accounts.h"

#include <stdlib.h>
#include <string.h>

/* "7903*" matches a prefix, "*" everything, anything else the whole number; "+" is ignored. */
static bool number_matches(const char *pattern, const char *number)
{
    size_t len = strlen(pattern);

    if (*number == '+')
        number++;
    if (*pattern == '+') {
        pattern++;
        len--;
    }
    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, number, len - 1) == 0;
    return len == 0 || strcmp(pattern, number) == 0;
}

static bool text_matches(const char *pattern, const struct message_text *text)
{
    return number_matches(pattern, text->at == NULL ? "" : text->at);
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

void route_away(struct upstream *up)
{
    enum { PER_TICK = 1000 };
    struct gateway *gw = up->gateway;
    struct account *account, *next;

    if (gw->config->route_count == 0 || !upstream_is_broken(up))
        return;
    HASH_ITER(hh, gw->accounts, account, next)
    {
        for (struct queue *q = account->queues; q != NULL; q = q->sibling) {
            for (size_t i = 0; q->upstream == up && i < PER_TICK && q->lane.count > 0; i++) {
                struct item *item = book_find(gw->book, lane_peek(&q->lane, 0));

                /* what is not in memory, not durable, or behind a message under way to its phone stays */
                if (item == NULL || item->fresh || item->m->p.state != MESSAGE_QUEUED ||
                    queue_phone_busy(up, message_phone(item->m->dest.at, item->m->dest.len)))
                    break;
                struct upstream *other = route_upstream(gw, account, item->m);
                if (other == NULL || other == up)
                    break;
                item->m->p.upstream = other->number;
                if (store_move(gw->store, &item->m->p, STORE_KEEP, gateway_save_of(gw, item->m->id)) != 0) {
                    item->m->p.upstream = up->number;
                    break;
                }
                book_pin(gw->book, item);
                lane_pop(&q->lane);
                if (queue_add(gw, account, other, item->m->p.urgent, item->m->id, false) != 0)
                    log_error("message waits until the next start", "msg=%llu", (unsigned long long)item->m->id);
            }
        }
    }
}

/* One character of UTF-8 and its lower case, as far as keywords go: ASCII, Latin-1, Cyrillic. */
static uint32_t fold_next(const char **at)
{
    const unsigned char *s = (const unsigned char *)*at;
    size_t len = buf_utf8_len(*at, strlen(*at));
    uint32_t c = len == 2 ? ((s[0] & 0x1Fu) << 6) | (s[1] & 0x3Fu) : s[0];

    if (len == 0)
        len = 1;
    *at += len;
    if (len > 2) { /* compared as it is */
        for (size_t i = 1; i < len; i++)
            c = (c << 8) | s[i];
        return c;
    }
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE) || (c >= 0x410 && c <= 0x42F))
        return c + 32;
    return c >= 0x400 && c <= 0x40F ? c + 80 : c;
}

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\r\n,.:;!?", c) != NULL;
}

/* Is `keyword` the first word of the text, in any case? */
static bool keyword_matches(const char *keyword, const char *text)
{
    text += strspn(text, " \t\r\n");
    while (*keyword != '\0') {
        if (*text == '\0' || fold_next(&keyword) != fold_next(&text))
            return false;
    }
    return ends_word(*text);
}

struct account *route_incoming_by(struct gateway *gw, const struct cfg_incoming *rule, const char *to, const char *text)
{
    if (!number_matches(rule->to, to) || (rule->keyword[0] != '\0' && !keyword_matches(rule->keyword, text)))
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
