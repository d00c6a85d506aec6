/*
 * vector.h - reads a vector file: lines of remarks, a line "---", then the bytes exactly as they travel.
 *
 * For tests only: a file that cannot be read ends the program.
 */
#ifndef TESTS_VECTORS_VECTOR_H
#define TESTS_VECTORS_VECTOR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vector {
    char bytes[16384];
    size_t len;
    char remarks[1024];
};

static inline void vector_read(const char *name, struct vector *out)
{
    static char file[sizeof out->bytes];
    char path[512];

    snprintf(path, sizeof path, "%s/%s", TEST_VECTORS, name);
    FILE *f = fopen(path, "rb");
    size_t len = f == NULL ? 0 : fread(file, 1, sizeof file - 1, f);
    if (f != NULL)
        fclose(f);
    file[len] = '\0';
    char *cut = strstr(file, "---\n");
    if (cut == NULL) {
        fprintf(stderr, "%s: no vector\n", path);
        abort();
    }
    out->len = len - (size_t)(cut + 4 - file);
    memcpy(out->bytes, cut + 4, out->len);
    out->bytes[out->len] = '\0';
    size_t n = (size_t)(cut - file) < sizeof out->remarks ? (size_t)(cut - file) : sizeof out->remarks - 1;
    memcpy(out->remarks, file, n);
    out->remarks[n] = '\0';
}

#endif
