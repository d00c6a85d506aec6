/* SPDX-License-Identifier: MIT */
/* command.c - options of the subcommands, and what send, listen and load do alike with texts, addresses and receipts. */
#include "lab/command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX_BYTES = 1 << 20 };

int usage_error(const struct command_help *help, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "smppbridge %s: ", help->name);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\nTry: smppbridge %s --help\n", help->name);
    return 2;
}

static void print_help(const struct command_help *help, const struct option_row *rows, size_t count)
{
    (void)printf("Usage: smppbridge %s [options]\n\n%s\n\nOptions:\n", help->name, help->summary);
    for (size_t i = 0; i < count; i++) {
        char left[64];

        (void)snprintf(left, sizeof left, "%s%s%s", rows[i].name, rows[i].value != NULL ? " " : "",
                       rows[i].value != NULL ? rows[i].value : "");
        (void)printf("  %-24s %s\n", left, rows[i].help);
    }
    (void)printf("  %-24s %s\n\nExample:\n  %s\n", "--help", "this text", help->example);
}

static int take(const struct command_help *help, const struct option_row *row, const char *value)
{
    char *end;
    double v;

    switch (row->kind) {
    case OPTION_TEXT:
        *(const char **)row->out = value;
        return COMMAND_GO;
    case OPTION_NUMBER:
        v = strtod(value, &end);
        if (end == value || *end != '\0' || !isfinite(v) || v < row->low || v > row->high)
            return usage_error(help, "%s must be a number from %.15g to %.15g, got \"%s\"", row->name, row->low,
                               row->high, value);
        *(double *)row->out = v;
        return COMMAND_GO;
    default:
        *(bool *)row->out = true;
        return COMMAND_GO;
    }
}

int options_read(const struct command_help *help, const struct option_row *rows, size_t count, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        size_t len = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        const struct option_row *row = NULL;
        int result;

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(help, rows, count);
            return 0;
        }
        for (size_t k = 0; k < count; k++) {
            if (strlen(rows[k].name) == len && strncmp(rows[k].name, argv[i], len) == 0)
                row = &rows[k];
        }
        if (row == NULL)
            return usage_error(help, "unknown option \"%s\"", argv[i]);
        if (row->kind == OPTION_FLAG && equals != NULL)
            return usage_error(help, "%s takes no value", row->name);
        if (row->kind != OPTION_FLAG && equals == NULL && i + 1 == argc)
            return usage_error(help, "%s needs a value: %s", row->name, row->value);
        result = take(help, row, row->kind == OPTION_FLAG ? "" : equals != NULL ? equals + 1 : argv[++i]);
        if (result != COMMAND_GO)
            return result;
    }
    return COMMAND_GO;
}

int esme_text_init(struct esme_text *text, const char *utf8, bool flash)
{
    size_t len = strlen(utf8);

    *text = (struct esme_text){ .alphabet = smpp_text_fits_gsm(utf8, len) ? ALPHABET_GSM7 : ALPHABET_UCS2 };
    text->data_coding = text->alphabet == ALPHABET_GSM7 ? 0 : 8;
    if (flash)
        text->data_coding |= 0x10; /* message class 0 [GSM 03.38 4] */
    text->parts = smpp_text_parts(text->alphabet, utf8, len);
    buf_init(&text->bytes, TEXT_MAX_BYTES);
    (void)smpp_text_from_utf8(text->alphabet, utf8, len, &text->bytes);
    if (text->bytes.failed || text->bytes.len > SMPP_PAYLOAD_MAX) {
        buf_finish(&text->bytes);
        return ERR_RANGE;
    }
    return 0;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int esme_text_init_hex(struct esme_text *text, const char *hex)
{
    size_t len = strlen(hex);

    *text = (struct esme_text){ .alphabet = ALPHABET_NONE, .data_coding = 4, .parts = 1 };
    buf_init(&text->bytes, TEXT_MAX_BYTES);
    for (size_t i = 0; i + 1 < len && digit(hex[i]) >= 0 && digit(hex[i + 1]) >= 0; i += 2)
        buf_addc(&text->bytes, (char)(digit(hex[i]) << 4 | digit(hex[i + 1])));
    if (len == 0 || text->bytes.len * 2 != len || text->bytes.failed || text->bytes.len > SMPP_PAYLOAD_MAX) {
        buf_finish(&text->bytes);
        return ERR_SYNTAX;
    }
    return 0;
}

bool esme_bind_apply(const struct esme_bind *bind, struct smpp_client_opts *opts)
{
    opts->system_type = bind->system_type;
    if (bind->version == NULL || strcmp(bind->version, "3.4") == 0)
        opts->interface_version = 0x34;
    else if (strcmp(bind->version, "3.3") == 0)
        opts->interface_version = 0x33;
    else if (strcmp(bind->version, "5.0") == 0)
        opts->interface_version = 0x50;
    else
        return false;
    return true;
}

static void take_octet(double given, uint8_t *field)
{
    if (given >= 0)
        *field = (uint8_t)given;
}

static void take_text(const char *given, struct smpp_str *field)
{
    if (given != NULL)
        *field = smpp_str(given);
}

void esme_fields_apply(const struct esme_fields *f, struct smpp_sm *sm)
{
    take_text(f->service_type, &sm->service_type);
    take_text(f->schedule, &sm->schedule_delivery_time);
    take_text(f->validity, &sm->validity_period);
    take_octet(f->source_ton, &sm->source.ton);
    take_octet(f->source_npi, &sm->source.npi);
    take_octet(f->dest_ton, &sm->dest.ton);
    take_octet(f->dest_npi, &sm->dest.npi);
    take_octet(f->data_coding, &sm->data_coding);
    take_octet(f->protocol_id, &sm->protocol_id);
    take_octet(f->priority, &sm->priority_flag);
    if (f->esm_class >= 0)
        sm->esm_class |= (uint8_t)f->esm_class;
}

void esme_text_finish(struct esme_text *text)
{
    buf_finish(&text->bytes);
}

struct smpp_addr esme_addr(const char *s, bool is_source)
{
    bool plus = s[0] == '+';
    const char *at = s + plus;
    size_t len = strlen(at);
    bool digits = strspn(at, "0123456789") == len;

    if (len == 0)
        return (struct smpp_addr){ 0 };
    if (!digits)
        return (struct smpp_addr){ .ton = 5, .npi = 0, .addr = { s, strlen(s) } }; /* alphanumeric */
    if (is_source && len <= 6 && !plus)
        return (struct smpp_addr){ .ton = 3, .npi = 0, .addr = { at, len } }; /* a short number */
    return (struct smpp_addr){ .ton = 1, .npi = 1, .addr = { at, len } };
}

void esme_put_text(struct smpp_pdu *pdu, const uint8_t *bytes, size_t len)
{
    if (len <= SMPP_SHORT_MESSAGE_MAX) {
        pdu->sm.short_message = (struct bytes){ bytes, len };
        return;
    }
    pdu->sm.short_message = (struct bytes){ 0 };
    (void)smpp_tlv_add(pdu, TAG_MESSAGE_PAYLOAD, bytes, (uint16_t)len); /* the only TLV: it fits */
}

bool esme_receipt_of(const struct smpp_pdu *pdu, struct esme_receipt *out)
{
    const struct smpp_tlv *tlv = smpp_tlv_find(pdu, TAG_RECEIPTED_MESSAGE_ID);
    struct smpp_receipt_parsed parsed;
    uint32_t state;

    memset(out, 0, sizeof *out);
    if ((pdu->sm.esm_class & ESM_TYPE_MASK) == 0 && tlv == NULL)
        return false;
    if (smpp_receipt_parse(smpp_sm_text(pdu), &parsed) == 0) {
        out->id = parsed.id;
        out->stat = parsed.stat;
        out->err = parsed.err;
    }
    if (tlv != NULL) {
        out->id = (struct smpp_str){ (const char *)tlv->value, strnlen((const char *)tlv->value, tlv->len) };
        if (out->stat.len == 0 && smpp_tlv_uint(pdu, TAG_MESSAGE_STATE, &state))
            out->stat = smpp_str(smpp_state_stat((enum smpp_message_state)state));
    }
    return out->id.len > 0;
}

const char *esme_status_text(uint32_t status)
{
    const char *name = smpp_status_name(status);

    return name[0] != '\0' ? name : "status";
}
