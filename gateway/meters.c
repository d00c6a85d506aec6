/* SPDX-License-Identifier: MIT */
/* meters.c - the metric families and their label names. */
#include "gateway/meters.h"

#include "version.h"

static const double batch_sizes[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000 };
static const double seconds[] = { 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30 };

static struct metric *histogram(const char *name, const char *help, const char *labels, const double *bounds, size_t n)
{
    struct metric *m = metric_register(METRIC_HISTOGRAM, name, help, labels);

    metric_buckets(m, bounds, n);
    return m;
}

static struct metric_cell *single(enum metric_kind kind, const char *name, const char *help)
{
    return metric_cell(metric_register(kind, name, help, ""), NULL);
}

void meters_register(struct gateway_meters *m)
{
    struct metric *build =
        metric_register(METRIC_GAUGE, "smppbridge_build_info", "The version, as a label.", "version");

    metric_cell(build, METRIC_VALUES(SMPPBRIDGE_VERSION))->value = 1;
    m->messages = metric_register(METRIC_COUNTER, "smppbridge_messages_total", "Messages that reached a state.",
                                  "system_id,upstream,state");
    m->receipts =
        metric_register(METRIC_COUNTER, "smppbridge_receipts_total", "Receipts delivered to ESMEs.", "system_id,stat");
    m->callbacks =
        metric_register(METRIC_COUNTER, "smppbridge_callbacks_total", "Callbacks of the aggregator.", "kind,outcome");
    m->requests = metric_register(METRIC_COUNTER, "smppbridge_upstream_requests_total", "Requests to upstreams.",
                                  "upstream,method,outcome");
    m->pdus = metric_register(METRIC_COUNTER, "smppbridge_pdus_total", "SMPP PDUs.", "direction,command,status");
    m->queue =
        metric_register(METRIC_GAUGE, "smppbridge_queue_messages", "Messages waiting.", "queue,system_id,upstream");
    m->sessions = metric_register(METRIC_GAUGE, "smppbridge_sessions", "Bound sessions.", "system_id,type");
    m->throttled =
        metric_register(METRIC_COUNTER, "smppbridge_throttled_total", "Submits answered ESME_RTHROTTLED.", "system_id");
    m->headroom = metric_register(METRIC_GAUGE, "smppbridge_rate_headroom_messages",
                                  "What the account's rate leaves to submit at once; +Inf: it has none.", "system_id");
    m->quota_used = metric_register(METRIC_GAUGE, "smppbridge_quota_used", "Of the account's quota, in this period.",
                                    "system_id,unit");
    m->quota_limit = metric_register(METRIC_GAUGE, "smppbridge_quota_limit", "The account's quota a period; 0: none.",
                                     "system_id,unit");
    m->quota_refused = metric_register(METRIC_COUNTER, "smppbridge_quota_refused_total",
                                       "SMS refused because the account's quota was used up.", "system_id");
    m->logins = metric_register(METRIC_COUNTER, "smppbridge_logins_total", "Bind attempts.", "outcome");
    m->trouble = metric_register(METRIC_COUNTER, "smppbridge_smpp_trouble_total",
                                 "Connections refused, malformed input, time-outs.", "what");
    m->upstream_seconds = histogram("smppbridge_upstream_seconds", "Duration of requests to upstreams.",
                                    "upstream,method", seconds, ARRAY_LEN(seconds));
    m->batch = histogram("smppbridge_upstream_batch_messages", "Messages per send request.", "upstream", batch_sizes,
                         ARRAY_LEN(batch_sizes));
    m->balance = metric_register(METRIC_GAUGE, "smppbridge_upstream_balance", "Balance as last reported.", "upstream");
    m->commit =
        histogram("smppbridge_store_commit_seconds", "Duration of store commits.", "", seconds, ARRAY_LEN(seconds));
    m->submit =
        histogram("smppbridge_submit_seconds", "From submit_sm to its answer.", "", seconds, ARRAY_LEN(seconds));
    m->submit_seconds = metric_cell(m->submit, NULL);
    m->store_failures = single(METRIC_COUNTER, "smppbridge_store_failures_total", "Commits that failed.");
    m->store_writable = single(METRIC_GAUGE, "smppbridge_store_writable", "1 while the last commit succeeded.");
    m->clock_jumps =
        single(METRIC_COUNTER, "smppbridge_clock_jumps_total", "Jumps of the wall clock by more than five seconds.");
    m->descriptors = single(METRIC_GAUGE, "process_open_fds", "Open file descriptors.");
    m->descriptors_most = single(METRIC_GAUGE, "process_max_fds", "The most of them there may be.");
}

void meters_count(struct metric *m, const char *a, const char *b)
{
    metric_cell(m, METRIC_VALUES(a, b))->value += 1;
}

void meters_count3(struct metric *m, const char *a, const char *b, const char *c)
{
    metric_cell(m, METRIC_VALUES(a, b, c))->value += 1;
}
