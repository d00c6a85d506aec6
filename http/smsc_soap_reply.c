/* SPDX-License-Identifier: MIT */
/*
 * smsc_soap_reply.c - SOAP results and Faults as the same structs the JSON replies give.
 *
 * Elements are found by local name, as servers differ in what they qualify. A Fault whose code is Client means the
 * request was refused as it stands [SOAP 1.1, 4.4.1]: error 1. Any other Fault happened at some point of the work,
 * nobody says which: UNCLEAR. SOAP reports an unknown message as error 3 where HTTP has status -3; here it is -3 too.
 */
#include "http/smsc_soap.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "http/smsc_reply.h"
#include "http/xml.h"

enum {
    HTTP_OK = 200,
    HTTP_FAULT = 500,
    FIELD_MAX = 256,
    ERROR_PARAMETERS = 1,
    ERROR_NOT_FOUND = 3,
    STATUS_UNKNOWN = -3
};
#define TS_MAX INT64_C(253402300799)

struct result {
    xmlDoc *doc;
    xmlNode *at;               /* sendresult, statusresult, balanceresult; NULL: fault or foreign */
    enum smsc_reply_kind kind; /* what follows when `at` is NULL */
    int error_code;
    char error_text[96];
};

/* The text of a direct child into `out`; false when there is none, it is empty or does not fit. */
static bool child(const xmlNode *parent, const char *name, char *out, size_t size)
{
    struct buf text;
    bool good = false;

    out[0] = '\0';
    for (const xmlNode *node = parent->children; node != NULL; node = node->next) {
        if (!xml_is(node, name))
            continue;
        buf_init(&text, size - 1);
        xml_text(node, &text);
        good = !text.failed && text.len > 0;
        if (good)
            memcpy(out, text.data, text.len + 1);
        buf_finish(&text);
        break;
    }
    return good;
}

static bool integer(const xmlNode *parent, const char *name, int64_t min, int64_t max, int64_t *out)
{
    char text[FIELD_MAX];

    if (!child(parent, name, text, sizeof text))
        return false;
    struct json_value value = { .kind = JSON_STRING, .at = text, .len = strlen(text) };
    return json_integer(&value, min, max, out) == 0;
}

static bool money(const xmlNode *parent, const char *name, int64_t *out_e6)
{
    char text[FIELD_MAX];

    return child(parent, name, text, sizeof text) && smsc_money_read(text, out_e6) == 0;
}

/* "Client", with or without a prefix, or a finer "Client.Authentication". */
static bool is_client_fault(const char *faultcode)
{
    const char *colon = strrchr(faultcode, ':');
    const char *code = colon == NULL ? faultcode : colon + 1;

    return strncmp(code, "Client", 6) == 0 && (code[6] == '\0' || code[6] == '.');
}

static void open_fault(const xmlNode *fault, struct result *out)
{
    char code[FIELD_MAX], text[FIELD_MAX];

    child(fault, "faultcode", code, sizeof code);
    if (child(fault, "faultstring", text, sizeof text))
        smsc_copy_text(text, strlen(text), out->error_text, sizeof out->error_text);
    if (is_client_fault(code)) {
        out->kind = SMSC_REPLY_ERROR;
        out->error_code = ERROR_PARAMETERS;
    }
}

/* Finds the result element. Its error, if any, is read already: kind is then ERROR (or UNCLEAR when unreadable). */
static void open_result(int http_status, const char *body, size_t len, const char *name, struct result *out)
{
    char text[FIELD_MAX];
    int64_t error;

    *out = (struct result){ .kind = SMSC_REPLY_UNCLEAR };
    if ((http_status != HTTP_OK && http_status != HTTP_FAULT) || body == NULL)
        return;
    out->doc = xml_open(body, len, NULL);
    xmlNode *root = out->doc == NULL ? NULL : xmlDocGetRootElement(out->doc);
    if (root == NULL || !xml_is(root, "Envelope"))
        return;
    xmlNode *soap_body = xml_find(root, "Body");
    xmlNode *fault = xml_find(soap_body, "Fault");
    if (fault != NULL) {
        open_fault(fault, out);
        return;
    }
    if (http_status != HTTP_OK)
        return;
    out->at = xml_find(soap_body, name);
    if (out->at == NULL)
        return;
    out->kind = SMSC_REPLY_OK;
    if (!child(out->at, "error", text, sizeof text) || strcmp(text, "0") == 0)
        return;
    bool readable = integer(out->at, "error", 1, 999999, &error);
    out->kind = readable ? SMSC_REPLY_ERROR : SMSC_REPLY_UNCLEAR;
    out->error_code = readable ? (int)error : 0;
}

static bool read_errors(const xmlNode *result, struct smsc_send_reply *out)
{
    for (const xmlNode *node = result->children; node != NULL; node = node->next) {
        int64_t status;

        if (!xml_is(node, "errors"))
            continue;
        if (smsc_grow((void **)&out->lines, out->line_count, sizeof *out->lines) != 0)
            return false;
        struct smsc_line_result *line = &out->lines[out->line_count++];
        *line = (struct smsc_line_result){ .cost_e6 = -1, .status = -100 };
        if (!child(node, "phone", line->phone, sizeof line->phone))
            return false;
        if (integer(node, "status", -99, 9999, &status))
            line->status = (int)status;
    }
    return true;
}

void smsc_soap_parse_send(int http_status, const char *body, size_t len, struct smsc_send_reply *out)
{
    struct result r;
    int64_t cnt;

    *out = (struct smsc_send_reply){ .cost_e6 = -1, .balance_e6 = -1 };
    open_result(http_status, body, len, "sendresult", &r);
    out->kind = r.kind;
    out->error_code = r.error_code;
    memcpy(out->error_text, r.error_text, sizeof out->error_text);
    if (r.at != NULL) {
        bool has_id = child(r.at, "id", out->id, sizeof out->id);

        if (integer(r.at, "cnt", 0, UINT_MAX, &cnt))
            out->cnt = (unsigned)cnt;
        else
            has_id = false;
        UNUSED(money(r.at, "cost", &out->cost_e6));
        out->has_balance = money(r.at, "balance", &out->balance_e6);
        if (out->kind == SMSC_REPLY_OK && !(has_id && read_errors(r.at, out)))
            out->kind = SMSC_REPLY_UNCLEAR;
    }
    xmlFreeDoc(r.doc);
    if (out->kind == SMSC_REPLY_UNCLEAR) {
        smsc_send_reply_finish(out);
        out->id[0] = '\0';
    }
}

void smsc_soap_parse_status(int http_status, const char *body, size_t len, struct smsc_status_reply *out)
{
    struct result r;
    int64_t n;

    *out = (struct smsc_status_reply){ .kind = SMSC_REPLY_UNCLEAR };
    open_result(http_status, body, len, "statusresult", &r);
    out->kind = r.kind;
    out->error_code = r.error_code;
    memcpy(out->error_text, r.error_text, sizeof out->error_text);
    bool is_unknown = r.at != NULL && r.kind == SMSC_REPLY_ERROR && r.error_code == ERROR_NOT_FOUND;
    if (r.at != NULL && (r.kind == SMSC_REPLY_OK || is_unknown)) {
        struct smsc_status item = { .status = STATUS_UNKNOWN, .cost_e6 = -1 };
        bool has_status = is_unknown;

        if (integer(r.at, "status", -99, 9999, &n)) {
            item.status = (int)n;
            has_status = true;
        }
        item.err = integer(r.at, "err", 0, 999999, &n) ? (int)n : 0;
        item.last_ts = integer(r.at, "last_timestamp", 0, TS_MAX, &n) ? n : 0;
        UNUSED(child(r.at, "phone", item.phone, sizeof item.phone));
        UNUSED(money(r.at, "cost", &item.cost_e6));
        out->kind = SMSC_REPLY_UNCLEAR;
        if (has_status && smsc_grow((void **)&out->items, 0, sizeof *out->items) == 0) {
            out->items[0] = item;
            out->count = 1;
            out->kind = SMSC_REPLY_OK;
            out->error_code = 0;
        }
    }
    xmlFreeDoc(r.doc);
}

void smsc_soap_parse_balance(int http_status, const char *body, size_t len, struct smsc_balance_reply *out)
{
    struct result r;

    *out = (struct smsc_balance_reply){ .kind = SMSC_REPLY_UNCLEAR };
    open_result(http_status, body, len, "balanceresult", &r);
    out->kind = r.kind;
    out->error_code = r.error_code;
    memcpy(out->error_text, r.error_text, sizeof out->error_text);
    if (r.at != NULL && r.kind == SMSC_REPLY_OK && !money(r.at, "balance", &out->balance_e6))
        out->kind = SMSC_REPLY_UNCLEAR;
    xmlFreeDoc(r.doc);
}

/* Numbers in the JSON form of the same replies; everything else is text there. */
static bool is_bare(const char *name, const char *value)
{
    static const char *const numbers[] = { "status", "err", "cnt", "sms_cnt", "last_timestamp", "send_timestamp" };
    size_t digits = strspn(value + (value[0] == '-'), "0123456789");

    if (digits == 0 || digits > 18 || value[(value[0] == '-') + digits] != '\0')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (strcmp(numbers[i], name) == 0)
            return true;
    }
    return false;
}

enum smsc_reply_kind smsc_soap_parse_any(int http_status, const char *body, size_t len, const char *result,
                                         int *out_error, char out_text[96], struct buf *out)
{
    struct result r;
    struct buf text;
    bool first = true;

    open_result(http_status, body, len, result, &r);
    *out_error = r.error_code;
    memcpy(out_text, r.error_text, sizeof r.error_text);
    if (r.kind == SMSC_REPLY_OK) {
        buf_init(&text, XML_BODY_MAX);
        buf_addc(out, '{');
        for (const xmlNode *node = r.at->children; node != NULL; node = node->next) {
            const char *name = (const char *)node->name;

            if (node->type != XML_ELEMENT_NODE || xml_has_elements(node))
                continue;
            buf_clear(&text);
            xml_text(node, &text);
            buf_adds(out, first ? "" : ", ");
            buf_add_json(out, name, strlen(name));
            buf_adds(out, ": ");
            if (is_bare(name, buf_text(&text)))
                buf_adds(out, buf_text(&text));
            else
                buf_add_json(out, buf_text(&text), text.len);
            first = false;
        }
        buf_addc(out, '}');
        buf_finish(&text);
    }
    xmlFreeDoc(r.doc);
    return r.kind;
}
