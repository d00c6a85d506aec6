/* SPDX-License-Identifier: MIT */
/*
 * text.c - the file's text into a cJSON tree whose every value knows its line.
 *
 * Comments become spaces, so offsets and lines stay those of the file. cJSON keeps no positions; a second walk over text
 * it has accepted counts the values in document order, which is also the order of the tree. Leaves meaning to load.c.
 */
#include "config/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX_BYTES = 16 << 20, EXCERPT = 24 };

unsigned cfg_line_of(const struct cfg_reader *r, const cJSON *node)
{
    for (size_t i = 0; i < r->line_count; i++)
        if (r->lines[i].node == node)
            return r->lines[i].line;
    return 0;
}

static const cJSON *child_named(const cJSON *parent, const char *name, size_t len)
{
    const cJSON *child;

    cJSON_ArrayForEach(child, parent)
    {
        if (child->string != NULL && strlen(child->string) == len && memcmp(child->string, name, len) == 0)
            return child;
    }
    return NULL;
}

const cJSON *cfg_node_at(const struct cfg_reader *r, const char *path)
{
    const cJSON *node = r->root;

    while (node != NULL && *path != '\0') {
        const cJSON *next;

        if (*path == '[') {
            char *end;
            long index = strtol(path + 1, &end, 10);

            /* "callbacks[0]" is also the single object "callbacks" */
            next = cJSON_IsArray(node) ? cJSON_GetArrayItem(node, (int)index) : node;
            path = *end == ']' ? end + 1 : end + strlen(end);
        } else {
            size_t len = strcspn(path, ".[");

            next = child_named(node, path, len);
            path += len;
        }
        if (*path == '.')
            path++;
        if (next == NULL)
            break;
        node = next;
    }
    return node;
}

void cfg_mistake(struct cfg_reader *r, const cJSON *node, const char *path, const char *format, ...)
{
    char what[1024];
    va_list args;

    if (++r->mistake_count > CFG_MISTAKES_MAX) {
        if (r->mistake_count == CFG_MISTAKES_MAX + 1)
            buf_addf(r->mistakes, "%s: more mistakes follow; these first\n", r->name);
        return;
    }
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);

    size_t start = r->mistakes->len;
    unsigned line = cfg_line_of(r, node != NULL ? node : cfg_node_at(r, path));
    buf_addf(r->mistakes, "%s: %s%s%s", r->name, path, path[0] == '\0' ? "" : ": ", what);
    if (line > 0)
        buf_addf(r->mistakes, " (line %u)", line);
    for (size_t i = start; i < r->mistakes->len; i++) { /* whatever stands in the file, a mistake is one line */
        if ((unsigned char)r->mistakes->data[i] < ' ' || r->mistakes->data[i] == 0x7F)
            r->mistakes->data[i] = '?';
    }
    buf_addc(r->mistakes, '\n');
}

static unsigned line_at(const char *text, size_t at)
{
    unsigned line = 1;

    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

static void syntax_mistake(struct cfg_reader *r, const char *text, size_t at, const char *what)
{
    size_t start = at;

    while (start > 0 && text[start - 1] != '\n')
        start--;
    cfg_mistake(r, NULL, "", "line %u, column %zu: %s", line_at(text, at), at - start + 1, what);
}

/* End of the string that opens at `at` (the closing quote), or `len` when it never closes. */
static size_t string_end(const char *text, size_t at, size_t len)
{
    for (at++; at < len && text[at] != '"' && text[at] != '\n'; at++)
        if (text[at] == '\\' && at + 1 < len)
            at++;
    return at < len && text[at] == '"' ? at : len;
}

/* Blanks comments out. False: a mistake that cJSON would misreport has been noted. */
static bool blank_comments(struct cfg_reader *r, char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0') {
            syntax_mistake(r, text, i, "a NUL byte; the file must be UTF-8 text");
            return false;
        }
        if (text[i] == '"') {
            size_t end = string_end(text, i, len);
            if (end == len) {
                syntax_mistake(r, text, i, "the string that starts here is not closed on its line; close it with \"");
                return false;
            }
            for (size_t k = i; k + 5 < end; k++) {
                if (text[k] != '\\')
                    continue;
                if (memcmp(text + k, "\\u0000", 6) == 0) { /* cJSON would silently cut the string */
                    syntax_mistake(r, text, k, "\\u0000 in a string; leave it out");
                    return false;
                }
                k++;
            }
            i = end;
        } else if (text[i] == '/' && i + 1 < len && text[i + 1] == '/') {
            while (i < len && text[i] != '\n')
                text[i++] = ' ';
        } else if (text[i] == '/' && i + 1 < len && text[i + 1] == '*') {
            size_t start = i;
            char *end = memmem(text + i + 2, len - i - 2, "*/", 2);

            if (end == NULL) {
                syntax_mistake(r, text, start, "the comment that starts here is not closed; close it with */");
                return false;
            }
            for (; text + i < end + 2; i++)
                if (text[i] != '\n')
                    text[i] = ' ';
            i--;
        }
    }
    return true;
}

/* Does a secret stand on the line of `at`? Any key that sounds like one will do. */
static bool is_by_secret(const char *text, size_t at)
{
    static const char *const names[] = { "password", "api_key", "secret", "token", "proxy" };
    size_t start = at;

    while (start > 0 && text[start - 1] != '\n')
        start--;
    size_t len = at - start + strcspn(text + at, "\n");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (memmem(text + start, len, names[i], strlen(names[i])) != NULL)
            return true;
    }
    return false;
}

static void not_json(struct cfg_reader *r, const char *text, size_t len, size_t at)
{
    char what[160];

    if (at > 1 && strchr(" \t\r\n\"", text[at - 1]) == NULL) {
        size_t before_key = at - 1;

        while (before_key > 0 && strchr(" \t\r\n", text[before_key - 1]) != NULL)
            before_key--;
        if (before_key > 0 && strchr("{,", text[before_key - 1]) != NULL)
            at--; /* where a key was due, cJSON points behind what it found */
    }
    size_t before = at;
    while (at < len && strchr(" \t\r\n", text[at]) != NULL)
        at++;
    while (before > 0 && strchr(" \t\r\n", text[before - 1]) != NULL)
        before--;
    if (at >= len) {
        syntax_mistake(r, text, before, "the file ends here; a value or a closing } or ] is missing");
        return;
    }
    if ((text[at] == '}' || text[at] == ']') && before > 0 && text[before - 1] == ',') {
        syntax_mistake(r, text, before - 1, "a comma before a closing bracket; leave it out");
        return;
    }
    if (text[at] == ',' && at + 1 < len) { /* cJSON stops at the comma when no member follows it */
        size_t next = at + 1;
        while (next < len && strchr(" \t\r\n", text[next]) != NULL)
            next++;
        if (next < len && (text[next] == '}' || text[next] == ']')) {
            syntax_mistake(r, text, at, "a comma before a closing bracket; leave it out");
            return;
        }
    }
    size_t n = 0;
    while (n < EXCERPT && at + n < len && text[at + n] != '\n')
        n++;
    if (is_by_secret(text, at))
        n = 0;
    snprintf(what, sizeof what, "not understood%s%.*s; %s", n > 0 ? ": " : "", (int)n, text + at,
             before > 0 && strchr(",:[{", text[before - 1]) != NULL
                 ? "a value is expected here (keys and strings in \"\")"
                 : "a comma or a closing } or ] is expected here");
    syntax_mistake(r, text, at, what);
}

/* Tree in document order; the walk over the text below meets the values in the same order. */
static size_t collect(struct cfg_reader *r, const cJSON *node, size_t at)
{
    r->lines[at++].node = node;
    for (const cJSON *child = node->child; child != NULL; child = child->next)
        at = collect(r, child, at);
    return at;
}

static size_t count_values(const cJSON *node)
{
    size_t n = 1;

    for (const cJSON *child = node->child; child != NULL; child = child->next)
        n += count_values(child);
    return n;
}

static void number_lines(struct cfg_reader *r, const char *text, size_t len)
{
    size_t count = count_values(r->root);
    size_t value = 0;
    unsigned line = 1;

    r->lines = calloc(count, sizeof *r->lines);
    if (r->lines == NULL)
        return; /* mistakes go without line numbers */
    r->line_count = collect(r, r->root, 0);
    for (size_t i = 0; i < len && value < count; i++) {
        if (text[i] == '\n') {
            line++;
        } else if (text[i] == '"') {
            size_t end = string_end(text, i, len);
            size_t next = end + 1;

            while (next < len && strchr(" \t\r\n", text[next]) != NULL)
                next++;
            if (next >= len || text[next] != ':') /* else it is a key */
                r->lines[value++].line = line;
            i = end;
        } else if (text[i] == '{' || text[i] == '[') {
            r->lines[value++].line = line;
        } else if (strchr("-0123456789tfn", text[i]) != NULL) {
            r->lines[value++].line = line;
            while (i + 1 < len && strchr(" \t\r\n,]}", text[i + 1]) == NULL)
                i++;
        }
    }
}

bool cfg_read_tree(struct cfg_reader *r, const char *text, size_t len)
{
    const char *end = NULL;
    char *copy = NULL;

    if (len > TEXT_MAX_BYTES) {
        cfg_mistake(r, NULL, "", "is larger than 16 MiB; this cannot be a configuration");
        return false;
    }
    copy = malloc(len + 1);
    if (copy == NULL) {
        cfg_mistake(r, NULL, "", "out of memory");
        return false;
    }
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    if (len >= 3 && memcmp(copy, "\xEF\xBB\xBF", 3) == 0)
        memset(copy, ' ', 3); /* the mark some editors leave */
    if (!blank_comments(r, copy, len))
        goto out;
    if (strspn(copy, " \t\r\n") == len) {
        cfg_mistake(r, NULL, "", "is empty; an object { ... } is expected");
        goto out;
    }
    r->root = cJSON_ParseWithLengthOpts(copy, len + 1, &end, 1);
    if (r->root == NULL)
        not_json(r, copy, len, end == NULL || end < copy ? 0 : (size_t)(end - copy));
    else
        number_lines(r, copy, len);
out:
    free(copy);
    return r->root != NULL;
}

void cfg_reader_finish(struct cfg_reader *r)
{
    cJSON_Delete(r->root);
    free(r->lines);
}
