/* SPDX-License-Identifier: MIT */
/* clock.c - monotonic and wall time; the fake is process-wide and only tests set it. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static bool faked;
static uint64_t fake_mono_ms;
static int64_t fake_wall_ms;

uint64_t clock_mono_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
    return faked ? fake_mono_ms : clock_mono_ns() / 1000000u;
}

int64_t clock_wall_ms(void)
{
    struct timespec t;

    if (faked)
        return fake_wall_ms;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_fake(uint64_t mono_ms, int64_t wall_ms)
{
    faked = true;
    fake_mono_ms = mono_ms;
    fake_wall_ms = wall_ms;
}

void clock_fake_end(void)
{
    faked = false;
}

void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE])
{
    int64_t seconds = wall_ms / 1000;
    int64_t ms = wall_ms % 1000;
    struct tm tm;

    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    time_t t = (time_t)seconds;
    if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099) {
        snprintf(out, CLOCK_ISO_SIZE, "1970-01-01T00:00:00.000Z");
        return;
    }
    size_t n = strftime(out, CLOCK_ISO_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_ISO_SIZE - n, ".%03uZ", (unsigned)(ms % 1000));
}
