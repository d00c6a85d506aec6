/* SPDX-License-Identifier: MIT */
/*
 * methods_desk.c - jobs, phones, senders, users, templates: what the account keeps beside messages [smsc-api 15].
 *
 * One row per operation. A record holds whatever fields it was given and shows those of its list; the aggregator's own
 * meaning of a field (a job that sends, a sender that is registered with an operator) is not acted out.
 */
#include "lab/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { JOB, CONTACT, GROUP, BLACK, SENDER, USER, TEMPLATE, OP_TEMPLATE };
enum action { ADD, CHANGE, DELETE, LIST, ONE, DONE };

enum { FIELDS_MAX = 10, FORM_MAX = 64 << 10, MINUTE_MS = 60000 };

static const struct operation {
    const char *method, *flag;
    enum action action;
    enum kind kind;
    const char *needs[2]; /* parameters; NULL none */
    const char *key;      /* the field that names a record, beside its id */
    const char *list[FIELDS_MAX];
} operations[] = {
#define CONTACT_FIELDS                                                                                                 \
    {                                                                                                                  \
        "phone", "mail", "name", "grp", "lnm", "fnm", "mnm", "bd", "cmt"                                               \
    }
    { "phones", "add", ADD, CONTACT, { "phone" }, "phone", { 0 } },
    { "phones", "chg", CHANGE, CONTACT, { NULL }, "phone", { 0 } },
    { "phones", "del", DELETE, CONTACT, { NULL }, "phone", { 0 } },
    { "phones", "get", LIST, CONTACT, { NULL }, "phone", CONTACT_FIELDS },
    { "phones", "add_group", ADD, GROUP, { "name" }, "name", { 0 } },
    { "phones", "chg_group", CHANGE, GROUP, { "id" }, "name", { 0 } },
    { "phones", "del_group", DELETE, GROUP, { "id" }, "name", { 0 } },
    { "phones", "get_group", LIST, GROUP, { NULL }, "name", { "name", "num", "type" } },
    { "phones", "move_group", DONE, CONTACT, { "grp" }, NULL, { 0 } },
    { "phones", "add_black", ADD, BLACK, { "phone" }, "phone", { 0 } },
    { "phones", "del_black", DELETE, BLACK, { "phone" }, "phone", { 0 } },
    { "senders", "add", ADD, SENDER, { "sender" }, "sender", { 0 } },
    { "senders", "chg", CHANGE, SENDER, { "sender" }, "sender", { 0 } },
    { "senders", "del", DELETE, SENDER, { "sender" }, "sender", { 0 } },
    { "senders", "get", LIST, SENDER, { NULL }, "sender", { "sender", "cmt", "name", "mail", "site" } },
    { "senders", "send_code", DONE, SENDER, { "sender" }, NULL, { 0 } },
    { "senders", "check_code", DONE, SENDER, { "sender", "code" }, NULL, { 0 } },
    { "users", "add", ADD, USER, { "user", "password" }, "user", { 0 } },
    { "users", "chg", CHANGE, USER, { "user" }, "user", { 0 } },
    { "users", "pay", CHANGE, USER, { "user", "sum" }, "user", { 0 } },
    { "users", "get_stat", LIST, USER, { NULL }, "user", { "user", "sum" } },
    { "users", "get_stat_all", LIST, USER, { NULL }, "user", { "user", "sum" } },
    { "templates", "add", ADD, TEMPLATE, { "name", "msg" }, "name", { 0 } },
    { "templates", "chg", CHANGE, TEMPLATE, { "id" }, "name", { 0 } },
    { "templates", "del", DELETE, TEMPLATE, { "id" }, "name", { 0 } },
    { "templates", "get", LIST, TEMPLATE, { NULL }, "name", { "name", "msg=message", "format", "sender", "flag" } },
    { "op_templates", "add", ADD, OP_TEMPLATE, { "sender", "msg" }, "msg", { 0 } },
    { "op_templates", "get", LIST, OP_TEMPLATE, { NULL }, "msg", { "sender", "msg=message" } },
    { "jobs", "add", ADD, JOB, { "name", "phones" }, "name", { 0 } },
    { "jobs", "del", DELETE, JOB, { "id" }, "name", { 0 } },
    { "jobs", "cancel", CHANGE, JOB, { "id" }, "name", { 0 } },
    { "jobs", "get", ONE, JOB, { "id" }, "name", { "name", "phones", "mes", "time", "rpt", "rptn", "cancel" } },
    { "jobs", "get_all", LIST, JOB, { NULL }, "name", { "name", "time", "rpt", "rptn", "cancel" } },
};

static const struct operation *operation_of(const struct lab_call *call)
{
    const char *name = strrchr(call->request->path, '/');

    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        const struct operation *op = &operations[i];
        size_t len = strlen(op->method);

        /* "/sys/phones.php" or "/rest/phones/" */
        bool here = name != NULL && strncmp(name + 1, op->method, len) == 0 && name[1 + len] == '.';
        if (!here && strncmp(call->request->path, "/rest/", 6) == 0)
            here = strncmp(call->request->path + 6, op->method, len) == 0 &&
                   (call->request->path[6 + len] == '/' || call->request->path[6 + len] == '\0');
        if (here && lab_flag(call, op->flag))
            return op;
    }
    return NULL;
}

static bool is_control(const struct operation *op, const char *name)
{
    static const char *const control[] = { "login", "psw", "apikey", "fmt", "charset", "id" };

    for (size_t i = 0; i < ARRAY_LEN(control); i++) {
        if (strcmp(control[i], name) == 0)
            return true;
    }
    return op->action == ADD && strcmp(op->flag, name) == 0;
}

/* A field of a record; `to` is its storage. */
static const char *field_of(const struct lab_record *record, const char *name, struct buf *to)
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

/* By id=, else by the key field. */
static struct lab_record *find(struct lab_call *call, const struct operation *op)
{
    struct lab *lab = call->lab;
    struct lab_record *found = NULL;
    struct buf text;
    long id;

    if (lab_param_number(call, "id", INT32_MAX, 0, &id) != 0)
        return NULL;
    buf_init(&text, FORM_MAX);
    for (uint32_t i = 0; i < lab->record_count && found == NULL; i++) {
        struct lab_record *r = &lab->records[i];
        const char *key = lab_param(call, op->key);

        if (r->kind == op->kind &&
            (id != 0 ? r->id == (uint32_t)id : key[0] != '\0' && strcmp(field_of(r, op->key, &text), key) == 0))
            found = r;
    }
    buf_finish(&text);
    return found;
}

/* The fields given now, then those the record had before under other names. NULL: no memory or too large. */
static char *merge(const struct lab_call *call, const struct operation *op, const char *before)
{
    struct http_params old;
    struct buf form;
    char *copy = NULL;

    buf_init(&form, FORM_MAX);
    http_params_init(&old);
    int err = http_params_read_form(&old, before, strlen(before));
    for (size_t i = 0; i < call->params.count; i++) {
        const struct http_param *p = &call->params.at[i];

        if (!is_control(op, p->name))
            http_form_add(&form, p->name, p->value, p->len);
    }
    for (size_t i = 0; i < old.count; i++) {
        if (http_params_find(&call->params, old.at[i].name) == NULL)
            http_form_add(&form, old.at[i].name, old.at[i].value, old.at[i].len);
    }
    if (err == 0 && !form.failed)
        copy = strdup(buf_text(&form));
    buf_finish(&form);
    http_params_finish(&old);
    return copy;
}

static void fail(struct lab_call *call, int error, const char *words)
{
    call->error_words = words;
    lab_reply_error(call, error, NULL);
}

static void add(struct lab_call *call, const struct operation *op)
{
    struct lab *lab = call->lab;
    char id[16];

    if (lab->records == NULL)
        lab->records = calloc(LAB_RECORDS_MAX, sizeof *lab->records);
    char *form = lab->records == NULL || lab->record_count == LAB_RECORDS_MAX ? NULL : merge(call, op, "");
    if (form == NULL || (op->kind != TEMPLATE && op->kind != JOB && find(call, op) != NULL)) {
        free(form);
        fail(call, 5, "operation failed");
        return;
    }
    struct lab_record *r = &lab->records[lab->record_count++];
    *r = (struct lab_record){ .id = ++lab->next_record, .kind = (uint8_t)op->kind, .form = form };
    (void)snprintf(id, sizeof id, "%u", r->id);

    struct lab_field f[] = { { "id", "id", id, true } };
    lab_record_write(call->out, call->fmt, "result", f, ARRAY_LEN(f));
}

static void change(struct lab_call *call, const struct operation *op)
{
    struct lab *lab = call->lab;
    struct lab_record *r = find(call, op);

    if (r == NULL) {
        fail(call, op->kind == USER ? 6 : 3, op->kind == USER ? "login not found" : "record not found");
        return;
    }
    if (op->action == DELETE) {
        free(r->form);
        *r = lab->records[--lab->record_count];
        buf_adds(call->out, "OK");
        return;
    }
    char *form = merge(call, op, r->form);
    if (form == NULL) {
        fail(call, 5, "operation failed");
        return;
    }
    free(r->form);
    r->form = form;
    buf_adds(call->out, "OK");
}

static void show(struct lab_call *call, const struct operation *op)
{
    struct lab *lab = call->lab;
    struct lab_record *only = op->action == ONE || lab_param(call, "id")[0] != '\0' ? find(call, op) : NULL;
    struct buf values[FIELDS_MAX];
    bool first = true;

    if (op->action == ONE && only == NULL) {
        fail(call, 3, "record not found");
        return;
    }
    for (size_t k = 0; k < FIELDS_MAX; k++)
        buf_init(&values[k], FORM_MAX);
    if (op->action == LIST)
        lab_list_begin(call->out, call->fmt, "list");
    for (uint32_t i = 0; i < lab->record_count; i++) {
        const struct lab_record *r = &lab->records[i];
        struct lab_field f[FIELDS_MAX + 1];
        char id[16], names[FIELDS_MAX][16];
        size_t n = 0;

        if (r->kind != op->kind || (only != NULL && r != only))
            continue;
        (void)snprintf(id, sizeof id, "%u", r->id);
        f[n++] = (struct lab_field){ "id", "id", id, true };
        for (size_t k = 0; k < FIELDS_MAX && op->list[k] != NULL; k++) {
            const char *shown = strchr(op->list[k], '='); /* "field=shown as" */

            (void)snprintf(names[k], sizeof names[k], "%.*s", (int)strcspn(op->list[k], "="), op->list[k]);
            const char *value = field_of(r, names[k], &values[k]);
            const char *as = shown != NULL ? shown + 1 : op->list[k];
            f[n++] = (struct lab_field){ as, as, value, false };
        }
        if (op->action == ONE)
            lab_record_write(call->out, call->fmt, "result", f, n);
        else
            lab_list_item(call->out, call->fmt, first, "item", f, n);
        first = false;
    }
    if (op->action == LIST)
        lab_list_end(call->out, call->fmt, "list");
    for (size_t k = 0; k < FIELDS_MAX; k++)
        buf_finish(&values[k]);
}

void lab_method_desk(struct lab_call *call)
{
    const struct operation *op = operation_of(call);

    for (size_t i = 0; op != NULL && i < ARRAY_LEN(op->needs) && op->needs[i] != NULL; i++) {
        bool mail = strcmp(op->needs[i], "phone") == 0 && lab_param(call, "mail")[0] != '\0';

        if (lab_param(call, op->needs[i])[0] == '\0' && !mail)
            op = NULL;
    }
    if (op == NULL) {
        lab_reply_error(call, 1, NULL);
        return;
    }
    if (op->kind == USER && (op->action == ADD || op->action == CHANGE) && call->lab->b.limits != 0 &&
        lab_rate_over(call->lab, op->flag, lab_call_hash(call), 3, MINUTE_MS, call->now_ms)) {
        lab_reply_error(call, 9, NULL);
        return;
    }
    switch (op->action) {
    case ADD:
        add(call, op);
        break;
    case CHANGE:
    case DELETE:
        change(call, op);
        break;
    case LIST:
    case ONE:
        show(call, op);
        break;
    case DONE:
        buf_adds(call->out, "OK");
        break;
    }
}

void lab_records_finish(struct lab *lab)
{
    for (uint32_t i = 0; i < lab->record_count; i++)
        free(lab->records[i].form);
    free(lab->records);
    lab->records = NULL;
    lab->record_count = lab->next_record = 0;
}
