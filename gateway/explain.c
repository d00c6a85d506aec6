/* SPDX-License-Identifier: MIT */
/*
 * explain.c - what would be done with a message, without doing it [interface.md 6.1].
 *
 * The PDU is read by the same function as one from the network (submit_read), and the request is written by the same
 * one that sends it (upstream_write_request).
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/admin.h"
#include "gateway/read_sm.h"

static bool is_secret(const char *name)
{
    return strcmp(name, "psw") == 0 || strcmp(name, "apikey") == 0 || strcmp(name, "password") == 0;
}

static void add_request(struct upstream *up, const struct message *m, const char *separator, struct buf *out)
{
    struct gateway *gw = up->gateway;
    struct http_params params;
    char url[512];

    buf_clear(&gw->body);
    upstream_write_request(up, m, &gw->body);
    http_params_init(&params);
    int err = http_params_read_form(&params, buf_text(&gw->body), gw->body.len);
    buf_adds(out, separator);
    buf_adds(out, "{\"method\": \"POST\", ");
    admin_add_string(out, "url", upstream_url(up, SMSC_PATH_SEND, url));
    buf_adds(out, ", \"parameters\": {");
    for (size_t i = 0; err == 0 && i < params.count; i++) {
        const struct http_param *p = &params.at[i];

        buf_adds(out, i == 0 ? "" : ", ");
        buf_add_json(out, p->name, strlen(p->name));
        buf_adds(out, ": ");
        if (is_secret(p->name))
            buf_adds(out, "\"***\"");
        else
            buf_add_json(out, p->value, p->len);
    }
    buf_adds(out, "}}");
    http_params_finish(&params);
}

static const char *alphabet_of(const struct message *m)
{
    if (m->binary)
        return "binary";
    return smpp_text_fits_gsm(m->text.at, m->text.len) ? "gsm7" : "ucs2";
}

/* One request, or those of the pieces a long text goes out in. */
static unsigned add_requests(struct upstream *up, const struct message *m, struct buf *out)
{
    struct message piece = *m;
    unsigned count = 0;
    size_t done = 0;

    if (!read_sm_needs_division(m) || m->binary) {
        add_request(up, m, "", out);
        return 1;
    }
    while (done < m->text.len) {
        size_t len = smpp_text_prefix(ALPHABET_UCS2, m->text.at + done, m->text.len - done, READ_TEXT_UNITS);

        if (len == 0)
            break;
        char *copy = malloc(len + 1);
        if (copy == NULL)
            break;
        memcpy(copy, m->text.at + done, len);
        copy[len] = '\0';
        piece.text = (struct message_text){ copy, len };
        add_request(up, &piece, count++ == 0 ? "" : ", ", out);
        free(copy);
        done += len;
    }
    return count;
}

static void add_limits(const struct account *account, const struct upstream *up, struct buf *out)
{
    const struct cfg_esme *cfg = account->cfg;

    buf_addf(out,
             "{\"rate\": %g, \"burst\": %g, \"window\": %u, \"queued\": %llu, \"max_queued\": %llu, "
             "\"upstream_rate\": %g, \"upstream_connections\": %u, \"upstream_batch\": %u}",
             cfg->rate, cfg->burst, cfg->window, (unsigned long long)account->queued,
             (unsigned long long)cfg->max_queued, up->cfg->rate, up->cfg->connections, up->cfg->batch_max);
}

static void write_explanation(struct account *account, struct upstream *up, const struct message *m,
                              const struct reading *r, struct buf *out)
{
    buf_adds(out, "{");
    admin_add_string(out, "system_id", account->system_id);
    buf_adds(out, ", ");
    admin_add_string(out, "alphabet", alphabet_of(m));
    buf_addf(out, ", \"parts\": %zu, \"characters\": %zu, \"replaced_characters\": %zu, ", read_sm_parts(m),
             m->binary ? 0 : smpp_utf8_chars(m->text.at, m->text.len), r->replaced);
    admin_add_string(out, "route", up->name);
    buf_adds(out, ", ");
    admin_add_string(out, "operator", route_operator(up->gateway->config, m->dest.at));
    buf_adds(out, ", \"to\": ");
    buf_add_json(out, m->dest.at, m->dest.len);
    buf_addf(out, ", \"urgent\": %s, \"scheduled_at\": ", m->p.urgent ? "true" : "false");
    admin_add_time(out, m->p.state == MESSAGE_SCHEDULED ? m->p.due_ms : 0);
    buf_adds(out, ", \"expires_at\": ");
    admin_add_time(out, m->expires_ms);
    buf_addf(out,
             ", \"receipt\": %s, \"limits\": ", (m->registered_delivery & REG_RECEIPT_MASK) != 0 ? "true" : "false");
    add_limits(account, up, out);
    buf_adds(out, ", \"requests\": [");
    add_requests(up, m, out);
    buf_adds(out, "]}\n");
}

void admin_explain(struct admin_call *call)
{
    static struct admin_sm sm; /* loop thread only */
    struct gateway *gw = call->gw;
    struct http_params params;
    struct reading reading;
    struct message facts = { 0 };

    http_params_init(&params);
    if (http_params_read_json(&params, call->request->body, call->request->body_len) != 0) {
        admin_fail(call->exchange, 400, "the body is no flat JSON object",
                   "{\"system_id\": \"shop\", \"from\": \"Shop\", \"to\": \"79991234567\", \"text\": \"Hello\"}");
    } else if (admin_sm_read(gw, &params, &sm) != 0) {
        admin_fail(call->exchange, 400, "the message was not understood", sm.hint);
    } else {
        struct smpp_session_info session = admin_sm_session(sm.account, call->request->peer);
        uint32_t status = submit_read(gw, sm.account, &session, &sm.pdu, &reading, &facts);
        struct upstream *up = status == STATUS_ROK ? upstream_by_number(gw, facts.p.upstream) : NULL;

        if (status != STATUS_ROK || up == NULL || up->cfg == NULL) {
            admin_fail(call->exchange, 400, status == STATUS_ROK ? "no upstream" : smpp_status_name(status),
                       admin_status_hint(status == STATUS_ROK ? STATUS_RINVDSTADR : status));
        } else {
            struct message *m = message_create(&facts); /* the scratch buffers are needed for the requests */
            struct buf out;

            buf_init(&out, ADMIN_REPLY_MAX);
            if (m == NULL) {
                admin_fail(call->exchange, 503, "out of memory", "try again");
            } else {
                write_explanation(sm.account, up, m, &reading, &out);
                admin_reply(call->exchange, 200, &out);
            }
            buf_finish(&out);
            message_destroy(m);
        }
    }
    admin_sm_finish(&sm);
    http_params_finish(&params);
}
