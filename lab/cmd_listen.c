/* SPDX-License-Identifier: MIT */
/* cmd_listen.c - `smppbridge listen`: binds as a receiver and prints each deliver_sm, one JSON object a line. */
#include "lab/lab.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/command.h"

static const struct command_help help = {
    "listen",
    "Binds as a receiver and prints what is delivered, one JSON object a line: receipts with id, stat and err, "
    "messages\n"
    "with their text; parts of a long message carry reference, part and parts. Ends on a signal, after --count lines, "
    "or\n"
    "with status 1 when the connection is lost.",
    "smppbridge listen --url smpp://shop:secret@127.0.0.1:2775",
};

struct listener {
    uv_loop_t loop;
    struct smpp_client *client;
    uint64_t count, most;
    int status;
    bool ending;
};

static void end(struct listener *l, int status)
{
    if (l->ending)
        return;
    l->ending = true;
    l->status = status;
    smpp_client_unbind(l->client);
}

static void on_bound(void *owner, uint32_t status)
{
    struct listener *l = owner;

    if (status == STATUS_ROK) {
        (void)fprintf(stderr, "bound; waiting for messages and receipts\n");
        return;
    }
    (void)fprintf(stderr, "smppbridge listen: bind refused: %s (0x%08X)\n", esme_status_text(status), status);
    end(l, 1);
}

static void member(struct buf *out, const char *name, struct smpp_str value)
{
    buf_addf(out, ", \"%s\": ", name);
    buf_add_json(out, value.len > 0 ? value.at : "", value.len);
}

static void text_member(struct buf *out, const struct smpp_pdu *pdu, struct bytes text)
{
    struct smpp_coding coding = smpp_coding_of(pdu->sm.data_coding, ALPHABET_GSM7, ALPHABET_ASCII, false);
    struct buf utf8;

    if (coding.alphabet == ALPHABET_NONE) {
        buf_adds(out, ", \"hex\": \"");
        for (size_t i = 0; i < text.len; i++)
            buf_addf(out, "%02x", text.at[i]);
        buf_addc(out, '"');
        return;
    }
    buf_init(&utf8, 1 << 20);
    (void)smpp_text_to_utf8(coding.alphabet, text.at, text.len, &utf8);
    member(out, "text", (struct smpp_str){ buf_text(&utf8), utf8.len });
    buf_finish(&utf8);
}

static uint32_t on_deliver(void *owner, const struct smpp_pdu *pdu)
{
    struct listener *l = owner;
    struct esme_receipt receipt;
    struct bytes text = smpp_sm_text(pdu);
    struct buf line;
    char at[CLOCK_ISO_SIZE];
    uint32_t reference;
    uint8_t total, number;

    if (l->ending)
        return STATUS_RX_T_APPN; /* not shown: the server shall keep it */
    clock_iso(clock_wall_ms(), at);
    buf_init(&line, 4 << 20);
    if (esme_receipt_of(pdu, &receipt)) {
        buf_addf(&line, "{\"at\": \"%s\", \"type\": \"%s\"", at,
                 (pdu->sm.esm_class & ESM_INTERMEDIATE) != 0 ? "intermediate" : "receipt");
        member(&line, "id", receipt.id);
        member(&line, "stat", receipt.stat);
        member(&line, "err", receipt.err);
    } else {
        buf_addf(&line, "{\"at\": \"%s\", \"type\": \"message\"", at);
    }
    member(&line, "from", pdu->sm.source.addr);
    member(&line, "to", pdu->sm.dest.addr);
    if (smpp_part_of(pdu, &reference, &total, &number))
        buf_addf(&line, ", \"reference\": %u, \"part\": %u, \"parts\": %u", reference & 0xFFFFu, number, total);
    if ((pdu->sm.esm_class & ESM_UDHI) != 0) {
        struct smpp_udh udh;

        smpp_udh_read(text, &udh);
        if (!udh.damaged && udh.header_len <= text.len)
            text = (struct bytes){ text.at + udh.header_len, text.len - udh.header_len };
    }
    text_member(&line, pdu, text);
    buf_addf(&line, ", \"data_coding\": %u, \"esm_class\": %u}\n", pdu->sm.data_coding, pdu->sm.esm_class);
    bool shown = !line.failed && fwrite(buf_text(&line), 1, line.len, stdout) == line.len && fflush(stdout) == 0;
    buf_finish(&line);
    if (!shown) { /* a full disk, a pipe nobody reads any more */
        (void)fprintf(stderr, "smppbridge listen: cannot write: %s\n", strerror(errno));
        end(l, 1);
        return STATUS_RX_T_APPN;
    }
    if (++l->count == l->most)
        end(l, 0);
    return STATUS_ROK;
}

static void on_response(void *owner, uint64_t cookie, enum smpp_deliver_end how, uint32_t status,
                        const struct smpp_pdu *response)
{
    UNUSED(owner);
    UNUSED(cookie);
    UNUSED(how);
    UNUSED(status);
    UNUSED(response);
}

static void on_room(void *owner)
{
    UNUSED(owner);
}

static void on_closed(void *owner, const char *why)
{
    struct listener *l = owner;

    if (!l->ending) {
        (void)fprintf(stderr, "smppbridge listen: connection closed: %s\n", why);
        l->status = 1;
        l->ending = true;
    }
    uv_stop(&l->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    UNUSED(number);
    end(handle->data, 0);
}

int lab_cmd_listen(int argc, char **argv)
{
    static const struct smpp_client_ops ops = { on_bound, on_response, on_deliver, on_room, on_closed };
    static const int numbers[2] = { SIGINT, SIGTERM };
    const char *url = ESME_URL;
    double count = 0;
    bool transceiver = false;
    struct smpp_client_opts opts = { 0 };
    struct esme_bind bind = { 0 };
    const struct option_row rows[] = {
        { "--url", "URL", OPTION_TEXT, &url, 0, 0, "smpp[s]://id:password@host:port (" ESME_URL ")" },
        ESME_TLS_ROWS(opts),
        { "--count", "N", OPTION_NUMBER, &count, 0, 1e15, "end after so many lines (0: never)" },
        { "--transceiver", NULL, OPTION_FLAG, &transceiver, 0, 0, "bind as a transceiver" },
        ESME_BIND_ROWS(bind),
    };
    int status = options_read(&help, rows, ARRAY_LEN(rows), argc, argv);
    struct listener *l;
    char storage[512];
    uv_signal_t signals[2];

    if (status != COMMAND_GO)
        return status;
    if (smpp_url_read(url, storage, &opts) != 0)
        return usage_error(&help,
                           "--url must look like smpp://id:password@host:port"); /* never shown: it has a password */
    if (!esme_bind_apply(&bind, &opts))
        return usage_error(&help, "--smpp-version must be 3.3, 3.4 or 5.0, got \"%s\"", bind.version);
    l = calloc(1, sizeof *l);
    if (l == NULL || uv_loop_init(&l->loop) != 0) {
        free(l);
        return 1;
    }
    l->most = (uint64_t)count;
    opts.type = transceiver ? SMPP_BIND_TRX : SMPP_BIND_RX;
    status = smpp_client_create(&l->loop, &opts, &ops, l, &l->client);
    if (status != 0) {
        (void)fprintf(stderr, "smppbridge listen: %s\n", err_text(status));
        l->status = 1;
    } else {
        for (int i = 0; i < 2; i++) {
            signals[i].data = l;
            (void)uv_signal_init(&l->loop, &signals[i]);
            (void)uv_signal_start(&signals[i], on_signal, numbers[i]);
        }
        (void)uv_run(&l->loop, UV_RUN_DEFAULT);
        for (int i = 0; i < 2; i++)
            uv_close((uv_handle_t *)&signals[i], NULL);
        smpp_client_destroy(l->client);
    }
    (void)uv_run(&l->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&l->loop);
    status = l->status;
    free(l);
    return status;
}
