/* command.h - what the subcommands share: options, and a text and addresses ready for submit_sm. Private to lab/. */
#ifndef LAB_COMMAND_H
#define LAB_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "smpp/smpp.h"

#define ESME_URL "smpp://demo:demo@127.0.0.1:2775"

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER };

struct option_row {
    const char *name;  /* "--to" */
    const char *value; /* what stands behind it in the help; NULL for a flag */
    enum option_kind kind;
    void *out; /* bool, const char * or double */
    double low, high;
    const char *help;
};

/* For smpps addresses; `opts` is the struct smpp_client_opts the rows fill in. */
#define ESME_TLS_ROWS(opts)                                                                                            \
    { "--ca", "FILE", OPTION_TEXT, &(opts).ca_file, 0, 0, "smpps: who must have signed the server's certificate" },    \
        { "--cert", "FILE", OPTION_TEXT, &(opts).certificate_file, 0, 0, "smpps: our own certificate" },               \
    {                                                                                                                  \
        "--key", "FILE", OPTION_TEXT, &(opts).key_file, 0, 0, "smpps: its key (in the same file)"                      \
    }

/* What the SMSC at the other end wants to see in a bind; `bind` is a struct esme_bind. */
struct esme_bind {
    const char *system_type;
    const char *version; /* "3.3", "3.4", "5.0" */
};
#define ESME_BIND_ROWS(bind)                                                                                           \
    { "--system-type", "TEXT", OPTION_TEXT, &(bind).system_type, 0, 0, "of the bind" },                                \
    {                                                                                                                  \
        "--smpp-version", "V", OPTION_TEXT, &(bind).version, 0, 0, "3.3, 3.4 or 5.0 (3.4)"                             \
    }

/* Fields of each submit_sm that are otherwise chosen by what the message is; numbers below 0 and NULL: not given. */
struct esme_fields {
    const char *service_type, *schedule, *validity;
    double source_ton, source_npi, dest_ton, dest_npi, data_coding, esm_class, protocol_id, priority;
};
#define ESME_FIELDS_NONE                                                                                               \
    {                                                                                                                  \
        NULL, NULL, NULL, -1, -1, -1, -1, -1, -1, -1, -1                                                               \
    }
#define ESME_FIELD_ROWS(f)                                                                                             \
    { "--service-type", "TEXT", OPTION_TEXT, &(f).service_type, 0, 0, "of the submit_sm, as all below" },              \
        { "--source-ton", "N", OPTION_NUMBER, &(f).source_ton, 0, 255, "else by what --from looks like" },             \
        { "--source-npi", "N", OPTION_NUMBER, &(f).source_npi, 0, 255, "" },                                           \
        { "--dest-ton", "N", OPTION_NUMBER, &(f).dest_ton, 0, 255, "else 1" },                                         \
        { "--dest-npi", "N", OPTION_NUMBER, &(f).dest_npi, 0, 255, "else 1" },                                         \
        { "--data-coding", "N", OPTION_NUMBER, &(f).data_coding, 0, 255, "else by the text; its bytes stay" },         \
        { "--esm-class", "N", OPTION_NUMBER, &(f).esm_class, 0, 255, "bits set beside those needed" },                 \
        { "--protocol-id", "N", OPTION_NUMBER, &(f).protocol_id, 0, 255, "" },                                         \
        { "--priority", "N", OPTION_NUMBER, &(f).priority, 0, 255, "" },                                               \
        { "--schedule", "TIME", OPTION_TEXT, &(f).schedule, 0, 0, "schedule_delivery_time, as SMPP writes it" },       \
    {                                                                                                                  \
        "--validity", "TIME", OPTION_TEXT, &(f).validity, 0, 0, "validity_period, as SMPP writes it"                   \
    }

struct command_help {
    const char *name, *summary, *example;
};

enum { COMMAND_GO = -1 };
/* COMMAND_GO, or the exit status: 0 after --help, 2 for wrong usage (said on stderr). */
int options_read(const struct command_help *help, const struct option_row *rows, size_t count, int argc, char **argv);
/* Says what is wrong and where help is; returns 2. */
int usage_error(const struct command_help *help, const char *format, ...) PRINTF(2, 3);

/* A text as it travels: GSM alphabet when it fits, else UCS-2. */
struct esme_text {
    struct buf bytes;
    enum smpp_alphabet alphabet;
    uint8_t data_coding;
    size_t parts;
};
int esme_text_init(struct esme_text *text, const char *utf8, bool flash) MUST_CHECK;
/* Octets as they are, data_coding 4. ERR_SYNTAX: not pairs of hexadecimal digits. */
int esme_text_init_hex(struct esme_text *text, const char *hex) MUST_CHECK;
void esme_text_finish(struct esme_text *text);
/* TON and NPI by what the address looks like; a leading '+' is left out. Views into `s`. */
struct smpp_addr esme_addr(const char *s, bool is_source);
/* Puts the text into short_message, or into message_payload when it is longer. */
void esme_put_text(struct smpp_pdu *pdu, const uint8_t *bytes, size_t len);
/* Into the options of the client; false: no such version. `bind` must outlive the client. */
bool esme_bind_apply(const struct esme_bind *bind, struct smpp_client_opts *opts);
/* The fields given, over those the message has. */
void esme_fields_apply(const struct esme_fields *fields, struct smpp_sm *sm);
/* A receipt in a deliver_sm or data_sm: from its TLVs or its text. False: it is none. Views into the PDU. */
struct esme_receipt {
    struct smpp_str id, stat, err;
};
bool esme_receipt_of(const struct smpp_pdu *pdu, struct esme_receipt *out);
const char *esme_status_text(uint32_t status); /* "ESME_RTHROTTLED", or "status" when it has no name */

#endif
