/* SPDX-License-Identifier: MIT */
/* array.c - doubling, from eight items on. */
#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ITEMS = 8 };

bool array_room(void *array, size_t *room, size_t count, size_t item_bytes)
{
    size_t more = *room == 0 ? FIRST_ITEMS : *room;
    void *at;

    if (count < *room)
        return true;
    if (count >= SIZE_MAX / 2 / item_bytes)
        return false;
    while (more <= count)
        more *= 2;
    memcpy(&at, array, sizeof at); /* a pointer of any type: read and written as bytes */
    at = realloc(at, more * item_bytes);
    if (at == NULL)
        return false;
    memcpy(array, &at, sizeof at);
    *room = more;
    return true;
}
