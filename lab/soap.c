/* SPDX-License-Identifier: MIT */
/*
 * soap.c - soap.php: the WSDL and seven operations, each carried out by the HTTP method it stands for.
 *
 * The request's leaf elements become the parameters of that method in format 2, whose elements are then put in the order
 * the WSDL gives. The reader knows as much XML as SOAP 1.1 requests need and refuses document types, so nothing can be
 * expanded or loaded. Operations are told apart by the body's element: the soapAction is the same for all.
 */
#include "lab/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACE "http://smsc.ru/sys/soap.php"

enum { FORM_MAX = 16 << 20, LEAF_DEPTH = 4, NAME_SIZE = 32 };

static const struct lab_soap_operation {
    const char *element, *name, *response, *result, *path, *fixed;
    const char *request[9]; /* names of the WSDL; those ended by '?' are optional */
    const char *reply[18];
} operations[] = {
    { "balance",
      "get_balance",
      "BalanceResponse",
      "balanceresult",
      "/sys/balance.php",
      "fmt=2&charset=utf-8",
      { "login", "psw" },
      { "balance", "error" } },
    { "send",
      "send_sms",
      "SendResponse",
      "sendresult",
      "/sys/send.php",
      "fmt=2&charset=utf-8&cost=3",
      { "login", "psw", "phones", "mes", "id?", "sender?", "time?" },
      { "id", "balance", "cost", "cnt", "error" } },
    { "send2",
      "send_sms2",
      "Send2Response",
      "sendresult",
      "/sys/send.php",
      "fmt=2&charset=utf-8&cost=3",
      { "login", "psw", "phones", "mes", "id?", "sender?", "time?", "query?" },
      { "id", "balance", "cost", "cnt", "error", "errors" } },
    { "cost",
      "get_sms_cost",
      "CostResponse",
      "costresult",
      "/sys/send.php",
      "fmt=2&charset=utf-8&cost=1",
      { "login", "psw", "phones", "mes" },
      { "cost", "cnt", "error" } },
    { "cost2",
      "get_sms_cost2",
      "Cost2Response",
      "costresult",
      "/sys/send.php",
      "fmt=2&charset=utf-8&cost=1",
      { "login", "psw", "phones", "mes", "query" },
      { "cost", "cnt", "error" } },
    { "status",
      "get_status",
      "StatusResponse",
      "statusresult",
      "/sys/status.php",
      "fmt=2&charset=utf-8",
      { "login", "psw", "phone", "id", "all?" },
      { "status", "last_date", "last_timestamp", "err", "error", "send_date", "send_timestamp", "phone", "cost",
        "sender_id", "status_name", "message", "operator", "region", "sms_cnt" } },
    { "status2",
      "get_status2",
      "Status2Response",
      "statusresult",
      "/sys/status.php",
      "fmt=2&charset=utf-8",
      { "login", "psw", "phone", "id", "all?", "query" },
      { "status", "last_date", "last_timestamp", "err", "error", "send_date", "send_timestamp", "phone", "cost",
        "sender_id", "status_name", "message", "operator", "region", "sms_cnt" } },
};

/* ---- reading ---- */

struct xml {
    const char *at, *end;
    int depth;
    char names[LEAF_DEPTH + 1][NAME_SIZE]; /* local name at each depth */
    struct buf text;                       /* of the leaf under way */
};

static bool local_name(const char *at, size_t len, char out[NAME_SIZE])
{
    const char *colon = memchr(at, ':', len);

    if (colon != NULL) {
        len -= (size_t)(colon + 1 - at);
        at = colon + 1;
    }
    if (len == 0 || len >= NAME_SIZE)
        return false;
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

static void add_code_point(struct buf *out, unsigned long c)
{
    if (c < 0x80) {
        buf_addc(out, c == 0 ? '?' : (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xC0 | c >> 6));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_addc(out, (char)(0xE0 | c >> 12));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x110000) {
        buf_addc(out, (char)(0xF0 | c >> 18));
        buf_addc(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    }
}

static bool add_text(struct buf *out, const char *at, const char *end)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = { { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' }, { "&apos;", '\'' } };

    while (at < end) {
        const char *semicolon;
        bool found = false;

        if (*at != '&') {
            buf_addc(out, *at++);
            continue;
        }
        semicolon = memchr(at, ';', (size_t)(end - at));
        if (semicolon == NULL || semicolon - at > 10)
            return false;
        if (at[1] == '#') {
            char *stop;
            unsigned long c = at[2] == 'x' ? strtoul(at + 3, &stop, 16) : strtoul(at + 2, &stop, 10);

            found = stop == semicolon;
            add_code_point(out, c);
        }
        for (size_t i = 0; i < ARRAY_LEN(entities) && !found; i++) {
            found = strncmp(at, entities[i].name, strlen(entities[i].name)) == 0;
            if (found)
                buf_addc(out, entities[i].c);
        }
        if (!found)
            return false;
        at = semicolon + 1;
    }
    return true;
}

static const char *find(const char *at, const char *end, const char *what)
{
    return at < end ? memmem(at, (size_t)(end - at), what, strlen(what)) : NULL;
}

static const struct lab_soap_operation *operation_of(const char *element)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (strcmp(operations[i].element, element) == 0)
            return &operations[i];
    }
    return NULL;
}

/* A leaf has ended: one parameter more. `query` holds parameters of its own and stands last. */
static void take_leaf(struct xml *x, struct buf *form, struct buf *query)
{
    if (strcmp(x->names[2], "Body") != 0)
        return;
    if (strcmp(x->names[4], "query") == 0)
        buf_add(query, buf_text(&x->text), x->text.len);
    else
        http_form_add(form, x->names[4], buf_text(&x->text), x->text.len);
}

/* One tag, `at` behind its '<'. Returns where it ends, NULL when it is not well formed. */
static const char *take_tag(struct xml *x, const char *at, struct buf *form, struct buf *query)
{
    const char *close = memchr(at, '>', (size_t)(x->end - at));
    bool ends = *at == '/', empty;
    size_t len;

    if (close == NULL || close == at)
        return NULL;
    if (ends)
        at++;
    empty = !ends && close[-1] == '/';
    len = 0;
    while (at + len < close && strchr(" \t\r\n/", at[len]) == NULL)
        len++;
    if (ends) {
        if (x->depth == LEAF_DEPTH)
            take_leaf(x, form, query);
        buf_clear(&x->text);
        return --x->depth < 0 ? NULL : close + 1;
    }
    if (++x->depth > LEAF_DEPTH) { /* only headers may be so deep: they are passed over */
        x->depth -= empty;
        return strcmp(x->names[2], "Header") == 0 ? close + 1 : NULL;
    }
    if (!local_name(at, len, x->names[x->depth]))
        return NULL;
    buf_clear(&x->text);
    if (empty) {
        if (x->depth == LEAF_DEPTH)
            take_leaf(x, form, query);
        x->depth--;
    }
    return close + 1;
}

static const struct lab_soap_operation *read_request(const char *body, size_t len, struct buf *form)
{
    struct xml x = { .at = body, .end = body + len };
    struct buf query;
    const struct lab_soap_operation *op = NULL;
    bool good = true;

    buf_init(&x.text, FORM_MAX);
    buf_init(&query, FORM_MAX);
    while (good && x.at < x.end) {
        const char *open = memchr(x.at, '<', (size_t)(x.end - x.at));

        if (open == NULL)
            break;
        if (x.depth == LEAF_DEPTH)
            good = add_text(&x.text, x.at, open);
        x.at = open + 1;
        if (!good)
            break;
        if (x.at == x.end) {
            good = false;
        } else if (strncmp(x.at, "![CDATA[", 8) == 0) {
            const char *stop = find(x.at + 8, x.end, "]]>");

            good = stop != NULL;
            if (good) {
                buf_add(&x.text, x.at + 8, (size_t)(stop - x.at - 8));
                x.at = stop + 3;
            }
        } else if (*x.at == '?' || strncmp(x.at, "!--", 3) == 0) {
            const char *stop = find(x.at, x.end, *x.at == '?' ? "?>" : "-->");

            good = stop != NULL;
            x.at = good ? stop + (*x.at == '?' ? 2 : 3) : x.at;
        } else if (*x.at == '!') {
            good = false; /* a document type: never needed, never harmless */
        } else {
            const char *next = take_tag(&x, x.at, form, &query);

            good = next != NULL;
            x.at = good ? next : x.at;
            if (good && x.depth == 3 && op == NULL && strcmp(x.names[1], "Envelope") == 0 &&
                strcmp(x.names[2], "Body") == 0)
                op = operation_of(x.names[3]);
        }
    }
    good = good && x.depth == 0 && !form->failed && !query.failed;
    if (good && query.len > 0) {
        buf_addc(form, '&');
        buf_add(form, query.data, query.len);
    }
    buf_finish(&x.text);
    buf_finish(&query);
    return good ? op : NULL;
}

/* ---- writing ---- */

static void envelope_open(struct buf *out)
{
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\" "
                  "xmlns:ns1=\"" NAMESPACE "\"><SOAP-ENV:Body>");
}

static void envelope_close(struct buf *out)
{
    buf_adds(out, "</SOAP-ENV:Body></SOAP-ENV:Envelope>\n");
}

static void fault(struct lab_reply *reply, const char *words)
{
    reply->status = 500; /* as SOAP 1.1 wants a fault to travel */
    envelope_open(&reply->body);
    buf_adds(&reply->body, "<SOAP-ENV:Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>");
    lab_xml_text(&reply->body, words);
    buf_adds(&reply->body, "</faultstring></SOAP-ENV:Fault>");
    envelope_close(&reply->body);
}

/* Copies each element of this name from our own format 2 reply, under the name the WSDL has for it. */
static void copy_elements(const char *from, const char *name, const char *as, struct buf *out)
{
    char open[NAME_SIZE + 3], close[NAME_SIZE + 4];
    const char *end = from + strlen(from);

    (void)snprintf(open, sizeof open, "<%s>", name);
    (void)snprintf(close, sizeof close, "</%s>", name);
    for (const char *at = from; (at = find(at, end, open)) != NULL;) {
        const char *stop = find(at, end, close);

        if (stop == NULL)
            return;
        buf_addf(out, "<%s>", as);
        for (const char *p = at + strlen(open); p < stop; p++) {
            if (*p != '\n' || strcmp(name, "message") == 0)
                buf_addc(out, *p);
        }
        buf_addf(out, "</%s>", as);
        at = stop + strlen(close);
    }
}

static void write_reply(const struct lab_soap_operation *op, const char *method_reply, struct buf *out)
{
    bool failed = strstr(method_reply, "<error_code>") != NULL;
    bool unknown = op->path == operations[5].path && strstr(method_reply, "<status>-3</status>") != NULL;

    envelope_open(out);
    buf_addf(out, "<ns1:%s><%s>", op->response, op->result);
    for (size_t i = 0; op->reply[i] != NULL; i++) {
        bool is_error = strcmp(op->reply[i], "error") == 0;

        if (is_error && unknown)
            buf_adds(out, "<error>3</error>"); /* over SOAP not found is an error */
        else if (is_error && failed)
            copy_elements(method_reply, "error_code", "error", out);
        else if (is_error && op == &operations[0])
            buf_adds(out, "<error>0</error>");
        else if (!is_error && !unknown)
            copy_elements(method_reply, op->reply[i], op->reply[i], out);
    }
    buf_addf(out, "</%s></ns1:%s>", op->result, op->response);
    envelope_close(out);
}

static void wsdl_type(struct buf *out, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t len = strlen(names[i]);
        bool optional = names[i][len - 1] == '?';

        buf_addf(out, "<xsd:element name=\"%.*s\" type=\"xsd:string\"%s/>", (int)(len - optional), names[i],
                 optional ? " minOccurs=\"0\"" : "");
    }
}

static void write_wsdl(const char *host, struct buf *out)
{
    buf_adds(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<definitions name=\"Service\" targetNamespace=\"" NAMESPACE "\" "
        "xmlns=\"http://schemas.xmlsoap.org/wsdl/\" xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\" "
        "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:tns=\"" NAMESPACE "\">\n<types><xsd:schema "
        "targetNamespace=\"" NAMESPACE "\">\n<xsd:complexType name=\"Error\"><xsd:sequence><xsd:element name=\"phone\" "
        "type=\"xsd:string\"/><xsd:element name=\"status\" type=\"xsd:string\"/></xsd:sequence></xsd:complexType>\n");
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        const struct lab_soap_operation *op = &operations[i];

        buf_addf(out, "<xsd:element name=\"%s\"><xsd:complexType><xsd:sequence>", op->element);
        wsdl_type(out, op->request);
        buf_addf(
            out,
            "</xsd:sequence></xsd:complexType></xsd:element>\n<xsd:element name=\"%s\"><xsd:complexType><xsd:sequence>"
            "<xsd:element name=\"%s\"><xsd:complexType><xsd:sequence>",
            op->response, op->result);
        for (size_t k = 0; op->reply[k] != NULL; k++) {
            if (strcmp(op->reply[k], "errors") == 0)
                buf_adds(out,
                         "<xsd:element name=\"errors\" type=\"tns:Error\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>");
            else
                buf_addf(out, "<xsd:element name=\"%s\" type=\"xsd:string\" minOccurs=\"0\"/>", op->reply[k]);
        }
        buf_adds(out,
                 "</xsd:sequence></xsd:complexType></xsd:element></xsd:sequence></xsd:complexType></xsd:element>\n");
    }
    buf_adds(out, "</xsd:schema></types>\n");
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        buf_addf(out,
                 "<message name=\"%sIn\"><part name=\"parameters\" element=\"tns:%s\"/></message>\n"
                 "<message name=\"%sOut\"><part name=\"parameters\" element=\"tns:%s\"/></message>\n",
                 operations[i].name, operations[i].element, operations[i].name, operations[i].response);
    buf_adds(out, "<portType name=\"ServiceSoap\">\n");
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        buf_addf(out,
                 "<operation name=\"%s\"><input message=\"tns:%sIn\"/><output message=\"tns:%sOut\"/></operation>\n",
                 operations[i].name, operations[i].name, operations[i].name);
    buf_adds(out, "</portType>\n<binding name=\"ServiceSoap\" type=\"tns:ServiceSoap\"><soap:binding "
                  "transport=\"http://schemas.xmlsoap.org/soap/http\" style=\"document\"/>\n");
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        buf_addf(out,
                 "<operation name=\"%s\"><soap:operation soapAction=\"" NAMESPACE
                 "\" style=\"document\"/><input><soap:body "
                 "use=\"literal\"/></input><output><soap:body use=\"literal\"/></output></operation>\n",
                 operations[i].name);
    buf_adds(
        out,
        "</binding>\n<service name=\"Service\"><port name=\"ServiceSoap\" binding=\"tns:ServiceSoap\"><soap:address "
        "location=\"http://");
    lab_xml_text(out, host);
    buf_adds(out, "/sys/soap.php\"/></port></service>\n</definitions>\n");
}

/* ---- the method ---- */

bool lab_soap_open(struct lab_soap *soap, const struct lab_request *request)
{
    *soap = (struct lab_soap){ .inner = *request };
    buf_init(&soap->form, FORM_MAX);
    if (request->body_len > 0)
        soap->op = read_request(request->body, request->body_len, &soap->form);
    if (soap->op == NULL)
        return false;
    soap->inner.method = "POST";
    soap->inner.path = soap->op->path;
    soap->inner.query = soap->op->fixed; /* first: nothing in the request can change the form of the reply */
    soap->inner.content_type = "application/x-www-form-urlencoded";
    soap->inner.body = buf_text(&soap->form);
    soap->inner.body_len = soap->form.len;
    return true;
}

void lab_soap_answer(const struct lab_soap *soap, const struct lab_request *request, const struct buf *method_reply,
                     struct lab_reply *reply)
{
    reply->content_type = "text/xml; charset=utf-8";
    if (request->body_len == 0)
        write_wsdl(request->host != NULL ? request->host : "127.0.0.1", &reply->body);
    else if (soap->op == NULL)
        fault(reply, "not a SOAP 1.1 request for one of the seven operations");
    else
        write_reply(soap->op, buf_text(method_reply), &reply->body);
}

void lab_soap_finish(struct lab_soap *soap)
{
    buf_finish(&soap->form);
}
