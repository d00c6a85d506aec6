/* SPDX-License-Identifier: MIT */
/*
 * reload.c - a new configuration in a running gateway.
 *
 * All or nothing: a file with a mistake changes nothing. Parties are found by name; one that is no longer named keeps its
 * open messages and receipts but may not bind or send. A bind stays when its account may still have it.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/admin.h"
#include "gateway/internal.h"
#include "gateway/conformance.h"
#include "gateway/lab_accounts.h"

static const struct cfg_esme *esme_named(const struct config *config, const char *system_id)
{
    for (size_t i = 0; i < config->esme_count; i++) {
        if (strcmp(config->esmes[i].system_id, system_id) == 0)
            return &config->esmes[i];
    }
    return NULL;
}

static const struct cfg_upstream *cfg_upstream_named(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->upstream_count; i++) {
        if (strcmp(config->upstreams[i].name, name) == 0)
            return &config->upstreams[i];
    }
    return NULL;
}

/* Ends the binds this account may no longer have: all of a removed or disabled one, those from addresses no longer
 * allowed, the oldest above max_binds. */
static void end_binds(struct account *account)
{
    struct gateway *gw = account->gateway;
    size_t count = account->bound_count;
    size_t most = account->cfg == NULL || !account->cfg->enabled ? 0 : account->cfg->max_binds;

    for (size_t i = account->bound_count; i > 0; i--) {
        const struct smpp_session_info *session = smpp_session_find(gw->smpp, account->bounds[i - 1].ref);

        if (most > 0 && session != NULL && !account_address_allowed(account->cfg, session->address)) {
            smpp_session_unbind(gw->smpp, session->ref, "address no longer allowed");
            count--;
        }
    }
    for (size_t i = 0; i < account->bound_count && count > most; i++, count--)
        smpp_session_unbind(gw->smpp, account->bounds[i].ref, most == 0 ? "account disabled" : "max_binds lowered");
}

static void configure_accounts(struct gateway *gw)
{
    struct account *account, *next;

    for (size_t i = 0; i < gw->config->esme_count; i++) {
        if (account_get(gw, gw->config->esmes[i].system_id) == NULL)
            log_error("account not added", "sys=%s reason=%s", gw->config->esmes[i].system_id, "out of memory");
    }
    HASH_ITER(hh, gw->accounts, account, next)
    {
        account_configure(account, esme_named(gw->config, account->system_id));
        end_binds(account);
        deliver_pump(account);
    }
}

static bool same_login(const struct cfg_upstream *a, const struct cfg_upstream *b)
{
    return a != NULL && b != NULL && strcmp(a->login, b->login) == 0 && strcmp(a->password, b->password) == 0 &&
           strcmp(a->api_key, b->api_key) == 0;
}

static void configure_upstreams(struct gateway *gw, const struct config *before)
{
    for (size_t i = 0; i < gw->config->upstream_count; i++) {
        const struct cfg_upstream *cfg = &gw->config->upstreams[i];
        struct upstream *up = upstream_named(gw, cfg->name);
        int err = up != NULL ? 0 : upstream_create(gw, cfg->name, &up);

        if (err == 0)
            err = upstream_configure(up, cfg);
        if (err != 0) {
            log_error("upstream not configured", "upstream=%s error=%s", cfg->name, err_name(err));
            continue;
        }
        if (up->retired) {
            up->retired = false;
            upstream_resume(up);
        }
        /* five wrong logins block an address, so one stopped us; new credentials are worth a try [interface.md 6.10] */
        if (up->pause == PAUSE_LOGIN && !same_login(cfg, cfg_upstream_named(before, cfg->name)))
            upstream_resume(up);
    }
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        if (cfg_upstream_named(gw->config, up->name) != NULL || strcmp(up->name, LAB_UPSTREAM) == 0 || up->cfg == NULL)
            continue;
        up->retired = true; /* requests under way still end by its settings */
        upstream_pause(up, PAUSE_OPERATOR, UINT64_MAX);
    }
}

/* The old configuration is freed unless a removed upstream looks at it; then at the end. */
static void retire(struct gateway *gw, struct config *before)
{
    bool needed = false;

    for (const struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        for (size_t i = 0; i < before->upstream_count; i++)
            needed = needed || up->cfg == &before->upstreams[i];
    }
    if (!needed) {
        cfg_destroy(before);
        return;
    }
    struct config **longer = realloc(gw->retired, (gw->retired_count + 1) * sizeof(struct config *));
    if (longer == NULL)
        return; /* rather leaked than freed under a request */
    gw->retired = longer;
    gw->retired[gw->retired_count++] = before;
}

static void configure_listeners(struct gateway *gw)
{
    descriptors_share(gw);
    struct smpp_server_opts opts = gateway_smpp_opts(gw);

    smpp_server_configure(gw->smpp, &opts);
    conformance_configure(gw->watch.conformance, gw->config->smpp.response_timeout_ms);
    (void)gateway_reload_certificates(gw); /* says in the log what it has not taken */
    for (struct listener *l = gw->listeners; l != NULL; l = l->next) {
        const struct cfg_callbacks *cfg = listener_cfg(l);
        struct http_server_opts http = { .listen_fd = -1,
                                         .max_body_bytes = cfg->max_body_bytes,
                                         .allow_from = cfg->allow_from };

        if (l->server != NULL)
            http_server_configure(l->server, &http);
    }
    listen_renew_certificates(gw);
    if (gw->admin != NULL)
        admin_configure(gw);
}

/* Listeners hold their place in the list of callbacks: it may grow, never shrink, while they live. */
static bool listeners_keep_their_place(const struct gateway *gw, const struct config *then)
{
    for (const struct listener *l = gw->listeners; l != NULL; l = l->next) {
        if (l->index != LISTENER_LAB && l->index >= then->callback_count)
            return false;
    }
    return true;
}

static void apply(struct gateway *gw, struct config *then)
{
    struct config *before = gw->config;
    struct store_opts store = { .url = then->store.url, .keep_text = then->store.keep_text_ms > 0 };

    gw->config = then;
    gw->route_epoch++;
    configure_upstreams(gw, before);
    configure_accounts(gw);
    configure_listeners(gw);
    store_configure(gw->store, &store);
    book_resize(gw->book, then->store.messages_in_memory);
    gw->sends_max = then->store.sends_in_memory;
    gw->keeping.next_expire_ms = 0; /* what may be kept may have changed */
    log_set((enum log_level)then->log.level, (enum log_format)then->log.format);
    retire(gw, before);
    incoming_reroute(gw);
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next)
        upstream_pump(up);
}

int gateway_reload(struct gateway *gw, struct buf *report)
{
    struct config *then = NULL;

    if (gw->config_file == NULL || gw->draining || gw->hold != HOLD_NOTHING) {
        buf_adds(report, gw->draining               ? "the gateway is stopping"
                         : gw->hold != HOLD_NOTHING ? "an upgrade is under way: the new process has read the file"
                                                    : "this gateway was started without a file");
        return ERR_STATE;
    }
    int err = cfg_read_file(gw->config_file, &then, report);
    if (err != 0) {
        log_error("configuration not reloaded: nothing has been changed", "file=%s mistakes=%s", gw->config_file,
                  buf_text(report));
        return ERR_CONFIG;
    }
    if (!listeners_keep_their_place(gw, then)) {
        buf_adds(report, "callbacks: a list shorter than the one in use needs a restart");
        cfg_destroy(then);
        log_error("configuration not reloaded: nothing has been changed", "reason=%s", buf_text(report));
        return ERR_CONFIG;
    }
    char why[256];
    err = lab_accounts_prepare(gw, then, why);
    if (err != 0) {
        buf_adds(report, why);
        cfg_destroy(then);
        log_error("configuration not reloaded: nothing has been changed", "reason=%s", why);
        return ERR_CONFIG;
    }
    cfg_restart_needed(gw->config, then, report);
    apply(gw, then);
    if (report->len > 0) {
        char *needed = strdup(buf_text(report));

        free(gw->restart_needed);
        gw->restart_needed = needed;
        log_warn("configuration reloaded; some keys need a restart", "keys=%s", buf_text(report));
    } else {
        log_info("configuration reloaded", "file=%s", gw->config_file);
    }
    return 0;
}
