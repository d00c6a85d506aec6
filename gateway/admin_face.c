/* SPDX-License-Identifier: MIT */
/*
 * admin_face.c - what an operator has the SMPP face say of its own accord: alert_notification to a session, outbind to an
 * ESME that listens.
 *
 * Both are told and forgotten: an alert expects no answer [SMPP34 4.12], and whether an outbind led to a bind is seen
 * where every bind is seen, in the list of sessions.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/admin.h"

static bool read_whole(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *out <= max;
}

/* An octet that may be absent. */
static bool read_octet(const struct http_params *body, const char *name, uint8_t absent, uint8_t *out)
{
    const char *text = http_params_get(body, name);
    uint64_t value = absent;

    if (text != NULL && !read_whole(text, UINT8_MAX, &value))
        return false;
    *out = (uint8_t)value;
    return true;
}

struct wanted {
    uint64_t n;
    struct smpp_session_ref ref;
    bool found;
};

static void find_session(void *arg, const struct smpp_session_info *session)
{
    struct wanted *wanted = arg;

    if (session->n == wanted->n && session->type != SMPP_BIND_NONE) {
        wanted->ref = session->ref;
        wanted->found = true;
    }
}

/* The body as alert_notification; views into `body`. False: it is none. `state`: ms_availability_status, or NULL. */
static bool read_alert(const struct http_params *body, struct smpp_pdu *pdu, uint8_t *state, bool *has_state)
{
    const char *source = http_params_get(body, "source"), *esme = http_params_get(body, "esme");

    pdu->command_id = CMD_ALERT_NOTIFICATION;
    pdu->has_body = true;
    *has_state = http_params_get(body, "ms_availability_status") != NULL;
    if (source == NULL || source[0] == '\0')
        return false;
    pdu->sm.source.addr = smpp_str(source);
    pdu->esme.addr = smpp_str(esme == NULL ? "" : esme);
    return read_octet(body, "source_ton", 1, &pdu->sm.source.ton) &&
           read_octet(body, "source_npi", 1, &pdu->sm.source.npi) && read_octet(body, "esme_ton", 0, &pdu->esme.ton) &&
           read_octet(body, "esme_npi", 0, &pdu->esme.npi) &&
           read_octet(body, "ms_availability_status", 0, state); /* 0 available, 1 denied, 2 unavailable */
}

static void reply_alert(struct admin_call *call, uint64_t n, int err)
{
    char text[80];

    switch (err) {
    case 0:
        log_info("alert sent", "sess=%llu", (unsigned long long)n);
        snprintf(text, sizeof text, "{\"n\": %llu, \"sent\": true}\n", (unsigned long long)n);
        http_reply(call->exchange, 202, "application/json", text, strlen(text));
        return;
    case ERR_STATE:
        admin_fail(call->exchange, 409, "this session takes none", "only a bound receiver or transceiver is told");
        return;
    case ERR_RANGE:
        admin_fail(call->exchange, 400, "a field is too long", "addresses of an alert have up to 64 characters");
        return;
    case ERR_BUSY:
        admin_fail(call->exchange, 503, "its ESME does not read", "try again");
        return;
    default:
        admin_fail(call->exchange, 503, err_text(err), "try again");
    }
}

void admin_session_alert(struct admin_call *call)
{
    static struct smpp_pdu pdu; /* loop thread only; too large for the stack of a deep call */
    struct wanted wanted = { 0 };
    struct http_params body;
    uint8_t state = 0;
    bool has_state;

    if (read_whole(call->arg[0], UINT64_MAX - 1, &wanted.n))
        smpp_sessions(call->gw->smpp, find_session, &wanted);
    if (!wanted.found) {
        admin_fail(call->exchange, 404, "there is no such session", "GET /v1/sessions lists the live ones by n");
        return;
    }
    memset(&pdu, 0, sizeof pdu);
    http_params_init(&body);
    if (http_params_read_json(&body, call->request->body, call->request->body_len) != 0 ||
        !read_alert(&body, &pdu, &state, &has_state) ||
        (has_state && !smpp_tlv_add(&pdu, TAG_MS_AVAILABILITY_STATUS, &state, 1)))
        admin_fail(call->exchange, 400, "an alert needs {\"source\": \"79991234567\"}",
                   "source_ton, source_npi, esme, esme_ton, esme_npi and ms_availability_status (0 available, "
                   "1 denied, 2 unavailable) may stand there too; numbers go up to 255");
    else
        reply_alert(call, wanted.n, smpp_notify(call->gw->smpp, wanted.ref, &pdu));
    http_params_finish(&body);
}

void admin_outbind(struct admin_call *call)
{
    struct http_params body;
    const char *address = NULL, *system_id = NULL, *password = NULL;

    if (call->gw->draining) {
        admin_fail(call->exchange, 503, "the gateway is ending", "nobody may bind any more");
        return;
    }
    http_params_init(&body);
    if (http_params_read_json(&body, call->request->body, call->request->body_len) == 0) {
        address = http_params_get(&body, "address");
        system_id = http_params_get(&body, "system_id");
        password = http_params_get(&body, "password");
    }
    int err = address == NULL || system_id == NULL
                  ? ERR_SYNTAX
                  : smpp_server_outbind(call->gw->smpp, address, system_id, password == NULL ? "" : password);
    if (err == 0) {
        log_info("outbind", "to=%s", address);
        http_reply(call->exchange, 202, "application/json", "{\"connecting\": true}\n", 21);
    } else if (err == ERR_SYNTAX || err == ERR_RANGE) {
        admin_fail(call->exchange, 400, "an outbind needs {\"address\": \"host:port\", \"system_id\": \"...\"}",
                   "system_id and password are those the ESME expects of us, of up to 64 characters; "
                   "the bind that follows shows in GET /v1/sessions");
    } else {
        admin_fail(call->exchange, 503, err_text(err), "is the address one this machine can reach?");
    }
    http_params_finish(&body);
}
