/* SPDX-License-Identifier: MIT */
/* route.c - which upstream carries a message, and which account an incoming one belongs to. Pure look-ups. */
#include "gateway/internal.h"

#include <string.h>

struct upstream *route_upstream(struct gateway *gw, const struct account *account, const struct message *m)
{
    UNUSED(m);
    if (account->cfg != NULL && account->cfg->upstream[0] != '\0')
        return upstream_named(gw, account->cfg->upstream);
    return gw->config->upstream_count == 0 ? NULL : upstream_named(gw, gw->config->upstreams[0].name);
}

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

struct account *route_incoming(struct gateway *gw, const char *to, const char *text)
{
    UNUSED(text);
    for (size_t i = 0; i < gw->config->incoming_count; i++) {
        const struct cfg_incoming *rule = &gw->config->incoming[i];

        if (number_matches(rule->to, to))
            return account_get(gw, rule->system_id);
    }
    return NULL;
}
