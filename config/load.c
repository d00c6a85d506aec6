/* SPDX-License-Identifier: MIT */
/*
 * load.c - the tree into the struct, row by row, noting every mistake on the way and going on.
 *
 * A setting that could not be read keeps its default, so that later checks find a whole struct and one mistake is told
 * once. Leaves what concerns two settings to check.c. Invariant: a struct is handed out only when nothing was wrong.
 */
#include "config/reader.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/net.h"
#include "config/value.h"

enum { FILE_MAX_BYTES = 16 << 20, SECRET_MAX_BYTES = 4096, SHOWN_BYTES = 40, NEAR = 2, KEY_MAX = 64 };

struct chunk {
    struct chunk *next;
    max_align_t data[];
};

void *cfg_alloc(struct cfg_reader *r, size_t size)
{
    struct chunk *c = calloc(1, sizeof *c + size);

    if (c == NULL) {
        cfg_mistake(r, NULL, "", "out of memory");
        return NULL;
    }
    c->next = r->config->memory;
    r->config->memory = c;
    return c->data;
}

static const char *keep(struct cfg_reader *r, const char *text, size_t len)
{
    char *copy = cfg_alloc(r, len + 1);

    if (copy == NULL)
        return "";
    memcpy(copy, text, len);
    return copy;
}

/* What the user wrote, short, for a mistake; never used for secrets. */
static const char *shown(const cJSON *node, char out[SHOWN_BYTES * 3])
{
    if (cJSON_IsString(node))
        snprintf(out, SHOWN_BYTES * 3, "\"%.*s\"%s", SHOWN_BYTES, node->valuestring,
                 strlen(node->valuestring) > SHOWN_BYTES ? "..." : "");
    else if (cJSON_IsNumber(node))
        snprintf(out, SHOWN_BYTES * 3, "%.15g", node->valuedouble);
    else
        snprintf(out, SHOWN_BYTES * 3, "%s",
                 cJSON_IsBool(node)     ? (cJSON_IsTrue(node) ? "true" : "false")
                 : cJSON_IsNull(node)   ? "null"
                 : cJSON_IsArray(node)  ? "a list"
                 : cJSON_IsObject(node) ? "an object"
                                        : "?");
    return out;
}

/* "is 0; must be 1..1000 requests", or with `why` in front of the remedy. */
static void wrong_value(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path,
                        bool wrong_type)
{
    char text[SHOWN_BYTES * 3];
    struct buf range;

    buf_init(&range, 1024);
    cfg_write_range(row, &range);
    bool words = row->type == CFG_ENUM || row->type == CFG_WORD;
    bool plain = row->type == CFG_BOOL || row->type == CFG_FILE || row->type == CFG_STORE;
    if (words || (!wrong_type && !plain))
        cfg_mistake(r, node, path, "is %s; must be %s", row->type == CFG_SECRET ? "not usable" : shown(node, text),
                    buf_text(&range));
    else
        cfg_mistake(r, node, path, "is %s; must be %s%s%s",
                    row->type == CFG_SECRET ? "not a string" : shown(node, text), cfg_type_words(row),
                    range.len > 0 ? ", " : "", buf_text(&range));
    buf_finish(&range);
}

/* The string with ${NAME} filled in from the environment; "$${" stands for "${". NULL: a mistake was noted. */
static const char *expand(struct cfg_reader *r, const cJSON *node, const char *path)
{
    const char *s = node->valuestring;
    const char *result = NULL;
    struct buf out;

    if (strstr(s, "${") == NULL)
        return keep(r, s, strlen(s));
    buf_init(&out, FILE_MAX_BYTES);
    while (*s != '\0') {
        if (strncmp(s, "$${", 3) == 0) {
            buf_adds(&out, "${");
            s += 3;
            continue;
        }
        if (strncmp(s, "${", 2) != 0) {
            buf_addc(&out, *s++);
            continue;
        }
        char name[KEY_MAX];
        size_t len = strcspn(s + 2, "}");
        bool good = s[2 + len] == '}' && len > 0 && len < sizeof name && !isdigit((unsigned char)s[2]);

        for (size_t i = 0; good && i < len; i++)
            good = isalnum((unsigned char)s[2 + i]) || s[2 + i] == '_';
        if (!good) {
            cfg_mistake(r, node, path,
                        "holds a ${ that is not a variable; write ${NAME}, or $${ for the two characters");
            goto out;
        }
        snprintf(name, sizeof name, "%.*s", (int)len, s + 2);
        const char *value = getenv(name);
        if (value == NULL) {
            cfg_mistake(r, node, path, "needs the environment variable %s, which is not set; set it or write the value",
                        name);
            goto out;
        }
        buf_adds(&out, value);
        s += len + 3;
    }
    if (out.failed)
        cfg_mistake(r, node, path, "becomes too long");
    else
        result = keep(r, buf_text(&out), out.len);
out:
    buf_finish(&out);
    return result;
}

/* A whole file of at most `max` bytes; 0, ERR_FULL, or ERR_IO with errno. */
static int read_whole(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rbe");
    int err = 0;

    if (f == NULL)
        return ERR_IO;
    while (err == 0) {
        char *to = buf_reserve(out, 4096);
        if (to == NULL) {
            err = ERR_FULL;
            break;
        }
        size_t n = fread(to, 1, 4096, f);
        out->len += n;
        if (n == 0) {
            err = ferror(f) ? ERR_IO : 0;
            break;
        }
    }
    int saved = errno;
    fclose(f);
    errno = saved;
    if (err == 0)
        buf_add(out, "", 0); /* so that the content ends with NUL */
    return err;
}

static const char *secret_from_file(struct cfg_reader *r, const cJSON *node, const char *path)
{
    const char *result = NULL;
    struct buf content;

    if (!cJSON_IsString(node)) {
        cfg_mistake(r, node, path, "must be the name of a file that holds the secret");
        return NULL;
    }
    const char *name = expand(r, node, path);
    if (name == NULL)
        return NULL;
    buf_init(&content, SECRET_MAX_BYTES + 4096);
    int err = read_whole(name, &content);
    if (err == ERR_FULL || content.len > SECRET_MAX_BYTES) {
        cfg_mistake(r, node, path, "names a file of more than %d bytes; it must hold only the secret",
                    SECRET_MAX_BYTES);
    } else if (err != 0) {
        cfg_mistake(r, node, path, "names %s, which cannot be read: %s", name, strerror(errno));
    } else {
        size_t len = content.len;

        if (len > 0 && content.data[len - 1] == '\n')
            len--;
        if (len > 0 && content.data[len - 1] == '\r')
            len--;
        if (len == 0)
            cfg_mistake(r, node, path, "names %s, which is empty; it must hold the secret", name);
        else if (memchr(content.data, '\0', len) != NULL)
            cfg_mistake(r, node, path, "names %s, which holds a NUL byte; it must be text", name);
        else
            result = keep(r, content.data, len);
        memset(content.data, 0, content.len);
    }
    buf_finish(&content);
    return result;
}

static bool set_number(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path, void *at)
{
    double v = node->valuedouble;
    bool whole = row->type != CFG_NUMBER;

    if (!cJSON_IsNumber(node) || (whole && v != floor(v))) {
        wrong_value(r, row, node, path, true);
        return false;
    }
    if (!(v >= row->min && v <= row->max)) {
        wrong_value(r, row, node, path, false);
        return false;
    }
    if (row->type == CFG_UINT32)
        *(uint32_t *)at = (uint32_t)v;
    else if (row->type == CFG_UINT64)
        *(uint64_t *)at = (uint64_t)v;
    else
        *(double *)at = v;
    return true;
}

static bool set_measure(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path, void *at)
{
    uint64_t v = 0;

    const char *text = cJSON_IsString(node) ? expand(r, node, path) : NULL;
    if (text == NULL && cJSON_IsString(node))
        return false;
    if (text != NULL && row->may_be_off && strcmp(text, "off") == 0) {
        *(uint64_t *)at = 0;
        return true;
    }
    if (text == NULL || (row->type == CFG_SIZE ? cfg_parse_size(text, &v) : cfg_parse_duration(text, &v)) != 0) {
        wrong_value(r, row, node, path, true);
        return false;
    }
    if ((double)v < row->min || (double)v > row->max) {
        wrong_value(r, row, node, path, false);
        return false;
    }
    *(uint64_t *)at = v;
    return true;
}

static bool set_lasting(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path, void *at)
{
    if (!cJSON_IsBool(node))
        return set_measure(r, row, node, path, at);
    *(uint64_t *)at = cJSON_IsTrue(node) ? CFG_ALWAYS : 0;
    return true;
}

static bool set_word(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path, void *at)
{
    const char *text = cJSON_IsString(node) ? expand(r, node, path) : "";
    const struct cfg_word *w = row->words;

    if (text == NULL)
        return false;
    while (w->name != NULL && strcmp(w->name, text) != 0)
        w++;
    if (w->name == NULL) {
        wrong_value(r, row, node, path, true);
        return false;
    }
    if (!w->works) {
        struct buf range;

        buf_init(&range, 1024);
        cfg_write_range(row, &range);
        cfg_mistake(r, node, path, "is \"%s\", which is not available in this version; must be %s", w->name,
                    buf_text(&range));
        buf_finish(&range);
        return false;
    }
    if (row->type == CFG_WORD)
        *(const char **)at = w->name;
    else
        memcpy(at, &w->value, sizeof w->value);
    return true;
}

/* NULL: fine; else what the string must be. */
static const char *string_trouble(const struct cfg_row *row, const char *text)
{
    switch (row->type) {
    case CFG_NAME:
        for (const char *c = text; *c != '\0'; c++)
            if (*c <= ' ' || *c > '~')
                return cfg_type_words(row);
        return NULL;
    case CFG_URL_PATH:
        return text[0] == '/' && strpbrk(text, "?# \t\r\n") == NULL ? NULL : cfg_type_words(row);
    case CFG_STORE:
        if (strcmp(text, "memory:") == 0 || (strncmp(text, "sqlite:", 7) == 0 && text[7] != '\0'))
            return NULL;
        return cfg_type_words(row);
    default:
        return NULL;
    }
}

static bool set_string(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path, void *at)
{
    const char *text;

    if (row->type == CFG_FILE && cJSON_IsNull(node)) {
        *(const char **)at = NULL;
        return true;
    }
    if (!cJSON_IsString(node)) {
        wrong_value(r, row, node, path, true);
        return false;
    }
    text = expand(r, node, path);
    if (text == NULL)
        return false;
    const char *must_be = string_trouble(row, text);
    if (must_be != NULL) {
        char value[SHOWN_BYTES * 3];
        cfg_mistake(r, node, path, "is %s; must be %s", shown(node, value), must_be);
        return false;
    }
    size_t len = strlen(text);
    if (row->type == CFG_FILE) {
        if (row->works && access(text, R_OK) != 0) {
            cfg_mistake(r, node, path, "names %s, which cannot be read: %s", text, strerror(errno));
            return false;
        }
    } else if (row->type != CFG_STORE && ((double)len < row->min || (double)len > row->max)) {
        if (len == 0)
            cfg_mistake(r, node, path, "is empty; must have %.0f..%.0f bytes", row->min, row->max);
        else
            cfg_mistake(r, node, path, "has %zu bytes; must have %.0f..%.0f bytes", len, row->min, row->max);
        return false;
    }
    *(const char **)at = text;
    return true;
}

static const char *item_trouble(const struct cfg_row *row, const char *text)
{
    struct sockaddr_storage address;
    struct net_range range;
    socklen_t len;

    switch (row->type) {
    case CFG_LISTEN:
        if (net_sockaddr(text, &address, &len) != 0)
            return "must be ADDRESS:PORT, as \"0.0.0.0:2775\", \"127.0.0.1:2775\" or \"[::]:2775\"";
        return NULL;
    case CFG_RANGES:
        if (net_range_parse(text, &range) != 0)
            return "must be an address or a prefix, as \"192.0.2.7\", \"10.0.0.0/8\" or \"2001:db8::/32\"";
        return NULL;
    case CFG_URLS: {
        size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
        if (scheme == 0 || text[scheme] == '\0' || text[scheme] == '/' || strpbrk(text, " ?#@\t\r\n") != NULL)
            return "must be http:// or https:// and a host, as \"https://smsc.ru\"";
        return NULL;
    }
    default:
        return text[0] == '\0' ? "must not be empty" : NULL;
    }
}

static bool set_list(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path, void *at)
{
    unsigned before = r->mistake_count;
    const cJSON *item;
    size_t n = 0;

    if (!cJSON_IsArray(node)) {
        wrong_value(r, row, node, path, true);
        return false;
    }
    size_t count = (size_t)cJSON_GetArraySize(node);
    if ((double)count < row->min || (double)count > row->max) {
        if (row->max > 1)
            cfg_mistake(r, node, path, "has %zu entries; must have %.0f..%.0f", count, row->min, row->max);
        else
            cfg_mistake(r, node, path, "has %zu entries; must have 1, more are not available in this version", count);
        return false;
    }
    const char **list = cfg_alloc(r, (count + 1) * sizeof *list);
    if (list == NULL)
        return false;
    cJSON_ArrayForEach(item, node)
    {
        char item_path[CFG_PATH_SIZE + 16], value[SHOWN_BYTES * 3];
        const char *text = NULL;

        snprintf(item_path, sizeof item_path, "%s[%zu]", path, n);
        if (!cJSON_IsString(item))
            cfg_mistake(r, item, item_path, "is %s; must be a string", shown(item, value));
        else
            text = expand(r, item, item_path);
        const char *must_be = text == NULL ? NULL : item_trouble(row, text);
        if (must_be != NULL)
            cfg_mistake(r, item, item_path, "is %s; %s", shown(item, value), must_be);
        list[n++] = text == NULL ? "" : text;
    }
    if (r->mistake_count > before)
        return false;
    *(const char ***)at = list;
    return true;
}

static bool set_pairs(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path, void *at)
{
    unsigned before = r->mistake_count;
    const cJSON *item;
    size_t n = 0;

    if (!cJSON_IsObject(node)) {
        wrong_value(r, row, node, path, true);
        return false;
    }
    size_t count = (size_t)cJSON_GetArraySize(node);
    if ((double)count > row->max) {
        cfg_mistake(r, node, path, "has %zu entries; must have %.0f..%.0f", count, row->min, row->max);
        return false;
    }
    struct cfg_pair *pairs = cfg_alloc(r, (count + 1) * sizeof *pairs);
    if (pairs == NULL)
        return false;
    cJSON_ArrayForEach(item, node)
    {
        char item_path[CFG_PATH_SIZE + KEY_MAX + 1], value[SHOWN_BYTES * 3];

        snprintf(item_path, sizeof item_path, "%s.%.*s", path, KEY_MAX - 1, item->string);
        if (!cJSON_IsString(item))
            cfg_mistake(r, item, item_path, "is %s; must be a string, as \"0\"", shown(item, value));
        else
            pairs[n].value = expand(r, item, item_path);
        for (size_t i = 0; i < n; i++)
            if (strcmp(pairs[i].name, item->string) == 0)
                cfg_mistake(r, item, item_path, "is given twice; keep one");
        pairs[n++].name = keep(r, item->string, strlen(item->string));
    }
    if (r->mistake_count > before)
        return false;
    *(struct cfg_pair **)at = pairs;
    return true;
}

static bool set_value(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path, void *base)
{
    void *at = (char *)base + row->offset;

    switch (row->type) {
    case CFG_BOOL:
        if (!cJSON_IsBool(node)) {
            wrong_value(r, row, node, path, true);
            return false;
        }
        *(bool *)at = cJSON_IsTrue(node);
        return true;
    case CFG_UINT32:
    case CFG_UINT64:
    case CFG_NUMBER:
        return set_number(r, row, node, path, at);
    case CFG_DURATION:
    case CFG_SIZE:
        return set_measure(r, row, node, path, at);
    case CFG_LASTING:
        return set_lasting(r, row, node, path, at);
    case CFG_ENUM:
    case CFG_WORD:
        return set_word(r, row, node, path, at);
    case CFG_STRING:
    case CFG_NAME:
    case CFG_SECRET:
    case CFG_FILE:
    case CFG_URL_PATH:
    case CFG_STORE:
        return set_string(r, row, node, path, at);
    case CFG_STRINGS:
    case CFG_LISTEN:
    case CFG_RANGES:
    case CFG_URLS:
        return set_list(r, row, node, path, at);
    case CFG_PAIRS:
        return set_pairs(r, row, node, path, at);
    case CFG_NONE:
    case CFG_TYPE_COUNT:
        break;
    }
    return false;
}

void cfg_set_default(struct cfg_reader *r, const struct cfg_row *row, void *base)
{
    const char *text = cfg_row_default(row);

    if (text == NULL) { /* must be given; until then something that can be read */
        *(const char **)((char *)base + row->offset) = "";
        return;
    }
    cJSON *value = cJSON_Parse(text);
    if (value == NULL) {
        cfg_mistake(r, NULL, "", "out of memory");
        return;
    }
    /* The range does not bind a default: an empty secret may be right, and check.c knows when. */
    struct cfg_row wide = *row;
    if (row->type == CFG_SECRET || row->type == CFG_STRING)
        wide.min = 0;
    set_value(r, &wide, value, row->path, base);
    cJSON_Delete(value);
}

/* A row whose feature is not there yet takes only what is in force anyway. */
static bool set_unbuilt(struct cfg_reader *r, const struct cfg_row *row, const cJSON *node, const char *path,
                        void *base)
{
    struct buf in_force, given;

    buf_init(&in_force, 4096);
    buf_init(&given, FILE_MAX_BYTES);
    cfg_write_value(row, base, true, &in_force);
    bool good = set_value(r, row, node, path, base);
    if (good) {
        cfg_write_value(row, base, true, &given);
        if (strcmp(buf_text(&in_force), buf_text(&given)) != 0) {
            cfg_mistake(r, node, path, "is not available in this version; leave it out or give %s",
                        buf_text(&in_force));
            good = false;
        }
    }
    buf_finish(&in_force);
    buf_finish(&given);
    return good;
}

/* Edits that turn one word into the other, a swap of neighbours counting as one, or more than NEAR. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][KEY_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > KEY_MAX || lb > KEY_MAX)
        return NEAR + 1;
    for (size_t i = 0; i <= la; i++) {
        unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        for (size_t j = 0; j <= lb; j++) {
            if (i == 0 || j == 0) {
                now[j] = (unsigned)(i + j);
                continue;
            }
            unsigned best = last[j - 1] + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[la % 3][lb];
}

struct object { /* one { } of the file while it is read */
    const struct cfg_section *section;
    const char *path; /* "esmes[0]" */
    void *base;
    bool given[CFG_ROWS_MAX];
};

/* The next key that may stand in the object named by `prefix` ("" or "tls."), from *at on; NULL at the end. Keys of a
 * group come once for each of its rows. */
static const char *known_key(const struct object *o, const char *prefix, size_t *at, char out[KEY_MAX])
{
    size_t skip = strlen(prefix);

    while (*at < o->section->row_count) {
        const char *path = o->section->rows[(*at)++].path;

        if (strncmp(path, prefix, skip) != 0)
            continue;
        snprintf(out, KEY_MAX, "%.*s", (int)strcspn(path + skip, "."), path + skip);
        return out;
    }
    if (o->section->shape == CFG_ROOT && *at < o->section->row_count + cfg_section_count) {
        snprintf(out, KEY_MAX, "%s", cfg_sections[(*at)++ - o->section->row_count].key);
        return out;
    }
    return NULL;
}

static void unknown_key(struct cfg_reader *r, const struct object *o, const char *prefix, const cJSON *node,
                        const char *path)
{
    char key[KEY_MAX], near[KEY_MAX] = "", last[KEY_MAX] = "";
    unsigned best = NEAR + 1;
    struct buf all;
    size_t at = 0;

    buf_init(&all, 900);
    while (known_key(o, prefix, &at, key) != NULL) {
        if (key[0] == '\0' || strcmp(key, last) == 0)
            continue;
        unsigned d = distance(node->string, key);
        if (d < best && d < strlen(key)) {
            best = d;
            snprintf(near, sizeof near, "%s", key);
        }
        buf_addf(&all, "%s%s", all.len == 0 ? "" : ", ", key);
        snprintf(last, sizeof last, "%s", key);
    }
    if (near[0] != '\0')
        cfg_mistake(r, node, path, "is not a setting; did you mean \"%s\"?", near);
    else
        cfg_mistake(r, node, path, "is not a setting; here are known: %s", buf_text(&all));
    buf_finish(&all);
}

static bool is_group(const struct object *o, const char *full, bool *out_null_allowed)
{
    size_t len = strlen(full);
    bool found = false;

    *out_null_allowed = false;
    for (size_t i = 0; i < o->section->row_count; i++) {
        const struct cfg_row *row = &o->section->rows[i];

        if (strncmp(row->path, full, len) != 0 || row->path[len] != '.')
            continue;
        found = true;
        *out_null_allowed |= row->type == CFG_FILE; /* "tls": null */
    }
    return found;
}

static void note_given(struct cfg_reader *r, struct object *o, size_t row, const cJSON *node, const char *path)
{
    if (o->given[row] && o->section->rows[row].type == CFG_SECRET)
        cfg_mistake(r, node, path, "is given twice, as itself and as a file; keep one");
    o->given[row] = true;
}

static void read_members(struct cfg_reader *r, struct object *o, const char *prefix, const cJSON *object);

/* One member: a row, a row's file twin, a group of rows, or a mistake. */
static void read_member(struct cfg_reader *r, struct object *o, const char *prefix, const cJSON *node)
{
    char full[KEY_MAX * 2], path[CFG_PATH_SIZE], group[KEY_MAX * 2 + 2];
    bool null_allowed;

    snprintf(full, sizeof full, "%s%.*s", prefix, KEY_MAX, node->string);
    snprintf(path, sizeof path, "%s%s%s", o->path, o->path[0] == '\0' ? "" : ".", full);
    for (const cJSON *twin = node->next; twin != NULL; twin = twin->next)
        if (strcmp(twin->string, node->string) == 0) {
            cfg_mistake(r, twin, path, "is given twice; keep one");
            return; /* the last one is read */
        }
    for (size_t i = 0; i < o->section->row_count; i++) {
        const struct cfg_row *row = &o->section->rows[i];
        size_t len = strlen(row->path);
        const char **secret = (const char **)((char *)o->base + row->offset);

        if (strcmp(row->path, full) == 0) {
            note_given(r, o, i, node, path);
            bool good = (row->works ? set_value : set_unbuilt)(r, row, node, path, o->base);
            if (!good && row->type == CFG_SECRET)
                *secret = "?"; /* told once: check.c must not find it missing as well */
            return;
        }
        if (row->type == CFG_SECRET && strncmp(row->path, full, len) == 0 && strcmp(full + len, "_file") == 0) {
            note_given(r, o, i, node, path);
            const char *text = secret_from_file(r, node, path);
            if (text != NULL && (double)strlen(text) > row->max)
                cfg_mistake(r, node, path, "names a file with %zu bytes; must have %.0f..%.0f", strlen(text), row->min,
                            row->max);
            *secret = text == NULL ? "?" : text;
            return;
        }
    }
    if (!is_group(o, full, &null_allowed)) {
        unknown_key(r, o, prefix, node, path);
    } else if (cJSON_IsObject(node)) {
        snprintf(group, sizeof group, "%s.", full);
        read_members(r, o, group, node);
    } else if (!(null_allowed && cJSON_IsNull(node))) {
        char value[SHOWN_BYTES * 3];
        cfg_mistake(r, node, path, "is %s; must be an object { ... }%s", shown(node, value),
                    null_allowed ? " or null" : "");
    }
}

static const struct cfg_section *section_named(const char *key)
{
    for (size_t i = 0; i < cfg_section_count; i++)
        if (cfg_sections[i].shape != CFG_ROOT && strcmp(cfg_sections[i].key, key) == 0)
            return &cfg_sections[i];
    return NULL;
}

static void read_members(struct cfg_reader *r, struct object *o, const char *prefix, const cJSON *object)
{
    const cJSON *node;

    cJSON_ArrayForEach(node, object)
    {
        /* sections are read by read_section; here only a second one of the same name is noticed */
        if (o->section->shape == CFG_ROOT && section_named(node->string) != NULL) {
            for (const cJSON *twin = node->next; twin != NULL; twin = twin->next)
                if (strcmp(twin->string, node->string) == 0)
                    cfg_mistake(r, twin, node->string, "is given twice; keep one");
            continue;
        }
        read_member(r, o, prefix, node);
    }
}

/* One struct from one object; `node` NULL: all defaults. */
static void read_object(struct cfg_reader *r, const struct cfg_section *section, const char *path, const cJSON *node,
                        void *base)
{
    struct object o = { .section = section, .path = path, .base = base };

    for (size_t i = 0; i < section->row_count; i++)
        cfg_set_default(r, &section->rows[i], base);
    if (node != NULL && !cJSON_IsObject(node)) {
        char value[SHOWN_BYTES * 3];
        cfg_mistake(r, node, path, "is %s; must be an object { ... }", shown(node, value));
        return;
    }
    if (node != NULL)
        read_members(r, &o, "", node);
    for (size_t i = 0; i < section->row_count; i++) {
        const struct cfg_row *row = &section->rows[i];
        char full[CFG_PATH_SIZE];

        if (cfg_row_default(row) != NULL || o.given[i])
            continue;
        snprintf(full, sizeof full, "%s.%s", path, row->path);
        cfg_mistake(r, node, full, "is missing; give %s%s%s%s", cfg_type_words(row),
                    row->type == CFG_SECRET ? ", or " : "", row->type == CFG_SECRET ? row->path : "",
                    row->type == CFG_SECRET ? "_file" : "");
        if (row->type == CFG_SECRET)
            *(const char **)((char *)base + row->offset) = "?";
    }
    if (node == NULL && section->off_when_absent) {
        static const char *nothing[] = { NULL };

        for (size_t i = 0; i < section->row_count; i++)
            if (section->rows[i].type == CFG_LISTEN)
                *(const char ***)((char *)base + section->rows[i].offset) = nothing;
    }
}

static void read_list(struct cfg_reader *r, const struct cfg_section *section, const cJSON *node)
{
    char path[CFG_PATH_SIZE], value[SHOWN_BYTES * 3];

    if (node == NULL || (section->shape == CFG_EITHER && cJSON_IsNull(node)))
        return;
    bool single = section->shape == CFG_EITHER && cJSON_IsObject(node);
    if (!single && !cJSON_IsArray(node)) {
        cfg_mistake(r, node, section->key, "is %s; must be a list [ { ... } ]", shown(node, value));
        return;
    }
    size_t count = single ? 1 : (size_t)cJSON_GetArraySize(node);
    char *list = cfg_alloc(r, (count == 0 ? 1 : count) * section->size);
    if (list == NULL)
        return;
    *(void **)((char *)r->config + section->offset) = list;
    *(size_t *)((char *)r->config + section->count_offset) = count;
    const cJSON *item = single ? node : node->child;
    for (size_t i = 0; i < count; i++, item = item->next) {
        if (single)
            snprintf(path, sizeof path, "%s", section->key);
        else
            snprintf(path, sizeof path, "%s[%zu]", section->key, i);
        read_object(r, section, path, item, list + i * section->size);
    }
}

static void read_sections(struct cfg_reader *r)
{
    for (size_t i = 0; i < cfg_section_count; i++) {
        const struct cfg_section *s = &cfg_sections[i];
        void *base = (char *)r->config + s->offset;
        const cJSON *node = NULL, *child;

        cJSON_ArrayForEach(child, r->root)
        {
            if (strcmp(child->string, s->key) == 0)
                node = child; /* of two the last; the mistake is noted with the root */
        }
        if (s->shape == CFG_ROOT)
            read_object(r, s, "", r->root, base);
        else if (s->shape == CFG_OBJECT)
            read_object(r, s, s->key, s->off_when_absent && cJSON_IsNull(node) ? NULL : node, base);
        else
            read_list(r, s, node);
    }
}

int cfg_read_text(const char *name, const char *text, size_t len, struct config **out, struct buf *mistakes)
{
    struct cfg_reader r = { .name = name, .mistakes = mistakes };

    r.config = calloc(1, sizeof *r.config);
    if (r.config == NULL) {
        buf_addf(mistakes, "%s: out of memory\n", name);
        return ERR_CONFIG;
    }
    if (cfg_read_tree(&r, text, len)) {
        if (!cJSON_IsObject(r.root)) {
            cfg_mistake(&r, r.root, "", "is not an object; the file must be { ... }");
        } else {
            read_sections(&r);
            cfg_check(&r);
        }
    }
    cfg_reader_finish(&r);
    if (r.mistake_count > 0) {
        cfg_destroy(r.config);
        return ERR_CONFIG;
    }
    *out = r.config;
    return 0;
}

int cfg_read_file(const char *path, struct config **out, struct buf *mistakes)
{
    struct buf text;
    int err;

    buf_init(&text, FILE_MAX_BYTES + 4096);
    err = read_whole(path, &text);
    if (err == ERR_FULL) {
        buf_addf(mistakes, "%s: is larger than 16 MiB; this cannot be a configuration\n", path);
        err = ERR_CONFIG;
    } else if (err != 0) {
        buf_addf(mistakes, "%s: cannot be read: %s; give the file's name with -c\n", path, strerror(errno));
        err = ERR_CONFIG;
    } else {
        err = cfg_read_text(path, buf_text(&text), text.len, out, mistakes);
    }
    buf_finish(&text);
    return err;
}

void cfg_destroy(struct config *config)
{
    if (config == NULL)
        return;
    for (struct chunk *c = config->memory; c != NULL;) {
        struct chunk *next = c->next;

        free(c);
        c = next;
    }
    free(config);
}
