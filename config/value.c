/* SPDX-License-Identifier: MIT */
/*
 * value.c - durations, sizes and the other single values, read and written.
 *
 * Leaves ranges and references to load.c and check.c. What is written here reads back as the same value.
 */
#include "config/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEEK_MS = 7 * 86400000 };

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit times[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
static const struct unit sizes[] = { { "GiB", 1u << 30 }, { "MiB", 1u << 20 }, { "KiB", 1u << 10 }, { "B", 1 } };

static int parse_unit(const char *text, const struct unit *units, size_t count, uint64_t *out)
{
    char *end;

    if (text[0] < '0' || text[0] > '9' || strpbrk(text, "eExX") != NULL)
        return ERR_SYNTAX; /* strtod alone would take signs, exponents, "0x1p3" and "inf" */
    double number = strtod(text, &end);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        double value = number * (double)units[i].factor;
        if (!(value <= 9e15) || value != floor(value)) /* beyond exact doubles, or below the smallest unit */
            return ERR_SYNTAX;
        *out = (uint64_t)value;
        return 0;
    }
    return ERR_SYNTAX;
}

static void write_unit(uint64_t value, const struct unit *units, size_t count, const char *zero, struct buf *out)
{
    if (value == 0) {
        buf_adds(out, zero);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (value % units[i].factor != 0)
            continue;
        buf_add_u64(out, value / units[i].factor);
        buf_adds(out, units[i].name);
        return;
    }
}

int cfg_parse_duration(const char *text, uint64_t *out_ms)
{
    return parse_unit(text, times, ARRAY_LEN(times), out_ms);
}

int cfg_parse_size(const char *text, uint64_t *out_bytes)
{
    return parse_unit(text, sizes, ARRAY_LEN(sizes), out_bytes);
}

void cfg_write_duration(uint64_t ms, struct buf *out)
{
    size_t skip = ms > WEEK_MS ? 0 : 1; /* "72h", not "3d": people count days when there are many */

    write_unit(ms, times + skip, ARRAY_LEN(times) - skip, "0s", out);
}

void cfg_write_size(uint64_t bytes, struct buf *out)
{
    write_unit(bytes, sizes, ARRAY_LEN(sizes), "0B", out);
}

static void write_text(const char *text, struct buf *out)
{
    if (text == NULL)
        buf_adds(out, "null");
    else
        buf_add_json(out, text, strlen(text));
}

static void write_list(const char **list, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        buf_adds(out, i == 0 ? "" : ", ");
        write_text(list[i], out);
    }
    buf_addc(out, ']');
}

static void write_pairs(const struct cfg_pair *pairs, struct buf *out)
{
    buf_adds(out, "{");
    for (size_t i = 0; pairs != NULL && pairs[i].name != NULL; i++) {
        buf_adds(out, i == 0 ? " " : ", ");
        write_text(pairs[i].name, out);
        buf_adds(out, ": ");
        write_text(pairs[i].value, out);
    }
    buf_adds(out, pairs == NULL || pairs[0].name == NULL ? "}" : " }");
}

void cfg_write_value(const struct cfg_row *row, const void *base, bool reveal, struct buf *out)
{
    const void *at = (const char *)base + row->offset;
    uint64_t u64 = 0;
    const char *text = NULL;
    int number;

    switch (row->type) {
    case CFG_BOOL:
        buf_adds(out, *(const bool *)at ? "true" : "false");
        break;
    case CFG_UINT32:
        buf_add_u64(out, *(const uint32_t *)at);
        break;
    case CFG_UINT64:
        buf_add_u64(out, *(const uint64_t *)at);
        break;
    case CFG_NUMBER:
        buf_addf(out, "%.15g", *(const double *)at);
        break;
    case CFG_DURATION:
    case CFG_SIZE:
        u64 = *(const uint64_t *)at;
        buf_addc(out, '"');
        if (row->type == CFG_SIZE)
            cfg_write_size(u64, out);
        else if (u64 == 0 && row->may_be_off)
            buf_adds(out, "off");
        else
            cfg_write_duration(u64, out);
        buf_addc(out, '"');
        break;
    case CFG_LASTING:
        u64 = *(const uint64_t *)at;
        if (u64 == 0 || u64 == CFG_ALWAYS) {
            buf_adds(out, u64 == 0 ? "false" : "true");
            break;
        }
        buf_addc(out, '"');
        cfg_write_duration(u64, out);
        buf_addc(out, '"');
        break;
    case CFG_ENUM:
        memcpy(&number, at, sizeof number); /* the members are enums of different types */
        for (const struct cfg_word *w = row->words; w->name != NULL; w++)
            if (w->value == number)
                text = w->name;
        write_text(text, out);
        break;
    case CFG_SECRET:
        text = *(const char *const *)at;
        write_text(reveal || text == NULL || text[0] == '\0' ? text : "***", out);
        break;
    case CFG_WORD:
    case CFG_STRING:
    case CFG_NAME:
    case CFG_FILE:
    case CFG_URL_PATH:
    case CFG_STORE:
        write_text(*(const char *const *)at, out);
        break;
    case CFG_STRINGS:
    case CFG_LISTEN:
    case CFG_RANGES:
    case CFG_URLS:
        write_list(*(const char **const *)at, out);
        break;
    case CFG_PAIRS:
        write_pairs(*(struct cfg_pair *const *)at, out);
        break;
    case CFG_NONE:
    case CFG_TYPE_COUNT:
        break;
    }
}

static void write_words(const struct cfg_row *row, struct buf *out)
{
    const struct cfg_word *w = row->words;
    bool first = true;

    for (; w->name != NULL; w++) {
        if (!w->works)
            continue;
        buf_addf(out, "%s\"%s\"", first ? "" : " or ", w->name);
        first = false;
    }
}

void cfg_write_range(const struct cfg_row *row, struct buf *out)
{
    switch (row->type) {
    case CFG_UINT32:
    case CFG_UINT64:
    case CFG_NUMBER:
        buf_addf(out, "%.15g..%.15g%s%s", row->min, row->max, row->unit == NULL ? "" : " ",
                 row->unit == NULL ? "" : row->unit);
        break;
    case CFG_DURATION:
    case CFG_LASTING:
        cfg_write_duration((uint64_t)row->min, out);
        buf_adds(out, "..");
        cfg_write_duration((uint64_t)row->max, out);
        if (row->may_be_off)
            buf_adds(out, " or \"off\"");
        break;
    case CFG_SIZE:
        cfg_write_size((uint64_t)row->min, out);
        buf_adds(out, "..");
        cfg_write_size((uint64_t)row->max, out);
        break;
    case CFG_ENUM:
    case CFG_WORD:
        write_words(row, out);
        break;
    case CFG_STRING:
    case CFG_NAME:
    case CFG_SECRET:
    case CFG_URL_PATH:
        buf_addf(out, "%.0f..%.0f bytes", row->min, row->max);
        break;
    case CFG_STRINGS:
    case CFG_LISTEN:
    case CFG_RANGES:
    case CFG_URLS:
    case CFG_PAIRS:
        buf_addf(out, "%.0f..%.0f entries", row->min, row->max);
        break;
    case CFG_NONE:
    case CFG_BOOL:
    case CFG_FILE:
    case CFG_STORE:
    case CFG_TYPE_COUNT:
        break;
    }
}

const char *cfg_type_words(const struct cfg_row *row)
{
    static const char *const words[CFG_TYPE_COUNT] = {
        [CFG_BOOL] = "true or false",
        [CFG_UINT32] = "a whole number",
        [CFG_UINT64] = "a whole number",
        [CFG_NUMBER] = "a number",
        [CFG_DURATION] = "a duration such as \"500ms\", \"30s\", \"2m\", \"24h\" or \"30d\"",
        [CFG_LASTING] = "true, false or a duration such as \"24h\" or \"7d\"",
        [CFG_SIZE] = "a size such as \"512B\", \"64KiB\" or \"1MiB\"",
        [CFG_ENUM] = "one of these words",
        [CFG_WORD] = "one of these words",
        [CFG_STRING] = "a string",
        [CFG_NAME] = "a string of printable ASCII without spaces",
        [CFG_SECRET] = "a string",
        [CFG_FILE] = "the name of a readable file, or null",
        [CFG_URL_PATH] = "a path that starts with / and has no ?, # or space",
        [CFG_STORE] = "\"sqlite:FILE\" or \"memory:\"",
        [CFG_STRINGS] = "a list of strings",
        [CFG_LISTEN] = "a list of addresses such as [\"0.0.0.0:2775\"] or [\"[::1]:2775\"]",
        [CFG_RANGES] = "a list of addresses such as [\"10.0.0.0/8\", \"192.0.2.7\"]",
        [CFG_URLS] = "a list of addresses such as [\"https://smsc.ru\"]",
        [CFG_PAIRS] = "an object of strings such as { \"translit\": \"0\" }",
    };

    return words[row->type];
}
