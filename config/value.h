/*
 * value.h - single values between their text in the file and their form in the struct. Pure.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdint.h>

#include "config/schema.h"

/* "500ms", "30s", "1.5m", "24h", "30d". Returns 0 or ERR_SYNTAX. */
int cfg_parse_duration(const char *text, uint64_t *out_ms) MUST_CHECK;
/* "512B", "64KiB", "1MiB", "2GiB". Returns 0 or ERR_SYNTAX. */
int cfg_parse_size(const char *text, uint64_t *out_bytes) MUST_CHECK;
/* In the largest unit that keeps it whole. */
void cfg_write_duration(uint64_t ms, struct buf *out);
void cfg_write_size(uint64_t bytes, struct buf *out);

/* The row's value inside `base` (its section's struct) as JSON; a secret as "***", an empty one as "". Equal values give
 * equal texts, so the text also serves to compare. `reveal`: for comparing, secrets as they are. */
void cfg_write_value(const struct cfg_row *row, const void *base, bool reveal, struct buf *out);
/* The row's range for people: "1..1000 messages", "10ms..1h", "\"text\" or \"json\""; empty where there is none. */
void cfg_write_range(const struct cfg_row *row, struct buf *out);
/* "must be ..." without the range: "a duration such as \"30s\"". */
const char *cfg_type_words(const struct cfg_row *row);

#endif
