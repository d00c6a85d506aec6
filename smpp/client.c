/* SPDX-License-Identifier: MIT */
/*
 * client.c - one connection to an SMPP server: bind, requests under way, deliveries answered.
 *
 * Everything sent in a loop turn leaves in one write, as on the server side: a load generator sits on this. The end of the
 * connection is told from the loop, never from inside a call into the room; what was under way is ended before it.
 */
#include "smpp/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/net.h"
#include "smpp/link.h"
#include "smpp/window.h"

enum { WINDOW_DEFAULT = 10, TIMEOUT_DEFAULT_MS = 30000, UNBIND_MS = 1000 };

enum client_state { CLIENT_CONNECTING, CLIENT_BINDING, CLIENT_BOUND, CLIENT_UNBINDING, CLIENT_CLOSED };

struct smpp_client {
    struct smpp_link link;
    struct smpp_turn *turn;
    struct smpp_alarm alarm;
    struct smpp_window window;
    const struct smpp_client_ops *ops;
    void *owner;
    struct smpp_client_opts opts; /* its strings are ours */
    enum client_state state;
    uint64_t until_ms; /* end of connecting, binding, unbinding */
    uint64_t last_in_ms;
    uint64_t asked_until_ms; /* only if asked */
    uint32_t bind_sequence;
    const char *why;
    bool asked;
    bool in_delivery,
        unbind_next; /* unbind asked for before the delivery at hand was answered: it follows the answer */
    bool answered;   /* on_room is due after this read event */
    bool blocked;    /* somebody was told there is no room because the server does not read */
    bool destroyed;  /* by the owner: no calls any more */
    bool gone;       /* the link has let go */
};

#define CLIENT_OF(member, at) ((struct smpp_client *)((char *)(at)-offsetof(struct smpp_client, member)))

static void client_free(struct smpp_client *c)
{
    free((char *)c->opts.host);
    free((char *)c->opts.system_id);
    free((char *)c->opts.password);
    free((char *)c->opts.system_type);
    free((char *)c->opts.ca_file);
    free((char *)c->opts.certificate_file);
    free((char *)c->opts.key_file);
    smpp_window_finish(&c->window);
    smpp_turn_put(c->turn);
    free(c);
}

static void end(struct smpp_client *c, const char *why)
{
    if (c->state == CLIENT_CLOSED)
        return;
    c->state = CLIENT_CLOSED;
    c->why = why;
    smpp_alarm_set(c->turn, &c->alarm, UINT64_MAX);
    smpp_link_close(&c->link);
}

/* ---- deadlines ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void rearm(struct smpp_client *c)
{
    uint64_t at = sooner(c->window.earliest_ms, c->until_ms);

    if (c->state == CLIENT_CLOSED)
        return;
    if (c->state == CLIENT_BOUND)
        at = sooner(at, c->asked ? c->asked_until_ms : c->last_in_ms + c->opts.enquire_link_interval_ms);
    if (at < c->alarm.at_ms)
        smpp_alarm_set(c->turn, &c->alarm, at);
}

/* ---- output ---- */

static void put_header(struct smpp_client *c, uint32_t command_id, uint32_t status, uint32_t sequence_number)
{
    uint8_t header[SMPP_HEADER_BYTES];
    struct writer w = writer_over(header, sizeof header);

    write_u32(&w, SMPP_HEADER_BYTES);
    write_u32(&w, command_id);
    write_u32(&w, status);
    write_u32(&w, sequence_number);
    buf_add(smpp_link_out(&c->link), header, sizeof header);
    if (!smpp_link_queued(&c->link)) { /* answers are lost: over, but from the loop */
        c->why = "server does not read";
        c->until_ms = smpp_turn_now_ms(c->turn);
        rearm(c);
    }
}

static int put_pdu(struct smpp_client *c, const struct smpp_pdu *pdu)
{
    struct buf *out = smpp_link_out(&c->link);
    int rc = smpp_pdu_write(pdu, out);

    out->failed = false;
    if (rc == 0)
        smpp_link_queued(&c->link);
    return rc;
}

static void send_bind(struct smpp_client *c)
{
    struct smpp_pdu pdu = { .has_body = true };

    pdu.command_id = c->opts.type == SMPP_BIND_TX   ? CMD_BIND_TRANSMITTER
                     : c->opts.type == SMPP_BIND_RX ? CMD_BIND_RECEIVER
                                                    : CMD_BIND_TRANSCEIVER;
    pdu.bind.system_id = smpp_str(c->opts.system_id);
    pdu.bind.password = smpp_str(c->opts.password);
    pdu.bind.system_type = smpp_str(c->opts.system_type);
    pdu.bind.interface_version = c->opts.interface_version;
    pdu.sequence_number = c->bind_sequence = smpp_window_next(&c->window);
    c->state = CLIENT_BINDING;
    if (put_pdu(c, &pdu) != 0)
        end(c, "bind fields too long");
}

static void ask(struct smpp_client *c, uint64_t now_ms)
{
    put_header(c, CMD_ENQUIRE_LINK, STATUS_ROK, smpp_window_next(&c->window));
    c->asked = true;
    c->asked_until_ms = now_ms + c->opts.response_timeout_ms;
}

static void on_alarm(struct smpp_alarm *alarm, uint64_t now_ms)
{
    struct smpp_client *c = CLIENT_OF(alarm, alarm);
    uint64_t cookie;
    bool timed_out = false;

    while (c->state != CLIENT_CLOSED && smpp_window_take_due(&c->window, now_ms, &cookie)) {
        timed_out = true;
        c->ops->on_response(c->owner, cookie, SMPP_DELIVER_TIMED_OUT, 0, NULL);
    }
    if (c->state != CLIENT_CLOSED && now_ms >= c->until_ms) {
        if (c->why != NULL)
            end(c, c->why);
        else
            end(c, c->state == CLIENT_UNBINDING ? "unbind unanswered" : "no answer to bind");
    }
    if (c->state == CLIENT_BOUND) {
        if (c->asked && now_ms >= c->asked_until_ms)
            end(c, "enquire_link unanswered");
        else if (!c->asked && now_ms >= c->last_in_ms + c->opts.enquire_link_interval_ms)
            ask(c, now_ms);
    }
    if (timed_out && c->state == CLIENT_BOUND)
        c->ops->on_room(c->owner);
    rearm(c);
}

/* ---- PDUs ---- */

static void handle_bind_resp(struct smpp_client *c, uint32_t status)
{
    if (c->state != CLIENT_BINDING)
        return;
    c->until_ms = UINT64_MAX;
    if (status == STATUS_ROK)
        c->state = CLIENT_BOUND;
    c->ops->on_bound(c->owner, status);
    if (status != STATUS_ROK)
        end(c, "bind refused");
    rearm(c);
}

static void handle_response(struct smpp_client *c, const struct smpp_pdu *header, const uint8_t *frame, size_t len)
{
    static const uint32_t bind_resps[] = { CMD_BIND_TRANSMITTER | CMD_RESPONSE, CMD_BIND_RECEIVER | CMD_RESPONSE,
                                           CMD_BIND_TRANSCEIVER | CMD_RESPONSE };
    uint64_t cookie;

    for (size_t i = 0; i < ARRAY_LEN(bind_resps); i++) {
        if (header->command_id == bind_resps[i]) {
            handle_bind_resp(c, header->command_status);
            return;
        }
    }
    if (header->command_id == (CMD_UNBIND | CMD_RESPONSE) && c->state == CLIENT_UNBINDING) {
        end(c, "unbound");
    } else if (header->command_id == CMD_GENERIC_NACK && c->state == CLIENT_BINDING &&
               header->sequence_number == c->bind_sequence) {
        handle_bind_resp(c, header->command_status);
    } else if (smpp_window_answer(&c->window, header->sequence_number, &cookie)) {
        struct smpp_pdu pdu;
        uint32_t unused;

        c->answered = true;
        if (header->command_id == CMD_GENERIC_NACK) {
            c->ops->on_response(c->owner, cookie, SMPP_DELIVER_NACKED, header->command_status, NULL);
            return;
        }
        if (smpp_pdu_open(frame, len, NULL, &pdu, &unused) != SMPP_OPEN_OK) {
            pdu = *header; /* the status counts, whatever its body says */
            pdu.has_body = false;
        }
        c->ops->on_response(c->owner, cookie, SMPP_DELIVER_ANSWERED, header->command_status, &pdu);
    }
}

static void handle_delivery(struct smpp_client *c, const struct smpp_pdu *header, const uint8_t *frame, size_t len)
{
    struct smpp_pdu pdu;
    uint32_t status = STATUS_RINVCMDLEN;

    switch (smpp_pdu_open(frame, len, NULL, &pdu, &status)) {
    case SMPP_OPEN_OK:
        c->in_delivery = true;
        status = c->ops->on_deliver(c->owner, &pdu);
        c->in_delivery = false;
        break;
    case SMPP_OPEN_REJECT:
    case SMPP_OPEN_FATAL:
        break;
    }
    if (status != SMPP_LATER && c->state != CLIENT_CLOSED)
        put_header(c, header->command_id | CMD_RESPONSE, status, header->sequence_number);
    if (c->unbind_next) {
        c->unbind_next = false;
        smpp_client_unbind(c);
    }
}

static void on_pdu(struct smpp_link *link, const uint8_t *frame, size_t len)
{
    struct smpp_client *c = CLIENT_OF(link, link);
    struct reader r = reader_over(frame, len);
    struct smpp_pdu header = { .command_length = read_u32(&r) };

    header.command_id = read_u32(&r);
    header.command_status = read_u32(&r);
    header.sequence_number = read_u32(&r);
    c->asked = false;
    if (header.command_id & CMD_RESPONSE) {
        handle_response(c, &header, frame, len);
        return;
    }
    switch (header.command_id) {
    case CMD_DELIVER_SM:
    case CMD_DATA_SM:
        handle_delivery(c, &header, frame, len);
        break;
    case CMD_ENQUIRE_LINK:
        put_header(c, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, header.sequence_number);
        break;
    case CMD_UNBIND:
        put_header(c, CMD_UNBIND | CMD_RESPONSE, STATUS_ROK, header.sequence_number);
        end(c, "unbound by server"); /* the answer leaves with the close */
        break;
    case CMD_ALERT_NOTIFICATION:
    case CMD_OUTBIND:
        break; /* nothing to answer */
    default:
        put_header(c, CMD_GENERIC_NACK, STATUS_RINVCMDID, header.sequence_number);
        break;
    }
}

/* ---- calls from the link ---- */

static void on_connected(struct smpp_link *link, int status)
{
    struct smpp_client *c = CLIENT_OF(link, link);

    c->last_in_ms = smpp_turn_now_ms(c->turn);
    if (status != 0)
        end(c, status == UV_ECONNREFUSED ? "connection refused" : "no connection");
    else
        send_bind(c);
}

static void on_broken(struct smpp_link *link, int err)
{
    end(CLIENT_OF(link, link), err == ERR_RANGE ? "framing lost" : "out of memory");
}

static void on_read_done(struct smpp_link *link)
{
    struct smpp_client *c = CLIENT_OF(link, link);

    c->last_in_ms = smpp_turn_now_ms(c->turn);
    if (c->answered && c->state == CLIENT_BOUND) {
        c->answered = false;
        c->ops->on_room(c->owner);
    }
}

static void on_paused(struct smpp_link *link)
{
    UNUSED(link); /* never: see max_output_bytes */
}

static void on_flushed(struct smpp_link *link)
{
    struct smpp_client *c = CLIENT_OF(link, link);

    if (c->blocked && c->state == CLIENT_BOUND) {
        c->blocked = false;
        c->ops->on_room(c->owner);
    }
}

static void on_end(struct smpp_link *link, const char *why)
{
    end(CLIENT_OF(link, link), why);
}

static void on_closed(struct smpp_link *link)
{
    struct smpp_client *c = CLIENT_OF(link, link);
    uint64_t cookie;

    while (!c->destroyed && smpp_window_take_newest(&c->window, &cookie))
        c->ops->on_response(c->owner, cookie, SMPP_DELIVER_LOST, 0, NULL);
    if (!c->destroyed)
        c->ops->on_closed(c->owner, c->why);
    c->gone = true;
    if (c->destroyed)
        client_free(c);
}

static const struct smpp_link_ops link_ops = {
    .on_connected = on_connected,
    .on_pdu = on_pdu,
    .on_broken = on_broken,
    .on_read_done = on_read_done,
    .on_paused = on_paused,
    .on_flushed = on_flushed,
    .on_end = on_end,
    .on_closed = on_closed,
};

/* ---- calls from above ---- */

static bool copy(const char **field)
{
    if (*field != NULL)
        *field = strdup(*field);
    return *field != NULL;
}

static bool copy_opts(struct smpp_client *c, const struct smpp_client_opts *opts)
{
    c->opts = *opts;
    if (c->opts.system_id == NULL)
        c->opts.system_id = "";
    if (c->opts.password == NULL)
        c->opts.password = "";
    if (c->opts.system_type == NULL)
        c->opts.system_type = "";
    if (c->opts.interface_version == 0)
        c->opts.interface_version = 0x34;
    if (c->opts.window == 0)
        c->opts.window = WINDOW_DEFAULT;
    if (c->opts.window > SMPP_WINDOW_MAX)
        c->opts.window = SMPP_WINDOW_MAX;
    if (c->opts.response_timeout_ms == 0)
        c->opts.response_timeout_ms = TIMEOUT_DEFAULT_MS;
    if (c->opts.enquire_link_interval_ms == 0)
        c->opts.enquire_link_interval_ms = TIMEOUT_DEFAULT_MS;

    /* All of them, so that each pointer is ours or NULL when one fails. */
    bool host = copy(&c->opts.host);
    bool system_id = copy(&c->opts.system_id);
    bool password = copy(&c->opts.password);
    bool system_type = copy(&c->opts.system_type);
    bool ca_file = c->opts.ca_file == NULL || copy(&c->opts.ca_file);
    bool certificate_file = c->opts.certificate_file == NULL || copy(&c->opts.certificate_file);
    bool key_file = c->opts.key_file == NULL || copy(&c->opts.key_file);

    return host && system_id && password && system_type && ca_file && certificate_file && key_file;
}

static int tls_start(const struct smpp_client *c, struct smpp_tls **out)
{
    struct smpp_tls_context *context;
    char why[SMPP_TLS_WHY];
    int rc = smpp_tls_client_context(c->opts.ca_file, c->opts.certificate_file, c->opts.key_file, why, &context);

    if (rc != 0)
        return rc;
    *out = smpp_tls_create(context, c->opts.host);
    smpp_tls_context_destroy(context);
    return *out == NULL ? ERR_NOMEM : 0;
}

int smpp_client_create(uv_loop_t *loop, const struct smpp_client_opts *opts, const struct smpp_client_ops *ops,
                       void *owner, struct smpp_client **out)
{
    struct smpp_client *c = calloc(1, sizeof *c);
    struct smpp_tls *tls = NULL;
    int rc = ERR_NOMEM;

    if (c == NULL)
        return ERR_NOMEM;
    c->turn = smpp_turn_get(loop);
    c->ops = ops;
    c->owner = owner;
    c->alarm = (struct smpp_alarm){ .at_ms = UINT64_MAX, .ring = on_alarm };
    if (!copy_opts(c, opts) || c->turn == NULL)
        goto failed;
    smpp_window_init(&c->window, c->opts.window);
    if (c->opts.tls && (rc = tls_start(c, &tls)) != 0)
        goto failed;
    rc = smpp_link_init(&c->link, c->turn, &link_ops, 0, SMPP_PDU_MAX);
    if (rc != 0) {
        smpp_tls_destroy(tls);
        goto failed;
    }
    /* Two ends that each wait for the other to read would wait for ever: this end always reads. */
    c->link.max_output_bytes = SIZE_MAX;
    c->until_ms = smpp_turn_now_ms(c->turn) + c->opts.response_timeout_ms;
    rearm(c);
    if (smpp_link_connect(&c->link, c->opts.host, c->opts.port, tls) != 0)
        end(c, "no connection");
    *out = c;
    return 0;
failed:
    client_free(c);
    return rc;
}

int smpp_client_send(struct smpp_client *c, struct smpp_pdu *pdu, uint64_t cookie)
{
    uint64_t unused;

    if (c->state != CLIENT_BOUND)
        return ERR_STATE;
    if (smpp_link_unsent(&c->link) > SMPP_OUTPUT_DEFAULT) {
        c->blocked = true;
        return ERR_FULL;
    }

    int rc = smpp_window_add(&c->window, smpp_turn_now_ms(c->turn) + c->opts.response_timeout_ms, cookie,
                             &pdu->sequence_number);

    if (rc != 0)
        return ERR_FULL;
    rc = put_pdu(c, pdu);
    if (rc != 0) {
        smpp_window_answer(&c->window, pdu->sequence_number, &unused);
        return rc;
    }
    rearm(c);
    return 0;
}

uint32_t smpp_client_room(const struct smpp_client *c)
{
    bool can = c->state == CLIENT_BOUND && smpp_link_unsent(&c->link) <= SMPP_OUTPUT_DEFAULT;

    return can ? smpp_window_room(&c->window) : 0;
}

void smpp_client_unbind(struct smpp_client *c)
{
    if (c->state == CLIENT_CLOSED || c->state == CLIENT_UNBINDING)
        return;
    if (c->state != CLIENT_BOUND) {
        end(c, "given up");
        return;
    }
    if (c->in_delivery) {
        c->unbind_next = true;
        return;
    }
    put_header(c, CMD_UNBIND, STATUS_ROK, smpp_window_next(&c->window));
    c->state = CLIENT_UNBINDING;
    c->until_ms = smpp_turn_now_ms(c->turn) + UNBIND_MS;
    rearm(c);
}

void smpp_client_destroy(struct smpp_client *c)
{
    if (c == NULL || c->destroyed)
        return;
    c->destroyed = true;
    if (c->gone)
        client_free(c);
    else
        end(c, "destroyed");
}

/* ---- smpp[s]://id:password@host:port ---- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-decodes in place; false for a bad escape or a NUL. */
static bool unescape(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }

        int high = hex_value(at[1]);
        int low = high < 0 ? -1 : hex_value(at[2]);

        if (low < 0 || high * 16 + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        at += 2;
    }
    *to = '\0';
    return true;
}

int smpp_url_read(const char *url, char storage[512], struct smpp_client_opts *out)
{
    bool tls = strncmp(url, "smpps://", 8) == 0;
    const char *rest = url + (tls ? 8 : 7);
    char host[NET_HOST_SIZE];
    uint16_t port;

    if (!tls && strncmp(url, "smpp://", 7) != 0)
        return ERR_SYNTAX;

    size_t len = strlen(rest);

    if (len > 0 && rest[len - 1] == '/')
        len--;
    if (len >= 512)
        return ERR_SYNTAX;
    memcpy(storage, rest, len);
    storage[len] = '\0';

    char *at = strrchr(storage, '@');
    char *address = at == NULL ? storage : at + 1;
    char *password = NULL;

    if (at != NULL) {
        *at = '\0';
        password = strchr(storage, ':');
        if (password != NULL)
            *password++ = '\0';
        if (!unescape(storage) || (password != NULL && !unescape(password)))
            return ERR_SYNTAX;
    }
    if (net_split(address, host, &port) != 0 || host[0] == '\0' || port == 0)
        return ERR_SYNTAX;
    /* The host goes back to where it stood, without port and brackets: it is never longer. */
    memcpy(address, host, strlen(host) + 1);
    out->tls = tls;
    out->host = address;
    out->port = port;
    out->system_id = at == NULL ? "" : storage;
    out->password = password == NULL ? "" : password;
    return 0;
}
