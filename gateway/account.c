/* SPDX-License-Identifier: MIT */
/*
 * account.c - who may bind, and which sessions an account has.
 *
 * An account outlives its configuration while messages of it are open: then it cannot bind, but its receipts wait.
 * Passwords are compared in constant time; failures are counted per account and per address and lock both out, except
 * that an account is never locked out where it has bound before by what others do elsewhere.
 */
#include "gateway/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/net.h"

enum { FAILURES_MAX = 20000, PROBE_MS = 2000, PROBE_LOOK_MS = 20 };

struct failures { /* one entry per address and per system_id that has failed, and per place an account has bound from */
    char key[160]; /* "addr:IP", "sys:ID", "home:ID@IP" */
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
    account->meters.throttled = metric_cell(gw->meters.throttled, METRIC_VALUES(system_id));
    account->meters.headroom = metric_cell(gw->meters.headroom, METRIC_VALUES(system_id));
    account->meters.queued = metric_cell(gw->meters.queue, METRIC_VALUES("submit", system_id, ""));
    account->meters.backlog = metric_cell(gw->meters.queue, METRIC_VALUES("deliver", system_id, ""));
    HASH_ADD_STR(gw->accounts, system_id, account);
    if (!TABLE_TOOK(account)) {
        free(account);
        return NULL;
    }
    gw->account_of[account->number] = account;
    quota_configure(account);
    return account;
}

void account_configure(struct account *account, const struct cfg_esme *cfg)
{
    account->cfg = cfg;
    profile_resolve(cfg, &account->profile);
    deliver_look_again(account); /* address_range may mean nothing any more */
    if (cfg != NULL)             /* without a burst: what the rate gives in a second */
        rate_configure(&account->rate, cfg->rate, cfg->burst > 0 ? cfg->burst : cfg->rate);
    if (account->gateway->account_of[account->number] == account) /* else account_get does so at its end */
        quota_configure(account);
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
            free(q->asked);
            free(q);
        }
        lane_finish(&account->deliveries);
        lane_finish(&account->aside);
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

static struct failures *failures_of(struct gateway *gw, const char *key)
{
    struct failures *f;

    HASH_FIND_STR(gw->failures, key, f);
    return f;
}

/* Makes it when there is none; the first entered makes room. NULL out of memory. */
static struct failures *failures_get(struct gateway *gw, const char *key)
{
    struct failures *f = failures_of(gw, key);

    if (f != NULL)
        return f;
    if (HASH_COUNT(gw->failures) >= FAILURES_MAX) {
        f = gw->failures;
        HASH_DEL(gw->failures, f);
    } else {
        f = malloc(sizeof *f);
    }
    if (f == NULL)
        return NULL;
    *f = (struct failures){ .last_ms = clock_mono_ms() };
    snprintf(f->key, sizeof f->key, "%s", key);
    HASH_ADD_STR(gw->failures, key, f);
    if (TABLE_TOOK(f))
        return f;
    free(f);
    return NULL;
}

static bool is_locked(struct gateway *gw, const char *key)
{
    const struct failures *f = failures_of(gw, key);

    return f != NULL && f->locked_until_ms > clock_mono_ms();
}

static void count_failure(struct gateway *gw, const char *key)
{
    uint64_t now = clock_mono_ms();

    if (gw->config->smpp.login_failures == 0)
        return;

    struct failures *f = failures_get(gw, key);

    if (f == NULL)
        return;
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

/* The account is full. One of its sessions may be half dead, most often the same client's from before its network failed:
 * the one silent for longest is asked with enquire_link, then the next, until one is closed for its silence or all have
 * spoken since this bind came. One by one, because software that never answers enquire_link shall lose one session by it
 * and not all. True: undecided. */
static bool look_for_stale(struct gateway *gw, struct account *account, const struct smpp_session_info *newcomer)
{
    struct smpp_session_ref silent;
    uint64_t since_ms = newcomer->last_in_ms;
    bool found = false;

    for (size_t i = 0; i < account->bound_count; i++) {
        const struct smpp_session_info *session = smpp_session_find(gw->smpp, account->bounds[i].ref);

        if (session == NULL || smpp_session_is_probed(gw->smpp, session->ref))
            return true; /* closed: told in a moment; or asked already */
        if (session->last_in_ms > since_ms)
            continue;
        found = true;
        since_ms = session->last_in_ms;
        silent = session->ref;
    }
    if (found)
        smpp_session_probe(gw->smpp, silent, PROBE_MS);
    return found;
}

/* Room for one more session? STATUS_ROK, a refusal, or SMPP_LATER. */
static uint32_t make_room(struct gateway *gw, struct account *account, const struct smpp_session_info *session,
                          struct smpp_grant *grant)
{
    struct bound *oldest = NULL;
    size_t staying = 0;

    for (size_t i = 0; i < account->bound_count; i++) {
        struct bound *b = &account->bounds[i];

        if (b->replaced)
            continue;
        staying++;
        if (oldest == NULL)
            oldest = b;
    }
    if (staying < account->cfg->max_binds)
        return STATUS_ROK;
    if (account->cfg->when_full == CFG_REPLACE_OLDEST) {
        oldest->replaced = true;
        smpp_session_unbind(gw->smpp, oldest->ref, "replaced by a newer bind");
        return STATUS_ROK;
    }
    if (session->bind_asked > 2 * PROBE_MS / PROBE_LOOK_MS || !look_for_stale(gw, account, session))
        return refuse(gw, session, account->system_id, "too_many_binds", account->profile.full_status);
    grant->again_ms = PROBE_LOOK_MS;
    return SMPP_LATER;
}

uint32_t account_on_bind(void *owner, const struct smpp_bind *bind, const struct smpp_session_info *session,
                         struct smpp_grant *grant)
{
    struct gateway *gw = owner;
    char system_id[72], from[64], by_account[96], by_address[96], at_home[160];
    struct account *account;

    if (gw->draining)
        return STATUS_RBINDFAIL;
    snprintf(system_id, sizeof system_id, "%.*s", (int)bind->system_id.len, bind->system_id.at);
    address_only(session->address, from);
    snprintf(by_account, sizeof by_account, "sys:%s", system_id);
    snprintf(by_address, sizeof by_address, "addr:%s", from);
    snprintf(at_home, sizeof at_home, "home:%s@%s", system_id, from);
    /* Guesses made elsewhere do not lock an account's own machines out: where it has bound before, only that address's
     * own failures count. */
    if (is_locked(gw, by_address) || (is_locked(gw, by_account) && failures_of(gw, at_home) == NULL))
        return refuse(gw, session, system_id, "locked_out", STATUS_RBINDFAIL);
    HASH_FIND_STR(gw->accounts, system_id, account);
    if (account == NULL || account->cfg == NULL) {
        count_failure(gw, by_address);
        return refuse(gw, session, system_id, "unknown_system_id", STATUS_RINVSYSID);
    }
    /* Before the password: these answers must not tell whether it was right. */
    if (!account->cfg->enabled)
        return refuse(gw, session, system_id, "disabled", STATUS_RBINDFAIL);
    if (!account_address_allowed(account->cfg, session->address))
        return refuse(gw, session, system_id, "address_not_allowed", STATUS_RBINDFAIL);
    if (!same_password(account->cfg->password, bind->password)) {
        count_failure(gw, by_account);
        count_failure(gw, by_address);
        return refuse(gw, session, system_id, "wrong_password",
                      account->profile.login_failure_status != 0 ? account->profile.login_failure_status
                                                                 : STATUS_RINVPASWD);
    }

    uint32_t status = make_room(gw, account, session, grant);

    if (status != STATUS_ROK)
        return status;
    forget_failures(gw, by_account);
    forget_failures(gw, by_address);
    failures_get(gw, at_home);
    grant->account = account;
    grant->window = account->cfg->window;
    grant->deliver_window = account->cfg->deliver_window;
    grant->announced = (uint8_t)account->cfg->interface_version;
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

    if (!array_room(&account->bounds, &account->bound_size, account->bound_count, sizeof *account->bounds)) {
        smpp_session_close(gw->smpp, session->ref, "out of memory");
        return;
    }
    account->bounds[account->bound_count++] =
        (struct bound){ .ref = session->ref, .type = session->type, .interface_version = session->interface_version };
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
