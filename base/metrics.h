/*
 * metrics.h - counters, gauges and histograms, shown as Prometheus text.
 *
 * One registry for the process, used from the loop thread only. A family is registered once with its label names; a
 * cell is one combination of label values, looked up once and then kept by the caller, so counting is one addition.
 * At most METRIC_CELLS_MAX cells per family: further combinations share one cell whose labels all read "other".
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { METRIC_LABELS_MAX = 4, METRIC_CELLS_MAX = 20000 };
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric;
struct metric_cell {
    double value; /* counter, gauge: add or set it directly */
};

/* `labels`: comma-separated names, "" for none. The same name again returns the first family. Never NULL: out of
 * memory is an abort at start-up, families are registered before any traffic. */
struct metric *metric_register(enum metric_kind kind, const char *name, const char *help, const char *labels);
/* A histogram's bucket bounds, ascending; before its first cell. Default: 1 ms .. 60 s in seconds. */
void metric_buckets(struct metric *m, const double *bounds, size_t count);

/* The cell for these label values (as many as there are names). Valid until metric_forget or process end. */
struct metric_cell *metric_cell(struct metric *m, const char *const *values);
/* Removes the cell (a session's gauge); counters are kept for ever. */
void metric_forget(struct metric *m, const char *const *values);
void metric_observe(struct metric_cell *histogram_cell, double value);

/* All families as Prometheus text format 0.0.4. */
void metrics_write(struct buf *out);
/* Tests: forget everything. */
void metrics_reset(void);

#define METRIC_VALUES(...) ((const char *const[]){ __VA_ARGS__ })

#endif
