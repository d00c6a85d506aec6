/* SPDX-License-Identifier: MIT */
/*
 * form.c - parameter sets read from query strings, form bodies, multipart bodies and flat JSON, and forms written.
 *
 * Pure text. Order is kept; every value is a copy with a NUL behind it, so it may hold any bytes.
 */
#include "http/form.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cJSON.h>

enum { PARAMS_FIRST = 16 };

void http_params_init(struct http_params *p)
{
    *p = (struct http_params){ 0 };
}

void http_params_finish(struct http_params *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->at[i].name); /* name and value are one block */
    free(p->at);
    *p = (struct http_params){ 0 };
}

/* Takes `block`: the name, its NUL, the value, its NUL. */
static int add_take(struct http_params *p, char *block, size_t name_len, size_t value_len)
{
    if (p->count >= HTTP_PARAMS_MAX) {
        free(block);
        return ERR_FULL;
    }
    bool power = (p->count & (p->count - 1)) == 0; /* room is doubled at 16, 32, ... */
    if (p->count == 0 || (p->count >= PARAMS_FIRST && power)) {
        size_t size = p->count == 0 ? PARAMS_FIRST : p->count * 2;
        struct http_param *at = realloc(p->at, size * sizeof *at);

        if (at == NULL) {
            free(block);
            return ERR_NOMEM;
        }
        p->at = at;
    }
    p->at[p->count++] = (struct http_param){ block, block + name_len + 1, value_len };
    return 0;
}

static char *block_for(size_t name_len, size_t value_len)
{
    return malloc(name_len + value_len + 2);
}

static int add(struct http_params *p, const char *name, size_t name_len, const char *value, size_t value_len)
{
    char *block = block_for(name_len, value_len);

    if (block == NULL)
        return ERR_NOMEM;
    memcpy(block, name, name_len);
    block[name_len] = '\0';
    if (value_len > 0)
        memcpy(block + name_len + 1, value, value_len);
    block[name_len + 1 + value_len] = '\0';
    return add_take(p, block, name_len, value_len);
}

int http_params_add(struct http_params *p, const char *name, const char *value, size_t len)
{
    return add(p, name, strlen(name), value, len);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes into `out`, which has room for `len` bytes; returns how many were written. */
static size_t url_decode(const char *in, size_t len, char *out)
{
    char *start = out;

    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (in[i] == '+') {
            *out++ = ' ';
        } else if (in[i] == '%' && i + 2 < len && (high = hex_digit(in[i + 1])) >= 0 &&
                   (low = hex_digit(in[i + 2])) >= 0) {
            *out++ = (char)(high << 4 | low);
            i += 2;
        } else {
            *out++ = in[i];
        }
    }
    return (size_t)(out - start);
}

int http_params_read_form(struct http_params *p, const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        if (stop == NULL)
            stop = end;
        const char *equals = memchr(text, '=', (size_t)(stop - text));
        size_t name_len = (size_t)((equals == NULL ? stop : equals) - text);
        const char *value = equals == NULL ? stop : equals + 1;
        size_t value_len = (size_t)(stop - value);

        if (stop > text) {
            char *block = block_for(name_len, value_len);

            if (block == NULL)
                return ERR_NOMEM;
            size_t got_name = url_decode(text, name_len, block);
            block[got_name] = '\0';
            size_t got_value = url_decode(value, value_len, block + got_name + 1);
            block[got_name + 1 + got_value] = '\0';
            int err = add_take(p, block, got_name, got_value);
            if (err != 0)
                return err;
        }
        text = stop + 1;
    }
    return 0;
}

/* --- multipart [RFC 7578] ------------------------------------------------------------------------------------------ */

/* The value of `name=` in a header line, quoted or not. */
static bool header_parameter(const char *line, size_t len, const char *name, const char **out, size_t *out_len)
{
    size_t name_len = strlen(name);

    for (size_t i = 0; i + name_len + 1 < len; i++) {
        bool starts = i > 0 && (line[i - 1] == ' ' || line[i - 1] == ';' || line[i - 1] == '\t');

        if (!starts || strncasecmp(line + i, name, name_len) != 0 || line[i + name_len] != '=')
            continue;
        const char *value = line + i + name_len + 1;
        size_t left = len - (size_t)(value - line);
        size_t n = 0;
        if (left > 0 && *value == '"') {
            value++;
            left--;
            while (n < left && value[n] != '"')
                n++;
            if (n == left)
                return false;
        } else {
            while (n < left && value[n] != ';' && value[n] != ' ')
                n++;
        }
        *out = value;
        *out_len = n;
        return true;
    }
    return false;
}

/* Reads the part's headers; `at` moves behind the empty line. */
static bool part_name(const char **at, const char *end, const char **out, size_t *out_len)
{
    bool named = false;

    for (;;) {
        const char *line = *at;
        const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);

        if (stop == NULL)
            return false;
        *at = stop + 2;
        if (stop == line)
            return named;
        size_t len = (size_t)(stop - line);
        if (len > 20 && strncasecmp(line, "Content-Disposition:", 20) == 0)
            named = header_parameter(line, len, "name", out, out_len);
    }
}

int http_params_read_multipart(struct http_params *p, const char *content_type, const char *body, size_t len)
{
    const char *boundary;
    size_t boundary_len;
    char mark[80];

    if (!header_parameter(content_type, strlen(content_type), "boundary", &boundary, &boundary_len) ||
        boundary_len == 0 || boundary_len > 70)
        return ERR_SYNTAX;
    int mark_len = snprintf(mark, sizeof mark, "\r\n--%.*s", (int)boundary_len, boundary);
    size_t n = (size_t)mark_len;
    const char *end = body + len;
    /* the first mark may stand at the very start, without the line break before it */
    const char *at = len >= n - 2 && memcmp(body, mark + 2, n - 2) == 0 ? body + n - 2 : memmem(body, len, mark, n);
    if (at == NULL)
        return ERR_SYNTAX;
    if (at != body + n - 2 || memcmp(body, mark + 2, n - 2) != 0)
        at += n;
    for (;;) {
        const char *name;
        size_t name_len;

        if (end - at >= 2 && at[0] == '-' && at[1] == '-')
            return 0;
        if (end - at < 2 || at[0] != '\r' || at[1] != '\n')
            return ERR_SYNTAX;
        at += 2;
        if (!part_name(&at, end, &name, &name_len))
            return ERR_SYNTAX;
        /* an empty part has its mark right behind the empty line: look from the line break before */
        const char *stop = memmem(at - 2, (size_t)(end - at) + 2, mark, n);
        if (stop == NULL)
            return ERR_SYNTAX;
        int err = add(p, name, name_len, at, stop < at ? 0 : (size_t)(stop - at));
        if (err != 0)
            return err;
        at = stop + n;
    }
}

/* --- JSON ---------------------------------------------------------------------------------------------------------- */

static int add_json(struct http_params *p, const cJSON *item)
{
    char digits[32];

    if (cJSON_IsString(item))
        return http_params_add(p, item->string, item->valuestring, strlen(item->valuestring));
    if (cJSON_IsBool(item))
        return http_params_add(p, item->string, cJSON_IsTrue(item) ? "1" : "0", 1);
    if (cJSON_IsNull(item))
        return http_params_add(p, item->string, "", 0);
    if (!cJSON_IsNumber(item))
        return ERR_SYNTAX; /* not flat */
    int n = snprintf(digits, sizeof digits, "%.15g", item->valuedouble);
    return http_params_add(p, item->string, digits, (size_t)n);
}

int http_params_read_json(struct http_params *p, const char *text, size_t len)
{
    cJSON *root = cJSON_ParseWithLength(text, len);
    int err = cJSON_IsObject(root) ? 0 : ERR_SYNTAX;

    for (const cJSON *item = root == NULL ? NULL : root->child; err == 0 && item != NULL; item = item->next)
        err = add_json(p, item);
    cJSON_Delete(root);
    return err;
}

/* --- look-up and writing ------------------------------------------------------------------------------------------- */

const struct http_param *http_params_find(const struct http_params *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->at[i].name, name) == 0)
            return &p->at[i];
    }
    return NULL;
}

const char *http_params_get(const struct http_params *p, const char *name)
{
    const struct http_param *found = http_params_find(p, name);

    return found == NULL ? NULL : found->value;
}

void http_form_add(struct buf *out, const char *name, const char *value, size_t len)
{
    if (out->len > 0)
        buf_addc(out, '&');
    buf_add_url(out, name, strlen(name));
    buf_addc(out, '=');
    buf_add_url(out, value, len);
}
