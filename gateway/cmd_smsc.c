/* SPDX-License-Identifier: MIT */
/*
 * cmd_smsc.c - `smppbridge smsc METHOD`: the upstream account's own methods from the shell.
 *
 * Asks the running gateway, which knows what else the account has been asked lately and keeps the aggregator's limits;
 * with --direct it asks the aggregator itself, with the credentials of the configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <cjson/cJSON.h>

#include "gateway/account_methods.h"
#include "gateway/account_table.h"
#include "gateway/commands.h"
#include "config/config.h"
#include "http/http.h"

#define DEFAULT_FILE  "/etc/smppbridge/smppbridge.json"
#define DEFAULT_ADMIN "http://127.0.0.1:8081"

enum { GIVEN_MAX = 64, TEXT_MAX = 1 << 20, URL_BYTES = 512 };

struct job {
    const struct account_method *method;
    struct smsc_param given[GIVEN_MAX];
    char names[GIVEN_MAX][40];
    size_t given_count, positional;
    const char *file, *upstream, *admin, *token;
    bool direct, json;
    struct config *config;
    const struct cfg_upstream *cfg; /* --direct */
    uv_loop_t loop;
    struct http_client *client;
    struct buf body, url;
    size_t which; /* of cfg->urls */
    bool soap;
    int status;
};

static void methods_help(FILE *to)
{
    size_t count;
    const struct account_method *all = account_method_all(&count);

    fprintf(to, "usage: smppbridge smsc METHOD [VALUE | --NAME VALUE | NAME=VALUE]... [OPTIONS]\n\n"
                "Asks the upstream account. Methods:\n");
    for (size_t i = 0; i < count; i++)
        fprintf(to, "  %-10s %s\n", all[i].name, all[i].help);
    fprintf(to, "\nOptions:\n"
                "  -c FILE          configuration (" DEFAULT_FILE " when it is there)\n"
                "  --upstream NAME  which one; else the first\n"
                "  --url URL        administration API of the running gateway; else $SMPPBRIDGE_URL, as configured, "
                "or " DEFAULT_ADMIN "\n"
                "  --token TEXT     its token; else $SMPPBRIDGE_TOKEN, or as configured\n"
                "  --direct         ask the aggregator itself, not the running gateway\n"
                "  --json           the reply as JSON instead of a table\n\n"
                "smppbridge smsc METHOD --help names its parameters.\n");
}

static void method_help(const struct account_method *m)
{
    printf("usage: smppbridge smsc %s", m->name);
    for (size_t i = 0; i < ACCOUNT_PARAMS_MAX && m->params[i].name != NULL; i++) {
        if (m->params[i].needed)
            printf(" %s", m->params[i].name);
    }
    printf(" [--NAME VALUE]... [OPTIONS]\n\n%s%s.\n", m->help, m->soap != NULL ? " (HTTP and SOAP)" : "");
    for (size_t i = 0; i < ACCOUNT_PARAMS_MAX && m->params[i].name != NULL; i++)
        printf("  --%-9s %s%s\n", m->params[i].name, m->params[i].help, m->params[i].needed ? " (needed)" : "");
    if (m->any_param)
        printf("  and any other parameter of the aggregator's method\n");
}

static int wrong(const char *format, const char *what)
{
    fputs("smppbridge smsc: ", stderr);
    fprintf(stderr, format, what);
    fputs("; smppbridge smsc --help tells more\n", stderr);
    return 2;
}

static int add_given(struct job *job, const char *name, size_t name_len, const char *value)
{
    if (job->given_count == GIVEN_MAX || name_len >= sizeof job->names[0])
        return wrong("%s is one parameter too many", value);
    snprintf(job->names[job->given_count], sizeof job->names[0], "%.*s", (int)name_len, name);
    job->given[job->given_count] = (struct smsc_param){ job->names[job->given_count], value };
    job->given_count++;
    return -1;
}

/* A bare value goes to the next parameter of the method's list. */
static int add_positional(struct job *job, const char *value)
{
    if (job->positional >= ACCOUNT_PARAMS_MAX || job->method->params[job->positional].name == NULL)
        return wrong("'%s' was not expected", value);
    const char *name = job->method->params[job->positional++].name;
    return add_given(job, name, strlen(name), value);
}

static bool is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') || text[i] == '_'))
            return false;
    }
    return len > 0;
}

static int read_one(struct job *job, int argc, char **argv, int *at)
{
    const struct {
        const char *name;
        const char **out;
    } options[] = { { "-c", &job->file },       { "--config", &job->file }, { "--upstream", &job->upstream },
                    { "--admin", &job->admin }, { "--url", &job->admin }, /* as the other commands call it */
                    { "--token", &job->token } };
    const char *arg = argv[*at];
    size_t equals = strcspn(arg, "=");

    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (strcmp(options[i].name, arg) != 0)
            continue;
        if (*at + 1 == argc)
            return wrong("%s needs a value", arg);
        *options[i].out = argv[++*at];
        return -1;
    }
    if (strcmp(arg, "--direct") == 0)
        job->direct = true;
    else if (strcmp(arg, "--json") == 0)
        job->json = true;
    else if (strncmp(arg, "--", 2) == 0 && arg[equals] == '=')
        return add_given(job, arg + 2, equals - 2, arg + equals + 1);
    else if (strncmp(arg, "--", 2) == 0 && *at + 1 < argc)
        return add_given(job, arg + 2, strlen(arg + 2), argv[++*at]);
    else if (arg[0] == '-' && arg[1] != '\0' && (arg[1] < '0' || arg[1] > '9'))
        return wrong("%s needs a value, or is no option", arg);
    else if (arg[equals] == '=' && is_name(arg, equals))
        return add_given(job, arg, equals, arg + equals + 1);
    else
        return add_positional(job, arg);
    return -1;
}

/* -1 to go on, else the exit status. */
static int read_arguments(struct job *job, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool help = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;

        if (help && job->method != NULL)
            method_help(job->method);
        else if (help)
            methods_help(stdout);
        if (help)
            return 0;
        if (job->method == NULL && argv[i][0] != '-') {
            job->method = account_method_named(argv[i]);
            if (job->method == NULL)
                return wrong("there is no method '%s'", argv[i]);
            continue;
        }
        if (job->method == NULL)
            return wrong("the method comes first, before %s", argv[i]);
        int status = read_one(job, argc, argv, &i);
        if (status >= 0)
            return status;
    }
    if (job->method != NULL)
        return -1;
    methods_help(stderr);
    return 2;
}

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static int read_config(struct job *job)
{
    struct buf mistakes;

    bool elsewhere = job->admin != NULL || (!job->direct && from_environment("SMPPBRIDGE_URL") != NULL);

    /* the file of this machine need not be about the gateway asked: its token is not for others */
    if (job->file == NULL && !elsewhere && access(DEFAULT_FILE, R_OK) == 0)
        job->file = DEFAULT_FILE;
    if (job->file == NULL)
        return job->direct ? wrong("%s needs -c FILE", "--direct") : -1;
    buf_init(&mistakes, TEXT_MAX);
    int err = cfg_read_file(job->file, &job->config, &mistakes);
    if (err != 0)
        fputs(buf_text(&mistakes), stderr);
    buf_finish(&mistakes);
    if (err != 0) {
        job->config = NULL;
        return 2;
    }
    for (size_t i = 0; i < job->config->upstream_count && job->cfg == NULL; i++) {
        if (job->upstream == NULL || strcmp(job->config->upstreams[i].name, job->upstream) == 0)
            job->cfg = &job->config->upstreams[i];
    }
    return job->cfg == NULL ? wrong("the configuration has no upstream '%s'", job->upstream) : -1;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void print(struct job *job, const char *json)
{
    struct buf out;

    buf_init(&out, 16 << 20);
    if (job->json || account_table_write(json, &out) != 0)
        printf("%s%s", json, json[0] != '\0' && json[strlen(json) - 1] == '\n' ? "" : "\n");
    else
        fputs(buf_text(&out), stdout);
    buf_finish(&out);
    job->status = 0;
}

static void fail(struct job *job, const char *words)
{
    fprintf(stderr, "smppbridge smsc %s: %s\n", job->method->name, words);
    job->status = 1;
}

static void ask_next(struct job *job);

static void on_direct(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct job *job = owner;
    struct account_answer answer;

    UNUSED(cookie);
    if (reply->outcome == HTTP_NOT_SENT && job->cfg->urls[job->which + 1] != NULL) {
        job->which++;
        ask_next(job);
        return;
    }
    if (reply->outcome == HTTP_ANSWERED)
        account_method_read(job->method, job->soap, reply->status, reply->body, reply->body_len, &answer);
    else
        account_method_failed(reply->why, &answer);
    if (answer.kind == SMSC_REPLY_OK)
        print(job, buf_text(&answer.json));
    else
        fail(job, answer.words);
    account_answer_finish(&answer);
    http_client_destroy(job->client);
}

static void on_gateway(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct job *job = owner;

    UNUSED(cookie);
    if (reply->outcome != HTTP_ANSWERED) {
        fail(job, reply->why);
        fprintf(stderr, "is the gateway running with admin.listen? --direct asks the aggregator itself\n");
    } else if (reply->status == 200) {
        print(job, reply->body);
    } else {
        cJSON *root = cJSON_Parse(reply->body);
        const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "error"));
        const char *hint = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "hint"));

        fail(job, error != NULL ? error : "the gateway refused, without a reason");
        if (hint != NULL && hint[0] != '\0')
            fprintf(stderr, "%s\n", hint);
        cJSON_Delete(root);
    }
    http_client_destroy(job->client);
}

static void ask_next(struct job *job)
{
    const char *base = job->direct ? job->cfg->urls[job->which] : job->admin;
    size_t len = strlen(base);
    const char *headers[2] = { NULL, NULL };
    struct http_request_out out = { .method = job->direct ? "POST" : "GET", .headers = headers };
    char why[200], authorization[512];
    int err = 0;

    while (len > 0 && base[len - 1] == '/')
        len--;
    buf_clear(&job->url);
    buf_clear(&job->body);
    buf_add(&job->url, base, len);
    if (job->direct) {
        struct smsc_login login = { job->cfg->login, job->cfg->password, job->cfg->api_key };

        job->soap =
            job->cfg->kind == CFG_SMSC_SOAP && account_method_over_soap(job->method, job->given, job->given_count);
        buf_adds(&job->url, job->soap ? SMSC_PATH_SOAP : job->method->path);
        err = account_method_build(job->method, job->soap, &login, job->given, job->given_count, &job->body, why);
        out.body = buf_text(&job->body);
        out.body_len = job->body.len;
        if (job->soap) {
            out.content_type = "text/xml; charset=utf-8";
            headers[0] = "SOAPAction: " SMSC_SOAP_ACTION;
        }
    } else {
        buf_adds(&job->url, "/v1/smsc/");
        buf_add_url(&job->url, job->upstream, strlen(job->upstream));
        buf_addf(&job->url, "/%s", job->method->name);
        for (size_t i = 0; i < job->given_count; i++)
            http_form_add(&job->body, job->given[i].name, job->given[i].value, strlen(job->given[i].value));
        if (job->body.len > 0)
            buf_addf(&job->url, "?%s", buf_text(&job->body));
        if (job->token != NULL && job->token[0] != '\0') {
            snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", job->token);
            headers[0] = authorization;
        }
    }
    out.url = buf_text(&job->url);
    if (err == 0)
        err = http_client_send(job->client, &out, job->direct ? on_direct : on_gateway, job, 0);
    if (err != 0) {
        fail(job, err_text(err));
        http_client_destroy(job->client);
    }
}

/* The address of the gateway's administration as a client reaches it: given, from the environment, as configured, in
 * this order, as of the other commands (cmd_admin.c). */
static int find_admin(struct job *job, char url[URL_BYTES])
{
    const struct cfg_admin *cfg = job->config == NULL ? NULL : &job->config->admin;
    const char *listen = cfg == NULL || cfg->listen == NULL ? NULL : cfg->listen[0];

    if (job->token == NULL)
        job->token = from_environment("SMPPBRIDGE_TOKEN");
    if (job->token == NULL && cfg != NULL)
        job->token = cfg->token;
    if (job->admin == NULL)
        job->admin = from_environment("SMPPBRIDGE_URL");
    if (job->upstream == NULL)
        job->upstream = job->cfg != NULL ? job->cfg->name : "lab";
    if (job->admin != NULL)
        return -1;
    if (cfg != NULL && listen == NULL)
        return wrong("%s has no admin.listen: use --direct", job->file);
    job->admin = DEFAULT_ADMIN;
    if (listen == NULL)
        return -1;
    const char *port = strrchr(listen, ':');
    bool any = strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0;
    snprintf(url, URL_BYTES, "http://%s%s", any ? "127.0.0.1" : listen, any && port != NULL ? port : "");
    job->admin = url;
    return -1;
}

int command_smsc(int argc, char **argv)
{
    struct job job = { .status = 1 };
    char admin[URL_BYTES], why[200];
    int status = read_arguments(&job, argc, argv);

    buf_init(&job.body, TEXT_MAX);
    buf_init(&job.url, TEXT_MAX);
    if (status < 0) { /* what is mistyped is told before anybody is asked */
        struct smsc_login nobody = { "", "", "" };

        if (account_method_build(job.method, false, &nobody, job.given, job.given_count, &job.body, why) != 0)
            status = wrong("%s", why);
    }
    if (status < 0)
        status = read_config(&job);
    if (status < 0 && !job.direct)
        status = find_admin(&job, admin);
    if (status < 0) {
        struct http_client_opts opts = { .max_reply_bytes = 16 << 20,
                                         .proxy = job.direct ? job.cfg->proxy : NULL,
                                         .ca_file = job.direct ? job.cfg->ca_file : NULL };

        uv_loop_init(&job.loop);
        status = 1;
        if (http_client_create(&job.loop, &opts, &job.client) == 0) {
            ask_next(&job);
            uv_run(&job.loop, UV_RUN_DEFAULT);
            status = job.status;
        }
        uv_loop_close(&job.loop);
    }
    buf_finish(&job.body);
    buf_finish(&job.url);
    cfg_destroy(job.config);
    return status;
}
