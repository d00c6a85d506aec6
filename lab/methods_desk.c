/* SPDX-License-Identifier: MIT */
/*
 * methods_desk.c - jobs, phones, senders, users, templates over HTTP [smsc-api 15]: one row per operation.
 *
 * A record keeps whatever fields it was given and shows those of its list. What they mean to the rest of the service stands
 * in desk.c and jobs.c.
 */
#include "lab/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/send.h"

enum action { ADD, CHANGE, DELETE, LIST, ONE, CANCEL, MOVE_GROUP, SEND_CODE, CHECK_CODE, PAY, STATISTICS };

enum { FIELDS_MAX = 20, NEEDS_MAX = 2, MINUTE_MS = 60000, DAY_MS = 86400000, LIST_MAX = 1000 };

static const struct operation {
    const char *method, *flag;
    enum action action;
    enum lab_record_kind kind;
    const char *needs[NEEDS_MAX]; /* parameters; NULL none */
    const char *key;              /* the field that names a record, beside its id */
    const char *list[FIELDS_MAX]; /* "field" or "field=shown as"; behind "|" only with operators=1 */
} operations[] = {
    { "phones", "add", ADD, CONTACT, { "phone" }, "phone", { 0 } },
    { "phones", "chg", CHANGE, CONTACT, { NULL }, "phone", { 0 } },
    { "phones", "del", DELETE, CONTACT, { NULL }, "phone", { 0 } },
    { "phones",
      "get",
      LIST,
      CONTACT,
      { NULL },
      "phone",
      { "phone", "mail", "name", "grp", "lnm", "fnm", "mnm", "bd", "cmt", "myid", "tags" } },
    { "phones", "add_group", ADD, GROUP, { "name" }, "name", { 0 } },
    { "phones", "chg_group", CHANGE, GROUP, { "id" }, "name", { 0 } },
    { "phones", "del_group", DELETE, GROUP, { "id" }, "name", { 0 } },
    { "phones", "get_group", LIST, GROUP, { NULL }, "name", { "name", "num", "type" } },
    { "phones", "move_group", MOVE_GROUP, CONTACT, { "grp" }, NULL, { 0 } },
    { "phones", "add_black", ADD, BLACK, { "phone" }, "phone", { 0 } },
    { "phones", "del_black", DELETE, BLACK, { "phone" }, "phone", { 0 } },
    { "senders", "add", ADD, SENDER, { "sender" }, "sender", { 0 } },
    { "senders", "chg", CHANGE, SENDER, { "sender" }, "sender", { 0 } },
    { "senders", "del", DELETE, SENDER, { "sender" }, "sender", { 0 } },
    { "senders",
      "get",
      LIST,
      SENDER,
      { NULL },
      "sender",
      { "sender", "cmt", "name", "mail", "site", "|", "mega", "mega_step", "mts", "mts_step", "tele2", "tele2_step",
        "bee_step", "motiv_step", "ua_reg", "ua_int" } },
    { "senders", "send_code", SEND_CODE, SENDER, { "sender" }, "sender", { 0 } },
    { "senders", "check_code", CHECK_CODE, SENDER, { "sender", "code" }, "sender", { 0 } },
    { "users", "add", ADD, USER, { "user", "password" }, "user", { 0 } },
    { "users", "chg", CHANGE, USER, { "user" }, "user", { 0 } },
    { "users", "pay", PAY, USER, { "user", "sum" }, "user", { 0 } },
    { "users", "get_stat", STATISTICS, USER, { "user" }, "user", { 0 } },
    { "users", "get_stat_all", STATISTICS, USER, { NULL }, "user", { 0 } },
    { "templates", "add", ADD, TEMPLATE, { "name", "msg" }, "name", { 0 } },
    { "templates", "chg", CHANGE, TEMPLATE, { "id" }, "name", { 0 } },
    { "templates", "del", DELETE, TEMPLATE, { "id" }, "name", { 0 } },
    { "templates",
      "get",
      LIST,
      TEMPLATE,
      { NULL },
      "name",
      { "name", "msg=message", "format", "sender", "fl[1]=flag" } },
    { "op_templates", "add", ADD, OP_TEMPLATE, { "sender", "msg" }, "msg", { 0 } },
    { "op_templates",
      "get",
      LIST,
      OP_TEMPLATE,
      { NULL },
      "msg",
      { "sender", "msg=message", "mts_srv", "mts_trn", "mega_srv", "mega_trn", "bee_srv", "bee_trn", "tele2_srv",
        "tele2_trn" } },
    { "jobs", "add", ADD, JOB, { "name" }, "name", { 0 } },
    { "jobs", "del", DELETE, JOB, { "id" }, "name", { 0 } },
    { "jobs", "cancel", CANCEL, JOB, { "id" }, "name", { 0 } },
    { "jobs",
      "get",
      ONE,
      JOB,
      { "id" },
      "name",
      { "name", "phones", "list", "mes", "sender", "time", "rpt", "rptn", "tpl", "cancel", "next", "runs", "sms_id",
        "error" } },
    { "jobs", "get_all", LIST, JOB, { NULL }, "name", { "name", "time", "rpt", "rptn", "cancel", "next", "runs" } },
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

/* Parameters that are no fields of the record; passwords are the account's and shown nowhere. */
static bool is_control(const struct operation *op, const char *name)
{
    static const char *const control[] = { "login", "psw", "apikey", "fmt", "charset", "id", "password", "confirmed" };

    for (size_t i = 0; i < ARRAY_LEN(control); i++) {
        if (strcmp(control[i], name) == 0)
            return op->kind != JOB || strcmp(name, "id") != 0 || op->action != ADD; /* a job's id= is its messages' */
    }
    return strcmp(op->flag, name) == 0;
}

/* Numbers are kept as the service writes them, whatever way they were given. */
static bool has_number(const struct operation *op)
{
    return op->kind == CONTACT || op->kind == BLACK;
}

/* By id=, else by the key field. */
static struct lab_record *find(struct lab_call *call, const struct operation *op)
{
    long id;

    if (lab_param_number(call, "id", INT32_MAX, 0, &id) != 0)
        return NULL;
    if (id != 0)
        return record_by_id(call->lab, op->kind, (uint32_t)id);

    const char *key = lab_param(call, op->key);
    char phone[LAB_PHONE_SIZE];

    if (has_number(op) && strcmp(op->key, "phone") == 0 && lab_phone_read(key, strlen(key), phone))
        key = phone;
    return record_by_field(call->lab, op->kind, op->key, key);
}

static void add_parameter(const struct operation *op, struct buf *form, const char *name, const struct http_param *p)
{
    char phone[LAB_PHONE_SIZE];

    if (has_number(op) && strcmp(name, "phone") == 0 && lab_phone_read(p->value, p->len, phone))
        http_form_add(form, name, phone, strlen(phone));
    else
        http_form_add(form, name, p->value, p->len);
}

/* The fields given now, then those the record had before under other names. new_phone= and new_mail= give a contact
 * another one. NULL: no memory or too large. */
static char *merge(const struct lab_call *call, const struct operation *op, const char *before)
{
    const struct http_params *given = &call->params;
    const struct http_param *new_phone = http_params_find(given, "new_phone");
    const struct http_param *new_mail = http_params_find(given, "new_mail");
    struct http_params old;
    struct buf form;
    char *copy = NULL;

    buf_init(&form, RECORD_FORM_MAX);
    http_params_init(&old);
    int err = http_params_read_form(&old, before, strlen(before));
    if (op->kind == CONTACT && new_phone != NULL)
        add_parameter(op, &form, "phone", new_phone);
    if (op->kind == CONTACT && new_mail != NULL)
        add_parameter(op, &form, "mail", new_mail);
    for (size_t i = 0; i < given->count; i++) {
        const struct http_param *p = &given->at[i];

        if (!is_control(op, p->name) && p != new_phone && p != new_mail)
            add_parameter(op, &form, p->name, p);
    }
    for (size_t i = 0; i < old.count; i++) {
        if (http_params_find(given, old.at[i].name) == NULL)
            http_form_add(&form, old.at[i].name, old.at[i].value, old.at[i].len);
    }
    if (err == 0 && !form.failed)
        copy = strdup(buf_text(&form));
    buf_finish(&form);
    http_params_finish(&old);
    return copy;
}

static void answer(struct lab_call *call, int error)
{
    static const char *const words[] = {
        [3] = "record not found",
        [5] = "operation failed",
        [6] = "login not found",
        [8] = "cannot save",
    };

    if (error == 0) {
        buf_adds(call->out, "OK");
        return;
    }
    if (call->error_words == NULL && error < (int)ARRAY_LEN(words))
        call->error_words = words[error];
    lab_reply_error(call, error, NULL);
}

static void add(struct lab_call *call, const struct operation *op)
{
    struct lab *lab = call->lab;
    int64_t due_ms = INT64_MAX;
    char id[16];
    int error = 0;

    if (op->kind == JOB) {
        error = job_check(call, &due_ms);
        if (error != 0 && error != 3) {
            lab_reply_error(call, error, NULL); /* in the words of send.php */
            return;
        }
    } else if (op->kind != TEMPLATE && find(call, op) != NULL) {
        error = 5;
    }
    if (error == 0 && lab->record_count == LAB_RECORDS_MAX)
        error = 5;
    if (error == 0 && op->kind == USER)
        error = desk_user_add(call);
    struct lab_record *r = error != 0 ? NULL : record_add_take(lab, op->kind, merge(call, op, ""), call->now_ms);
    if (r == NULL) {
        answer(call, error != 0 ? error : 5);
        return;
    }
    r->due_ms = due_ms;
    (void)snprintf(id, sizeof id, "%u", r->id);

    struct lab_field f[] = { { "id", "id", id, true } };
    lab_record_write(call->out, call->fmt, "result", f, ARRAY_LEN(f));
    jobs_arm(lab);
    if (op->kind == JOB)
        jobs_run(lab, call->now_ms); /* its time may be now */
}

static int change(struct lab_call *call, const struct operation *op, struct lab_record *r)
{
    int error = op->kind == USER ? desk_user_change(call) : 0;
    char *form = error != 0 ? NULL : merge(call, op, r->form);

    if (form == NULL)
        return error != 0 ? error : 5;
    free(r->form);
    r->form = form;
    return 0;
}

static int cancel(struct lab *lab, struct lab_record *r, int64_t now_ms)
{
    r->due_ms = INT64_MAX;
    jobs_arm(lab);
    lab_stop_job(lab, r->id, now_ms);
    return record_set(r, "cancel", "1") != 0 ? 5 : 0;
}

/* ---- lists ---- */

/* What a field of the record does not say. NULL: its field does. */
static const char *computed(struct lab_call *call, const struct lab_record *r, const char *name, struct buf *to)
{
    char date[24] = "";

    buf_clear(to);
    if (r->kind == GROUP && strcmp(name, "num") == 0) {
        struct buf numbers;
        unsigned count = 0;

        buf_init(&numbers, RECORD_FORM_MAX);
        (void)desk_group(call->lab, r->id, &numbers);
        for (const char *p = buf_text(&numbers); *p != '\0'; p++)
            count += p == buf_text(&numbers) || *p == ',';
        buf_finish(&numbers);
        buf_addf(to, "%u", count);
    } else if (r->kind == JOB && strcmp(name, "next") == 0) {
        if (r->due_ms != INT64_MAX)
            lab_date(call->lab, r->due_ms, false, date);
        buf_adds(to, date);
    } else if (r->kind == JOB && strcmp(name, "runs") == 0) {
        buf_addf(to, "%u", r->runs);
    } else if (r->kind == JOB && strcmp(name, "sms_id") == 0) {
        buf_adds(to, r->sms_id);
    } else if (r->kind == JOB && strcmp(name, "error") == 0) {
        buf_addf(to, "%u", r->error);
    } else {
        return NULL;
    }
    return buf_text(to);
}

struct filter {
    long after, before; /* ids */
    int64_t from_ms, until_ms;
    long left;
    const char *search, *grp, *phone, *mail;
    bool operators, all;
};

static bool read_filter(const struct lab_call *call, struct filter *f)
{
    *f = (struct filter){ .until_ms = INT64_MAX - DAY_MS,
                          .search = lab_param(call, "search"),
                          .grp = lab_param(call, "grp"),
                          .phone = lab_param(call, "phone"),
                          .mail = lab_param(call, "mail"),
                          .operators = lab_flag(call, "operators"),
                          .all = lab_flag(call, "all") };
    bool good = lab_param_day(call, "start", &f->from_ms) && lab_param_day(call, "from_date", &f->from_ms) &&
                lab_param_day(call, "end", &f->until_ms) &&
                lab_param_number(call, "after_id", INT32_MAX, 0, &f->after) == 0 &&
                lab_param_number(call, "prev_id", INT32_MAX, INT32_MAX, &f->before) == 0 &&
                lab_param_number(call, "cnt", INT32_MAX, LIST_MAX, &f->left) == 0;
    f->until_ms += DAY_MS;
    return good;
}

static bool field_is(const struct lab_record *r, const char *name, const char *wanted, struct buf *to)
{
    return wanted[0] == '\0' || strcmp(record_field(r, name, to), wanted) == 0;
}

static bool has_text(const struct lab_record *r, const char *wanted)
{
    struct http_params params;
    bool found = wanted[0] == '\0';

    http_params_init(&params);
    if (!found && http_params_read_form(&params, r->form, strlen(r->form)) == 0) {
        for (size_t i = 0; i < params.count; i++)
            found = found || strstr(params.at[i].value, wanted) != NULL;
    }
    http_params_finish(&params);
    return found;
}

static bool is_wanted(const struct lab_record *r, const struct filter *f, struct buf *to)
{
    char phone[LAB_PHONE_SIZE];
    int64_t at_ms = r->created_ms;

    if ((long)r->id <= f->after || (long)r->id >= f->before || at_ms < f->from_ms || at_ms >= f->until_ms)
        return false;
    if (r->kind == SENDER && !f->all)
        return desk_sender_confirmed(r); /* without all=1 those that may be used */
    if (r->kind != CONTACT)
        return true;
    (void)lab_phone_read(f->phone, strlen(f->phone), phone);
    return field_is(r, "phone", phone, to) && field_is(r, "mail", f->mail, to) && field_is(r, "grp", f->grp, to) &&
           has_text(r, f->search);
}

static void show_one(struct lab_call *call, const struct operation *op, const struct lab_record *r, bool first,
                     bool operators)
{
    struct buf values[FIELDS_MAX];
    struct lab_field f[FIELDS_MAX + 1];
    char id[16], names[FIELDS_MAX][16];
    size_t n = 0, k = 0;

    (void)snprintf(id, sizeof id, "%u", r->id);
    f[n++] = (struct lab_field){ "id", "id", id, true };
    for (; k < FIELDS_MAX && op->list[k] != NULL; k++) {
        const char *shown = strchr(op->list[k], '=');

        buf_init(&values[k], RECORD_FORM_MAX);
        if (strcmp(op->list[k], "|") == 0) {
            if (operators)
                continue;
            k++;
            break;
        }
        (void)snprintf(names[k], sizeof names[k], "%.*s", (int)strcspn(op->list[k], "="), op->list[k]);
        const char *value = computed(call, r, names[k], &values[k]);
        const char *as = shown != NULL ? shown + 1 : op->list[k];
        f[n++] = (struct lab_field){ as, as, value != NULL ? value : record_field(r, names[k], &values[k]), false };
    }
    if (op->action == ONE)
        lab_record_write(call->out, call->fmt, "result", f, n);
    else
        lab_list_item(call->out, call->fmt, first, "item", f, n);
    while (k > 0)
        buf_finish(&values[--k]);
}

static void show(struct lab_call *call, const struct operation *op)
{
    struct lab *lab = call->lab;
    struct lab_record *only = op->action == ONE || lab_param(call, "id")[0] != '\0' ? find(call, op) : NULL;
    struct filter filter;
    struct buf text;
    bool first = true;

    if (!read_filter(call, &filter)) {
        answer(call, 1);
        return;
    }
    if (op->action == ONE) {
        if (only == NULL)
            answer(call, 3);
        else
            show_one(call, op, only, true, false);
        return;
    }
    buf_init(&text, RECORD_FORM_MAX);
    lab_list_begin(call->out, call->fmt, "list");
    for (uint32_t i = 0; i < lab->record_count && filter.left > 0; i++) {
        const struct lab_record *r = &lab->records[i];

        if (r->kind != op->kind || (only != NULL && r != only) || !is_wanted(r, &filter, &text))
            continue;
        show_one(call, op, r, first, filter.operators);
        first = false;
        filter.left--;
    }
    lab_list_end(call->out, call->fmt, "list");
    buf_finish(&text);
}

static void statistics(struct lab_call *call, const struct operation *op)
{
    struct lab *lab = call->lab;
    const char *only = strcmp(op->flag, "get_stat") == 0 ? lab_param(call, "user") : "";
    struct buf login;
    bool first = true;

    if (only[0] != '\0' && find(call, op) == NULL) {
        answer(call, 6);
        return;
    }
    buf_init(&login, RECORD_FORM_MAX);
    lab_list_begin(call->out, call->fmt, "list");
    for (uint32_t i = 0; i < lab->record_count; i++) {
        char sms[24], credit[32], debit[32];

        if (lab->records[i].kind != USER ||
            (only[0] != '\0' && strcmp(record_field(&lab->records[i], "user", &login), only) != 0) ||
            !desk_user_numbers(lab, record_field(&lab->records[i], "user", &login), sms, credit, debit))
            continue;

        struct lab_field f[] = { { "login", "login", buf_text(&login), false },
                                 { "sms", "sms", sms, false },
                                 { "credit", "credit", credit, false },
                                 { "debit", "debit", debit, false },
                                 { "currency", "currency", lab->b.currency, false } };
        lab_list_item(call->out, call->fmt, first, "stat", f, ARRAY_LEN(f));
        first = false;
    }
    lab_list_end(call->out, call->fmt, "list");
    buf_finish(&login);
    if (first) {
        call->error_words = "no records";
        lab_reply_error(call, 3, NULL);
    }
}

/* ---- the method ---- */

static void with_record(struct lab_call *call, const struct operation *op)
{
    struct lab_record *r = find(call, op);

    if (r == NULL) {
        if (op->kind == TEMPLATE)
            call->fmt = 0; /* recorded so: this error is text whatever fmt says [smsc-api 1.4] */
        answer(call, op->kind == USER ? 6 : 3);
        return;
    }
    switch (op->action) {
    case CHANGE:
        answer(call, change(call, op, r));
        break;
    case DELETE:
        record_drop(call->lab, r);
        jobs_arm(call->lab);
        answer(call, 0);
        break;
    case CANCEL:
        answer(call, cancel(call->lab, r, call->now_ms));
        break;
    case SEND_CODE:
        answer(call, desk_send_code(call, r));
        break;
    case CHECK_CODE:
        answer(call, desk_check_code(call, r));
        break;
    default:
        answer(call, desk_user_pay(call));
        break;
    }
}

static bool has_needed(const struct lab_call *call, const struct operation *op)
{
    for (size_t i = 0; i < NEEDS_MAX && op->needs[i] != NULL; i++) {
        bool mail = strcmp(op->needs[i], "phone") == 0 && lab_param(call, "mail")[0] != '\0';

        if (lab_param(call, op->needs[i])[0] == '\0' && !mail)
            return false;
    }
    return true;
}

void lab_method_desk(struct lab_call *call)
{
    const struct operation *op = operation_of(call);

    if (op == NULL || !has_needed(call, op)) {
        lab_reply_error(call, 1, NULL);
        return;
    }
    if (op->kind == USER && (op->action == ADD || op->action == CHANGE) && call->lab->b.limits != 0 &&
        lab_rate_over(call->lab, op->flag,
                      op->action == ADD ? 0 : lab_hash(lab_param(call, "user"), strlen(lab_param(call, "user")), 5), 3,
                      MINUTE_MS, call->now_ms)) {
        lab_reply_error(call, 9, NULL);
        return;
    }
    switch (op->action) {
    case ADD:
        add(call, op);
        break;
    case LIST:
    case ONE:
        show(call, op);
        break;
    case MOVE_GROUP:
        answer(call, desk_move_group(call));
        break;
    case STATISTICS:
        statistics(call, op);
        break;
    default:
        with_record(call, op);
        break;
    }
}
