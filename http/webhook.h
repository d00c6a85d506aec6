/*
 * webhook.h - the aggregator's callbacks: verified, decoded, as one struct [API seed 003, smsc-api 17].
 *
 * Pure: a body in, an event or a refusal out. The hash is computed over the values in the bytes of the callback's
 * charset, compared in constant time; crc32 is taken as unsigned or signed decimal or 8 hex digits.
 */
#ifndef HTTP_WEBHOOK_H
#define HTTP_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "http/form.h"

enum webhook_hash { WEBHOOK_HASH_NONE, WEBHOOK_HASH_MD5, WEBHOOK_HASH_SHA1, WEBHOOK_HASH_CRC32 };
enum webhook_format { WEBHOOK_FORM, WEBHOOK_XML, WEBHOOK_JSON };
enum webhook_charset { WEBHOOK_UTF8, WEBHOOK_CP1251, WEBHOOK_KOI8R };
enum smsc_event_kind { SMSC_EVENT_STATUS, SMSC_EVENT_INCOMING, SMSC_EVENT_WAITCALL };

struct webhook_opts {
    enum webhook_hash hash;
    const char *secret; /* only if hash is set */
    enum webhook_charset charset;
    enum webhook_format format; /* what is expected; another form that is plainly recognisable is taken too */
};

/* Strings are UTF-8, owned by the event, never NULL ("" when absent). */
struct smsc_event {
    enum smsc_event_kind kind;
    const char *id;    /* status: our send id; incoming: the aggregator's id */
    const char *phone; /* as transmitted */
    int status;        /* status */
    int err;           /* 0 when absent */
    int64_t ts;        /* Unix seconds of the change; 0 when absent */
    const char *cost;  /* decimal text */
    unsigned cnt, type, flag;
    const char *sender, *cmt, *syserr, *dtmf;
    bool has_hlr;
    const char *imsi, *msc, *mcc, *mnc, *cn, *net, *rcn, *rnet;
    const char *calltime, *callmenu, *ringtime;
    const char *mes, *to, *sms_id, *smsc; /* incoming */
    int64_t sent, received;               /* incoming, Unix seconds */
    struct http_params params;            /* everything, decoded */
};

enum webhook_result { WEBHOOK_OK, WEBHOOK_BAD_HASH /* 403 */, WEBHOOK_NOT_UNDERSTOOD /* 400 */ };

/* `query` and `body` as received. On OK the caller ends with smsc_event_finish. why: a fixed phrase when not OK. */
enum webhook_result webhook_open(const struct webhook_opts *opts, const char *content_type, const char *query,
                                 const char *body, size_t body_len, struct smsc_event *out,
                                 const char **why) MUST_CHECK;
void smsc_event_finish(struct smsc_event *event);

/* The hash text for a hashed string "a:b:c:secret" (lower-case hex; crc32 as unsigned decimal): also for the simulator. */
void webhook_hash_text(enum webhook_hash hash, const char *joined, size_t len, char out[41]);

#endif
