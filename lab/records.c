/* SPDX-License-Identifier: MIT */
/* records.c - the records of an account: a fixed number of places, fields as one form each [see records.h]. */
#include "lab/records.h"

#include <stdlib.h>
#include <string.h>

const char *record_field(const struct lab_record *record, const char *name, struct buf *to)
{
    struct http_params params;

    buf_clear(to);
    http_params_init(&params);
    if (http_params_read_form(&params, record->form, strlen(record->form)) == 0) {
        const char *value = http_params_get(&params, name);

        buf_adds(to, value != NULL ? value : "");
    }
    http_params_finish(&params);
    return buf_text(to);
}

bool record_flag(const struct lab_record *record, const char *name)
{
    struct buf value;

    buf_init(&value, RECORD_FORM_MAX);
    const char *text = record_field(record, name, &value);
    bool set = text[0] != '\0' && strcmp(text, "0") != 0;
    buf_finish(&value);
    return set;
}

int record_set(struct lab_record *record, const char *name, const char *value)
{
    struct http_params old;
    struct buf form;
    char *copy = NULL;

    buf_init(&form, RECORD_FORM_MAX);
    http_params_init(&old);
    int err = http_params_read_form(&old, record->form, strlen(record->form));
    http_form_add(&form, name, value, strlen(value));
    for (size_t i = 0; err == 0 && i < old.count; i++) {
        if (strcmp(old.at[i].name, name) != 0)
            http_form_add(&form, old.at[i].name, old.at[i].value, old.at[i].len);
    }
    if (err == 0 && form.failed)
        err = ERR_FULL;
    if (err == 0 && (copy = strdup(buf_text(&form))) == NULL)
        err = ERR_NOMEM;
    if (err == 0) {
        free(record->form);
        record->form = copy;
    }
    buf_finish(&form);
    http_params_finish(&old);
    return err;
}

struct lab_record *record_add_take(struct lab *lab, enum lab_record_kind kind, char *form, int64_t now_ms)
{
    if (lab->records == NULL)
        lab->records = calloc(LAB_RECORDS_MAX, sizeof *lab->records);
    if (lab->records == NULL || lab->record_count == LAB_RECORDS_MAX || form == NULL) {
        free(form);
        return NULL;
    }
    struct lab_record *r = &lab->records[lab->record_count++];

    *r = (struct lab_record){
        .id = ++lab->next_record, .kind = (uint8_t)kind, .form = form, .created_ms = now_ms, .due_ms = INT64_MAX
    };
    return r;
}

void record_drop(struct lab *lab, struct lab_record *record)
{
    struct lab_record *last = &lab->records[--lab->record_count];

    free(record->form);
    memmove(record, record + 1, (size_t)(last - record) * sizeof *record); /* lists stay in order of ids */
}

struct lab_record *record_by_id(struct lab *lab, enum lab_record_kind kind, uint32_t id)
{
    for (uint32_t i = 0; i < lab->record_count; i++) {
        if (lab->records[i].kind == kind && lab->records[i].id == id)
            return &lab->records[i];
    }
    return NULL;
}

struct lab_record *record_by_field(struct lab *lab, enum lab_record_kind kind, const char *name, const char *value)
{
    struct lab_record *found = NULL;
    struct buf text;

    buf_init(&text, RECORD_FORM_MAX);
    for (uint32_t i = 0; i < lab->record_count && found == NULL && value[0] != '\0'; i++) {
        struct lab_record *r = &lab->records[i];

        if (r->kind == kind && strcmp(record_field(r, name, &text), value) == 0)
            found = r;
    }
    buf_finish(&text);
    return found;
}

void lab_records_finish(struct lab *lab)
{
    for (uint32_t i = 0; i < lab->record_count; i++)
        free(lab->records[i].form);
    free(lab->records);
    lab->records = NULL;
    lab->record_count = lab->next_record = 0;
    lab->jobs_due_ms = INT64_MAX;
}
