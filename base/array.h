/*
 * array.h - arrays that grow: the one place that doubles them. Ceilings are the caller's.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Room for `count` items and one more in *array (a pointer to the caller's pointer), which has room for *room. False: out
 * of memory, and nothing has changed. */
bool array_room(void *array, size_t *room, size_t count, size_t item_bytes);

#endif
