/* SPDX-License-Identifier: MIT */
/*
 * smsc_request.c - authorisation, common parameters, and requests that are nothing more than parameters.
 *
 * Always a POST body: the documents allow both, but a query string ends up in proxy logs with the password in it.
 */
#include "http/smsc_request.h"

#include <string.h>

/* Never from configuration or an ESME: they would change whose money is spent, or what the reply means. */
static const char
    *const never_extra[] = { "login", "psw", "apikey", "charset", "fmt",  "cost", "op",
                             "err",   "id",  "phones", "mes",     "list", "nl",   "comment" /* goes with the text */ };

void smsc_put_init(struct smsc_put *put, struct buf *out)
{
    *put = (struct smsc_put){ .out = out };
}

static bool was_put(const struct smsc_put *put, const char *name)
{
    for (size_t i = 0; i < put->count; i++) {
        if (strcmp(put->names[i], name) == 0)
            return true;
    }
    return false;
}

void smsc_put_reserve(struct smsc_put *put, const char *name)
{
    if (put->count < SMSC_PUT_MAX)
        put->names[put->count++] = name;
}

void smsc_put_name(struct smsc_put *put, const char *name)
{
    smsc_put_reserve(put, name);
    if (put->out->len > 0)
        buf_addc(put->out, '&');
    buf_add_url(put->out, name, strlen(name));
    buf_addc(put->out, '=');
}

void smsc_put(struct smsc_put *put, const char *name, const char *value, size_t len)
{
    smsc_put_name(put, name);
    buf_add_url(put->out, value, len);
}

void smsc_puts(struct smsc_put *put, const char *name, const char *value)
{
    smsc_put(put, name, value, strlen(value));
}

static const char *or_empty(const char *s)
{
    return s == NULL ? "" : s;
}

void smsc_put_login(struct smsc_put *put, const struct smsc_login *login, struct buf *out)
{
    smsc_put_init(put, out);
    if (login->api_key != NULL && login->api_key[0] != '\0') {
        smsc_puts(put, "apikey", login->api_key);
    } else {
        smsc_puts(put, "login", or_empty(login->login));
        smsc_puts(put, "psw", or_empty(login->password));
    }
    smsc_puts(put, "charset", "utf-8");
    smsc_puts(put, "fmt", "3");
}

void smsc_put_extra(struct smsc_put *put, const struct smsc_param *extra, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool taken = extra[i].name == NULL || extra[i].name[0] == '\0' || was_put(put, extra[i].name);

        for (size_t k = 0; k < ARRAY_LEN(never_extra) && !taken; k++)
            taken = strcmp(never_extra[k], extra[i].name) == 0;
        if (!taken)
            smsc_puts(put, extra[i].name, or_empty(extra[i].value));
    }
}

void smsc_build_status(const struct smsc_login *login, const struct smsc_status_query *query, struct buf *out)
{
    static const char *const names[] = { "phone", "id" };
    const char *const *const values[] = { query->phones, query->ids };
    struct smsc_put put;

    smsc_put_login(&put, login, out);
    for (size_t which = 0; which < ARRAY_LEN(names); which++) {
        smsc_put_name(&put, names[which]);
        for (size_t i = 0; i < query->count; i++) {
            if (i > 0)
                buf_add_url(out, ",", 1);
            buf_add_url(out, values[which][i], strlen(values[which][i]));
        }
        if (query->mass && query->count == 1) /* asks for the array form for one message [smsc-api 8] */
            buf_add_url(out, ",", 1);
    }
    if (query->del)
        smsc_puts(&put, "del", "1");
    else if (query->all > 0)
        smsc_puts(&put, "all", query->all == 1 ? "1" : "2");
}

void smsc_build_balance(const struct smsc_login *login, struct buf *out)
{
    struct smsc_put put;

    smsc_put_login(&put, login, out);
}

void smsc_build_answers(const struct smsc_login *login, const char *after_id, unsigned hours, struct buf *out)
{
    enum { HOURS_MAX = 168 }; /* [smsc-api 12.2] */
    struct smsc_put put;

    smsc_put_login(&put, login, out);
    smsc_puts(&put, "get_answers", "1");
    if (after_id != NULL && after_id[0] != '\0')
        smsc_puts(&put, "after_id", after_id);
    if (hours > 0) {
        smsc_put_name(&put, "hour");
        buf_add_u64(out, hours > HOURS_MAX ? HOURS_MAX : hours);
    }
}

void smsc_build_any(const struct smsc_login *login, const struct smsc_param *params, size_t count, struct buf *out)
{
    struct smsc_put put;

    smsc_put_login(&put, login, out);
    for (size_t i = 0; i < count; i++) {
        const char *name = or_empty(params[i].name);

        /* The credentials not used are refused too: login= beside our apikey= would be somebody else's account. */
        if (name[0] != '\0' && !was_put(&put, name) && strcmp(name, "login") != 0 && strcmp(name, "psw") != 0 &&
            strcmp(name, "apikey") != 0)
            smsc_puts(&put, name, or_empty(params[i].value));
    }
}
