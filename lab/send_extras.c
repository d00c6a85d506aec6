/* SPDX-License-Identifier: MIT */
/*
 * send_extras.c - parameters of send.php that only some kinds of messages have [smsc-api 3.1]: voice, param, subj, files...
 *
 * Checked as documented, and noted as they will be applied: /lab/messages shows them under "extras". Nothing here is
 * played, loaded or mailed.
 */
#include "lab/send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUBJECT_MAX = 1000, URL_MAX = 2000 };

static bool is_type(const struct send_job *job, enum lab_type type)
{
    return job->type == type;
}

/* "m3" or "w2,de" */
static bool is_voice(const char *s)
{
    static const char *const voices[] = { "m", "m2", "m3", "m4", "w", "w2", "w3", "w4" };
    size_t len = strcspn(s, ",");

    for (size_t i = 0; i < ARRAY_LEN(voices); i++) {
        if (strlen(voices[i]) == len && strncmp(s, voices[i], len) == 0)
            return s[len] == '\0' ||
                   (strlen(s + len + 1) == 2 && strspn(s + len + 1, "abcdefghijklmnopqrstuvwxyz") == 2);
    }
    return false;
}

static unsigned clamp(unsigned v, unsigned low, unsigned high)
{
    return v < low ? low : v > high ? high : v;
}

/* "w,i,n": seconds to wait, seconds between tries, tries. Anything else gives the defaults. */
static void note_call(struct send_job *job)
{
    const char *voice = lab_param(job->call, "voice"), *param = lab_param(job->call, "param");
    unsigned w, i, n;
    char text[40], rest;

    http_form_add(&job->extras, "voice", voice[0] != '\0' ? voice : "m3", strlen(voice[0] != '\0' ? voice : "m3"));
    if (sscanf(param, "%2u,%4u,%1u%c", &w, &i, &n, &rest) == 3 && i <= 3600)
        (void)snprintf(text, sizeof text, "%u,%u,%u", clamp(w, 10, 35), clamp(i, 10, 3600), clamp(n, 1, 9));
    else
        (void)snprintf(text, sizeof text, "25,3-14,8");
    http_form_add(&job->extras, "param", text, strlen(text));
}

static void note_files(struct send_job *job)
{
    const struct http_params *params = &job->call->params;
    size_t bytes = 0;
    unsigned count = 0;
    char text[48];

    for (size_t i = 0; i < params->count; i++) {
        const char *name = params->at[i].name;

        if (strncmp(name, "file", 4) != 0 || (name[4] != '\0' && name[4 + strspn(name + 4, "0123456789")] != '\0'))
            continue;
        count++;
        bytes += params->at[i].len;
    }
    if (count == 0)
        return;
    (void)snprintf(text, sizeof text, "%u (%zu bytes)", count, bytes);
    http_form_add(&job->extras, "files", text, strlen(text));
}

static void note(struct send_job *job, const char *name)
{
    const struct http_param *p = http_params_find(&job->call->params, name);

    if (p != NULL && p->len > 0)
        http_form_add(&job->extras, name, p->value, p->len);
}

int send_read_extras(struct send_job *job)
{
    const struct lab_call *call = job->call;
    const char *subj = lab_param(call, "subj"), *url = lab_param(call, "fileurl"), *sender = lab_param(call, "sender");
    const char *voice = lab_param(call, "voice"), *bot = lab_param(call, "bot"), *smsreq = lab_param(call, "smsreq");
    long days;

    if (strlen(subj) > SUBJECT_MAX || strlen(url) > URL_MAX || (voice[0] != '\0' && !is_voice(voice)) ||
        (bot[0] != '\0' && (bot[0] != '@' || strlen(bot) > 64)))
        return 1;
    if (url[0] != '\0' && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return 1;
    if (smsreq[0] != '\0' && strcmp(smsreq, "0") != 0 &&
        (lab_param_number(call, "smsreq", 999, 0, &days) != 0 || days < 10))
        return 1;
    if (is_type(job, LAB_MAIL) && (subj[0] == '\0' || sender[0] == '\0' || lab_param(call, "mes")[0] == '\0') &&
        lab_param(call, "list")[0] == '\0')
        return 1; /* all three are mandatory */
    if (is_type(job, LAB_MMS) && subj[0] == '\0' && lab_param(call, "mes")[0] == '\0')
        return 1; /* one of both is */
    if (is_type(job, LAB_CALL))
        note_call(job);
    if (is_type(job, LAB_MMS) && subj[0] == '\0')
        http_form_add(&job->extras, "subj", sender, strlen(sender));
    note(job, "subj");
    note(job, "fileurl");
    note(job, "bot");
    note(job, "smsreq");
    note(job, "pp");
    note_files(job);
    return job->extras.failed ? 1 : 0;
}
