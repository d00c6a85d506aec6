/*
 * smsc_reply.h - what any reply of the aggregator is, before its method looks inside.
 *
 * Private to the HTTP room. Errors come in four shapes whatever was asked for [smsc-api 2.1, 1.4]; success is believed
 * only in a form that shows its own end (JSON), because the text forms cut short are still well formed: "OK - 1 SMS,
 * ID - 33" without its last digit names another message.
 */
#ifndef HTTP_SMSC_REPLY_H
#define HTTP_SMSC_REPLY_H

#include "http/json.h"
#include "http/smsc_api.h"

enum { SMSC_ITEMS_MAX = 20000 }; /* records in one reply; more is not a reply to anything we ask */

enum smsc_shape {
    SMSC_SHAPE_FOREIGN, /* empty, HTML, an HTTP status other than 200, text of success */
    SMSC_SHAPE_ERROR,   /* error_code, error_text, perhaps id */
    SMSC_SHAPE_OK_WORD, /* the bare word OK */
    SMSC_SHAPE_JSON     /* starts like JSON; body and len are without white space around */
};

struct smsc_front {
    enum smsc_shape shape;
    int error_code;
    char error_text[96];
    char id[48];
    const char *body;
    size_t len;
};

void smsc_front_read(int http_status, const char *body, size_t len, struct smsc_front *out);

/* The error members of a JSON object, gathered while it is walked. */
struct smsc_error_members {
    bool has_error; /* "error" or "error_code" was there, and was not 0, false, "" or null */
    int code;       /* 0 when it was not readable */
    char text[96];
};
/* True when the member was one of them. */
bool smsc_error_member(struct smsc_error_members *e, const struct json_value *key, const struct json_value *value);

/* A name bounded to `size`, with characters that would spoil a log line or are no UTF-8 replaced by '?'. */
void smsc_copy_text(const char *text, size_t len, char *out, size_t size);
/* Amount in a JSON number or string; -1 and false when there is none. */
bool smsc_json_money(const struct json_value *value, int64_t *out_e6);
/* Doubles an array of items from 16 on, new ones zeroed. Returns 0, ERR_NOMEM, ERR_FULL above SMSC_ITEMS_MAX. */
int smsc_grow(void **items, size_t count, size_t item_bytes) MUST_CHECK;

#endif
