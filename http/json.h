/*
 * json.h - a strict pull reader over JSON text, one pass, no memory of its own.
 *
 * Why not cJSON here: it turns every number into a double, which ruins ids of 17 digits and more and all money, and it
 * takes three allocations per member. Here numbers stay text and values are views into the body. The error is sticky.
 * A document is believed only when json_end says that it was whole.
 */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { JSON_DEPTH_MAX = 16 };

enum json_kind { JSON_NONE, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value { /* a view into the text */
    enum json_kind kind;
    const char *at; /* strings: between the quotes, still escaped; containers: behind the bracket */
    size_t len;     /* 0 for containers */
    bool escaped;   /* a string with backslashes in it */
};

struct json {
    const char *at, *end;
    unsigned depth;
    bool first; /* nothing has been read of the innermost container yet */
    bool failed;
};

void json_open(struct json *j, const char *text, size_t len);
/* The document's value. Of an array or object only the bracket is read: go on with json_item, json_member or json_skip. */
bool json_read(struct json *j, struct json_value *out);
/* The next member or item; false at the closing bracket (then consumed) and on failure. A container among the values
 * must be walked or skipped before the next call. */
bool json_member(struct json *j, struct json_value *out_key, struct json_value *out);
bool json_item(struct json *j, struct json_value *out);
/* Reads a container to its end; nothing to do for other values. */
void json_skip(struct json *j, const struct json_value *value);
/* True when all was read without failure and only white space is left. */
bool json_end(struct json *j);

bool json_is(const struct json_value *value, const char *text);
/* Appends the text of a string (escapes resolved to UTF-8), number, true or false; nothing for the others. */
void json_text(const struct json_value *value, struct buf *out);
/* The same into a fixed array, NUL-terminated. Returns 0, or ERR_RANGE when it does not fit (then out is ""). */
int json_copy(const struct json_value *value, char *out, size_t size) MUST_CHECK;
/* A number or a string holding a plain decimal integer within min..max. Returns 0 or ERR_SYNTAX. */
int json_integer(const struct json_value *value, int64_t min, int64_t max, int64_t *out) MUST_CHECK;

#endif
