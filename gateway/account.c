/* SPDX-License-Identifier: MIT */
/*
 * account.c - who may bind, and which sessions an account has.
 *
 * An account outlives its configuration while messages of it are open: then it cannot bind, but its receipts wait.
 * Passwords are compared in constant time; failures are counted per account and per address and lock both out.
 */
#include "gateway/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/net.h"

enum { FAILURES_MAX = 20000, PROBE_MS = 2000 };

struct failures { /* one entry per address and per system_id that has failed */
    char key[160];
    unsigned count;
    uint64_t locked_until_ms; /* mono */
    uint64_t last_ms;
    UT_hash_handle hh;
};

struct account *account_get(struct gateway *gw, const char *system_id)
{
    struct account *account;

    HASH_FIND_STR(gw->accounts, system_id, account);
    if (account != NULL)
        return account;
    account = calloc(1, sizeof *account);
    if (account == NULL)
        return NULL;
    account->gateway = gw;
    snprintf(account->system_id, sizeof account->system_id, "%s", system_id);
    account->number = store_intern(gw->store, system_id);
    account_configure(account, NULL);
    for (size_t i = 0; i < gw->config->esme_count; i++) {
        if (strcmp(gw->config->esmes[i].system_id, system_id) == 0)
            account_configure(account, &gw->config->esmes[i]);
    }
    account->meters.accepted = metric_cell(gw->meters.messages, METRIC_VALUES(system_id, "", "accepted"));
    account->meters.refused = metric_cell(gw->meters.messages, METRIC_VALUES(system_id, "", "refused"));
    account->meters.queued = metric_cell(gw->meters.queue, METRIC_VALUES("submit", system_id, ""));
    account->meters.backlog = metric_cell(gw->meters.queue, METRIC_VALUES("deliver", system_id, ""));
    HASH_ADD_STR(gw->accounts, system_id, account);
    gw->account_of[account->number] = account;
    return account;
}

void account_configure(struct account *account, const struct cfg_esme *cfg)
{
    account->cfg = cfg;
    profile_resolve(cfg, &account->profile);
}

struct account *account_by_number(struct gateway *gw, uint16_t number)
{
    return gw->account_of[number];
}

void account_finish_all(struct gateway *gw)
{
    struct account *account, *next;
    struct failures *f, *next_failure;

    HASH_ITER(hh, gw->accounts, account, next)
    {
        HASH_DEL(gw->accounts, account);
        while (account->queues != NULL) {
            struct queue *q = account->queues;

            account->queues = q->sibling;
            lane_finish(&q->lane);
            free(q);
        }
        lane_finish(&account->deliveries);
        free(account->bounds);
        free(account);
    }
    HASH_ITER(hh, gw->failures, f, next_failure)
    {
        HASH_DEL(gw->failures, f);
        free(f);
    }
}

void account_id_text(const struct account *account, uint64_t public_id, char out[SMPP_ID_MAX + 1])
{
    profile_id_text(&account->profile, public_id, out);
}

/* --- failures ----------------------------------------------------------------------------------------------------- */

static bool is_locked(struct gateway *gw, const char *key)
{
    struct failures *f;

    HASH_FIND_STR(gw->failures, key, f);
    return f != NULL && f->locked_until_ms > clock_mono_ms();
}

static void count_failure(struct gateway *gw, const char *key)
{
    uint64_t now = clock_mono_ms();
    struct failures *f;

    if (gw->config->smpp.login_failures == 0)
        return;
    HASH_FIND_STR(gw->failures, key, f);
    if (f == NULL) {
        if (HASH_COUNT(gw->failures) >= FAILURES_MAX) { /* the first entered makes room */
            f = gw->failures;
            HASH_DEL(gw->failures, f);
        } else {
            f = malloc(sizeof *f);
        }
        if (f == NULL)
            return;
        *f = (struct failures){ .last_ms = now };
        snprintf(f->key, sizeof f->key, "%s", key);
        HASH_ADD_STR(gw->failures, key, f);
    }
    if (now - f->last_ms > gw->config->smpp.lockout_ms)
        f->count = 0;
    f->last_ms = now;
    if (++f->count < gw->config->smpp.login_failures)
        return;
    f->count = 0;
    f->locked_until_ms = now + gw->config->smpp.lockout_ms;
    log_warn("locked out after failed logins", "who=%s for_ms=%llu", key,
             (unsigned long long)gw->config->smpp.lockout_ms);
}

static void forget_failures(struct gateway *gw, const char *key)
{
    struct failures *f;

    HASH_FIND_STR(gw->failures, key, f);
    if (f == NULL)
        return;
    HASH_DEL(gw->failures, f);
    free(f);
}

/* --- bind --------------------------------------------------------------------------------------------------------- */

static bool same_password(const char *expected, struct smpp_str given)
{
    size_t len = strlen(expected);
    unsigned char difference = len != given.len;

    for (size_t i = 0; i < given.len; i++)
        difference |= (unsigned char)(given.at[i] ^ (len == 0 ? 1 : expected[i % len]));
    return difference == 0;
}

static uint32_t refuse(struct gateway *gw, const struct smpp_session_info *session, const char *system_id,
                       const char *reason, uint32_t status)
{
    metric_cell(gw->meters.logins, METRIC_VALUES(reason))->value += 1;
    log_warn("bind refused", "sys=%s from=%s reason=%s status=%s", system_id, session->address, reason,
             smpp_status_name(status));
    return status;
}

static void address_only(const char *address, char out[64])
{
    const char *colon = strrchr(address, ':');

    snprintf(out, 64, "%.*s", colon == NULL ? (int)strlen(address) : (int)(colon - address), address);
}

bool account_address_allowed(const struct cfg_esme *cfg, const char *address)
{
    struct sockaddr_storage sa;
    socklen_t sa_len;
    struct net_list list;

    if (cfg->allow_from == NULL || cfg->allow_from[0] == NULL)
        return true;
    if (net_sockaddr(address, &sa, &sa_len) != 0 || net_list_parse(cfg->allow_from, &list, NULL) != 0)
        return false;
    bool allowed = net_list_allows(&list, (const struct sockaddr *)&sa);
    net_list_finish(&list);
    return allowed;
}

uint32_t account_on_bind(void *owner, const struct smpp_bind *bind, const struct smpp_session_info *session,
                         struct smpp_grant *grant)
{
    struct gateway *gw = owner;
    char system_id[72], from[64], by_account[160], by_address[96];
    struct account *account;

    if (gw->draining)
        return STATUS_RBINDFAIL;
    snprintf(system_id, sizeof system_id, "%.*s", (int)bind->system_id.len, bind->system_id.at);
    address_only(session->address, from);
    snprintf(by_account, sizeof by_account, "sys:%s@%s", system_id, from);
    snprintf(by_address, sizeof by_address, "addr:%s", from);
    if (is_locked(gw, by_account) || is_locked(gw, by_address))
        return refuse(gw, session, system_id, "locked_out", STATUS_RBINDFAIL);
    HASH_FIND_STR(gw->accounts, system_id, account);
    if (account == NULL || account->cfg == NULL) {
        count_failure(gw, by_address);
        return refuse(gw, session, system_id, "unknown_system_id", STATUS_RINVSYSID);
    }
    if (!same_password(account->cfg->password, bind->password)) {
        count_failure(gw, by_account);
        count_failure(gw, by_address);
        return refuse(gw, session, system_id, "wrong_password",
                      account->profile.login_failure_status != 0 ? account->profile.login_failure_status
                                                                 : STATUS_RINVPASWD);
    }
    if (!account->cfg->enabled)
        return refuse(gw, session, system_id, "disabled", STATUS_RBINDFAIL);
    if (!account_address_allowed(account->cfg, session->address))
        return refuse(gw, session, system_id, "address_not_allowed", STATUS_RBINDFAIL);
    if (account->bound_count >= account->cfg->max_binds) {
        if (account->cfg->when_full == CFG_REPLACE_OLDEST && account->bound_count > 0) {
            smpp_session_unbind(gw->smpp, account->bounds[0].ref, "replaced by a newer bind");
        } else {
            /* one of them may be half dead: the next attempt finds its place free */
            for (size_t i = 0; i < account->bound_count; i++)
                smpp_session_probe(gw->smpp, account->bounds[i].ref, PROBE_MS);
            return refuse(gw, session, system_id, "too_many_binds", account->profile.full_status);
        }
    }
    forget_failures(gw, by_account);
    forget_failures(gw, by_address);
    grant->account = account;
    grant->window = account->cfg->window;
    grant->deliver_window = account->cfg->deliver_window;
    metric_cell(gw->meters.logins, METRIC_VALUES("bound"))->value += 1;
    return STATUS_ROK;
}

static const char *type_name(enum smpp_bind_type type)
{
    static const char *const names[] = { "none", "transmitter", "receiver", "transceiver" };

    return names[type];
}

void account_on_bound(void *owner, const struct smpp_session_info *session)
{
    struct gateway *gw = owner;
    struct account *account = session->account;

    if (account->bound_count == account->bound_size) {
        size_t size = account->bound_size == 0 ? 4 : account->bound_size * 2;
        struct bound *bounds = realloc(account->bounds, size * sizeof *bounds);

        if (bounds == NULL) {
            smpp_session_close(gw->smpp, session->ref, "out of memory");
            return;
        }
        account->bounds = bounds;
        account->bound_size = size;
    }
    account->bounds[account->bound_count++] =
        (struct bound){ session->ref, session->type, session->interface_version, 0 };
    metric_cell(gw->meters.sessions, METRIC_VALUES(account->system_id, type_name(session->type)))->value += 1;
    log_info("bound", "sys=%s sess=%llu type=%s version=%02x from=%s", account->system_id,
             (unsigned long long)session->n, type_name(session->type), session->interface_version, session->address);
    deliver_on_bound(account);
}

void account_on_unbound(void *owner, const struct smpp_session_info *session, const char *why)
{
    struct gateway *gw = owner;
    struct account *account = session->account;

    for (size_t i = 0; i < account->bound_count; i++) {
        if (account->bounds[i].ref.slot != session->ref.slot ||
            account->bounds[i].ref.generation != session->ref.generation)
            continue;
        memmove(&account->bounds[i], &account->bounds[i + 1], (account->bound_count - i - 1) * sizeof *account->bounds);
        account->bound_count--;
        metric_cell(gw->meters.sessions, METRIC_VALUES(account->system_id, type_name(session->type)))->value -= 1;
        break;
    }
    capture_ended(gw->watch.capture, session->n);
    log_info("unbound", "sys=%s sess=%llu reason=%s", account->system_id, (unsigned long long)session->n, why);
}
