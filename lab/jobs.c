/* SPDX-License-Identifier: MIT */
/*
 * jobs.c - mailings that send at their time, again and again if asked [smsc-api 15.1].
 *
 * A job is the parameters of a send.php and when it leaves. At its time they go through the very code of send.php, but for
 * the rules about requests: nobody has asked. What the documents leave open is assumed: a job of the past leaves at once;
 * repeats keep its time of day; the second text or sender (mes2, sender2) and fl[5] send a message that failed once more.
 */
#include "lab/records.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/send.h"

enum { RPT_MANUAL, RPT_HOURLY, RPT_DAILY, RPT_WORKDAYS, RPT_WEEKENDS, RPT_WEEKLY, RPT_MONTHLY, RPT_YEARLY, RPT_COUNT };
enum { HOUR_MS = 3600000, DAY_MS = 86400000, RUNS_AT_ONCE = 100 };

/* Parameters of a job that are not the send's. Its time has been read, and decides when it runs. */
static bool is_own(const char *name)
{
    static const char *const own[] = { "add", "name", "rpt", "rptn", "tpl", "sender2", "mes2", "fl[5]", "time", "tz" };

    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (strcmp(own[i], name) == 0)
            return true;
    }
    return false;
}

static void call_open(struct lab_call *call, struct lab *lab, const struct lab_request *request,
                      struct lab_reply *reply)
{
    *call = (struct lab_call){ .lab = lab,
                               .authorised = true,
                               .request = request,
                               .fmt = 1,
                               .now_ms = request->now_ms,
                               .reply = reply,
                               .out = &reply->body };
    http_params_init(&call->params);
    lab_reply_init(reply);
}

int lab_send_form(struct lab *lab, const char *form, uint32_t job, int64_t now_ms, char out_id[48])
{
    struct lab_request request = { .method = "POST", .path = "/sys/send.php", .peer = "job", .now_ms = now_ms };
    struct lab_reply reply;
    struct lab_call call;

    call_open(&call, lab, &request, &reply);
    call.job = job;
    call.internal = true;
    out_id[0] = '\0';
    if (http_params_read_form(&call.params, form, strlen(form)) == 0)
        lab_method_send(&call);
    else
        call.error = 1;
    size_t len = strcspn(buf_text(&reply.body), ",");
    if (len < 48) {
        memcpy(out_id, buf_text(&reply.body), len);
        out_id[len] = '\0';
    }
    int error = call.error;
    lab_call_close(&call);
    lab_reply_finish(&reply);
    return error;
}

/* The template's text where the job has none of its own. */
static int add_template(struct lab_call *call)
{
    long id;

    if (lab_param_number(call, "tpl", INT32_MAX, 0, &id) != 0)
        return 1;
    if (id == 0 || lab_param(call, "mes")[0] != '\0' || lab_param(call, "list")[0] != '\0')
        return 0;
    struct lab_record *record = record_by_id(call->lab, TEMPLATE, (uint32_t)id);
    if (record == NULL)
        return 3;
    struct buf text;

    buf_init(&text, RECORD_FORM_MAX);
    const char *msg = record_field(record, "msg", &text);
    size_t i = 0;
    while (i < call->params.count && strcmp(call->params.at[i].name, "mes") != 0)
        i++;
    int err = i < call->params.count ? http_params_replace(&call->params, i, msg, strlen(msg))
                                     : http_params_add(&call->params, "mes", msg, strlen(msg));
    buf_finish(&text);
    return err != 0 ? 5 : 0;
}

int job_check(struct lab_call *call, int64_t *out_due_ms)
{
    struct send_job job;
    long ignored;

    if (lab_param_number(call, "rpt", RPT_COUNT - 1, 0, &ignored) != 0 ||
        lab_param_number(call, "rptn", 100000, 0, &ignored) != 0)
        return 1;
    int error = add_template(call);
    if (error != 0)
        return error;
    send_job_init(&job, call);
    error = send_read(&job);
    *out_due_ms = job.at_ms > call->now_ms ? job.at_ms : call->now_ms;
    send_job_finish(&job);
    return error;
}

void jobs_arm(struct lab *lab)
{
    lab->jobs_due_ms = INT64_MAX;
    for (uint32_t i = 0; i < lab->record_count; i++) {
        if (lab->records[i].kind == JOB && lab->records[i].due_ms < lab->jobs_due_ms)
            lab->jobs_due_ms = lab->records[i].due_ms;
    }
}

static bool is_weekend(int64_t local_ms)
{
    int64_t day = (local_ms / DAY_MS + 4) % 7; /* 1.1.1970 was a Thursday; 0 is Sunday */

    return day == 0 || day == 6;
}

static int64_t months_later(int64_t local_ms, int months)
{
    time_t t = (time_t)(local_ms / 1000);
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL)
        return local_ms + 30 * (int64_t)DAY_MS;
    int day = tm.tm_mday;
    tm.tm_mon += months;
    t = timegm(&tm);
    if (gmtime_r(&t, &tm) != NULL && tm.tm_mday != day) { /* the 31st of a shorter month: its last day */
        t -= (time_t)tm.tm_mday * 86400;
    }
    return (int64_t)t * 1000 + local_ms % 1000;
}

/* When it leaves next; INT64_MAX: never. Steps over what was missed while the clock was set forward. */
static int64_t next_ms(const struct lab *lab, int64_t due_ms, long rpt, int64_t now_ms)
{
    int64_t zone_ms = (int64_t)(lab->b.timezone_h * HOUR_MS), at = due_ms + zone_ms, now = now_ms + zone_ms;

    if (rpt <= RPT_MANUAL || rpt >= RPT_COUNT)
        return INT64_MAX;
    if (rpt == RPT_HOURLY || rpt == RPT_WEEKLY) {
        int64_t step = rpt == RPT_HOURLY ? HOUR_MS : 7 * (int64_t)DAY_MS;

        return due_ms + step * ((now - at) / step + 1);
    }
    if (rpt == RPT_MONTHLY || rpt == RPT_YEARLY) {
        int months = rpt == RPT_YEARLY ? 12 : 1, n = 1;

        while (months_later(at, n * months) <= now && n < 100000)
            n++;
        return months_later(at, n * months) - zone_ms;
    }
    at += DAY_MS * ((now - at) / DAY_MS + 1);
    while (rpt != RPT_DAILY && is_weekend(at) != (rpt == RPT_WEEKENDS))
        at += DAY_MS;
    return at - zone_ms;
}

static long number_field(const struct lab_record *record, const char *name)
{
    struct buf text;

    buf_init(&text, RECORD_FORM_MAX);
    long v = strtol(record_field(record, name, &text), NULL, 10);
    buf_finish(&text);
    return v;
}

/* The send of a job: its form without what is the job's own; `phone` NULL: to all of its numbers, else the second try to
 * this one. False: out of memory. */
static bool send_form(const struct lab_record *record, const char *phone, struct buf *out)
{
    struct http_params params;

    buf_clear(out);
    http_params_init(&params);
    int err = http_params_read_form(&params, record->form, strlen(record->form));
    const char *mes2 = http_params_get(&params, "mes2"), *sender2 = http_params_get(&params, "sender2");
    if (phone != NULL) {
        http_form_add(out, "phones", phone, strlen(phone));
        if (mes2 != NULL && mes2[0] != '\0')
            http_form_add(out, "mes", mes2, strlen(mes2));
        if (sender2 != NULL && sender2[0] != '\0')
            http_form_add(out, "sender", sender2, strlen(sender2));
    }
    /* the first of two equal names counts, so the second try's stand in front */
    for (size_t i = 0; err == 0 && i < params.count; i++) {
        bool skipped =
            is_own(params.at[i].name) ||
            (phone != NULL && (strcmp(params.at[i].name, "list") == 0 || strcmp(params.at[i].name, "period") == 0));
        if (!skipped)
            http_form_add(out, params.at[i].name, params.at[i].value, params.at[i].len);
    }
    http_params_finish(&params);
    return err == 0 && !out->failed;
}

static void run(struct lab *lab, struct lab_record *record, int64_t now_ms)
{
    long rpt = number_field(record, "rpt"), most = number_field(record, "rptn");
    int64_t due_ms = record->due_ms;
    struct buf form;

    buf_init(&form, RECORD_FORM_MAX * 2);
    record->runs++;
    record->due_ms = most > 0 && record->runs > (uint32_t)most ? INT64_MAX : next_ms(lab, due_ms, rpt, now_ms);
    record->error = send_form(record, NULL, &form)
                        ? (uint8_t)lab_send_form(lab, buf_text(&form), record->id, now_ms, record->sms_id)
                        : 5;
    buf_finish(&form);
}

void jobs_run(struct lab *lab, int64_t now_ms)
{
    unsigned left = RUNS_AT_ONCE;

    if (lab->jobs_due_ms > now_ms)
        return;
    for (uint32_t i = 0; i < lab->record_count && left > 0; i++) {
        if (lab->records[i].kind == JOB && lab->records[i].due_ms <= now_ms) {
            run(lab, &lab->records[i], now_ms);
            left--;
        }
    }
    jobs_arm(lab);
}

void job_message_ended(struct lab *lab, uint32_t job, const char *phone, int status, int64_t now_ms)
{
    struct lab_record *record = record_by_id(lab, JOB, job);
    bool failed = status == LAB_EXPIRED || status >= LAB_IMPOSSIBLE;
    struct buf form;
    char id[48];

    if (record == NULL || !failed ||
        !(record_flag(record, "mes2") || record_flag(record, "sender2") || record_flag(record, "fl[5]")))
        return;
    buf_init(&form, RECORD_FORM_MAX * 2);
    if (send_form(record, phone, &form))
        (void)lab_send_form(lab, buf_text(&form), 0, now_ms, id); /* refused: then it stays as it ended */
    buf_finish(&form);
}
