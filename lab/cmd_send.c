/* SPDX-License-Identifier: MIT */
/*
 * cmd_send.c - `smppbridge send`: an ESME that submits one message and, with --wait, prints its receipts.
 *
 * The exit status is the answer scripts want: 0 when every part was accepted, and with --wait only when every receipt
 * said DELIVRD.
 */
#include "lab/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/command.h"

enum { PARTS_MAX = 255 };

static const struct command_help help = {
    "send",
    "Submits one message over SMPP. The text is UTF-8; it travels in the GSM alphabet when it fits, else as UCS-2, and "
    "a\n"
    "long one in message_payload, or in parts with a header (--long udh) or with SAR TLVs (--long sar).",
    "smppbridge send --to 79161234567 --text 'Hello' --wait",
};

enum long_way { LONG_PAYLOAD, LONG_UDH, LONG_SAR };

struct part {
    char id[SMPP_ID_MAX + 1];
    bool done, delivered;
};

struct sender {
    uv_loop_t loop;
    struct smpp_client *client;
    uv_timer_t limit;
    const char *from, *to;
    struct esme_text text;
    enum long_way way;
    bool wait;
    struct esme_fields fields;
    unsigned reference;
    struct part parts[PARTS_MAX];
    unsigned sent, answered, accepted, receipts;
    struct part early[PARTS_MAX]; /* receipts that came before the answer they belong to */
    unsigned early_count;
    int status;
    bool ending;
};

static void end(struct sender *s, int status)
{
    if (s->ending)
        return;
    s->ending = true;
    s->status = status;
    smpp_client_unbind(s->client);
}

static void settle(struct sender *s)
{
    bool delivered = true;

    if (s->answered < s->sent)
        return;
    if (s->accepted < s->sent) {
        end(s, 1);
        return;
    }
    if (!s->wait) {
        end(s, 0);
        return;
    }
    for (unsigned i = 0; i < s->sent; i++) {
        if (!s->parts[i].done)
            return;
        delivered = delivered && s->parts[i].delivered;
    }
    end(s, delivered ? 0 : 1);
}

static void submit(struct sender *s, const uint8_t *bytes, size_t len, unsigned number, unsigned total)
{
    struct smpp_pdu pdu;
    struct buf body;
    uint8_t reference[2] = { (uint8_t)(s->reference >> 8), (uint8_t)s->reference }, total8 = (uint8_t)total,
            number8 = (uint8_t)number;

    if (s->ending || s->sent == PARTS_MAX)
        return;
    memset(&pdu, 0, sizeof pdu);
    pdu.command_id = CMD_SUBMIT_SM;
    pdu.has_body = true;
    pdu.sm.source = esme_addr(s->from, true);
    pdu.sm.dest = esme_addr(s->to, false);
    pdu.sm.data_coding = s->text.data_coding;
    pdu.sm.registered_delivery = s->wait ? REG_RECEIPT : 0;
    buf_init(&body, SMPP_PAYLOAD_MAX);
    if (total > 1 && s->way == LONG_UDH) {
        pdu.sm.esm_class = ESM_UDHI;
        smpp_udh_write_part(&body, (uint8_t)s->reference, total8, number8);
    }
    buf_add(&body, bytes, len);
    esme_fields_apply(&s->fields, &pdu.sm);
    esme_put_text(&pdu, (const uint8_t *)buf_text(&body), body.len);
    if (total > 1 && s->way == LONG_SAR) {
        (void)smpp_tlv_add(&pdu, TAG_SAR_MSG_REF_NUM, reference, 2);
        (void)smpp_tlv_add(&pdu, TAG_SAR_TOTAL_SEGMENTS, &total8, 1);
        (void)smpp_tlv_add(&pdu, TAG_SAR_SEGMENT_SEQNUM, &number8, 1);
    }

    int err = body.failed ? ERR_FULL : smpp_client_send(s->client, &pdu, s->sent);

    buf_finish(&body);
    if (err != 0) {
        (void)fprintf(stderr, "smppbridge send: cannot submit: %s\n", err_text(err));
        end(s, 1);
        return;
    }
    s->sent++;
}

static void on_part(void *owner, const uint8_t *text, size_t len, unsigned number, unsigned total)
{
    submit(owner, text, len, number, total);
}

static void on_bound(void *owner, uint32_t status)
{
    struct sender *s = owner;

    if (status != STATUS_ROK) {
        (void)fprintf(stderr, "smppbridge send: bind refused: %s (0x%08X)\n", esme_status_text(status), status);
        end(s, 1);
        return;
    }
    if (s->text.parts <= 1 || s->way == LONG_PAYLOAD) {
        submit(s, (const uint8_t *)buf_text(&s->text.bytes), s->text.bytes.len, 1, 1);
        return;
    }

    struct buf utf8;

    buf_init(&utf8, SMPP_PAYLOAD_MAX * 4);
    (void)smpp_text_to_utf8(s->text.alphabet, (const uint8_t *)s->text.bytes.data, s->text.bytes.len, &utf8);
    smpp_text_split(s->text.alphabet, buf_text(&utf8), utf8.len, on_part, s);
    buf_finish(&utf8);
}

static void take_receipt(struct sender *s, struct part *part, const char *id, bool delivered)
{
    UNUSED(id);
    if (part->done)
        return;
    part->done = true;
    part->delivered = delivered;
    s->receipts++;
}

static void on_response(void *owner, uint64_t cookie, enum smpp_deliver_end how, uint32_t status,
                        const struct smpp_pdu *response)
{
    struct sender *s = owner;
    struct part *part = &s->parts[cookie];

    s->answered++;
    if (how != SMPP_DELIVER_ANSWERED || status != STATUS_ROK) {
        if (how == SMPP_DELIVER_TIMED_OUT || how == SMPP_DELIVER_LOST)
            (void)fprintf(stderr, "smppbridge send: no answer\n");
        else
            (void)fprintf(stderr, "smppbridge send: refused: %s (0x%08X)\n", esme_status_text(status), status);
        settle(s);
        return;
    }
    s->accepted++;
    if (response != NULL && response->message_id.len <= SMPP_ID_MAX)
        memcpy(part->id, response->message_id.at, response->message_id.len);
    (void)printf("accepted id:%s\n", part->id);
    (void)fflush(stdout);
    for (unsigned i = 0; i < s->early_count; i++) {
        if (strcmp(s->early[i].id, part->id) == 0)
            take_receipt(s, part, part->id, s->early[i].delivered);
    }
    settle(s);
}

static uint32_t on_deliver(void *owner, const struct smpp_pdu *pdu)
{
    struct sender *s = owner;
    struct esme_receipt receipt;
    char id[SMPP_ID_MAX + 1] = "";
    bool delivered;

    if (!esme_receipt_of(pdu, &receipt) || receipt.id.len > SMPP_ID_MAX)
        return STATUS_ROK; /* a message to the account: `listen` shows those */
    if ((pdu->sm.esm_class & ESM_INTERMEDIATE) != 0)
        return STATUS_ROK;
    memcpy(id, receipt.id.at, receipt.id.len);
    delivered = smpp_str_is(receipt.stat, "DELIVRD");
    for (unsigned i = 0; i < s->sent; i++) {
        if (strcmp(s->parts[i].id, id) != 0 || id[0] == '\0')
            continue;
        (void)printf("receipt id:%s stat:%.*s err:%.*s\n", id, (int)receipt.stat.len, receipt.stat.at,
                     (int)receipt.err.len, receipt.err.len > 0 ? receipt.err.at : "");
        (void)fflush(stdout);
        take_receipt(s, &s->parts[i], id, delivered);
        settle(s);
        return STATUS_ROK;
    }
    if (s->early_count < PARTS_MAX) {
        struct part *early = &s->early[s->early_count++];

        memcpy(early->id, id, sizeof id);
        early->delivered = delivered;
    }
    return STATUS_ROK;
}

static void on_room(void *owner)
{
    UNUSED(owner);
}

static void on_closed(void *owner, const char *why)
{
    struct sender *s = owner;

    if (!s->ending) {
        (void)fprintf(stderr, "smppbridge send: connection closed: %s\n", why);
        s->status = 1;
        s->ending = true;
    }
    uv_stop(&s->loop);
}

static void on_limit(uv_timer_t *timer)
{
    struct sender *s = timer->data;

    (void)fprintf(stderr, "smppbridge send: %s did not come in time\n",
                  s->answered < s->sent ? "the answer" : "the receipt");
    end(s, 1);
}

int lab_cmd_send(int argc, char **argv)
{
    static const struct smpp_client_ops ops = { on_bound, on_response, on_deliver, on_room, on_closed };
    const char *to = NULL, *text = NULL, *hex = NULL, *from = "", *url = ESME_URL, *way = "payload";
    bool wait = false, flash = false;
    double timeout = 60;
    struct smpp_client_opts opts = { 0 };
    struct esme_bind bind = { 0 };
    struct esme_fields fields = ESME_FIELDS_NONE;
    const struct option_row rows[] = {
        { "--to", "NUMBER", OPTION_TEXT, &to, 0, 0, "destination (needed)" },
        { "--text", "TEXT", OPTION_TEXT, &text, 0, 0, "UTF-8 (needed, or --hex)" },
        { "--hex", "HEX", OPTION_TEXT, &hex, 0, 0, "octets as they are, data_coding 4; with a header: --esm-class 64" },
        { "--from", "NAME", OPTION_TEXT, &from, 0, 0, "sender: a number or a name; none: the account's" },
        { "--url", "URL", OPTION_TEXT, &url, 0, 0, "smpp[s]://id:password@host:port (" ESME_URL ")" },
        ESME_TLS_ROWS(opts),
        { "--wait", NULL, OPTION_FLAG, &wait, 0, 0, "ask for a receipt, wait for it, print it" },
        { "--timeout", "S", OPTION_NUMBER, &timeout, 0.001, 86400, "seconds for everything (60)" },
        { "--flash", NULL, OPTION_FLAG, &flash, 0, 0, "message class 0" },
        { "--long", "WAY", OPTION_TEXT, &way, 0, 0, "payload, udh or sar for a long text (payload)" },
        ESME_BIND_ROWS(bind),
        ESME_FIELD_ROWS(fields),
    };
    int status = options_read(&help, rows, ARRAY_LEN(rows), argc, argv);
    struct sender *s;
    char storage[512];

    if (status != COMMAND_GO)
        return status;
    if (to == NULL || to[0] == '\0')
        return usage_error(&help, "--to is needed: the number to send to");
    if ((text == NULL) == (hex == NULL))
        return usage_error(&help, "%s", text == NULL ? "--text is needed" : "--text or --hex, not both");
    if (strlen(to) > 20 || strlen(from) > 20)
        return usage_error(&help, "an address has at most 20 characters");
    if (strcmp(way, "payload") != 0 && strcmp(way, "udh") != 0 && strcmp(way, "sar") != 0)
        return usage_error(&help, "--long must be payload, udh or sar, got \"%s\"", way);
    if (smpp_url_read(url, storage, &opts) != 0)
        return usage_error(&help,
                           "--url must look like smpp://id:password@host:port"); /* never shown: it has a password */
    if (!esme_bind_apply(&bind, &opts))
        return usage_error(&help, "--smpp-version must be 3.3, 3.4 or 5.0, got \"%s\"", bind.version);
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return 1;
    if ((hex != NULL ? esme_text_init_hex(&s->text, hex) : esme_text_init(&s->text, text, flash)) != 0) {
        free(s);
        return usage_error(&help, "%s",
                           hex != NULL ? "--hex must be pairs of hexadecimal digits, as many as SMPP can carry"
                                       : "the text is longer than SMPP can carry");
    }
    s->fields = fields;
    if (uv_loop_init(&s->loop) != 0) {
        esme_text_finish(&s->text);
        free(s);
        return 1;
    }
    s->from = from;
    s->to = to;
    s->wait = wait;
    s->way = strcmp(way, "udh") == 0 ? LONG_UDH : strcmp(way, "sar") == 0 ? LONG_SAR : LONG_PAYLOAD;
    s->reference = (unsigned)(clock_wall_ms() & 0xFFFF);
    opts.type = wait ? SMPP_BIND_TRX : SMPP_BIND_TX;
    opts.window = PARTS_MAX;
    s->limit.data = s;
    (void)uv_timer_init(&s->loop, &s->limit);
    (void)uv_timer_start(&s->limit, on_limit, (uint64_t)(timeout * 1000), 0);
    status = smpp_client_create(&s->loop, &opts, &ops, s, &s->client);
    if (status != 0) {
        (void)fprintf(stderr, "smppbridge send: %s\n", err_text(status));
        s->status = 1;
    } else {
        (void)uv_run(&s->loop, UV_RUN_DEFAULT);
        smpp_client_destroy(s->client);
    }
    uv_close((uv_handle_t *)&s->limit, NULL);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&s->loop);
    status = s->status;
    esme_text_finish(&s->text);
    free(s);
    return status;
}
