/* SPDX-License-Identifier: MIT */
/*
 * webhook_read.c - a callback's body as a flat set of parameters: form, multipart, XML or JSON.
 *
 * The Content-Type of callbacks is not documented, and the handler's address and our configuration are edited by
 * different people; so the form is told by the body's first character, which is never ambiguous between the three.
 */
#include "http/webhook_parts.h"

#include <string.h>
#include <strings.h>

#include "http/charset.h"
#include "http/json.h"
#include "http/xml.h"

enum { VALUE_MAX = 256 * 1024, NAME_MAX_BYTES = 64 };

static enum webhook_charset fallback_of(const struct webhook_opts *opts)
{
    return opts->charset == WEBHOOK_UTF8 ? WEBHOOK_CP1251 : opts->charset; /* the aggregator's default */
}

static int read_json(const struct webhook_opts *opts, const char *body, size_t len, struct http_params *out)
{
    struct json_value top, key, value;
    struct buf utf8, text;
    struct json j;
    int err = ERR_SYNTAX;

    buf_init(&utf8, VALUE_MAX * 3);
    buf_init(&text, VALUE_MAX * 3);
    charset_to_utf8(charset_is_utf8(body, len) ? WEBHOOK_UTF8 : fallback_of(opts), body, len, &utf8);
    if (utf8.failed)
        goto out;
    json_open(&j, buf_text(&utf8), utf8.len);
    if (!json_read(&j, &top) || top.kind != JSON_OBJECT)
        goto out;
    err = 0;
    while (err == 0 && json_member(&j, &key, &value)) {
        char name[NAME_MAX_BYTES];

        if (json_copy(&key, name, sizeof name) == 0 &&
            (value.kind == JSON_STRING || value.kind == JSON_NUMBER || value.kind == JSON_BOOL)) {
            buf_clear(&text);
            json_text(&value, &text);
            err = text.failed ? ERR_FULL : http_params_add(out, name, buf_text(&text), text.len);
        }
        json_skip(&j, &value); /* null is absent; what is nested is no parameter of ours */
    }
    if (err == 0 && !json_end(&j))
        err = ERR_SYNTAX;
out:
    buf_finish(&text);
    buf_finish(&utf8);
    return err;
}

/* Elements without elements in them are parameters; their depth does not matter, as the root's shape is not documented. */
static int add_elements(const xmlNode *parent, unsigned depth, struct buf *text, struct http_params *out)
{
    int err = 0;

    for (const xmlNode *node = parent->children; node != NULL && err == 0; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (xml_has_elements(node)) {
            err = depth < XML_WALK_DEPTH_MAX ? add_elements(node, depth + 1, text, out) : ERR_SYNTAX;
            continue;
        }
        buf_clear(text);
        xml_text(node, text);
        err = text->failed ? ERR_FULL : http_params_add(out, (const char *)node->name, buf_text(text), text->len);
    }
    return err;
}

static int read_xml(const struct webhook_opts *opts, const char *body, size_t len, struct http_params *out)
{
    xmlDoc *doc = xml_open(body, len, charset_name(fallback_of(opts)));
    xmlNode *root = doc == NULL ? NULL : xmlDocGetRootElement(doc);
    struct buf text;
    int err = ERR_SYNTAX;

    buf_init(&text, VALUE_MAX * 3);
    if (root != NULL)
        err = add_elements(root, 0, &text, out);
    buf_finish(&text);
    xmlFreeDoc(doc);
    return err;
}

static int read_query(const struct webhook_opts *opts, const char *query, bool as_utf8, struct http_params *out)
{
    struct http_params extra;

    if (query == NULL || query[0] == '\0')
        return 0;
    http_params_init(&extra);
    int err = http_params_read_form(&extra, query, strlen(query));
    if (err == 0 && as_utf8)
        err = webhook_to_utf8(opts->charset, &extra);
    for (size_t i = 0; i < extra.count && err == 0; i++) {
        if (http_params_find(out, extra.at[i].name) == NULL)
            err = http_params_add(out, extra.at[i].name, extra.at[i].value, extra.at[i].len);
    }
    http_params_finish(&extra);
    return err;
}

void webhook_blank_nuls(struct http_params *params)
{
    for (size_t i = 0; i < params->count; i++) {
        for (char *p = params->at[i].value; p < params->at[i].value + params->at[i].len; p++)
            *p = *p == '\0' ? ' ' : *p;
    }
}

int webhook_read(const struct webhook_opts *opts, const char *content_type, const char *query, const char *body,
                 size_t body_len, struct http_params *out, bool *out_is_utf8)
{
    static const char multipart[] = "multipart/form-data";
    int err = 0;

    if (body_len >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0) {
        body += 3;
        body_len -= 3;
    }
    while (body_len > 0 && strchr(" \t\r\n", body[0]) != NULL && body[0] != '\0') {
        body++;
        body_len--;
    }
    *out_is_utf8 = body_len > 0 && (body[0] == '{' || body[0] == '<');
    if (body_len == 0)
        err = 0; /* everything may come in the query */
    else if (body[0] == '{')
        err = read_json(opts, body, body_len, out);
    else if (body[0] == '<')
        err = read_xml(opts, body, body_len, out);
    else if (content_type != NULL && strncasecmp(content_type, multipart, strlen(multipart)) == 0)
        err = http_params_read_multipart(out, content_type, body, body_len);
    else
        err = http_params_read_form(out, body, body_len);
    if (err == 0)
        err = read_query(opts, query, *out_is_utf8, out);
    return err;
}

int webhook_to_utf8(enum webhook_charset charset, struct http_params *params)
{
    struct buf text;
    int err = 0;

    buf_init(&text, VALUE_MAX * 3);
    for (size_t i = 0; i < params->count && err == 0; i++) {
        const struct http_param *p = &params->at[i];

        if (charset == WEBHOOK_UTF8 ? charset_is_utf8(p->value, p->len) : charset_is_ascii(p->value, p->len))
            continue;
        buf_clear(&text);
        charset_to_utf8(charset, p->value, p->len, &text);
        err = text.failed ? ERR_NOMEM : http_params_replace(params, i, buf_text(&text), text.len);
    }
    buf_finish(&text);
    return err;
}
