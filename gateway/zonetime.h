/*
 * zonetime.h - dates as the aggregator's lists write them, in the account's own zone. Pure.
 * Spec: smsc-api 12.2 (member `received` of get_answers).
 */
#ifndef GATEWAY_ZONETIME_H
#define GATEWAY_ZONETIME_H

#include <stdint.h>

/* "DD.MM.YYYY hh:mm:ss" as Unix seconds; `timezone_h` hours east of UTC, 5.5 and the like too. 0 when it is no such date. */
int64_t zonetime_read(const char *text, double timezone_h);

#endif
