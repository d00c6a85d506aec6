/*
 * meters.h - every metric of this program, registered in one place [interface.md 5].
 */
#ifndef GATEWAY_METERS_H
#define GATEWAY_METERS_H

#include "base/metrics.h"

struct gateway_meters {
    struct metric *messages;                 /* system_id, upstream, state */
    struct metric *receipts;                 /* system_id, stat */
    struct metric *callbacks;                /* kind, outcome */
    struct metric *requests;                 /* upstream, method, outcome */
    struct metric *pdus;                     /* direction, command, status */
    struct metric *queue;                    /* queue, system_id or upstream */
    struct metric *sessions;                 /* system_id, type */
    struct metric *throttled;                /* system_id */
    struct metric *headroom;                 /* system_id */
    struct metric *logins;                   /* outcome */
    struct metric *trouble;                  /* what */
    struct metric *quota_used, *quota_limit; /* system_id, unit */
    struct metric *quota_refused;            /* system_id */
    struct metric *upstream_seconds, *batch, *balance, *commit, *submit;
    struct metric_cell *submit_seconds;
    struct metric_cell *store_failures, *store_writable, *clock_jumps, *descriptors, *descriptors_most;
};

struct account_meters {
    struct metric_cell *accepted, *refused;
    struct metric_cell *queued, *backlog, *throttled, *headroom;
};

struct upstream_meters {
    struct metric_cell *send_seconds, *batch, *balance, *waiting, *in_flight;
};

void meters_register(struct gateway_meters *m);
void meters_count(struct metric *m, const char *a, const char *b);
void meters_count3(struct metric *m, const char *a, const char *b, const char *c);

#endif
