/* SPDX-License-Identifier: MIT */
/* load_table.c - open addressing by a hash of the id; deletion closes the gap, so probes stay short however long it runs. */
#include "lab/load_table.h"

#include <stdlib.h>

#include "lab/core.h"

static size_t place_of(const struct load_table *t, uint64_t key)
{
    size_t at = (size_t)key & (t->size - 1);

    while (t->slots[at].key != 0 && t->slots[at].key != key)
        at = (at + 1) & (t->size - 1);
    return at;
}

static bool grow(struct load_table *t)
{
    struct load_table bigger = { .size = t->size == 0 ? 4096 : t->size * 2 };

    if (bigger.size > LOAD_TABLE_MAX || (bigger.slots = calloc(bigger.size, sizeof *bigger.slots)) == NULL)
        return false;
    for (size_t i = 0; i < t->size; i++) {
        if (t->slots[i].key != 0)
            bigger.slots[place_of(&bigger, t->slots[i].key)] = t->slots[i];
    }
    bigger.count = t->count;
    free(t->slots);
    *t = bigger;
    return true;
}

static void delete_at(struct load_table *t, size_t hole)
{
    size_t mask = t->size - 1;

    for (size_t at = (hole + 1) & mask; t->slots[at].key != 0; at = (at + 1) & mask) {
        size_t home = (size_t)t->slots[at].key & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) { /* the hole lies on its way from home */
            t->slots[hole] = t->slots[at];
            hole = at;
        }
    }
    t->slots[hole].key = 0;
    t->count--;
}

bool load_table_meet(struct load_table *t, const char *id, size_t id_len, uint64_t at_ns, uint64_t *out_other_ns)
{
    uint64_t key = lab_hash(id, id_len, 0);
    size_t at;

    if (key == 0)
        key = 1;
    if (t->count * 4 >= t->size * 3 && !grow(t) && t->count + 1 >= t->size)
        return false;
    at = place_of(t, key);
    if (t->slots[at].key == key) {
        *out_other_ns = t->slots[at].at_ns;
        delete_at(t, at);
        return true;
    }
    t->slots[at] = (struct load_slot){ key, at_ns };
    t->count++;
    return false;
}

void load_table_finish(struct load_table *t)
{
    free(t->slots);
    *t = (struct load_table){ 0 };
}
