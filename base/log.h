/*
 * log.h - one line per event, key=value text or JSON, written by a thread of its own.
 *
 * A line is formatted on the caller's thread into a bounded ring and written to stderr by the log thread; when the ring
 * is full lines are dropped and counted, never waited for. Until log_start (and in tools) lines go straight to stderr.
 * Under systemd's journal each line begins with its priority ("<3>" to "<7>"), which the journal takes off again.
 * Message text and credentials are never given to this room unless the operator asked for content.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };
enum log_format { LOG_TEXT, LOG_JSON };

/* Starts the thread. Returns 0 or ERR_NOMEM. */
int log_start(enum log_level level, enum log_format format) MUST_CHECK;
/* Writes what waits and ends the thread; when nobody reads the output, gives up after two seconds. Safe to call without
 * log_start, and again. */
void log_stop(void);
/* Live change. */
void log_set(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
/* Lines dropped because the ring was full. */
uint64_t log_dropped(void);

/* One event: `event` is a short fixed phrase ("bind refused"); `format` gives fields as key=value pairs separated by
 * single spaces ("sys=%s sess=%u reason=%s"); values are quoted by the formatter where they need it: a value runs to
 * the next " key=". An event repeated within a second with the same phrase is folded into one line with repeated=N: an
 * identical line from its second time on, lines with other fields from the 21st on (the last one's fields are shown).
 * Without log_start nothing is folded. Fields beyond 2 KiB are cut. */
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF(3, 4);

#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                                 \
    do {                                                                                                               \
        if (log_enabled(LOG_DEBUG))                                                                                    \
            log_event(LOG_DEBUG, __VA_ARGS__);                                                                         \
    } while (0)

#endif
