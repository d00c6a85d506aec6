/* SPDX-License-Identifier: MIT */
/*
 * webhook.c - the aggregator's callbacks [API seed 003]: read, verify, then understand, in this order.
 *
 * Reading gives a flat set of parameters whatever the form (webhook_read.c); verifying happens in webhook_hash.c over
 * the bytes of the callback's charset, before they become UTF-8. Only a genuine callback is looked at for sense, so a
 * stranger learns nothing but "wrong hash". How a kind is told follows the aggregator's own example: mes, else
 * waitcall, else status.
 */
#include "http/webhook.h"

#include <limits.h>
#include <string.h>

#include "http/charset.h"
#include "http/webhook_parts.h"

/* -3..25 are known [smsc-api 9]; others of that size are taken too, as a new code must not be lost: whoever does not
 * know it treats it as not final. What is further out is nonsense. */
enum { STATUS_MIN = -3, STATUS_MAX = 99, ERR_CODE_MAX = 999999 };
#define TS_MAX INT64_C(253402300799) /* end of the year 9999 */

static const char *text_of(const struct http_params *p, const char *name)
{
    const char *value = http_params_get(p, name);

    return value == NULL ? "" : value;
}

/* A plain decimal integer within bounds, blanks around it allowed. */
static bool integer_of(const struct http_params *p, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *s = text_of(p, name);
    int64_t v = 0;
    int digits = 0;

    s += strspn(s, " ");
    bool minus = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (++digits > 18)
            return false;
        v = v * 10 + (*s - '0');
    }
    s += strspn(s, " ");
    if (digits == 0 || *s != '\0')
        return false;
    v = minus ? -v : v;
    if (v < min || v > max)
        return false;
    *out = v;
    return true;
}

/* Members that carry no decision: absent or odd is 0. */
static int64_t number_of(const struct http_params *p, const char *name, int64_t max)
{
    int64_t v;

    return integer_of(p, name, 0, max, &v) ? v : 0;
}

static const char *understand_status(struct smsc_event *e)
{
    const struct http_params *p = &e->params;
    int64_t status;

    if (e->id[0] == '\0')
        return "a status without id";
    if (!integer_of(p, "status", STATUS_MIN, STATUS_MAX, &status))
        return "status is not a status code";
    e->status = (int)status;
    e->err = (int)number_of(p, "err", ERR_CODE_MAX);
    e->ts = number_of(p, "ts", TS_MAX);
    e->cnt = (unsigned)number_of(p, "cnt", UINT_MAX);
    e->type = (unsigned)number_of(p, "type", UINT_MAX);
    e->flag = (unsigned)number_of(p, "flag", UINT_MAX);
    e->has_hlr = http_params_get(p, "imsi") != NULL || http_params_get(p, "msc") != NULL ||
                 http_params_get(p, "mcc") != NULL || http_params_get(p, "net") != NULL;
    return NULL;
}

static const char *understand(struct smsc_event *e)
{
    const struct http_params *p = &e->params;

    if (e->phone[0] == '\0')
        return "no phone";
    switch (e->kind) {
    case SMSC_EVENT_STATUS:
        return understand_status(e);
    case SMSC_EVENT_INCOMING:
        if (e->id[0] == '\0')
            return "an incoming message without id";
        e->sent = number_of(p, "sent", TS_MAX);
        e->received = number_of(p, "time", TS_MAX);
        e->ts = e->received;
        return NULL;
    case SMSC_EVENT_WAITCALL:
        e->ts = number_of(p, "ts", TS_MAX);
        return NULL;
    }
    return "unknown kind";
}

/* Parameters of the handler's address come along [smsc-api 17.2], so a charset set there is known for certain. */
static enum webhook_charset charset_of(const struct webhook_opts *opts, const struct http_params *p)
{
    enum webhook_charset charset;

    return charset_by_name(text_of(p, "charset"), &charset) == 0 ? charset : opts->charset;
}

static void take_strings(struct smsc_event *e)
{
    const struct {
        const char *name;
        const char **to;
    } strings[] = {
        { "id", &e->id },
        { "phone", &e->phone },
        { "cost", &e->cost },
        { "sender", &e->sender },
        { "cmt", &e->cmt },
        { "syserr", &e->syserr },
        { "dtmf", &e->dtmf },
        { "imsi", &e->imsi },
        { "msc", &e->msc },
        { "mcc", &e->mcc },
        { "mnc", &e->mnc },
        { "cn", &e->cn },
        { "net", &e->net },
        { "rcn", &e->rcn },
        { "rnet", &e->rnet },
        { "calltime", &e->calltime },
        { "callmenu", &e->callmenu },
        { "ringtime", &e->ringtime },
        { "mes", &e->mes },
        { "to", &e->to },
        { "sms_id", &e->sms_id },
        { "smsc", &e->smsc },
    };

    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        *strings[i].to = text_of(&e->params, strings[i].name);
}

enum webhook_result webhook_open(const struct webhook_opts *opts, const char *content_type, const char *query,
                                 const char *body, size_t body_len, struct smsc_event *out, const char **why)
{
    enum webhook_result result = WEBHOOK_NOT_UNDERSTOOD;
    struct smsc_event e = { .kind = SMSC_EVENT_STATUS };
    struct webhook_opts effective = *opts;
    bool is_utf8 = false;

    *why = "the body is neither a form nor XML nor JSON";
    http_params_init(&e.params);
    if (webhook_read(opts, content_type, query, body, body_len, &e.params, &is_utf8) != 0)
        goto out;
    if (e.params.count == 0) {
        *why = "no parameters";
        goto out;
    }
    if (http_params_get(&e.params, "mes") != NULL)
        e.kind = SMSC_EVENT_INCOMING;
    else if (http_params_get(&e.params, "waitcall") != NULL)
        e.kind = SMSC_EVENT_WAITCALL;
    effective.charset = charset_of(opts, &e.params);
    if (!webhook_hash_good(&effective, &e.params, e.kind, is_utf8)) {
        result = WEBHOOK_BAD_HASH;
        *why = "wrong or missing hash";
        goto out;
    }
    *why = "out of memory";
    if (!is_utf8 && webhook_to_utf8(effective.charset, &e.params) != 0)
        goto out;
    webhook_blank_nuls(&e.params);
    take_strings(&e);
    *why = understand(&e);
    if (*why == NULL) {
        *why = "";
        result = WEBHOOK_OK;
    }
out:
    if (result == WEBHOOK_OK)
        *out = e;
    else
        http_params_finish(&e.params);
    return result;
}

void smsc_event_finish(struct smsc_event *event)
{
    http_params_finish(&event->params);
}
