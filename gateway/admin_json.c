/* SPDX-License-Identifier: MIT */
/* admin_json.c - messages, sessions, upstreams and the whole gateway as JSON [interface.md 6.2]. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <strings.h>
#include <time.h>

#include "gateway/admin.h"
#include "gateway/read_sm.h"
#include "version.h"

void admin_add_time(struct buf *out, int64_t wall_ms)
{
    char text[CLOCK_ISO_SIZE];

    if (wall_ms == 0) {
        buf_adds(out, "null");
        return;
    }
    clock_iso(wall_ms, text);
    buf_addf(out, "\"%s\"", text);
}

void admin_add_string(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "\"%s\": ", name);
    buf_add_json(out, value, strlen(value));
}

/* --- states ------------------------------------------------------------------------------------------------------- */

static const struct state_word {
    const char *name;
    uint8_t state, final;
} state_words[] = {
    { "waiting_parts", MESSAGE_PART, 0 },
    { "joined", MESSAGE_FOLLOWING, 0 },
    { "scheduled", MESSAGE_SCHEDULED, 0 },
    { "queued", MESSAGE_QUEUED, 0 },
    { "sending", MESSAGE_SENDING, 0 },
    { "sending", MESSAGE_DIVIDED, 0 },
    { "delivering", MESSAGE_DELIVERING, 0 },
    { "delivered", 0, SMPP_STATE_DELIVERED },
    { "expired", 0, SMPP_STATE_EXPIRED },
    { "deleted", 0, SMPP_STATE_DELETED },
    { "undeliverable", 0, SMPP_STATE_UNDELIVERABLE },
    { "accepted", 0, SMPP_STATE_ACCEPTED },
    { "unknown", 0, SMPP_STATE_UNKNOWN },
    { "rejected", 0, SMPP_STATE_REJECTED },
    { "closed", MESSAGE_CLOSED, 0 },
    /* other words for a filter */
    { "enroute", MESSAGE_SENDING, 0 },
    { "sent", MESSAGE_SENDING, 0 },
    { "receipt_waiting", MESSAGE_DELIVERING, 0 },
};

const char *admin_state_name(const struct message *m)
{
    for (size_t i = 0; i < ARRAY_LEN(state_words); i++) {
        const struct state_word *w = &state_words[i];

        if (m->p.final != 0 ? w->final == m->p.final : w->final == 0 && w->state == m->p.state)
            return w->name;
    }
    return "unknown";
}

bool admin_state_read(const char *text, uint8_t *out_state, uint8_t *out_final)
{
    for (size_t i = 0; i < ARRAY_LEN(state_words); i++) {
        const struct state_word *w = &state_words[i];

        if (strcasecmp(text, w->name) == 0 ||
            (w->final != 0 && strcasecmp(text, smpp_state_stat((enum smpp_message_state)w->final)) == 0)) {
            *out_state = w->state;
            *out_final = w->final;
            return true;
        }
    }
    return false;
}

bool admin_time_read(const char *text, int64_t *out_ms)
{
    struct tm tm = { .tm_mday = 1 };
    char *end;

    if (strchr(text, '-') == NULL) {
        long long value = strtoll(text, &end, 10);

        if (*text == '\0' || *end != '\0' || value < 0)
            return false;
        *out_ms = value > 100000000000LL ? value : value * 1000; /* seconds reach that in the year 5138 */
        return true;
    }
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest == NULL)
        return false;
    int ms = 0;
    if (*rest == 'T' || *rest == ' ') {
        rest = strptime(rest + 1, "%H:%M", &tm);
        if (rest != NULL && *rest == ':')
            rest = strptime(rest + 1, "%S", &tm);
        if (rest == NULL)
            return false;
        if (*rest == '.') {
            int scale = 100;

            for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
                ms += (*rest - '0') * scale;
        }
    }
    if (*rest != '\0' && strcmp(rest, "Z") != 0)
        return false;
    *out_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return true;
}

/* --- things ------------------------------------------------------------------------------------------------------- */

void admin_add_message(struct gateway *gw, const struct message *m, struct buf *out)
{
    struct account *account = account_by_number(gw, m->p.esme);
    struct upstream *up = upstream_by_number(gw, m->p.upstream);
    const char *name = store_name(gw->store, m->p.esme);
    static const char *const kinds[] = { "", "mt", "mo", "note", "piece" };
    static const char *const receipts[] = { "not_asked", "waiting", "delivered", "refused", "dropped" };
    char id[SMPP_ID_MAX + 1], number[32];

    if (account != NULL)
        account_id_text(account, m->public_id, id);
    else
        snprintf(id, sizeof id, "%llu", (unsigned long long)m->public_id);
    buf_adds(out, "{");
    admin_add_string(out, "id", id);
    buf_adds(out, ", \"upstream_id\": ");
    if (m->p.upid != 0) {
        send_id_text(m->p.upid, number);
        buf_addf(out, "\"%s\"", number);
    } else {
        buf_adds(out, "null");
    }
    buf_adds(out, ", ");
    admin_add_string(out, "system_id", name == NULL ? "" : name);
    buf_adds(out, ", \"from\": ");
    buf_add_json(out, m->source.at == NULL ? "" : m->source.at, m->source.len);
    buf_adds(out, ", \"to\": ");
    buf_add_json(out, m->dest.at == NULL ? "" : m->dest.at, m->dest.len);
    buf_adds(out, ", ");
    admin_add_string(out, "state", admin_state_name(m));
    buf_adds(out, ", \"accepted_at\": ");
    admin_add_time(out, m->accepted_ms);
    buf_adds(out, ", \"done_at\": ");
    admin_add_time(out, m->p.done_ms != 0 && m->p.done_ms < m->accepted_ms ? m->accepted_ms : m->p.done_ms);
    buf_addf(out, ", \"parts\": %zu, \"cost\": ", read_sm_parts(m));
    if (m->p.cost_e6 >= 0) {
        smsc_money_write(m->p.cost_e6, number);
        buf_adds(out, number);
    } else {
        buf_adds(out, "null");
    }
    buf_addf(out, ", \"kind\": \"%s\", \"receipt\": \"%s\"", m->kind < ARRAY_LEN(kinds) ? kinds[m->kind] : "",
             m->p.receipt < ARRAY_LEN(receipts) ? receipts[m->p.receipt] : "");
    buf_adds(out, ", ");
    admin_add_string(out, "upstream", up == NULL ? "" : up->name);
    if (m->p.status != -100)
        buf_addf(out, ", \"status\": %d, \"err\": %d", m->p.status, m->p.err);
    else if (m->p.err != 0)
        buf_addf(out, ", \"err\": %d", m->p.err);
}

void admin_add_session(const struct smpp_session_info *s, struct buf *out)
{
    static const char *const types[] = { "none", "transmitter", "receiver", "transceiver" };

    buf_addf(out, "{\"n\": %llu, ", (unsigned long long)s->n);
    admin_add_string(out, "system_id", s->system_id == NULL ? "" : s->system_id);
    buf_addf(out, ", \"type\": \"%s\", \"version\": \"%u.%u\", ", types[s->type], s->interface_version >> 4,
             s->interface_version & 15);
    admin_add_string(out, "address", s->address);
    buf_adds(out, ", \"since\": ");
    admin_add_time(out, s->since_ms);
    buf_addf(out, ", \"tls\": %s, \"in_window\": %u, \"out_window\": %u, \"pdus_in\": %llu, \"pdus_out\": %llu}",
             s->tls ? "true" : "false", s->in_window, s->out_window, (unsigned long long)s->pdus_in,
             (unsigned long long)s->pdus_out);
}

static const char *upstream_state(const struct upstream *up)
{
    static const char *const states[] = { "up", "backing_off", "wrong_login", "blocked", "no_money", "paused" };
    uint64_t now = clock_mono_ms();

    if (up->cfg == NULL || up->retired)
        return "not_configured";
    if (up->pause == PAUSE_NONE || (up->paused_until_ms != UINT64_MAX && up->paused_until_ms <= now))
        return up->failures > 0 ? "trying" : "up";
    return states[up->pause];
}

void admin_add_upstream(struct upstream *up, struct buf *out)
{
    uint64_t now = clock_mono_ms();
    bool paused = up->pause != PAUSE_NONE && up->paused_until_ms > now;
    char number[32];

    buf_adds(out, "{");
    admin_add_string(out, "name", up->name);
    buf_addf(out, ", \"state\": \"%s\", \"paused\": %s, \"paused_for_ms\": ", upstream_state(up),
             paused ? "true" : "false");
    if (paused && up->paused_until_ms != UINT64_MAX)
        buf_addf(out, "%llu", (unsigned long long)(up->paused_until_ms - now));
    else
        buf_adds(out, "null");
    buf_adds(out, ", \"balance\": ");
    if (up->has_balance) {
        smsc_money_write(up->balance_e6, number);
        buf_adds(out, number);
    } else {
        buf_adds(out, "null");
    }
    buf_adds(out, ", ");
    admin_add_string(out, "url", up->cfg == NULL || up->cfg->urls == NULL ? "" : up->cfg->urls[up->url]);
    buf_addf(out,
             ", \"in_flight\": %u, \"connections\": %u, \"waiting\": %llu, \"unclear\": %zu, \"failures\": %u, "
             "\"rate\": %g}",
             up->in_flight, up->cfg == NULL ? 0 : up->cfg->connections, (unsigned long long)queue_waiting(up),
             up->unclear.count, up->failures, up->cfg == NULL ? 0 : up->cfg->rate);
}

static void add_quota(struct account *account, struct buf *out)
{
    const struct cfg_esme *cfg = account->cfg;
    int64_t now_ms = clock_wall_ms();
    char used[32], limit[32];

    if (!quota_has(cfg))
        return;
    quota_tick(account, now_ms);
    smsc_money_write(account->quota.money_e6, used);
    smsc_money_write((int64_t)(cfg->quota_money * 1e6), limit);
    buf_addf(out,
             ", \"quota\": {\"per\": \"%s\", \"messages\": %llu, \"messages_limit\": %llu, \"money\": %s, "
             "\"money_limit\": %s, \"refused\": %.0f, \"resets_at\": ",
             cfg->quota_per == CFG_PER_DAY ? "day" : "month", (unsigned long long)account->quota.messages,
             (unsigned long long)cfg->quota_messages, used, limit, account->quota.refused->value);
    admin_add_time(out, quota_ends_ms(account, now_ms));
    buf_adds(out, "}");
}

static void add_accounts(struct gateway *gw, struct buf *out)
{
    struct account *account, *next;
    bool first = true;

    buf_adds(out, "\"esmes\": [");
    HASH_ITER(hh, gw->accounts, account, next)
    {
        buf_adds(out, first ? "{" : ", {");
        first = false;
        admin_add_string(out, "system_id", account->system_id);
        buf_addf(out,
                 ", \"configured\": %s, \"enabled\": %s, \"binds\": %zu, \"queued\": %llu, \"receipts\": %llu, "
                 "\"accepted\": %.0f, \"refused\": %.0f",
                 account->cfg != NULL ? "true" : "false",
                 account->cfg != NULL && account->cfg->enabled ? "true" : "false", account->bound_count,
                 (unsigned long long)account->queued,
                 (unsigned long long)(deliver_waiting(account) + account->postponed + account->delivering),
                 account->meters.accepted->value, account->meters.refused->value);
        add_quota(account, out);
        buf_adds(out, "}");
    }
    buf_adds(out, "]");
}

void admin_add_status(struct gateway *gw, struct buf *out)
{
    struct account *account, *next;
    size_t sessions = 0;
    uint64_t queued = 0, receipts = 0, in_flight = 0;
    const struct admin_rates *r = &gw->admin->rates;
    bool first = true;

    HASH_ITER(hh, gw->accounts, account, next)
    {
        sessions += account->bound_count;
        queued += account->queued;
        receipts += deliver_waiting(account) + account->postponed + account->delivering;
    }
    buf_addf(out, "{\"version\": \"%s\", \"pid\": %d, \"now\": ", SMPPBRIDGE_VERSION, (int)getpid());
    admin_add_time(out, clock_wall_ms());
    buf_adds(out, ", \"started_at\": ");
    admin_add_time(out, gw->started_ms);
    buf_addf(out, ", \"uptime\": %.3f, \"lab\": %s, \"draining\": %s, \"sessions\": %zu",
             (double)(clock_mono_ms() - gw->started_mono_ms) / 1000, gw->lab != NULL ? "true" : "false",
             gw->draining ? "true" : "false", sessions);
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next)
        in_flight += up->in_flight;
    buf_addf(out, ", \"queues\": {\"submit\": %llu, \"receipts\": %llu, \"requests\": %llu}",
             (unsigned long long)queued, (unsigned long long)receipts, (unsigned long long)in_flight);
    buf_addf(out,
             ", \"rates\": {\"received\": %.1f, \"accepted\": %.1f, \"sent\": %.1f, \"callbacks\": %.1f, "
             "\"delivered\": %.1f}, \"latency_ms\": {\"p50\": %.3f, \"p99\": %.3f}",
             r->accepted, r->answered, r->sent, r->callbacks, r->delivered, r->p50_us / 1000.0, r->p99_us / 1000.0);
    buf_addf(out,
             ", \"store\": {\"healthy\": %s, \"waiting\": %zu, \"commits\": %llu, \"failures\": %llu, "
             "\"last_commit_ms\": %.3f}, ",
             store_healthy(gw->store) ? "true" : "false", store_waiting(gw->store),
             (unsigned long long)gw->store_seen.commits, (unsigned long long)gw->store_seen.failures,
             (double)gw->store_seen.last_commit_us / 1000);
    add_accounts(gw, out);
    buf_adds(out, ", \"upstreams\": [");
    for (struct upstream *up = gw->upstreams; up != NULL; up = up->next) {
        if (!first)
            buf_adds(out, ", ");
        first = false;
        admin_add_upstream(up, out);
    }
    buf_adds(out, "]");
    const char *upgrade = gw->upgrader == NULL ? "" : gw->upgrader->state(gw->upgrader->owner);
    if (upgrade[0] != '\0') {
        buf_adds(out, ", ");
        admin_add_string(out, "upgrade", upgrade);
    }
    if (gw->restart_needed != NULL) {
        buf_adds(out, ", ");
        admin_add_string(out, "restart_needed", gw->restart_needed);
    }
    buf_adds(out, "}");
}
