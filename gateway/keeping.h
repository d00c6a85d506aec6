/*
 * keeping.h - housekeeping while the gateway runs: what has been kept long enough is removed, and troubles of the
 * machine are said once.
 */
#ifndef GATEWAY_KEEPING_H
#define GATEWAY_KEEPING_H

#include <stdbool.h>
#include <stdint.h>

struct gateway;

struct keeping {
    uint64_t next_expire_ms; /* mono */
    bool store_was_sick;
    bool few_descriptors;
};

/* Once a second. */
void keeping_beat(struct gateway *gw);

#endif
