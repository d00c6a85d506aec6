/* load_table.h - messages waiting for their receipt: message_id to the time of its submit. Private to lab/. */
#ifndef LAB_LOAD_TABLE_H
#define LAB_LOAD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOAD_TABLE_MAX = 1 << 24 };

struct load_slot {
    uint64_t key; /* 0 = free */
    uint64_t at_ns;
};

struct load_table {
    struct load_slot *slots;
    size_t size, count;
};

/* The submit's time when the receipt comes, or the receipt's when it comes before the answer to its submit: whoever is
 * second takes what the first has left. False: nothing was there, at_ns is kept now (or lost, when memory is). */
bool load_table_meet(struct load_table *t, const char *id, size_t id_len, uint64_t at_ns, uint64_t *out_other_ns);
void load_table_finish(struct load_table *t);

#endif
