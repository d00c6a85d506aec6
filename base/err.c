/* SPDX-License-Identifier: MIT */
/* err.c - words for the error codes of err.h. */
#include "base/err.h"

#include <stddef.h>

static const char *const names[] = { "OK",
#define X(name, text) "ERR_" #name,
                                     ERR_LIST(X)
#undef X
};

static const char *const texts[] = { "success",
#define X(name, text) text,
                                     ERR_LIST(X)
#undef X
};

const char *err_name(int err)
{
    size_t n = err <= 0 ? (size_t)-err : ERR_NUMBER_COUNT;

    return n < ARRAY_LEN(names) ? names[n] : "ERR_?";
}

const char *err_text(int err)
{
    size_t n = err <= 0 ? (size_t)-err : ERR_NUMBER_COUNT;

    return n < ARRAY_LEN(texts) ? texts[n] : "unknown error";
}
