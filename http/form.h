/*
 * form.h - parameters of requests: query strings, form bodies, multipart, and writing them.
 *
 * A parameter set keeps order; the first of two equal names wins in http_params_get. Decoded copies live in the set.
 */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { HTTP_PARAMS_MAX = 512 };

struct http_param {
    char *name; /* without NULs */
    size_t name_len;
    char *value; /* NUL-terminated; may hold NULs of its own when len says so */
    size_t len;
};

struct http_params_block; /* names and values of several parameters */

struct http_params {
    struct http_param *at;
    size_t count;
    uint64_t kinds;                   /* one bit for the length and first letter of each name */
    struct http_params_block *blocks; /* newest first */
};

void http_params_init(struct http_params *p);
void http_params_finish(struct http_params *p);
/* Adds a copy. ERR_FULL above HTTP_PARAMS_MAX. */
int http_params_add(struct http_params *p, const char *name, const char *value, size_t len) MUST_CHECK;
/* Another value for the parameter `at[i]`, as a copy. ERR_NOMEM. */
int http_params_replace(struct http_params *p, size_t i, const char *value, size_t len) MUST_CHECK;
/* "a=1&b=%20": plus is space, percent decoded; a bad escape stays as it stands. */
int http_params_read_form(struct http_params *p, const char *text, size_t len) MUST_CHECK;
/* multipart/form-data; files are taken as parameters too (name, content). */
int http_params_read_multipart(struct http_params *p, const char *content_type, const char *body,
                               size_t len) MUST_CHECK;
/* One flat JSON object: strings and numbers as text (every digit), true and false as "1" and "0", null as "". */
int http_params_read_json(struct http_params *p, const char *text, size_t len) MUST_CHECK;
/* The value of the first parameter with this name, or NULL. */
const char *http_params_get(const struct http_params *p, const char *name);
const struct http_param *http_params_find(const struct http_params *p, const char *name);
/* Appends "&name=value" (without '&' when `out` is empty), percent-encoded. */
void http_form_add(struct buf *out, const char *name, const char *value, size_t len);

#endif
