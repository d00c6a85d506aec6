/* SPDX-License-Identifier: MIT */
/*
 * account_table.c - JSON to aligned text. Knows nothing of the methods: what members there are decides the shape.
 *
 * Values are shown as they came, but control characters become a blank, so that no text of a subscriber can move the
 * cursor of a terminal. Widths count characters, not bytes.
 */
#include "gateway/account_table.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 24, WIDTH_MAX = 60, VALUE_BYTES = 4096 };

static void clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7F)
            *p = ' ';
    }
}

/* The value as one line of text. */
static void show(const cJSON *value, char out[VALUE_BYTES])
{
    size_t at = 0;

    out[0] = '\0';
    if (cJSON_IsString(value)) {
        snprintf(out, VALUE_BYTES, "%s", value->valuestring);
    } else if (cJSON_IsNumber(value)) {
        snprintf(out, VALUE_BYTES, "%.15g", value->valuedouble);
    } else if (cJSON_IsBool(value)) {
        snprintf(out, VALUE_BYTES, "%s", cJSON_IsTrue(value) ? "yes" : "no");
    } else if (cJSON_IsArray(value)) {
        const cJSON *item;

        cJSON_ArrayForEach(item, value)
        {
            int n = cJSON_IsString(item)
                        ? snprintf(out + at, VALUE_BYTES - at, "%s%s", at > 0 ? ", " : "", item->valuestring)
                        : snprintf(out + at, VALUE_BYTES - at, "%s%.15g", at > 0 ? ", " : "",
                                   cJSON_IsNumber(item) ? item->valuedouble : 0.0);
            if (n < 0 || (size_t)n >= VALUE_BYTES - at)
                break;
            at += (size_t)n;
        }
    }
    clean(out);
}

static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void cell(struct buf *out, const char *text, size_t width, bool last)
{
    buf_adds(out, text);
    for (size_t i = width_of(text); i < width + 2 && !last; i++)
        buf_addc(out, ' ');
}

static bool is_list_of_objects(const cJSON *value)
{
    return cJSON_IsArray(value) && cJSON_IsObject(value->child);
}

static void write_list(const cJSON *list, struct buf *out)
{
    const char *names[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX], count = 0;
    char text[VALUE_BYTES];
    const cJSON *item, *member;

    cJSON_ArrayForEach(item, list)
    {
        cJSON_ArrayForEach(member, item)
        {
            size_t i = 0;

            show(member, text);
            while (i < count && strcmp(names[i], member->string) != 0)
                i++;
            if (i == COLUMNS_MAX)
                continue;
            if (i == count) {
                names[count] = member->string;
                widths[count++] = width_of(member->string);
            }
            size_t width = width_of(text);
            if (width > widths[i])
                widths[i] = width < WIDTH_MAX ? width : WIDTH_MAX;
        }
    }
    for (size_t i = 0; i < count; i++)
        cell(out, names[i], widths[i], i + 1 == count);
    buf_addc(out, '\n');
    cJSON_ArrayForEach(item, list)
    {
        for (size_t i = 0; i < count; i++) {
            show(cJSON_GetObjectItemCaseSensitive(item, names[i]), text);
            cell(out, text, widths[i], i + 1 == count);
        }
        buf_addc(out, '\n');
    }
}

static void write_record(const cJSON *record, struct buf *out)
{
    const cJSON *member;
    char text[VALUE_BYTES];
    size_t width = 0;

    cJSON_ArrayForEach(member, record)
    {
        size_t n = width_of(member->string);

        if (!is_list_of_objects(member) && n > width)
            width = n;
    }
    cJSON_ArrayForEach(member, record)
    {
        if (is_list_of_objects(member)) {
            buf_addf(out, "\n%s\n", member->string);
            write_list(member, out);
            continue;
        }
        show(member, text);
        cell(out, member->string, width, false);
        buf_adds(out, text);
        buf_addc(out, '\n');
    }
}

int account_table_write(const char *json, struct buf *out)
{
    cJSON *root = cJSON_Parse(json);
    char text[VALUE_BYTES];

    if (root == NULL)
        return ERR_SYNTAX;
    if (is_list_of_objects(root)) {
        write_list(root, out);
    } else if (cJSON_IsObject(root)) {
        write_record(root, out);
    } else if (cJSON_IsArray(root) && root->child == NULL) {
        buf_adds(out, "none\n");
    } else {
        show(root, text);
        buf_addf(out, "%s\n", text);
    }
    cJSON_Delete(root);
    return out->failed ? ERR_FULL : 0;
}
