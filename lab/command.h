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
void esme_text_finish(struct esme_text *text);
/* TON and NPI by what the address looks like; a leading '+' is left out. Views into `s`. */
struct smpp_addr esme_addr(const char *s, bool is_source);
/* Puts the text into short_message, or into message_payload when it is longer. */
void esme_put_text(struct smpp_pdu *pdu, const uint8_t *bytes, size_t len);
/* A receipt in a deliver_sm or data_sm: from its TLVs or its text. False: it is none. Views into the PDU. */
struct esme_receipt {
    struct smpp_str id, stat, err;
};
bool esme_receipt_of(const struct smpp_pdu *pdu, struct esme_receipt *out);
const char *esme_status_text(uint32_t status); /* "ESME_RTHROTTLED", or "status" when it has no name */

#endif
