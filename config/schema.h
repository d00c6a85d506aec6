/*
 * schema.h - the settings as a table: one row per key of the configuration file.
 *
 * Private to the room. Reading, checking, the example file, the report and the reload rules all walk these rows; a new
 * setting is one new row here and one member in config.h.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* What JSON a row takes and what it becomes in the struct. */
enum cfg_type {
    CFG_NONE,
    CFG_BOOL,     /* true, false -> bool */
    CFG_UINT32,   /* whole number -> uint32_t */
    CFG_UINT64,   /* whole number -> uint64_t */
    CFG_NUMBER,   /* number -> double */
    CFG_DURATION, /* "30s" -> uint64_t ms; "off" -> 0 where the row allows it */
    CFG_LASTING,  /* true -> CFG_ALWAYS, false -> 0, or a duration -> uint64_t ms */
    CFG_SIZE,     /* "64KiB" -> uint64_t bytes */
    CFG_ENUM,     /* one of the row's words -> its value (int) */
    CFG_WORD,     /* one of the row's words -> const char * */
    CFG_STRING,   /* -> const char *; min and max are its length in bytes */
    CFG_NAME,     /* the same, printable ASCII without spaces */
    CFG_SECRET,   /* the same, never shown; KEY_file names a file that holds it */
    CFG_FILE,     /* a readable file or null -> const char * or NULL */
    CFG_URL_PATH, /* "/smsc/callback" */
    CFG_STORE,    /* "sqlite:FILE" or "memory:" */
    CFG_STRINGS,  /* lists -> const char **; min and max count entries */
    CFG_LISTEN,   /* "host:port" entries */
    CFG_RANGES,   /* "10.0.0.0/8" entries */
    CFG_URLS,     /* "https://host" entries */
    CFG_PAIRS,    /* object of strings -> struct cfg_pair * */
    CFG_TYPE_COUNT
};

/* A feature not built yet is NOT_YET: its key is accepted only with the value that is in force (cfg_row.off). */
enum cfg_works { NOT_YET = 0, WORKS = 1 };
enum cfg_change { RESTART = 0, RELOAD = 1 };

struct cfg_word {
    const char *name; /* NULL ends the list */
    int value;
    enum cfg_works works;
};

struct cfg_row {
    const char *path; /* inside its section: "listen", "tls.listen" */
    enum cfg_type type;
    size_t offset;        /* inside the section's struct */
    const char *fallback; /* default, as JSON; NULL: must be given */
    double min, max;      /* value, ms, bytes, length or number of entries, after the type */
    enum cfg_change change;
    enum cfg_works works;
    const char *off;    /* as JSON: what is in force while the row is NOT_YET and differs from its default */
    const char *unit;   /* of numbers, for people */
    const char *sample; /* as JSON: what the example file shows instead of the default */
    bool may_be_off;    /* durations: "off" is taken, as 0 */
    const struct cfg_word *words;
    const char *help; /* one sentence; line breaks are kept */
};

enum cfg_shape {
    CFG_ROOT,   /* the file itself */
    CFG_OBJECT, /* { } */
    CFG_LIST,   /* [ { }, ... ] */
    CFG_EITHER  /* one { } or a list of them */
};

struct cfg_section {
    const char *key; /* "" for the root */
    enum cfg_shape shape;
    size_t offset;        /* in struct config: the struct, or the pointer to the list */
    size_t count_offset;  /* lists: the size_t */
    size_t size;          /* lists: bytes of one element */
    bool off_when_absent; /* without the section nothing of it is in force (its listen is empty) */
    const struct cfg_row *rows;
    size_t row_count;
    const char *help;
};

extern const struct cfg_section cfg_sections[];
extern const size_t cfg_section_count;

enum { CFG_ROWS_MAX = 64 };

/* The JSON text in force when the key is not given; NULL when it must be given. */
const char *cfg_row_default(const struct cfg_row *row);

#endif
