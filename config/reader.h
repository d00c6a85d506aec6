/*
 * reader.h - one reading of one file: the text's tree with its line numbers, and the mistakes found so far.
 *
 * Private to the room: text.c makes the tree, load.c turns it into the struct, check.c compares what belongs together.
 */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include <cjson/cJSON.h>

#include "config/schema.h"

enum { CFG_PATH_SIZE = 256, CFG_MISTAKES_MAX = 100 };

struct cfg_line {
    const cJSON *node;
    unsigned line;
};

struct cfg_reader {
    const char *name; /* of the file, for reports */
    struct config *config;
    struct buf *mistakes;
    unsigned mistake_count;
    cJSON *root; /* NULL until the text was understood */
    struct cfg_line *lines;
    size_t line_count;
};

/* text.c: comments and syntax. True when r->root is there; else a mistake has been noted. */
bool cfg_read_tree(struct cfg_reader *r, const char *text, size_t len);
void cfg_reader_finish(struct cfg_reader *r);
/* The line of a value, 0 when unknown. */
unsigned cfg_line_of(const struct cfg_reader *r, const cJSON *node);
/* The value at "esmes[0].window", or the nearest one above it that exists. */
const cJSON *cfg_node_at(const struct cfg_reader *r, const char *path);
/* Notes "file: path: WHAT (line N)"; `node` NULL: found by its path. */
void cfg_mistake(struct cfg_reader *r, const cJSON *node, const char *path, const char *format, ...) PRINTF(4, 5);

/* load.c: memory that lives as long as the config; NULL when there is none (a mistake has been noted). Zeroed. */
void *cfg_alloc(struct cfg_reader *r, size_t size);
/* Fills the struct at `base` with the row's default; "" or an empty list where the key must be given. */
void cfg_set_default(struct cfg_reader *r, const struct cfg_row *row, void *base);

/* check.c: everything that concerns two settings. */
void cfg_check(struct cfg_reader *r);

#endif
