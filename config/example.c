/* SPDX-License-Identifier: MIT */
/*
 * example.c - the commented example file, made from the rows, so that it cannot lag behind the program.
 *
 * A setting whose feature is not there yet stands as a comment. Invariant: what is written here is itself a
 * configuration that loads (a test reads it back).
 */
#include <stdio.h>
#include <string.h>

#include "config/value.h"

enum { INDENT = 4 };

static const char head[] =
    "// An example configuration of smppbridge, with every setting there is. Made by the program from the table it "
    "reads\n"
    "// configurations with; a real file needs only what differs from the defaults.\n"
    "//\n"
    "// Comments // and /* */ are allowed. \"${NAME}\" in a string is the environment variable NAME (\"$${\" stands "
    "for \"${\").\n"
    "// Every secret may instead be read from a file: \"password_file\": \"/run/secrets/shop\" in place of "
    "\"password\".\n"
    "// Durations have a unit (ms, s, m, h, d), sizes too (B, KiB, MiB). \"Restart\": a reload does not change it.\n";

static void indent(struct buf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth * INDENT; i++)
        buf_addc(out, ' ');
}

/* The JSON the example shows for a row. */
static const char *value_of(const struct cfg_row *row)
{
    if (row->sample != NULL)
        return row->sample;
    return row->works && cfg_row_default(row) != NULL ? cfg_row_default(row) : row->fallback;
}

static void write_facts(const struct cfg_row *row, struct buf *out)
{
    struct buf range;

    buf_init(&range, 1024);
    if (row->type != CFG_STRING && row->type != CFG_NAME && row->type != CFG_SECRET && row->type != CFG_URL_PATH &&
        row->type != CFG_STRINGS && row->type != CFG_LISTEN && row->type != CFG_RANGES && row->type != CFG_URLS &&
        row->type != CFG_PAIRS)
        cfg_write_range(row, &range);
    if (range.len > 0)
        buf_addf(out, " %s.", buf_text(&range));
    if (cfg_row_default(row) == NULL)
        buf_adds(out, " Required.");
    else if (strcmp(cfg_row_default(row), "\"\"") != 0 && strcmp(cfg_row_default(row), "[]") != 0 &&
             strcmp(cfg_row_default(row), "{}") != 0 && strcmp(cfg_row_default(row), "null") != 0)
        buf_addf(out, " Default %s.", cfg_row_default(row));
    if (row->change == RESTART)
        buf_adds(out, " Restart.");
    buf_finish(&range);
}

static bool in_group(const struct cfg_row *row, const char *group, size_t len)
{
    return strncmp(row->path, group, len) == 0 && row->path[len] == '.';
}

static void write_row(const struct cfg_row *row, const char *key, unsigned depth, bool last, struct buf *out)
{
    indent(out, depth);
    buf_addf(out, "// %s", row->help);
    write_facts(row, out);
    buf_addc(out, '\n');
    indent(out, depth);
    if (row->works)
        buf_addf(out, "\"%s\": %s%s\n", key, value_of(row), last ? "" : ",");
    else
        buf_addf(out, "// \"%s\": %s%s  (not available in this version)\n", key, value_of(row), last ? "" : ",");
}

/* The rows of one object. Rows of a group ("tls.listen") stand together in the table. */
static void write_rows(const struct cfg_section *s, unsigned depth, bool more, struct buf *out)
{
    size_t last = 0; /* behind the last live member there is no comma */

    for (size_t i = 0; i < s->row_count; i++)
        if (s->rows[i].works || strchr(s->rows[i].path, '.') != NULL)
            last = i;
    for (size_t i = 0; i < s->row_count; i++) {
        const struct cfg_row *row = &s->rows[i];
        size_t group = strcspn(row->path, ".");

        if (row->path[group] == '\0') {
            write_row(row, row->path, depth, !more && i >= last, out);
            continue;
        }
        size_t end = i, last_live = i;
        for (; end < s->row_count && in_group(&s->rows[end], row->path, group); end++)
            if (s->rows[end].works)
                last_live = end;
        indent(out, depth);
        buf_addf(out, "\"%.*s\": {\n", (int)group, row->path);
        for (size_t k = i; k < end; k++)
            write_row(&s->rows[k], s->rows[k].path + group + 1, depth + 1, k >= last_live, out);
        indent(out, depth);
        buf_addf(out, "}%s\n", !more && end > last ? "" : ",");
        i = end - 1;
    }
}

void cfg_write_example(struct buf *out)
{
    buf_adds(out, head);
    buf_adds(out, "{\n");
    for (size_t i = 0; i < cfg_section_count; i++) {
        const struct cfg_section *s = &cfg_sections[i];
        bool list = s->shape == CFG_LIST;
        bool last = i + 1 == cfg_section_count;

        if (s->shape == CFG_ROOT) {
            write_rows(s, 1, !last, out);
            continue;
        }
        indent(out, 1);
        buf_addf(out, "// %s\n", s->help);
        indent(out, 1);
        buf_addf(out, "\"%s\": %s\n", s->key, list ? "[{" : "{");
        write_rows(s, 2, false, out);
        indent(out, 1);
        buf_addf(out, "%s%s\n", list ? "}]" : "}", last ? "" : ",");
        buf_addc(out, '\n');
    }
    buf_adds(out, "}\n");
}
