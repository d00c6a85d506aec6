/* SPDX-License-Identifier: MIT */
/*
 * smsc_soap.c - the methods as SOAP 1.1 requests, document/literal [smsc-api 16].
 *
 * The wrapper element is qualified, its children are not, because the aggregator's schema says nothing of
 * elementFormDefault. What has no element of its own travels in <query>, a form body inside XML: its values are
 * percent-encoded first and escaped as XML after. Characters XML cannot hold (most controls) become '?'.
 */
#include "http/smsc_soap.h"

#include <string.h>

#include "http/charset.h"
#include "http/smsc_request.h"

static void begin(struct buf *out, const char *wrapper)
{
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\""
                  " xmlns:tns=\"http://smsc.ru/sys/soap.php\"><soap:Body><tns:");
    buf_adds(out, wrapper);
    buf_addc(out, '>');
}

static void end(struct buf *out, const char *wrapper)
{
    buf_adds(out, "</tns:");
    buf_adds(out, wrapper);
    buf_adds(out, "></soap:Body></soap:Envelope>");
}

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\r': /* a bare one is turned into LF by every XML parser [XML 2.11] */
        return "&#13;";
    case '\t':
    case '\n':
        return NULL;
    default:
        return (unsigned char)c < 0x20 ? "?" : NULL;
    }
}

static void add_escaped(struct buf *out, const char *text, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        const char *escape = escape_of(text[i]);
        bool noncharacter = len - i >= 3 && memcmp(text + i, "\xEF\xBF", 2) == 0 && (unsigned char)text[i + 2] >= 0xBE;

        if (escape == NULL && !noncharacter) /* U+FFFE and U+FFFF are no XML characters either */
            continue;
        buf_add(out, text + from, i - from);
        buf_adds(out, noncharacter ? "?" : escape);
        i += noncharacter ? 2 : 0;
        from = i + 1;
    }
    buf_add(out, text + from, len - from);
}

static void element(struct buf *out, const char *name, const char *text, size_t len)
{
    struct buf clean;

    buf_init(&clean, out->max);
    charset_to_utf8(WEBHOOK_UTF8, text, len, &clean);
    buf_addf(out, "<%s>", name);
    add_escaped(out, buf_text(&clean), clean.len);
    buf_addf(out, "</%s>", name);
    out->failed = out->failed || clean.failed;
    buf_finish(&clean);
}

static void elements(struct buf *out, const char *name, const char *text)
{
    element(out, name, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static bool has_key(const struct smsc_login *login)
{
    return login->api_key != NULL && login->api_key[0] != '\0';
}

/* login and psw are required by the schema; with an API key they are empty and the key is in the query. */
static void add_login(struct buf *out, const struct smsc_login *login)
{
    elements(out, "login", has_key(login) ? "" : login->login);
    elements(out, "psw", has_key(login) ? "" : login->password);
}

static void put_key(struct smsc_put *put, const struct smsc_login *login, struct buf *query)
{
    smsc_put_init(put, query);
    if (has_key(login))
        smsc_puts(put, "apikey", login->api_key);
}

static void add_phones_and_mes(struct buf *out, const struct smsc_send *send, bool as_list)
{
    struct buf value;

    buf_init(&value, out->max);
    for (size_t i = 0; i < send->line_count && !as_list; i++) {
        if (i > 0)
            buf_addc(&value, ',');
        buf_adds(&value, send->lines[i].phone);
    }
    element(out, "phones", buf_text(&value), value.len);
    buf_clear(&value);
    if (send->line_count > 0 && !as_list && smsc_has_text(send->kind))
        smsc_add_text(send, &send->lines[0], &value);
    element(out, "mes", buf_text(&value), value.len);
    out->failed = out->failed || value.failed;
    buf_finish(&value);
}

void smsc_soap_build_send(const struct smsc_login *login, const struct smsc_send *send, struct buf *out)
{
    bool as_list = smsc_form_of(send) == SMSC_FORM_LIST;
    const char *sender = send->line_count > 0 && !as_list ? send->lines[0].sender : NULL;
    bool has_sender = sender != NULL && sender[0] != '\0';
    struct smsc_put put;
    struct buf query, value;

    buf_init(&query, out->max);
    buf_init(&value, out->max);
    put_key(&put, login, &query);
    smsc_puts(&put, "cost", "3");
    if (send->line_count > 1)
        smsc_puts(&put, "err", "1"); /* the WSDL knows <errors>, and nothing of op=1 */
    if (as_list) {
        smsc_add_list(send, &value);
        smsc_put(&put, "list", buf_text(&value), value.len);
    }
    if (has_sender)
        smsc_put_reserve(&put, "sender");
    if (send->at_s > 0)
        smsc_put_reserve(&put, "time");
    smsc_put_options(&put, send);

    begin(out, "send2");
    add_login(out, login);
    add_phones_and_mes(out, send, as_list);
    elements(out, "id", send->id);
    if (has_sender) /* an empty element would switch the account's default sender off [smsc-api 3.1] */
        elements(out, "sender", sender);
    if (send->at_s > 0) {
        buf_clear(&value);
        smsc_add_time(send->at_s, &value);
        element(out, "time", buf_text(&value), value.len);
    }
    element(out, "query", buf_text(&query), query.len);
    end(out, "send2");
    out->failed = out->failed || query.failed || value.failed;
    buf_finish(&query);
    buf_finish(&value);
}

void smsc_soap_build_status(const struct smsc_login *login, const char *phone, const char *id, struct buf *out)
{
    struct smsc_put put;
    struct buf query;

    buf_init(&query, out->max);
    put_key(&put, login, &query);
    begin(out, "status2");
    add_login(out, login);
    elements(out, "phone", phone);
    elements(out, "id", id);
    elements(out, "all", "1"); /* its cost as well */
    element(out, "query", buf_text(&query), query.len);
    end(out, "status2");
    out->failed = out->failed || query.failed;
    buf_finish(&query);
}

/* There is no balance2 with a query, yet the documents list apikey among the parameters of get_balance: so it is an
 * element here. */
void smsc_soap_build_balance(const struct smsc_login *login, struct buf *out)
{
    begin(out, "balance");
    add_login(out, login);
    if (has_key(login))
        elements(out, "apikey", login->api_key);
    end(out, "balance");
}

void smsc_soap_build_any(const struct smsc_login *login, const char *wrapper, const struct smsc_param *given,
                         size_t count, const struct smsc_param *query, size_t query_count, bool has_query,
                         struct buf *out)
{
    struct smsc_put put;
    struct buf text;

    buf_init(&text, out->max);
    put_key(&put, login, &text);
    for (size_t i = 0; i < query_count; i++)
        smsc_puts(&put, query[i].name, query[i].value);
    begin(out, wrapper);
    add_login(out, login);
    if (has_key(login) && !has_query)
        elements(out, "apikey", login->api_key);
    for (size_t i = 0; i < count; i++)
        elements(out, given[i].name, given[i].value);
    if (has_query)
        element(out, "query", buf_text(&text), text.len);
    end(out, wrapper);
    out->failed = out->failed || text.failed;
    buf_finish(&text);
}
