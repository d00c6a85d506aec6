/*
 * trail.h - what happened to recent messages, with times: the exact part of a message's timeline.
 *
 * A ring in memory, so that the normal path pays one small write for an event and the store none. It is a help for
 * people: what has been overwritten or lost by a restart is told by the rows and notes of the store (timeline.c).
 */
#ifndef GATEWAY_TRAIL_H
#define GATEWAY_TRAIL_H

#include <stddef.h>
#include <stdint.h>

enum trail_what {
    TRAIL_NONE,
    TRAIL_RECEIVED,    /* a: session number, b: sequence_number */
    TRAIL_STORED,      /* durable */
    TRAIL_ANSWERED,    /* b: command_status */
    TRAIL_SENT,        /* a: send, b: which try */
    TRAIL_REPLY,       /* a: send, b: 0 accepted, the aggregator's error code, or TRAIL_NOT_SENT, TRAIL_NO_REPLY */
    TRAIL_CALLBACK,    /* a: delivery error code, b: the aggregator's status */
    TRAIL_JOINED,      /* a: the message its part went into, 0 for that one itself, b: of so many parts */
    TRAIL_ASKED,       /* a: send: its status was asked for, as nobody knows what came of the request */
    TRAIL_TOLD,        /* a: delivery error code, b: the aggregator's status: an answer, not a callback */
    TRAIL_NOT_TOLD,    /* b: the aggregator's error code, 0 no answer */
    TRAIL_DELIVER,     /* a: session number, b: which try */
    TRAIL_DELIVER_END, /* a: enum smpp_deliver_end, b: command_status */
    TRAIL_COUNT
};

enum { TRAIL_NOT_SENT = -1, TRAIL_NO_REPLY = -2 };

struct trail_event {
    uint64_t id;
    int64_t at_ms; /* wall */
    uint64_t a;
    int32_t b;
    uint32_t what;
};

struct trail {
    struct trail_event *ring;
    size_t size, next;
    uint64_t counts[TRAIL_COUNT]; /* ever; rates are made of them */
};

/* NULL when out of memory. */
struct trail *trail_create(size_t size);
void trail_destroy(struct trail *trail);
/* `trail` NULL is welcome. */
void trail_add(struct trail *trail, uint64_t id, enum trail_what what, uint64_t a, int64_t b);
/* The last `max` events of this message, oldest first. Returns how many. */
size_t trail_find(const struct trail *trail, uint64_t id, struct trail_event *out, size_t max);

#endif
