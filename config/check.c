/* SPDX-License-Identifier: MIT */
/*
 * check.c - what concerns two settings: names that must differ, names that must exist, secrets that belong to a choice.
 *
 * Runs after load.c on a whole struct, even when load.c found mistakes, so that all are told together. Also fills in the
 * upstream an account or listener did not name: after it, a name is always there when an upstream is.
 */
#include "config/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELIVER_PDU_LEAST = 512 }; /* a short message of 254 with its fields and TLVs */

/* A name and where it stands; sorted to find twins and targets among many accounts. */
struct name {
    const char *text;
    size_t index;
};

static int by_text(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    int order = strcmp(x->text, y->text);

    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int text_only(const void *a, const void *b)
{
    const struct name *x = a, *y = b;

    return strcmp(x->text, y->text);
}

static bool is_among(const struct name *names, size_t count, const char *text)
{
    struct name key = { text, 0 };

    return count > 0 && bsearch(&key, names, count, sizeof *names, text_only) != NULL;
}

/* `section`[].`key` must be unlike each other. Sorts `names`. */
static void check_unique(struct cfg_reader *r, struct name *names, size_t count, const char *section, const char *key)
{
    char path[CFG_PATH_SIZE];

    if (count > 1)
        qsort(names, count, sizeof *names, by_text);
    for (size_t i = 1; i < count; i++) {
        if (names[i].text[0] == '\0' || strcmp(names[i].text, names[i - 1].text) != 0)
            continue;
        snprintf(path, sizeof path, "%s[%zu].%s", section, names[i].index, key);
        cfg_mistake(r, NULL, path, "is \"%.64s\", as in %s[%zu]; each must have its own", names[i].text, section,
                    names[i - 1].index);
    }
}

static void check_upstream(struct cfg_reader *r, const struct name *names, const char *path, const char **name)
{
    const struct config *c = r->config;

    if (c->upstream_count == 0)
        return; /* told by its absence */
    if ((*name)[0] == '\0')
        *name = c->upstreams[0].name;
    else if (!is_among(names, c->upstream_count, *name))
        cfg_mistake(r, NULL, path, "is \"%.64s\", which is no upstream; must be the name of one, as \"%.64s\"", *name,
                    c->upstreams[0].name);
}

/* Further send parameters of an upstream or an account. */
static void check_extra(struct cfg_reader *r, const struct cfg_pair *extra, const char *at)
{
    /* what the gateway itself sends; a second one would be a contradiction */
    static const char *const reserved[] = { "login",   "psw", "apikey", "phones", "mes", "list", "fmt",
                                            "charset", "id",  "cost",   "op",     "err", "nl" };
    char path[CFG_PATH_SIZE];

    for (; extra != NULL && extra->name != NULL; extra++) {
        for (size_t k = 0; k < ARRAY_LEN(reserved); k++) {
            if (strcmp(extra->name, reserved[k]) != 0)
                continue;
            snprintf(path, sizeof path, "%s.extra.%s", at, reserved[k]);
            cfg_mistake(r, NULL, path, "is set by the gateway itself; leave it out");
        }
    }
}

/* http://HOST:PORT, with USER:PASSWORD@ in front of the host or without. Nothing of the value is told. */
static bool is_proxy(const char *proxy)
{
    const char *at = strrchr(proxy, '@');
    const char *host = at != NULL ? at + 1 : proxy + 7;
    const char *port = strrchr(proxy, ':');
    char *end;

    if (strncmp(proxy, "http://", 7) != 0 || (at != NULL && at == proxy + 7) || port == NULL || port <= host)
        return false;
    for (const char *c = proxy; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            return false;
    }
    if (strpbrk(host, "/?#") != NULL || (at != NULL && memchr(proxy + 7, '/', (size_t)(at - proxy - 7)) != NULL))
        return false;
    unsigned long number = strtoul(port + 1, &end, 10);
    return port[1] >= '0' && port[1] <= '9' && *end == '\0' && number > 0 && number <= 65535;
}

static void check_credentials(struct cfg_reader *r, size_t index)
{
    const struct cfg_upstream *u = &r->config->upstreams[index];
    char path[CFG_PATH_SIZE];

    if (u->api_key[0] == '\0' && u->password[0] == '\0') {
        snprintf(path, sizeof path, "upstreams[%zu].password", index);
        cfg_mistake(r, NULL, path,
                    "is missing; give login and password (or password_file), or api_key (or api_key_file)");
    } else if (u->api_key[0] == '\0' && u->login[0] == '\0') {
        snprintf(path, sizeof path, "upstreams[%zu].login", index);
        cfg_mistake(r, NULL, path, "is missing; give the login that belongs to password");
    }
    if (u->retry_first_ms > u->retry_max_ms) {
        snprintf(path, sizeof path, "upstreams[%zu].retry.first", index);
        cfg_mistake(r, NULL, path, "is longer than retry.max; must be shorter or the same");
    }
    if (u->proxy[0] != '\0' && strcmp(u->proxy, "?") != 0 && !is_proxy(u->proxy)) {
        snprintf(path, sizeof path, "upstreams[%zu].proxy", index);
        cfg_mistake(r, NULL, path,
                    "is no proxy's address; must be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with %%XX for "
                    "other characters than letters and digits in USER and PASSWORD");
    }
    snprintf(path, sizeof path, "upstreams[%zu]", index);
    check_extra(r, u->extra, path);
}

/* --- operators ---------------------------------------------------------------------------------------------------- */

static int by_digits(const void *a, const void *b)
{
    const struct cfg_prefix *x = a, *y = b;

    return strcmp(x->digits, y->digits);
}

/* Gathers the prefixes of all operators in one sorted list; each may stand there once. */
static void check_operators(struct cfg_reader *r, struct name *names)
{
    struct config *c = r->config;
    size_t most = 0, n = 0;
    char path[CFG_PATH_SIZE];

    for (size_t i = 0; i < c->operator_count; i++) {
        names[i] = (struct name){ c->operators[i].name, i };
        for (const char **prefix = c->operators[i].prefixes; *prefix != NULL; prefix++)
            most++;
    }
    check_unique(r, names, c->operator_count, "operators", "name");
    c->prefixes = cfg_alloc(r, (most + 1) * sizeof *c->prefixes);
    if (c->prefixes == NULL)
        return;
    for (size_t i = 0; i < c->operator_count; i++) {
        for (size_t k = 0; c->operators[i].prefixes[k] != NULL; k++) {
            const char *digits = c->operators[i].prefixes[k];

            c->prefixes[n++] = (struct cfg_prefix){ digits, c->operators[i].name };
            if (strspn(digits, "0123456789") == strlen(digits) && strlen(digits) <= CFG_PREFIX_MAX)
                continue;
            snprintf(path, sizeof path, "operators[%zu].prefixes[%zu]", i, k);
            cfg_mistake(r, NULL, path, "is \"%.40s\"; must be 1..%d digits, as \"7920\"", digits, CFG_PREFIX_MAX);
        }
    }
    c->prefix_count = n;
    qsort(c->prefixes, n, sizeof *c->prefixes, by_digits);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(c->prefixes[i - 1].digits, c->prefixes[i].digits) == 0)
            cfg_mistake(r, NULL, "operators", "have the prefix %.40s twice, at \"%.64s\" and \"%.64s\"; keep one",
                        c->prefixes[i].digits, c->prefixes[i - 1].operator_name, c->prefixes[i].operator_name);
    }
}

static void check_routes(struct cfg_reader *r, const struct name *upstreams)
{
    struct config *c = r->config;
    struct name *operators = cfg_alloc(r, (c->operator_count + 1) * sizeof *operators);
    char path[CFG_PATH_SIZE];

    if (operators == NULL)
        return;
    check_operators(r, operators);
    for (size_t i = 0; i < c->route_count; i++) {
        const char *name = c->routes[i].operator_name;

        snprintf(path, sizeof path, "routes[%zu].upstream", i);
        check_upstream(r, upstreams, path, &c->routes[i].upstream);
        if (name[0] == '\0' || is_among(operators, c->operator_count, name))
            continue;
        snprintf(path, sizeof path, "routes[%zu].operator", i);
        cfg_mistake(r, NULL, path, "is \"%.64s\", which is no operator; must be the name of one of operators", name);
    }
}

/* Every address listened on, to find one given twice. */
struct taken {
    char path[64];
    const char *address;
};

static void take_all(struct cfg_reader *r, struct taken *taken, size_t *count, size_t max, const char *path,
                     const char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL && *count < max; i++) {
        const char *port = strrchr(list[i], ':');
        struct taken *t = &taken[*count];

        if (port == NULL || strcmp(port, ":0") == 0) /* any free one: never the same */
            continue;
        snprintf(t->path, sizeof t->path, "%s[%zu]", path, i);
        t->address = list[i];
        for (size_t k = 0; k < *count; k++)
            if (strcmp(taken[k].address, t->address) == 0)
                cfg_mistake(r, NULL, t->path, "is \"%.64s\", which %s has already; must be another address or port",
                            t->address, taken[k].path);
        (*count)++;
    }
}

static void check_addresses(struct cfg_reader *r)
{
    enum { TAKEN_MAX = 256 };
    struct config *c = r->config;
    struct taken *taken = cfg_alloc(r, TAKEN_MAX * sizeof *taken);
    size_t count = 0;

    if (taken == NULL)
        return;
    take_all(r, taken, &count, TAKEN_MAX, "smpp.listen", c->smpp.listen);
    take_all(r, taken, &count, TAKEN_MAX, "smpp.tls.listen", c->smpp.tls.listen);
    for (size_t i = 0; i < c->callback_count; i++) {
        char path[CFG_PATH_SIZE];

        snprintf(path, sizeof path, "callbacks[%zu].listen", i);
        take_all(r, taken, &count, TAKEN_MAX, c->callback_count == 1 ? "callbacks.listen" : path,
                 c->callbacks[i].listen);
    }
    take_all(r, taken, &count, TAKEN_MAX, "admin.listen", c->admin.listen);
}

static void check_callbacks(struct cfg_reader *r, const struct name *upstreams)
{
    struct config *c = r->config;
    char path[CFG_PATH_SIZE];

    for (size_t i = 0; i < c->callback_count; i++) {
        struct cfg_callbacks *cb = &c->callbacks[i];
        char at[48] = "callbacks";

        if (cJSON_IsArray(cfg_node_at(r, "callbacks")))
            snprintf(at, sizeof at, "callbacks[%zu]", i);
        snprintf(path, sizeof path, "%s.upstream", at);
        check_upstream(r, upstreams, path, &cb->upstream);
        if (cb->hash != CFG_HASH_NONE && cb->secret[0] == '\0') {
            snprintf(path, sizeof path, "%s.secret", at);
            cfg_mistake(
                r, NULL, path,
                "is missing; give the secret set in the aggregator's account (or secret_file), or hash \"none\"");
        }
        if ((cb->certificate_file == NULL) != (cb->key_file == NULL)) {
            snprintf(path, sizeof path, "%s.tls", at);
            cfg_mistake(r, NULL, path, "has one file of two; give certificate_file and key_file, or null");
        }
    }
}

static void check_smpp(struct cfg_reader *r)
{
    const struct cfg_smpp *s = &r->config->smpp;

    if (s->listen[0] == NULL && s->tls.listen[0] == NULL)
        cfg_mistake(r, NULL, "smpp.listen", "is empty; give an address such as \"0.0.0.0:2775\"");
    if (s->tls.listen[0] != NULL && (s->tls.certificate_file == NULL || s->tls.key_file == NULL))
        cfg_mistake(r, NULL, s->tls.certificate_file == NULL ? "smpp.tls.certificate_file" : "smpp.tls.key_file",
                    "is missing; smpp.tls.listen needs certificate_file and key_file");
}

void cfg_check(struct cfg_reader *r)
{
    struct config *c = r->config;
    struct name *esmes = cfg_alloc(r, (c->esme_count + 1) * sizeof *esmes);
    struct name *upstreams = cfg_alloc(r, (c->upstream_count + 1) * sizeof *upstreams);
    bool needs_upstream = false;
    char path[CFG_PATH_SIZE];

    if (esmes == NULL || upstreams == NULL || c->smpp.listen == NULL || c->smpp.tls.listen == NULL)
        return; /* out of memory was told */
    for (size_t i = 0; i < c->esme_count; i++) {
        esmes[i] = (struct name){ c->esmes[i].system_id, i };
        needs_upstream |= c->esmes[i].mode == CFG_LIVE;
    }
    for (size_t i = 0; i < c->upstream_count; i++)
        upstreams[i] = (struct name){ c->upstreams[i].name, i };
    check_unique(r, esmes, c->esme_count, "esmes", "system_id");
    check_unique(r, upstreams, c->upstream_count, "upstreams", "name");

    if (c->esme_count == 0)
        cfg_mistake(r, NULL, "esmes",
                    "is missing; give at least one account { \"system_id\": ..., \"password\": ... }");
    if (c->upstream_count == 0 && needs_upstream)
        cfg_mistake(r, NULL, "upstreams", "is missing; give at least one { \"login\": ..., \"password\": ... }");
    check_smpp(r);
    for (size_t i = 0; i < c->upstream_count; i++)
        check_credentials(r, i);
    for (size_t i = 0; i < c->esme_count; i++) {
        snprintf(path, sizeof path, "esmes[%zu].upstream", i);
        check_upstream(r, upstreams, path, &c->esmes[i].upstream);
        snprintf(path, sizeof path, "esmes[%zu]", i);
        check_extra(r, c->esmes[i].extra, path);
        if (c->esmes[i].deliver_max_pdu_bytes != 0 && c->esmes[i].deliver_max_pdu_bytes < DELIVER_PDU_LEAST) {
            snprintf(path, sizeof path, "esmes[%zu].deliver_max_pdu", i);
            cfg_mistake(r, NULL, path, "is shorter than a receipt; must be 0B or %dB..128KiB", DELIVER_PDU_LEAST);
        }
    }
    check_routes(r, upstreams);
    check_callbacks(r, upstreams);
    for (size_t i = 0; i < c->incoming_count; i++) {
        if (c->incoming[i].system_id[0] == '\0' || is_among(esmes, c->esme_count, c->incoming[i].system_id))
            continue;
        snprintf(path, sizeof path, "incoming[%zu].system_id", i);
        cfg_mistake(r, NULL, path, "is \"%.64s\", which is no account; must be the system_id of one of esmes",
                    c->incoming[i].system_id);
    }
    if (c->admin.listen != NULL && c->admin.listen[0] != NULL && c->admin.token[0] == '\0')
        cfg_mistake(r, NULL, "admin.token", "is missing; give a long random string (or token_file), or listen []");
    check_addresses(r);
}
