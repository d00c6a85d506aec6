/* SPDX-License-Identifier: MIT */
/*
 * form.c - parameters of requests: query strings, form bodies, multipart, flat JSON.
 *
 * Leaves charsets and meanings to the callers: bytes in, bytes out. Names and values lie in blocks that live as long as
 * the set: a callback has some ten parameters and should not cost twenty allocations.
 * Invariant: a reader that fails leaves what it had added before; the set can always be finished.
 */
#include "http/form.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/json.h"

enum {
    GROW_BY = 16,
    BLOCK_BYTES = 1000,
    BOUNDARY_MAX = 70,       /* [RFC 2046 5.1.1] */
    PART_HEAD_MAX = 4 << 10, /* of one part of a multipart body */
    JSON_VALUE_MAX = 64 << 20
};

struct http_params_block {
    struct http_params_block *older;
    size_t size, used;
    char bytes[];
};

void http_params_init(struct http_params *p)
{
    *p = (struct http_params){ 0 };
}

void http_params_finish(struct http_params *p)
{
    while (p->blocks != NULL) {
        struct http_params_block *block = p->blocks;

        p->blocks = block->older;
        free(block);
    }
    free(p->at);
    http_params_init(p);
}

/* Most names asked for are not there; this tells for nearly all of them without a look at the names. */
static uint64_t kind_of(const char *name, size_t len)
{
    return UINT64_C(1) << (((unsigned char)name[0] * 7 + len) & 63);
}

static char *take_bytes(struct http_params *p, size_t size)
{
    struct http_params_block *block = p->blocks;

    if (block == NULL || block->size - block->used < size) {
        size_t bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;

        block = malloc(sizeof *block + bytes);
        if (block == NULL)
            return NULL;
        *block = (struct http_params_block){ .older = p->blocks, .size = bytes };
        p->blocks = block;
    }
    block->used += size;
    return block->bytes + block->used - size;
}

/* A new parameter with room for a name and a value of these lengths; the caller fills them. */
static int add_room(struct http_params *p, size_t name_len, size_t len, struct http_param **out)
{
    char *bytes;

    if (p->count >= HTTP_PARAMS_MAX)
        return ERR_FULL;
    if (p->count % GROW_BY == 0) {
        struct http_param *grown = realloc(p->at, (p->count + GROW_BY) * sizeof *grown);

        if (grown == NULL)
            return ERR_NOMEM;
        p->at = grown;
    }
    bytes = take_bytes(p, name_len + len + 2);
    if (bytes == NULL)
        return ERR_NOMEM;
    *out = &p->at[p->count++];
    **out = (struct http_param){ .name = bytes, .name_len = name_len, .value = bytes + name_len + 1, .len = len };
    return 0;
}

static void put_text(char *to, const char *text, size_t len)
{
    if (len > 0)
        memcpy(to, text, len);
    to[len] = '\0';
}

static int add(struct http_params *p, const char *name, size_t name_len, const char *value, size_t len)
{
    struct http_param *param;

    name_len = strnlen(name, name_len); /* a name is looked for as a C string */
    int err = add_room(p, name_len, len, &param);

    if (err != 0)
        return err;
    put_text(param->name, name, name_len);
    p->kinds |= kind_of(param->name, name_len);
    put_text(param->value, value, len);
    return 0;
}

int http_params_add(struct http_params *p, const char *name, const char *value, size_t len)
{
    return add(p, name, strlen(name), value, len);
}

int http_params_replace(struct http_params *p, size_t i, const char *value, size_t len)
{
    char *bytes = take_bytes(p, len + 1);

    if (bytes == NULL)
        return ERR_NOMEM;
    put_text(bytes, value, len);
    p->at[i].value = bytes;
    p->at[i].len = len;
    return 0;
}

const struct http_param *http_params_find(const struct http_params *p, const char *name)
{
    size_t len = strlen(name);

    if ((p->kinds & kind_of(name, len)) == 0)
        return NULL;
    for (size_t i = 0; i < p->count; i++) {
        if (p->at[i].name_len == len && memcmp(p->at[i].name, name, len) == 0)
            return &p->at[i];
    }
    return NULL;
}

const char *http_params_get(const struct http_params *p, const char *name)
{
    const struct http_param *param = http_params_find(p, name);

    return param == NULL ? NULL : param->value;
}

/* ---- a=1&b=2 ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Never longer than the input. Returns the length written. */
static size_t decode(const char *text, size_t len, char *out)
{
    char *to = out;

    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (text[i] == '+') {
            *to++ = ' ';
        } else if (text[i] == '%' && len - i > 2 && (high = hex(text[i + 1])) >= 0 && (low = hex(text[i + 2])) >= 0) {
            *to++ = (char)(high << 4 | low);
            i += 2;
        } else {
            *to++ = text[i];
        }
    }
    *to = '\0';
    return (size_t)(to - out);
}

int http_params_read_form(struct http_params *p, const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end) {
        const char *pair_end = memchr(text, '&', (size_t)(end - text));
        const char *equals;
        struct http_param *param;
        size_t name_len, value_len;
        int err;

        if (pair_end == NULL)
            pair_end = end;
        if (pair_end == text) { /* "&&" */
            text++;
            continue;
        }
        equals = memchr(text, '=', (size_t)(pair_end - text));
        name_len = (size_t)((equals == NULL ? pair_end : equals) - text);
        value_len = equals == NULL ? 0 : (size_t)(pair_end - equals - 1);
        err = add_room(p, name_len, value_len, &param);
        if (err != 0)
            return err;
        decode(text, name_len, param->name);
        param->name_len = strlen(param->name);
        p->kinds |= kind_of(param->name, param->name_len);
        param->len = decode(pair_end - value_len, value_len, param->value);
        text = pair_end < end ? pair_end + 1 : end;
    }
    return 0;
}

void http_form_add(struct buf *out, const char *name, const char *value, size_t len)
{
    if (out->len > 0)
        buf_addc(out, '&');
    buf_add_url(out, name, strlen(name));
    buf_addc(out, '=');
    buf_add_url(out, value, len);
}

/* ---- multipart/form-data [RFC 7578] ---- */

/* The parameter `name` of a header value ("form-data; name=\"a\""), quotes and backslashes resolved into `out`. Returns 0,
 * ERR_NOT_FOUND, ERR_SYNTAX, ERR_RANGE. */
static int header_parameter(const char *value, size_t value_len, const char *name, char *out, size_t size)
{
    const char *at = value, *end = value + value_len;
    size_t name_len = strlen(name);

    at = memchr(at, ';', (size_t)(end - at));
    while (at != NULL && at < end) {
        const char *key;
        size_t key_len, len = 0;
        bool is_wanted;

        while (at < end && (*at == ';' || *at == ' ' || *at == '\t'))
            at++;
        key = at;
        while (at < end && *at != '=' && *at != ';')
            at++;
        if (at == end || *at == ';')
            continue;
        key_len = (size_t)(at - key);
        while (key_len > 0 && (key[key_len - 1] == ' ' || key[key_len - 1] == '\t'))
            key_len--;
        is_wanted = key_len == name_len && strncasecmp(key, name, name_len) == 0;
        at++;
        if (at < end && *at == '"') {
            at++;
            while (at < end && *at != '"') {
                if (*at == '\\' && end - at > 1 && (at[1] == '"' || at[1] == '\\'))
                    at++;
                if (is_wanted) {
                    if (len + 1 >= size)
                        return ERR_RANGE;
                    out[len++] = *at;
                }
                at++;
            }
            if (at == end)
                return ERR_SYNTAX;
            at++;
        } else {
            while (at < end && *at != ';' && *at != ' ' && *at != '\t') {
                if (is_wanted) {
                    if (len + 1 >= size)
                        return ERR_RANGE;
                    out[len++] = *at;
                }
                at++;
            }
        }
        if (is_wanted) {
            out[len] = '\0';
            return 0;
        }
        at = at < end ? memchr(at, ';', (size_t)(end - at)) : NULL;
    }
    return ERR_NOT_FOUND;
}

/* The name in a part's Content-Disposition, from its header block. Returns as header_parameter. */
static int part_name(const char *head, size_t head_len, char *out, size_t size)
{
    static const char wanted[] = "content-disposition:";
    const char *end = head + head_len;

    while (head < end) {
        const char *line_end = memmem(head, (size_t)(end - head), "\r\n", 2);

        if (line_end == NULL)
            line_end = end;
        if ((size_t)(line_end - head) >= sizeof wanted - 1 && strncasecmp(head, wanted, sizeof wanted - 1) == 0)
            return header_parameter(head, (size_t)(line_end - head), "name", out, size);
        head = line_end < end ? line_end + 2 : end;
    }
    return ERR_NOT_FOUND;
}

int http_params_read_multipart(struct http_params *p, const char *content_type, const char *body, size_t len)
{
    char delimiter[BOUNDARY_MAX + 5] = "\r\n--";
    char name[256];
    const char *at = body, *end = body + len;
    size_t delimiter_len;
    int err = header_parameter(content_type, strlen(content_type), "boundary", delimiter + 4, BOUNDARY_MAX + 1);

    if (err != 0 || delimiter[4] == '\0')
        return ERR_SYNTAX;
    delimiter_len = strlen(delimiter);
    /* the first delimiter may open the body, without the line end that belongs to it */
    if (len >= delimiter_len - 2 && memcmp(body, delimiter + 2, delimiter_len - 2) == 0) {
        at += delimiter_len - 2;
    } else {
        at = memmem(body, len, delimiter, delimiter_len);
        if (at == NULL)
            return ERR_SYNTAX;
        at += delimiter_len;
    }
    for (;;) { /* `at` stands behind a delimiter */
        const char *head, *content, *next;

        if (end - at >= 2 && at[0] == '-' && at[1] == '-')
            return 0;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        if (end - at < 2)
            return ERR_SYNTAX;
        if (at[0] != '\r' || at[1] != '\n')
            return ERR_SYNTAX;
        head = at + 2;
        /* from `at`: a part without any header has its blank line right here */
        content = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (content == NULL)
            return ERR_SYNTAX;
        if (content > head && content - head > PART_HEAD_MAX)
            return ERR_SYNTAX;
        err = content > head ? part_name(head, (size_t)(content - head), name, sizeof name) : ERR_NOT_FOUND;
        if (err == ERR_SYNTAX || err == ERR_RANGE)
            return ERR_SYNTAX;
        /* an empty part's delimiter begins with the second half of the blank line */
        next = memmem(content + 2, (size_t)(end - content - 2), delimiter, delimiter_len);
        if (next == NULL)
            return ERR_SYNTAX;
        content += 4;
        if (err == 0) {
            err = add(p, name, strlen(name), content, next > content ? (size_t)(next - content) : 0);
            if (err != 0)
                return err;
        }
        at = next + delimiter_len;
    }
}

/* ---- JSON ---- */

int http_params_read_json(struct http_params *p, const char *text, size_t len)
{
    struct json json;
    struct json_value root, key, value;
    struct buf name, content;
    int err = ERR_SYNTAX;

    buf_init(&name, len < 64 ? 64 : len);
    buf_init(&content, JSON_VALUE_MAX);
    json_open(&json, text, len);
    if (!json_read(&json, &root) || root.kind != JSON_OBJECT)
        goto out;
    while (json_member(&json, &key, &value)) {
        if (value.kind == JSON_OBJECT || value.kind == JSON_ARRAY) /* flat is what was promised */
            goto out;
        buf_clear(&name);
        buf_clear(&content);
        json_text(&key, &name);
        if (value.kind == JSON_BOOL) /* as the aggregator's flags are written everywhere else */
            buf_addc(&content, json_is(&value, "true") ? '1' : '0');
        else
            json_text(&value, &content);
        err = name.failed || content.failed ? ERR_NOMEM
                                            : add(p, buf_text(&name), name.len, buf_text(&content), content.len);
        if (err != 0)
            goto out;
    }
    err = json_end(&json) ? 0 : ERR_SYNTAX;
out:
    buf_finish(&name);
    buf_finish(&content);
    return err;
}
