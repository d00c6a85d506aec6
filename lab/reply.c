/* SPDX-License-Identifier: MIT */
/*
 * reply.c - errors, records and lists in the four reply formats.
 *
 * Format 3 is byte for byte as recorded: a newline after the opening brace and after each member, no indentation, no
 * newline at the end. Everything is UTF-8 here; the charset of the request is applied to the whole body at the end.
 */
#include "lab/core.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *lab_error_text(int error)
{
    static const char *const texts[] = {
        "",
        "parameters error", /* assumed, as 5: never recorded */
        "authorise error",
        "no money",
        "ip is blocked",
        "invalid date",
        "message is denied",
        "invalid number",
        "can't to deliver",
        "duplicate request, wait a minute",
    };

    return error > 0 && error < (int)ARRAY_LEN(texts) ? texts[error] : "error";
}

bool lab_id_is_number(const char *id)
{
    size_t len = strlen(id);

    return len > 0 && strspn(id, "0123456789") == len && id[0] != '0' &&
           (len < 10 || (len == 10 && strcmp(id, "2147483647") <= 0));
}

void lab_json_member(struct buf *out, bool first, const char *name, const char *value, bool number)
{
    buf_adds(out, first ? "\n\"" : ",\n\"");
    buf_adds(out, name);
    buf_adds(out, "\": ");
    if (number)
        buf_adds(out, value);
    else
        buf_add_json(out, value, strlen(value));
}

void lab_xml_text(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '<')
            buf_adds(out, "&lt;");
        else if (*p == '>')
            buf_adds(out, "&gt;");
        else if (*p == '&')
            buf_adds(out, "&amp;");
        else if (*p == '"')
            buf_adds(out, "&quot;");
        else if ((unsigned char)*p >= ' ' || *p == '\n' || *p == '\t' || *p == '\r')
            buf_addc(out, *p);
        else
            buf_addc(out, '?'); /* no way to write a control character in XML 1.0 */
    }
}

void lab_xml_element(struct buf *out, const char *name, const char *value)
{
    buf_addc(out, '<');
    buf_adds(out, name);
    buf_addc(out, '>');
    lab_xml_text(out, value);
    buf_adds(out, "</");
    buf_adds(out, name);
    buf_adds(out, ">\n");
}

void lab_record_write(struct buf *out, int fmt, const char *root, const struct lab_field *fields, size_t count)
{
    bool first = true;

    if (fmt == 2)
        buf_addf(out, "<%s>\n", root);
    if (fmt == 3)
        buf_addc(out, '{');
    for (size_t i = 0; i < count; i++) {
        const struct lab_field *f = &fields[i];

        switch (fmt) {
        case 0:
            if (f->label != NULL)
                buf_addf(out, "%s%s = %s", first ? "" : ", ", f->label, f->value);
            first = first && f->label == NULL;
            break;
        case 1:
            buf_adds(out, first ? "" : ",");
            buf_adds(out, f->value);
            first = false;
            break;
        case 2:
            lab_xml_element(out, f->name, f->value);
            break;
        default:
            lab_json_member(out, first, f->name, f->value, f->number);
            first = false;
            break;
        }
    }
    if (fmt == 2)
        buf_addf(out, "</%s>", root);
    if (fmt == 3)
        buf_adds(out, "\n}");
}

void lab_list_begin(struct buf *out, int fmt, const char *root)
{
    if (fmt == 2)
        buf_addf(out, "<%s>\n", root);
    if (fmt == 3)
        buf_addc(out, '[');
}

void lab_list_item(struct buf *out, int fmt, bool first, const char *item, const struct lab_field *fields, size_t count)
{
    if (fmt < 2 && !first)
        buf_addc(out, '\n');
    if (fmt == 3 && !first)
        buf_adds(out, ",\n");
    lab_record_write(out, fmt, item, fields, count);
    if (fmt == 2)
        buf_addc(out, '\n');
}

void lab_list_end(struct buf *out, int fmt, const char *root)
{
    if (fmt == 2)
        buf_addf(out, "</%s>", root);
    if (fmt == 3)
        buf_addc(out, ']');
}

void lab_reply_error(struct lab_call *call, int error, const char *id)
{
    char number[12];
    const char *words = call->error_words != NULL ? call->error_words : lab_error_text(error);
    struct lab_field fields[3] = { { "error", NULL, words, false },
                                   { "error_code", NULL, number, true },
                                   { "id", NULL, id, id != NULL && lab_id_is_number(id) } };

    call->error = error;
    buf_clear(call->out);
    (void)snprintf(number, sizeof number, "%d", error);
    switch (call->fmt) {
    case 0:
        buf_addf(call->out, "ERROR = %d (%s)", error, words);
        if (id != NULL)
            buf_addf(call->out, ", ID - %s", id);
        break;
    case 1:
        buf_addf(call->out, "%s,-%d", id != NULL ? id : "0", error);
        break;
    default:
        lab_record_write(call->out, call->fmt, "result", fields, id != NULL ? 3 : 2);
        break;
    }
}

void lab_date(const struct lab *lab, int64_t ms, bool short_year, char out[24])
{
    time_t t = (time_t)(ms / 1000 + (int64_t)(lab->b.timezone_h * 3600));
    struct tm tm;

    if (ms <= 0 || gmtime_r(&t, &tm) == NULL ||
        strftime(out, 24, short_year ? "%d.%m.%y %H:%M:%S" : "%d.%m.%Y %H:%M:%S", &tm) == 0)
        out[0] = '\0';
}
