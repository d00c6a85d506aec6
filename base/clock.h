/*
 * clock.h - the two clocks, and a fake for tests.
 *
 * Monotonic time measures and times out; wall time is shown and stored. Nothing compares the two, so a jump of the wall
 * clock moves no timer. Both in milliseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds from an unspecified start, never going back. */
uint64_t clock_mono_ms(void);
/* Nanoseconds of the same clock, for measuring. Not faked. */
uint64_t clock_mono_ns(void);
/* Milliseconds since 1970-01-01 UTC. May jump. */
int64_t clock_wall_ms(void);

/* Tests: both clocks stand still at these values until set again; clock_fake_end goes back to the real ones. */
void clock_fake(uint64_t mono_ms, int64_t wall_ms);
void clock_fake_end(void);

/* "2026-11-22T01:30:05.123Z": 24 characters and a NUL. */
enum { CLOCK_ISO_SIZE = 25 };
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);

#endif
