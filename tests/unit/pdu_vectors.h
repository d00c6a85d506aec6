/*
 * pdu_vectors.h - reads tests/vectors/pdu/NAME.hex: '#' lines (one says "expect: ..."), then the PDU in hex.
 *
 * Each PDU lies in memory of exactly its size, so that a sanitizer sees one byte too far.
 */
#ifndef TESTS_PDU_VECTORS_H
#define TESTS_PDU_VECTORS_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vector {
    char name[256];
    char expect[64]; /* "ok", "ok damaged", "reject RINVCMDLEN", "fatal" */
    int unjudged;    /* "# judge: no" and why: breaks a rule on purpose, a dissector may complain */
    uint8_t *pdu;
    size_t len;
};

static inline int vector_read(const char *name, struct vector *v)
{
    char path[4096], line[512];
    size_t size = 1 << 17;
    uint8_t *bytes = malloc(size);
    FILE *f;

    memset(v, 0, sizeof *v);
    snprintf(v->name, sizeof v->name, "%s", name);
    snprintf(path, sizeof path, "%s/pdu/%s", TEST_VECTORS, name);
    f = fopen(path, "r");
    if (f == NULL || bytes == NULL) {
        free(bytes);
        if (f != NULL)
            fclose(f);
        return -1;
    }
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] == '#') {
            sscanf(line, "# expect: %63[^\n]", v->expect);
            v->unjudged |= strncmp(line, "# judge: no", 11) == 0;
            continue;
        }
        unsigned byte;
        for (const char *at = line; v->len < size && sscanf(at, "%2x", &byte) == 1; at += 2)
            bytes[v->len++] = (uint8_t)byte;
    }
    fclose(f);
    v->pdu = malloc(v->len == 0 ? 1 : v->len);
    if (v->pdu != NULL)
        memcpy(v->pdu, bytes, v->len);
    free(bytes);
    return v->pdu == NULL || v->expect[0] == '\0' ? -1 : 0;
}

/* Calls `each` for every vector. Returns how many there were; -1 when one could not be read. */
static inline int vectors_each(void (*each)(const struct vector *v))
{
    DIR *dir = opendir(TEST_VECTORS "/pdu");
    struct dirent *entry;
    int count = 0;

    if (dir == NULL)
        return -1;
    while (count >= 0 && (entry = readdir(dir)) != NULL) {
        struct vector v;

        if (strstr(entry->d_name, ".hex") == NULL)
            continue;
        if (vector_read(entry->d_name, &v) != 0) {
            fprintf(stderr, "unreadable vector %s\n", entry->d_name);
            count = -1;
        } else {
            each(&v);
            count++;
        }
        free(v.pdu);
    }
    closedir(dir);
    return count;
}

#endif
