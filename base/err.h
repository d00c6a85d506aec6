/*
 * err.h - the error codes every room returns, and the few macros every file needs.
 *
 * 0 is success, every error is negative. The list stands here once; err_name gives the word for a log line.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* name, what it tells the caller */
#define ERR_LIST(X)                                                                                                    \
    X(NOMEM, "out of memory")                                                                                          \
    X(FULL, "a ceiling was reached")                                                                                   \
    X(EXISTS, "already there")                                                                                         \
    X(GONE, "the peer or object no longer exists")                                                                     \
    X(NOT_FOUND, "not found")                                                                                          \
    X(RANGE, "value out of range")                                                                                     \
    X(TRUNCATED, "ends too early")                                                                                     \
    X(SYNTAX, "not understood")                                                                                        \
    X(IO, "input or output failed")                                                                                    \
    X(DENIED, "not allowed")                                                                                           \
    X(TIMEOUT, "took too long")                                                                                        \
    X(BUSY, "try again later")                                                                                         \
    X(CONFIG, "configuration mistake")                                                                                 \
    X(UNSUPPORTED, "not supported")                                                                                    \
    X(STATE, "not possible in this state")

enum err_number {
    ERR_NUMBER_OK,
#define X(name, text) ERR_NUMBER_##name,
    ERR_LIST(X)
#undef X
        ERR_NUMBER_COUNT
};

enum err {
    ERR_OK = 0,
#define X(name, text) ERR_##name = -ERR_NUMBER_##name,
    ERR_LIST(X)
#undef X
};

/* "ERR_FULL" for ERR_FULL; "ERR_?" for a value that is not ours. Static strings. */
const char *err_name(int err);
/* The sentence of the list above. */
const char *err_text(int err);

#define MUST_CHECK   __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED(x)    ((void)(x))

#endif
