/*
 * smsc_request.h - what every request to the aggregator has in common: parameters in a fixed order, none twice.
 *
 * Private to the HTTP room. A builder puts its own parameters first; the operator's extra ones follow and cannot
 * replace them, because a second "cost" or "fmt" would change what the reply means.
 */
#ifndef HTTP_SMSC_REQUEST_H
#define HTTP_SMSC_REQUEST_H

#include "http/smsc_api.h"

enum { SMSC_PUT_MAX = 32 };

struct smsc_put {
    struct buf *out;
    const char *names[SMSC_PUT_MAX]; /* put so far */
    size_t count;
};

/* Starts a body: login and psw or apikey, charset=utf-8, fmt=3. */
void smsc_put_login(struct smsc_put *put, const struct smsc_login *login, struct buf *out);
/* Starts an empty set of parameters (the SOAP query). */
void smsc_put_init(struct smsc_put *put, struct buf *out);
/* "&name=": the value is then appended by the caller with buf_add_url. */
void smsc_put_name(struct smsc_put *put, const char *name);
/* Marks a name as given elsewhere, so that no extra parameter repeats it. */
void smsc_put_reserve(struct smsc_put *put, const char *name);
void smsc_put(struct smsc_put *put, const char *name, const char *value, size_t len);
void smsc_puts(struct smsc_put *put, const char *name, const char *value);
/* Skips the ones that were put already and those no extra parameter may touch. */
void smsc_put_extra(struct smsc_put *put, const struct smsc_param *extra, size_t count);

/* Shared by both protocols: the flag of the kind, bin, valid, then the extra ones. */
void smsc_put_options(struct smsc_put *put, const struct smsc_send *send);

/* How the lines travel. */
enum smsc_form {
    SMSC_FORM_PHONES, /* phones= and one mes= */
    SMSC_FORM_LIST    /* list= */
};
enum smsc_form smsc_form_of(const struct smsc_send *send);
bool smsc_has_text(enum smsc_kind kind);
/* Appends the text of a line as mes= carries it (not percent-encoded), then the pid/dcs trailer. */
void smsc_add_text(const struct smsc_send *send, const struct smsc_line *line, struct buf *out);
/* Appends the value of list= (not percent-encoded). */
void smsc_add_list(const struct smsc_send *send, struct buf *out);
/* Appends "0ts" or "0". */
void smsc_add_time(int64_t at_s, struct buf *out);

#endif
