/* SPDX-License-Identifier: MIT */
/*
 * address_range.c - ranges of addresses as small programs [see address_range.h].
 *
 * An expression becomes at most STEPS_MAX steps, and all ways through them are followed at once, so no range can make a
 * look take long. Repetitions are written out, which the ceiling bounds as well.
 */
#include "gateway/address_range.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { STEPS_MAX = 512, REPEAT_MAX = 255, FOREVER = -1 };

enum op { OP_CHAR, OP_ANY, OP_SET, OP_DIGIT, OP_START, OP_END, OP_EITHER, OP_JUMP, OP_FOUND };

struct step {
    uint8_t op;
    char c;        /* OP_CHAR */
    uint16_t x, y; /* OP_EITHER: both ways; OP_JUMP: x; OP_SET: where it stands in the text, behind the [ */
};

struct program {
    const char *text;
    struct step steps[STEPS_MAX];
    size_t count;
    bool failed;
};

/* --- an expression becomes steps ---------------------------------------------------------------------------------- */

static uint16_t put(struct program *p, enum op op, char c)
{
    if (p->count == STEPS_MAX) {
        p->failed = true;
        return 0;
    }
    p->steps[p->count] = (struct step){ .op = (uint8_t)op, .c = c };
    return (uint16_t)p->count++;
}

/* Behind the ] of the set whose [ stands before `at`; NULL when it is not closed. */
static const char *set_end(const char *at, const char *end)
{
    if (at < end && *at == '^')
        at++;
    if (at < end) /* a ] in the first place stands for itself */
        at++;
    while (at < end && *at != ']')
        at++;
    return at < end ? at + 1 : NULL;
}

/* Behind the atom at `at`, NULL when something is not closed. */
static const char *atom_end(const char *at, const char *end)
{
    unsigned depth = 0;

    do {
        if (at >= end)
            return NULL;
        if (*at == '\\') {
            if (++at == end)
                return NULL;
            at++;
        } else if (*at == '[') {
            at = set_end(at + 1, end);
            if (at == NULL)
                return NULL;
        } else {
            depth += *at == '(';
            if (*at == ')' && depth-- == 0)
                return NULL;
            at++;
        }
    } while (depth > 0);
    return at;
}

/* Reads a number of one to three digits. */
static const char *number_end(const char *at, const char *end, int *out)
{
    int value = 0;
    const char *start = at;

    while (at < end && at - start < 3 && *at >= '0' && *at <= '9')
        value = value * 10 + (*at++ - '0');
    *out = value;
    return at == start ? NULL : at;
}

/* How often the atom before `at` may stand; behind the sign that says so. NULL: it cannot be read. */
static const char *repeat_end(const char *at, const char *end, int *out_least, int *out_most)
{
    *out_least = *out_most = 1;
    if (at == end || strchr("*+?{", *at) == NULL)
        return at;
    if (*at != '{') {
        *out_least = *at == '+';
        *out_most = *at == '?' ? 1 : FOREVER;
        return at + 1;
    }
    at = number_end(at + 1, end, out_least);
    *out_most = *out_least;
    if (at != NULL && at < end && *at == ',') {
        at++;
        *out_most = FOREVER;
        if (at < end && *at != '}')
            at = number_end(at, end, out_most);
    }
    if (at == NULL || at == end || *at != '}' || *out_least > REPEAT_MAX || *out_most > REPEAT_MAX ||
        (*out_most != FOREVER && *out_most < *out_least))
        return NULL;
    return at + 1;
}

static void write_either(struct program *p, const char *at, const char *end);

static void write_atom(struct program *p, const char *at, const char *end)
{
    switch (*at) {
    case '(':
        put(p, OP_JUMP, '\0'); /* so that an empty group repeated meets the ceiling too */
        if (!p->failed)
            p->steps[p->count - 1].x = (uint16_t)p->count;
        write_either(p, at + 1, end - 1);
        break;
    case '[': {
        uint16_t set = put(p, OP_SET, '\0');

        p->steps[set].x = (uint16_t)(at + 1 - p->text);
        break;
    }
    case '.':
        put(p, OP_ANY, '\0');
        break;
    case '^':
        put(p, OP_START, '\0');
        break;
    case '$':
        put(p, OP_END, '\0');
        break;
    case '\\':
        put(p, at[1] == 'd' ? OP_DIGIT : OP_CHAR, at[1]);
        break;
    default:
        put(p, OP_CHAR, *at);
        break;
    }
}

static void write_repeated(struct program *p, const char *at, const char *end, int least, int most)
{
    for (int i = 0; i < least && !p->failed; i++)
        write_atom(p, at, end);
    for (int i = least; most != FOREVER && i < most && !p->failed; i++) {
        uint16_t either = put(p, OP_EITHER, '\0');

        write_atom(p, at, end);
        p->steps[either].x = (uint16_t)(either + 1);
        p->steps[either].y = (uint16_t)p->count;
    }
    if (most == FOREVER && !p->failed) {
        uint16_t either = put(p, OP_EITHER, '\0');

        write_atom(p, at, end);
        p->steps[put(p, OP_JUMP, '\0')].x = either;
        p->steps[either].x = (uint16_t)(either + 1);
        p->steps[either].y = (uint16_t)p->count;
    }
}

static void write_sequence(struct program *p, const char *at, const char *end)
{
    bool first = true; /* a + in front of a number counts not: it repeats nothing there */

    while (at < end && !p->failed) {
        if (first && *at == '\\' && end - at > 1 && at[1] == '+')
            at++;
        if (first && *at == '+') {
            at++;
            continue;
        }
        const char *stop = strchr(")*+?{", *at) == NULL ? atom_end(at, end) : NULL;
        int least, most;
        const char *next = stop == NULL ? NULL : repeat_end(stop, end, &least, &most);

        if (next == NULL) {
            p->failed = true;
            return;
        }
        first = first && *at == '^';
        write_repeated(p, at, stop, least, most);
        at = next;
    }
}

/* The | that ends the first branch, or `end`; NULL when something is not closed. */
static const char *branch_end(const char *at, const char *end)
{
    while (at != NULL && at < end && *at != '|')
        at = atom_end(at, end);
    return at;
}

static void write_either(struct program *p, const char *at, const char *end)
{
    const char *bar = branch_end(at, end);

    if (bar == NULL) {
        p->failed = true;
    } else if (bar == end) {
        write_sequence(p, at, end);
    } else {
        uint16_t either = put(p, OP_EITHER, '\0');

        write_sequence(p, at, bar);
        uint16_t jump = put(p, OP_JUMP, '\0');
        p->steps[either].x = (uint16_t)(either + 1);
        p->steps[either].y = (uint16_t)p->count;
        write_either(p, bar + 1, end);
        p->steps[jump].x = (uint16_t)p->count;
    }
}

static void program_init(struct program *p, const char *range)
{
    p->text = range;
    p->count = 0;
    p->failed = strlen(range) > UINT8_MAX;
    if (!p->failed)
        write_either(p, range, range + strlen(range));
    put(p, OP_FOUND, '\0');
}

/* --- and the steps are followed ----------------------------------------------------------------------------------- */

struct ways { /* the steps to go on from, each once */
    uint16_t at[STEPS_MAX];
    size_t count;
    bool has[STEPS_MAX];
};

/* Adds `at` and what can be reached from it without a character. True: the end was. */
static bool add_way(const struct program *p, struct ways *w, uint16_t at, bool is_start, bool is_end)
{
    uint16_t open[STEPS_MAX + 1];
    size_t count = 0;

    for (open[count++] = at; count > 0;) {
        at = open[--count];
        if (w->has[at])
            continue;
        w->has[at] = true;

        const struct step *s = &p->steps[at];
        switch ((enum op)s->op) {
        case OP_FOUND:
            return true;
        case OP_EITHER: /* each step is opened once and adds one to what waits at most */
            open[count++] = s->y;
            open[count++] = s->x;
            break;
        case OP_JUMP:
            open[count++] = s->x;
            break;
        case OP_START:
        case OP_END:
            if (s->op == OP_START ? is_start : is_end)
                open[count++] = (uint16_t)(at + 1);
            break;
        case OP_CHAR:
        case OP_ANY:
        case OP_SET:
        case OP_DIGIT:
            w->at[w->count++] = at;
            break;
        }
    }
    return false;
}

static bool set_has(const char *at, char c)
{
    bool negative = *at == '^', found = false;

    if (negative)
        at++;
    for (const char *first = at; *at != ']' || at == first; at++) {
        char low = *at;

        if (at[1] == '-' && at[2] != ']') {
            at += 2;
            found |= (unsigned char)c >= (unsigned char)low && (unsigned char)c <= (unsigned char)*at;
        } else {
            found |= c == low;
        }
    }
    return found != negative;
}

static bool takes(const struct program *p, const struct step *s, char c)
{
    switch ((enum op)s->op) {
    case OP_CHAR:
        return s->c == c;
    case OP_ANY:
        return true;
    case OP_SET:
        return set_has(p->text + s->x, c);
    case OP_DIGIT:
        return c >= '0' && c <= '9';
    default:
        return false;
    }
}

static bool find(const struct program *p, const char *address)
{
    struct ways here = { .count = 0 };
    const char *at = address;

    for (;; at++) {
        struct ways next = { .count = 0 };

        if (add_way(p, &here, 0, at == address, *at == '\0')) /* it may begin anywhere */
            return true;
        if (*at == '\0')
            return false;
        for (size_t i = 0; i < here.count; i++) {
            if (takes(p, &p->steps[here.at[i]], *at) &&
                add_way(p, &next, (uint16_t)(here.at[i] + 1), false, at[1] == '\0'))
                return true;
        }
        here = next;
    }
}

static const char *without_plus(const char *text)
{
    return text[0] == '+' ? text + 1 : text;
}

/* No expression: one address, or with * at the end a prefix. *out_len: of what is compared. */
static bool is_plain(const char *range, size_t *out_len)
{
    *out_len = strcspn(range, ".[]()|^$?+{}\\*");
    return range[*out_len] == '\0' || (range[*out_len] == '*' && range[*out_len + 1] == '\0');
}

bool address_range_is_sound(const char *range)
{
    struct program p;
    size_t len;

    if (is_plain(without_plus(range), &len))
        return true;
    program_init(&p, range);
    return !p.failed;
}

bool address_range_has(const char *range, const char *address)
{
    const char *plain = without_plus(range);
    struct program p;
    size_t len;

    address = without_plus(address);
    if (range[0] == '\0' || address[0] == '\0')
        return true;
    if (is_plain(plain, &len))
        return plain[len] == '*' ? strncmp(plain, address, len) == 0 : strcmp(plain, address) == 0;
    program_init(&p, range);
    return p.failed || find(&p, address);
}
