/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - the process's counters, gauges and histograms, and their Prometheus text.
 *
 * A cell is found by its label text exactly as it will be printed, which makes escaping part of the key and printing a
 * copy. Leaves the meaning of every number to the rooms. Invariant: a cell never moves, so a caller may keep it.
 */
#include "base/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_TEXT_MAX = 2048, FIRST_BUCKETS = 16, RECENT = 32 };

struct cell {
    struct metric_cell public; /* first: a metric_cell pointer is a cell pointer */
    struct metric *family;
    struct cell *chain;         /* next in the hash bucket */
    struct cell *older, *newer; /* in order of creation, for printing */
    uint32_t hash;
    char *labels;     /* system_id="shop",type="trx"; "" without labels */
    char *raw;        /* the values as given, each with its NUL */
    uint64_t *counts; /* histogram: bound_count + 1, not cumulative */
};

struct metric {
    struct metric *next;
    enum metric_kind kind;
    char *name, *help;
    char *label_names[METRIC_LABELS_MAX];
    size_t label_count;
    double *bounds;
    size_t bound_count;
    struct cell **table;
    size_t table_size; /* power of two */
    size_t cell_count;
    struct cell *first, *last;
    struct cell *recent[RECENT]; /* by hash of the raw values: found again without writing labels */
    struct cell *other;          /* made at registration, so that a full family and a full memory need none */
    bool other_used;
};

static const double default_bounds[] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60
};
static struct metric *families, *last_family;

static void *must(void *p)
{
    if (p == NULL)
        abort(); /* at start-up only, see metrics.h */
    return p;
}

static void free_cell(struct cell *c)
{
    if (c == NULL)
        return;
    free(c->labels);
    free(c->raw);
    free(c->counts);
    free(c);
}

static struct cell *new_cell(struct metric *m, const char *labels, uint32_t hash)
{
    struct cell *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->family = m;
    c->hash = hash;
    c->labels = strdup(labels);
    if (m->kind == METRIC_HISTOGRAM)
        c->counts = calloc(m->bound_count + 1, sizeof *c->counts);
    if (c->labels == NULL || (m->kind == METRIC_HISTOGRAM && c->counts == NULL)) {
        free_cell(c);
        return NULL;
    }
    return c;
}

static void add_escaped(struct buf *out, const char *s)
{
    size_t left = strlen(s);

    while (left > 0) {
        size_t n = buf_utf8_len(s, left);

        if (n == 0)
            buf_addc(out, '?'); /* the exposition format is UTF-8 */
        else if (*s == '\n')
            buf_adds(out, "\\n");
        else if (*s == '"' || *s == '\\')
            buf_addf(out, "\\%c", *s);
        else
            buf_add(out, s, n);
        n = n == 0 ? 1 : n;
        s += n;
        left -= n;
    }
}

static void label_text(const struct metric *m, const char *const *values, struct buf *out)
{
    for (size_t i = 0; i < m->label_count; i++) {
        if (i > 0)
            buf_addc(out, ',');
        buf_adds(out, m->label_names[i]);
        buf_adds(out, "=\"");
        add_escaped(out, values == NULL ? "other" : values[i]);
        buf_addc(out, '"');
    }
}

static uint32_t hash_text(const char *s)
{
    uint32_t h = 2166136261u;

    for (; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    return h;
}

static uint32_t raw_hash(const struct metric *m, const char *const *values)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < m->label_count; i++) {
        for (const char *s = values[i]; *s != '\0'; s++)
            h = (h ^ (uint8_t)*s) * 16777619u;
        h = (h ^ 0xFF) * 16777619u; /* no byte of UTF-8: keeps the values apart */
    }
    return h;
}

static bool raw_is(const struct cell *c, const char *const *values)
{
    const char *at = c->raw;

    if (at == NULL)
        return false;
    for (size_t i = 0; i < c->family->label_count; i++) {
        size_t len = strlen(at);

        if (strcmp(at, values[i]) != 0)
            return false;
        at += len + 1;
    }
    return true;
}

/* Remembers the values of a cell for raw_is; without memory for it the cell is found the slow way. */
static void keep_raw(struct cell *c, const char *const *values)
{
    size_t size = 1, count = c->family->label_count;

    for (size_t i = 0; i < count; i++)
        size += strlen(values[i]) + 1;
    c->raw = malloc(size);
    if (c->raw == NULL)
        return;
    char *to = c->raw;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(values[i]) + 1;

        memcpy(to, values[i], len);
        to += len;
    }
}

static struct cell *make_other(struct metric *m)
{
    struct buf labels;

    buf_init(&labels, LABEL_TEXT_MAX);
    label_text(m, NULL, &labels);
    struct cell *c = must(new_cell(m, buf_text(&labels), 0));
    buf_finish(&labels);
    return c;
}

static void set_bounds(struct metric *m, const double *bounds, size_t count)
{
    free(m->bounds);
    m->bounds = must(calloc(count + 1, sizeof *m->bounds));
    memcpy(m->bounds, bounds, count * sizeof *bounds);
    m->bound_count = count;
}

struct metric *metric_register(enum metric_kind kind, const char *name, const char *help, const char *labels)
{
    for (struct metric *m = families; m != NULL; m = m->next)
        if (strcmp(m->name, name) == 0) {
            assert(m->kind == kind);
            return m;
        }

    struct metric *m = must(calloc(1, sizeof *m));
    m->kind = kind;
    m->name = must(strdup(name));
    m->help = must(strdup(help));
    for (const char *at = labels; *at != '\0';) {
        size_t len = strcspn(at, ",");

        assert(m->label_count < METRIC_LABELS_MAX);
        m->label_names[m->label_count++] = must(strndup(at, len));
        at += len + (at[len] == ',');
    }
    if (kind == METRIC_HISTOGRAM)
        set_bounds(m, default_bounds, ARRAY_LEN(default_bounds));
    m->table_size = FIRST_BUCKETS;
    m->table = must(calloc(m->table_size, sizeof *m->table));
    m->other = make_other(m);
    if (last_family != NULL)
        last_family->next = m;
    else
        families = m;
    last_family = m;
    return m;
}

void metric_buckets(struct metric *m, const double *bounds, size_t count)
{
    assert(m->kind == METRIC_HISTOGRAM && m->cell_count == 0 && !m->other_used);
    set_bounds(m, bounds, count);
    free_cell(m->other);
    m->other = make_other(m);
}

static struct cell **find(struct metric *m, const char *labels, uint32_t hash)
{
    struct cell **at = &m->table[hash & (m->table_size - 1)];

    while (*at != NULL && ((*at)->hash != hash || strcmp((*at)->labels, labels) != 0))
        at = &(*at)->chain;
    return at;
}

static void grow(struct metric *m)
{
    size_t size = m->table_size * 2;
    struct cell **table = calloc(size, sizeof(struct cell *));

    if (table == NULL)
        return; /* slower, still right */
    for (struct cell *c = m->first; c != NULL; c = c->newer) {
        c->chain = table[c->hash & (size - 1)];
        table[c->hash & (size - 1)] = c;
    }
    free(m->table);
    m->table = table;
    m->table_size = size;
}

static struct metric_cell *use_other(struct metric *m)
{
    m->other_used = true;
    return &m->other->public;
}

struct metric_cell *metric_cell(struct metric *m, const char *const *values)
{
    struct metric_cell *result = NULL;
    struct cell **recent = &m->recent[m->label_count == 0 ? 0 : raw_hash(m, values) % RECENT];
    struct buf labels;

    if (*recent != NULL && raw_is(*recent, values))
        return &(*recent)->public;
    buf_init(&labels, LABEL_TEXT_MAX);
    label_text(m, values, &labels);
    uint32_t hash = hash_text(buf_text(&labels));
    struct cell *c = labels.failed ? NULL : *find(m, buf_text(&labels), hash);
    if (c != NULL) {
        result = &c->public;
        *recent = c;
        goto out;
    }
    if (labels.failed || m->cell_count >= METRIC_CELLS_MAX || (c = new_cell(m, buf_text(&labels), hash)) == NULL) {
        result = use_other(m);
        goto out;
    }
    keep_raw(c, values);
    *recent = c;
    if (m->cell_count >= m->table_size)
        grow(m);
    c->chain = m->table[hash & (m->table_size - 1)];
    m->table[hash & (m->table_size - 1)] = c;
    c->older = m->last;
    if (m->last != NULL)
        m->last->newer = c;
    else
        m->first = c;
    m->last = c;
    m->cell_count++;
    result = &c->public;
out:
    buf_finish(&labels);
    return result;
}

void metric_forget(struct metric *m, const char *const *values)
{
    struct buf labels;

    buf_init(&labels, LABEL_TEXT_MAX);
    label_text(m, values, &labels);
    struct cell **at = find(m, buf_text(&labels), hash_text(buf_text(&labels)));
    struct cell *c = *at;
    buf_finish(&labels);
    if (c == NULL || m->kind == METRIC_COUNTER)
        return;
    *at = c->chain;
    memset(m->recent, 0, sizeof m->recent);
    if (c->older != NULL)
        c->older->newer = c->newer;
    else
        m->first = c->newer;
    if (c->newer != NULL)
        c->newer->older = c->older;
    else
        m->last = c->older;
    m->cell_count--;
    free_cell(c);
}

void metric_observe(struct metric_cell *histogram_cell, double value)
{
    struct cell *c = (struct cell *)histogram_cell;
    size_t i = 0;

    assert(c->counts != NULL);
    while (i < c->family->bound_count && value > c->family->bounds[i])
        i++;
    c->counts[i]++;
    c->public.value += value; /* the sum */
}

static void add_number(struct buf *out, double v)
{
    if (isnan(v)) {
        buf_adds(out, "NaN");
    } else if (isinf(v)) {
        buf_adds(out, v > 0 ? "+Inf" : "-Inf");
    } else if (v == floor(v) && fabs(v) < 9007199254740992.0) {
        buf_add_i64(out, (int64_t)v);
    } else {
        char text[32];

        snprintf(text, sizeof text, "%.15g", v);
        if (strtod(text, NULL) < v || strtod(text, NULL) > v)
            snprintf(text, sizeof text, "%.17g", v);
        buf_adds(out, text);
    }
}

static void write_sample(struct buf *out, const struct cell *c, const char *suffix, const double *bound, double value)
{
    buf_adds(out, c->family->name);
    buf_adds(out, suffix);
    if (c->labels[0] != '\0' || bound != NULL)
        buf_addc(out, '{');
    buf_adds(out, c->labels);
    if (bound != NULL) {
        buf_adds(out, c->labels[0] == '\0' ? "le=\"" : ",le=\"");
        add_number(out, *bound);
        buf_addc(out, '"');
    }
    buf_adds(out, c->labels[0] != '\0' || bound != NULL ? "} " : " ");
    add_number(out, value);
    buf_addc(out, '\n');
}

static void write_cell(struct buf *out, const struct cell *c)
{
    const struct metric *m = c->family;
    const double infinite = INFINITY;
    uint64_t total = 0;

    if (m->kind != METRIC_HISTOGRAM) {
        write_sample(out, c, "", NULL, c->public.value);
        return;
    }
    for (size_t i = 0; i <= m->bound_count; i++) {
        total += c->counts[i];
        write_sample(out, c, "_bucket", i < m->bound_count ? &m->bounds[i] : &infinite, (double)total);
    }
    write_sample(out, c, "_sum", NULL, c->public.value);
    write_sample(out, c, "_count", NULL, (double)total);
}

void metrics_write(struct buf *out)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };

    for (const struct metric *m = families; m != NULL; m = m->next) {
        buf_addf(out, "# HELP %s ", m->name);
        for (const char *h = m->help; *h != '\0'; h++) {
            if (*h == '\\' || *h == '\n')
                buf_adds(out, *h == '\n' ? "\\n" : "\\\\");
            else
                buf_addc(out, *h);
        }
        buf_addf(out, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
        for (const struct cell *c = m->first; c != NULL; c = c->newer)
            write_cell(out, c);
        if (m->other_used)
            write_cell(out, m->other);
    }
}

void metrics_reset(void)
{
    while (families != NULL) {
        struct metric *m = families;

        families = m->next;
        while (m->first != NULL) {
            struct cell *c = m->first;
            m->first = c->newer;
            free_cell(c);
        }
        free_cell(m->other);
        for (size_t i = 0; i < m->label_count; i++)
            free(m->label_names[i]);
        free(m->table);
        free(m->bounds);
        free(m->name);
        free(m->help);
        free(m);
    }
    last_family = NULL;
}
