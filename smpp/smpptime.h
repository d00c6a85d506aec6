/*
 * smpptime.h - schedule_delivery_time and validity_period [SMPP34 7.1.1], receipt dates.
 */
#ifndef SMPP_SMPPTIME_H
#define SMPP_SMPPTIME_H

#include <stdint.h>

#include "base/err.h"
#include "smpp/pdu.h"

/* Absolute "YYMMDDhhmmsstnnp" (p + or -: quarter hours from UTC) or relative "...R", 16 characters; also absolute with
 * fewer than 16 characters is refused. `now_ms` is wall time. Empty: *out_ms = 0 and 0 is returned. Years 70..99 are
 * 19xx. Returns 0, or ERR_SYNTAX when it is not such a time. *out_ms: wall milliseconds; may lie in the past. */
int smpp_time_read(struct smpp_str s, int64_t now_ms, int64_t *out_ms) MUST_CHECK;

/* "YYMMDDhhmm" (10) or "YYMMDDhhmmss" (12 digits) in UTC plus `offset_minutes`; writes width + NUL. */
void smpp_time_digits(int64_t wall_ms, int width, int offset_minutes, char out[13]);
/* Absolute form of 16 characters, UTC ("...000+"). */
void smpp_time_absolute(int64_t wall_ms, char out[17]);

#endif
