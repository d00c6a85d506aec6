/* SPDX-License-Identifier: MIT */
/*
 * report.c - what a configuration would do, in words, and what a reload of it cannot do.
 *
 * Leaves finding mistakes to load.c: what comes here has none, but may still be unwise, which is said as a note.
 * Secrets never appear, not even their length.
 */
#include <stdio.h>
#include <string.h>

#include "config/value.h"

enum { TOKEN_BYTES_WISE = 16 };

static void words(struct buf *out, const char **list, const char *none)
{
    if (list == NULL || list[0] == NULL)
        buf_adds(out, none);
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        buf_addf(out, "%s%s", i == 0 ? "" : ", ", list[i]);
}

static void duration(struct buf *out, const char *before, uint64_t ms)
{
    buf_adds(out, before);
    if (ms == 0)
        buf_adds(out, "off");
    else
        cfg_write_duration(ms, out);
}

static void report_smpp(const struct config *c, struct buf *out)
{
    buf_adds(out, "SMPP: listens on ");
    words(out, c->smpp.listen, "no plain address");
    if (c->smpp.tls.listen[0] != NULL) {
        buf_adds(out, ", with TLS on ");
        words(out, c->smpp.tls.listen, "");
        if (c->smpp.tls.client_ca_file != NULL)
            buf_adds(out, " for clients with a certificate");
    }
    if (c->smpp.proxy_protocol)
        buf_adds(out, ", behind a PROXY header");
    buf_addf(out, " as \"%s\"; at most %u sessions, %u from one address\n", c->smpp.system_id, c->smpp.max_sessions,
             c->smpp.max_sessions_per_address);
}

static void report_esme(const struct cfg_esme *e, struct buf *out)
{
    buf_addf(out, "ESME %s: ", e->system_id);
    if (!e->enabled)
        buf_adds(out, "disabled; ");
    buf_addf(out, "up to %u binds from ", e->max_binds);
    words(out, e->allow_from, "everywhere");
    if (e->mode == CFG_LAB)
        buf_adds(out, "; outcomes simulated, nothing is sent");
    else
        buf_addf(out, "; messages go to upstream %s", e->upstream);
    if (e->rate > 0)
        buf_addf(out, "; %.15g messages/s", e->rate);
    if (e->quota_messages > 0)
        buf_addf(out, "; at most %llu SMS", (unsigned long long)e->quota_messages);
    if (e->quota_money > 0)
        buf_addf(out, "; messages for at most %.15g", e->quota_money);
    if (e->quota_messages > 0 || e->quota_money > 0)
        buf_addf(out, " a %s (UTC%+g)", e->quota_per == CFG_PER_DAY ? "day" : "month", e->quota_timezone_h);
    buf_addf(out, "; acknowledged when %s; ", e->acknowledge == CFG_SENT ? "sent" : "stored");
    duration(out, "receipts wait up to ", e->receipt_hold_ms);
    buf_addc(out, '\n');
}

static void report_upstream(const struct cfg_upstream *u, struct buf *out)
{
    buf_addf(out, "Upstream %s: %s at ", u->name, u->kind == CFG_SMSC_SOAP ? "SOAP" : "HTTP");
    words(out, u->urls, "?");
    if (u->api_key[0] != '\0')
        buf_adds(out, " with an API key");
    else
        buf_addf(out, " as %s", u->login);
    buf_addf(out, "; %u connections for sending, %u for the rest", u->connections, u->status_connections);
    if (u->batch_max > 1)
        buf_addf(out, "; up to %u messages a request", u->batch_max);
    if (u->proxy[0] != '\0') { /* without its credentials */
        const char *at = strrchr(u->proxy, '@');
        buf_addf(out, "; through the proxy %s", at != NULL ? at + 1 : u->proxy + 7);
    }
    if (u->rate > 0)
        buf_addf(out, "; %.15g messages/s", u->rate);
    duration(out, "; a message is given up after ", u->retry_give_up_ms);
    buf_addc(out, '\n');
    for (const char **url = u->urls; *url != NULL; url++)
        if (strncmp(*url, "http://", 7) == 0 && strncmp(*url, "http://127.", 11) != 0 &&
            strncmp(*url, "http://localhost", 16) != 0 && strncmp(*url, "http://[::1]", 12) != 0)
            buf_addf(out, "  note: %s sends credentials and texts unencrypted\n", *url);
}

static void report_callbacks(const struct config *c, struct buf *out)
{
    static const char *const hashes[] = { "unsigned", "signed with md5", "signed with sha1", "signed with crc32" };

    if (c->callback_count == 0)
        buf_adds(out, "Callbacks: none\n  note: statuses and incoming messages cannot reach the gateway\n");
    for (size_t i = 0; i < c->callback_count; i++) {
        const struct cfg_callbacks *cb = &c->callbacks[i];

        buf_addf(out, "Callbacks of %s: POST %s on ", cb->upstream, cb->path);
        words(out, cb->listen, "no address");
        buf_addf(out, "%s, %s, from ", cb->certificate_file != NULL ? " with TLS" : "", hashes[cb->hash]);
        words(out, cb->allow_from, "everywhere");
        buf_addc(out, '\n');
        if (cb->hash == CFG_HASH_NONE && cb->allow_from[0] == NULL)
            buf_adds(out, "  note: anybody who reaches this address can report statuses; set hash and secret\n");
    }
}

static void report_routes(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < c->operator_count; i++) {
        size_t n = 0;

        while (c->operators[i].prefixes[n] != NULL)
            n++;
        buf_addf(out, "Operator %s: %zu prefixes\n", c->operators[i].name, n);
    }
    for (size_t i = 0; i < c->route_count; i++) {
        const struct cfg_route *route = &c->routes[i];

        buf_addf(out, "Route to %s", route->to);
        if (route->operator_name[0] != '\0')
            buf_addf(out, " of operator %s", route->operator_name);
        if (strcmp(route->from, "*") != 0)
            buf_addf(out, " from %s", route->from);
        if (route->system_id[0] != '\0')
            buf_addf(out, " of ESME %s", route->system_id);
        buf_addf(out, ": upstream %s, weight %u\n", route->upstream, route->weight);
    }
}

static void report_rest(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < c->incoming_count; i++)
        buf_addf(out, "Incoming to %s%s%s: %s\n", c->incoming[i].to,
                 c->incoming[i].keyword[0] == '\0' ? "" : " with keyword ", c->incoming[i].keyword,
                 c->incoming[i].system_id);
    buf_adds(out, "Administration: ");
    words(out, c->admin.listen, "none");
    if (c->admin.listen[0] != NULL) {
        buf_adds(out, ", from ");
        words(out, c->admin.allow_from, "everywhere");
        if (strlen(c->admin.token) < TOKEN_BYTES_WISE)
            buf_adds(out, "\n  note: the token is short; take a long random one");
    }
    buf_addf(out, "\nStore: %s", c->store.url);
    duration(out, ", finished messages kept for ", c->store.keep_ms);
    if (c->store.keep_text_ms == CFG_ALWAYS || c->store.keep_text_ms == 0)
        buf_adds(out, c->store.keep_text_ms == 0 ? " without their text" : " with their text");
    else
        duration(out, ", their text for ", c->store.keep_text_ms);
    buf_adds(out, "\n");
    if (strcmp(c->store.url, "memory:") == 0)
        buf_adds(out, "  note: nothing outlives the process; an acknowledged message can be lost\n");
    duration(out, "Stop: waits up to ", c->drain_timeout_ms);
    buf_adds(out, " for what is in flight\n");
}

static const void *element(const struct config *c, const struct cfg_section *s, size_t i)
{
    const char *at = (const char *)c + s->offset;

    if (s->shape == CFG_ROOT || s->shape == CFG_OBJECT)
        return at;
    return (const char *)*(const void *const *)at + i * s->size;
}

static size_t element_count(const struct config *c, const struct cfg_section *s)
{
    if (s->shape == CFG_ROOT || s->shape == CFG_OBJECT)
        return 1;
    return *(const size_t *)((const char *)c + s->count_offset);
}

static void element_path(const struct cfg_section *s, size_t i, char out[64])
{
    if (s->shape == CFG_LIST || s->shape == CFG_EITHER)
        snprintf(out, 64, "%s[%zu].", s->key, i);
    else
        snprintf(out, 64, "%s%s", s->key, s->shape == CFG_ROOT ? "" : ".");
}

/* Every value in force that is not the default. */
static void report_changed(const struct config *c, struct buf *out)
{
    struct buf value;
    char path[64];

    buf_init(&value, 16 << 20);
    buf_adds(out, "\nSettings that differ from their defaults:\n");
    for (size_t k = 0; k < cfg_section_count; k++) {
        const struct cfg_section *s = &cfg_sections[k];

        for (size_t i = 0; i < element_count(c, s); i++) {
            element_path(s, i, path);
            for (size_t n = 0; n < s->row_count; n++) {
                const char *text = cfg_row_default(&s->rows[n]);

                buf_clear(&value);
                cfg_write_value(&s->rows[n], element(c, s, i), false, &value);
                if (text == NULL || strcmp(text, buf_text(&value)) != 0)
                    buf_addf(out, "  %s%s = %s\n", path, s->rows[n].path, buf_text(&value));
            }
        }
    }
    buf_finish(&value);
}

void cfg_write_report(const struct config *config, struct buf *out)
{
    report_smpp(config, out);
    for (size_t i = 0; i < config->esme_count; i++)
        report_esme(&config->esmes[i], out);
    for (size_t i = 0; i < config->upstream_count; i++)
        report_upstream(&config->upstreams[i], out);
    report_routes(config, out);
    report_callbacks(config, out);
    report_rest(config, out);
    report_changed(config, out);
}

/* The element of `c` that is the same thing as `of`: by its first setting, its name, in lists; by place elsewhere. */
static const void *counterpart(const struct config *c, const struct cfg_section *s, const void *of, size_t i)
{
    const struct cfg_row *name = &s->rows[0];
    size_t count = element_count(c, s);

    if (s->shape != CFG_LIST || (name->type != CFG_NAME && name->type != CFG_SECRET))
        return i < count ? element(c, s, i) : NULL;
    for (size_t k = 0; k < count; k++) {
        const char *theirs = *(const char *const *)((const char *)element(c, s, k) + name->offset);

        if (strcmp(theirs, *(const char *const *)((const char *)of + name->offset)) == 0)
            return element(c, s, k);
    }
    return NULL;
}

static bool has_restart_rows(const struct cfg_section *s)
{
    for (size_t n = 0; n < s->row_count; n++)
        if (s->rows[n].change == RESTART)
            return true;
    return false;
}

void cfg_restart_needed(const struct config *now, const struct config *then, struct buf *out)
{
    struct buf a, b;
    char path[64];

    buf_init(&a, 16 << 20);
    buf_init(&b, 16 << 20);
    for (size_t k = 0; k < cfg_section_count; k++) {
        const struct cfg_section *s = &cfg_sections[k];

        if (!has_restart_rows(s))
            continue;
        for (size_t i = 0; i < element_count(now, s); i++) {
            const void *mine = element(now, s, i);
            const void *theirs = counterpart(then, s, mine, i);

            element_path(s, i, path);
            if (theirs == NULL) {
                buf_addf(out, "%.*s (removed)\n", (int)strlen(path) - 1, path);
                continue;
            }
            for (size_t n = 0; n < s->row_count; n++) {
                if (s->rows[n].change != RESTART)
                    continue;
                buf_clear(&a);
                buf_clear(&b);
                cfg_write_value(&s->rows[n], mine, true, &a);
                cfg_write_value(&s->rows[n], theirs, true, &b);
                if (strcmp(buf_text(&a), buf_text(&b)) != 0)
                    buf_addf(out, "%s%s\n", path, s->rows[n].path);
            }
        }
        for (size_t i = 0; i < element_count(then, s); i++) {
            if (counterpart(now, s, element(then, s, i), i) != NULL)
                continue;
            element_path(s, i, path);
            buf_addf(out, "%.*s (added)\n", (int)strlen(path) - 1, path);
        }
    }
    buf_finish(&a);
    buf_finish(&b);
}
