/* SPDX-License-Identifier: MIT */
/*
 * cmd_admin.c - the administration API from the shell: messages, message, sessions, upstreams, reload, drain, upgrade,
 * explain, capture, backup.
 *
 * One request each (upgrade asks on until the new process answers). Where to ask and with which token comes from --url and --token, the environment, or the
 * configuration file. --json shows the answer as it came, otherwise tables for people.
 */
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/net.h"
#include "config/config.h"
#include "gateway/account_table.h"
#include "gateway/commands.h"
#include "http/http.h"

enum { REPLY_MAX = 64 << 20, REST_MAX = 64, UPGRADE_WAIT_MS = 600000, UPGRADE_ASK_MS = 100 };
#define DEFAULT_FILE "/etc/smppbridge/smppbridge.json"

struct ask {
    const char *name; /* of the subcommand */
    char url[300];
    char token[300];
    const char *file, *output;
    bool json, text;
    bool quiet;             /* nobody is told that a request has failed */
    struct buf query, body; /* what options have made */
    const char *rest[REST_MAX];
    int rest_count;
    int status; /* of the reply, 0 none */
    struct buf reply;
    char why[200];
};

/* --- the request -------------------------------------------------------------------------------------------------- */

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct ask *ask = owner;

    (void)cookie;
    if (reply->outcome != HTTP_ANSWERED) {
        snprintf(ask->why, sizeof ask->why, "%s", reply->why);
        return;
    }
    ask->status = reply->status;
    buf_add(&ask->reply, reply->body, reply->body_len);
}

static bool send_request(struct ask *ask, const char *method, const char *path)
{
    uv_loop_t loop;
    struct http_client *client;
    struct http_client_opts opts = { .max_reply_bytes = REPLY_MAX };
    char authorization[340];
    const char *const headers[] = { ask->token[0] != '\0' ? authorization : NULL, NULL };
    char url[1024];

    snprintf(url, sizeof url, "%s%s%s%s", ask->url, path, ask->query.len > 0 ? "?" : "", buf_text(&ask->query));
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", ask->token);
    struct http_request_out out = { .method = method,
                                    .headers = headers,
                                    .url = url,
                                    .content_type = ask->body.len > 0 ? "application/json" : NULL,
                                    .body = ask->body.len > 0 ? buf_text(&ask->body) : NULL,
                                    .body_len = ask->body.len };

    uv_loop_init(&loop);
    int err = http_client_create(&loop, &opts, &client);
    if (err == 0) {
        err = http_client_send(client, &out, on_reply, ask, 0);
        while (err == 0 && http_client_inflight(client) > 0)
            uv_run(&loop, UV_RUN_ONCE);
        http_client_destroy(client);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&loop);
    if (err != 0)
        snprintf(ask->why, sizeof ask->why, "%s", err_text(err));
    if (ask->status == 0 && ask->quiet)
        return false;
    if (ask->status == 0) {
        fprintf(stderr, "smppbridge %s: %s: %s (is the gateway running, and is --url its admin.listen?)\n", ask->name,
                ask->url, ask->why);
        return false;
    }
    if (ask->status >= 200 && ask->status < 300)
        return true;
    if (ask->quiet)
        return false;
    cJSON *json = cJSON_ParseWithLength(buf_text(&ask->reply), ask->reply.len);
    const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "error"));
    const char *hint = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "hint"));
    fprintf(stderr, "smppbridge %s: %s%s%s\n", ask->name, error != NULL ? error : "the gateway refused",
            hint != NULL ? "; " : "", hint != NULL ? hint : "");
    cJSON_Delete(json);
    return false;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* A value as people read it. */
static void cell(const cJSON *object, const char *key, char *out, size_t size)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);

    if (v == NULL || cJSON_IsNull(v)) {
        snprintf(out, size, "-");
    } else if (cJSON_IsString(v)) {
        snprintf(out, size, "%s", v->valuestring);
    } else {
        char *text = cJSON_PrintUnformatted(v);

        snprintf(out, size, "%s", text == NULL ? "?" : text);
        cJSON_free(text);
    }
}

static void print_table(const cJSON *items, const char *const *columns, size_t count)
{
    int widths[16];
    char text[512];
    const cJSON *item;

    for (size_t i = 0; i < count; i++) {
        widths[i] = (int)strlen(columns[i]);
        cJSON_ArrayForEach(item, items)
        {
            cell(item, columns[i], text, sizeof text);
            if ((int)strlen(text) > widths[i])
                widths[i] = (int)strlen(text);
        }
    }
    for (size_t i = 0; i < count; i++)
        printf("%-*s%s", i + 1 == count ? 0 : widths[i], columns[i], i + 1 == count ? "\n" : "  ");
    cJSON_ArrayForEach(item, items)
    {
        for (size_t i = 0; i < count; i++) {
            cell(item, columns[i], text, sizeof text);
            printf("%-*s%s", i + 1 == count ? 0 : widths[i], text, i + 1 == count ? "\n" : "  ");
        }
    }
}

static void print_members(const cJSON *object, const char *indent)
{
    const cJSON *member;
    char text[4096];

    cJSON_ArrayForEach(member, object)
    {
        if (cJSON_IsArray(member) || cJSON_IsObject(member))
            continue;
        cell(object, member->string, text, sizeof text);
        printf("%s%-20s %s\n", indent, member->string, text);
    }
}

static void print_timeline(const cJSON *timeline)
{
    const cJSON *line, *member;
    char text[512];

    printf("\ntimeline\n");
    cJSON_ArrayForEach(line, timeline)
    {
        cell(line, "at", text, sizeof text);
        printf("  %s", text);
        cell(line, "event", text, sizeof text);
        printf("  %-22s", text);
        cJSON_ArrayForEach(member, line)
        {
            if (strcmp(member->string, "at") == 0 || strcmp(member->string, "event") == 0)
                continue;
            cell(line, member->string, text, sizeof text);
            printf(" %s=%s", member->string, text);
        }
        printf("\n");
    }
}

static void print_requests(const cJSON *requests)
{
    const cJSON *request;
    char text[512];

    cJSON_ArrayForEach(request, requests)
    {
        cell(request, "method", text, sizeof text);
        printf("\n%s", text);
        cell(request, "url", text, sizeof text);
        printf(" %s\n", text);
        print_members(cJSON_GetObjectItemCaseSensitive(request, "parameters"), "  ");
    }
}

static const char *const message_columns[] = {
    "id", "system_id", "from", "to", "state", "accepted_at", "parts", "cost"
};
static const char *const session_columns[] = { "n",       "system_id", "type",      "version",
                                               "address", "since",     "in_window", "out_window" };
static const char *const delivery_columns[] = { "system_id", "waiting", "postponed", "under_way" };
static const char *const upstream_columns[] = { "name", "state", "balance", "in_flight", "waiting", "unclear", "url" };

static int show(struct ask *ask, const char *const *columns, size_t column_count)
{
    if (ask->json) {
        fwrite(buf_text(&ask->reply), 1, ask->reply.len, stdout);
        return 0;
    }
    cJSON *json = cJSON_ParseWithLength(buf_text(&ask->reply), ask->reply.len);
    if (json == NULL) { /* not JSON: as it came */
        fwrite(buf_text(&ask->reply), 1, ask->reply.len, stdout);
        return 0;
    }
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(json, "items");
    if (items != NULL && column_count > 0) {
        const char *next = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "next"));

        print_table(items, columns, column_count);
        if (next != NULL)
            printf("more: --after %s\n", next);
    } else {
        print_members(json, "");
        const cJSON *timeline = cJSON_GetObjectItemCaseSensitive(json, "timeline");
        if (timeline != NULL)
            print_timeline(timeline);
        print_requests(cJSON_GetObjectItemCaseSensitive(json, "requests"));
        const cJSON *keys = cJSON_GetObjectItemCaseSensitive(json, "restart_needed"), *key;
        cJSON_ArrayForEach(key, keys) printf("needs a restart      %s\n", key->valuestring);
    }
    cJSON_Delete(json);
    return 0;
}

/* --- the commands ------------------------------------------------------------------------------------------------- */

static int run_messages(struct ask *ask)
{
    return send_request(ask, "GET", "/v1/messages") ? show(ask, message_columns, 8) : 1;
}

/* "/v1/NAME/ARGUMENT", the argument percent-encoded. */
static const char *path_of(struct ask *ask, const char *before, const char *argument, const char *after)
{
    static char path[512];
    struct buf b;

    (void)ask;
    buf_init(&b, sizeof path - 1);
    buf_adds(&b, before);
    buf_add_url(&b, argument, strlen(argument));
    buf_adds(&b, after);
    snprintf(path, sizeof path, "%s", buf_text(&b));
    buf_finish(&b);
    return path;
}

static int run_message(struct ask *ask)
{
    return send_request(ask, "GET", path_of(ask, "/v1/messages/", ask->rest[0], "")) ? show(ask, NULL, 0) : 1;
}

static int run_cancel(struct ask *ask)
{
    return send_request(ask, "DELETE", path_of(ask, "/v1/messages/", ask->rest[0], "")) ? show(ask, NULL, 0) : 1;
}

static int run_redeliver(struct ask *ask)
{
    return send_request(ask, "POST", path_of(ask, "/v1/messages/", ask->rest[0], "/redeliver")) ? show(ask, NULL, 0)
                                                                                                : 1;
}

static int run_deliveries(struct ask *ask)
{
    if (ask->rest_count == 0)
        return send_request(ask, "GET", "/v1/deliveries") ? show(ask, delivery_columns, 4) : 1;
    if (ask->rest_count != 2 || strcmp(ask->rest[0], "drop") != 0) {
        fprintf(stderr, "smppbridge deliveries: give nothing, or drop SYSTEM_ID\n");
        return 2;
    }
    return send_request(ask, "DELETE", path_of(ask, "/v1/deliveries/", ask->rest[1], "")) ? show(ask, NULL, 0) : 1;
}

static int run_sessions(struct ask *ask)
{
    return send_request(ask, "GET", "/v1/sessions") ? show(ask, session_columns, 8) : 1;
}

static int run_unbind(struct ask *ask)
{
    return send_request(ask, "DELETE", path_of(ask, "/v1/sessions/", ask->rest[0], "")) ? show(ask, NULL, 0) : 1;
}

static int run_upstreams(struct ask *ask)
{
    if (ask->rest_count == 0)
        return send_request(ask, "GET", "/v1/upstreams") ? show(ask, upstream_columns, 7) : 1;
    bool pause = strcmp(ask->rest[0], "pause") == 0;
    if (ask->rest_count != 2 || (!pause && strcmp(ask->rest[0], "resume") != 0)) {
        fprintf(stderr, "smppbridge upstreams: give nothing, or pause NAME, or resume NAME\n");
        return 2;
    }
    return send_request(ask, "POST", path_of(ask, "/v1/upstreams/", ask->rest[1], pause ? "/pause" : "/resume"))
               ? show(ask, NULL, 0)
               : 1;
}

static int run_reload(struct ask *ask)
{
    return send_request(ask, "POST", "/v1/reload") ? show(ask, NULL, 0) : 1;
}

static int run_drain(struct ask *ask)
{
    return send_request(ask, "POST", "/v1/drain") ? show(ask, NULL, 0) : 1;
}

/* Between the two processes nobody answers for a moment, or a connection is lost: that is no failure. */
static int wait_for_successor(struct ask *ask, int from, int to)
{
    uint64_t until_ms = clock_mono_ms() + UPGRADE_WAIT_MS;
    int pid = from;

    ask->quiet = true;
    while (clock_mono_ms() < until_ms) {
        buf_clear(&ask->reply);
        ask->status = 0;
        if (send_request(ask, "GET", "/v1/status")) {
            cJSON *json = cJSON_ParseWithLength(buf_text(&ask->reply), ask->reply.len);
            const cJSON *number = cJSON_GetObjectItemCaseSensitive(json, "pid");
            const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "upgrade"));
            const char *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "version"));
            bool failed;

            pid = cJSON_IsNumber(number) ? number->valueint : from;
            failed = pid == from && (state == NULL || strcmp(state, "handing over") != 0);
            if (failed)
                fprintf(stderr, "smppbridge upgrade: not done, process %d goes on: %s\n", from,
                        state == NULL ? "it began anew; its log says why" : state);
            else if (pid == to && !ask->json)
                printf("process %d (version %s) has taken over from process %d\n", to, version == NULL ? "?" : version,
                       from);
            cJSON_Delete(json);
            if (failed)
                return 1;
            if (pid == to)
                return ask->json ? show(ask, NULL, 0) : 0;
        }
        uv_sleep(UPGRADE_ASK_MS);
    }
    fprintf(stderr, "smppbridge upgrade: process %d still serves, see its log\n", pid);
    return 1;
}

static int run_upgrade(struct ask *ask)
{
    if (!send_request(ask, "POST", "/v1/upgrade"))
        return 1;
    cJSON *json = cJSON_ParseWithLength(buf_text(&ask->reply), ask->reply.len);
    const cJSON *from = cJSON_GetObjectItemCaseSensitive(json, "from");
    const cJSON *to = cJSON_GetObjectItemCaseSensitive(json, "to");
    int status = cJSON_IsNumber(from) && cJSON_IsNumber(to) ? wait_for_successor(ask, from->valueint, to->valueint) : 1;
    cJSON_Delete(json);
    return status;
}

static int run_status(struct ask *ask)
{
    return send_request(ask, "GET", "/v1/status") ? show(ask, NULL, 0) : 1;
}

static int run_explain(struct ask *ask)
{
    if (ask->body.len == 0) {
        fprintf(stderr, "smppbridge explain: give --system-id, --to and --text\n");
        return 2;
    }
    buf_adds(&ask->body, "}");
    return send_request(ask, "POST", "/v1/explain") ? show(ask, NULL, 0) : 1;
}

static int run_capture(struct ask *ask)
{
    if (ask->text)
        buf_adds(&ask->query, "text=1");
    if (!send_request(ask, "GET", path_of(ask, "/v1/sessions/", ask->rest[0], "/capture")))
        return 1;
    if (ask->output == NULL && isatty(STDOUT_FILENO)) {
        fprintf(stderr, "smppbridge capture: a pcap is no text: give -o FILE, or a pipe: | tshark -r -\n");
        return 2;
    }
    FILE *to = ask->output == NULL ? stdout : fopen(ask->output, "wbx");
    if (to == NULL) {
        perror(ask->output);
        return 1;
    }
    bool bad = fwrite(buf_text(&ask->reply), 1, ask->reply.len, to) != ask->reply.len;
    if (to != stdout)
        bad = fclose(to) != 0 || bad;
    return bad ? 1 : 0;
}

static int run_conformance(struct ask *ask)
{
    struct buf text;

    if (!send_request(ask, "GET", path_of(ask, "/v1/sessions/", ask->rest[0], "/conformance")))
        return 1;
    buf_init(&text, 64 << 10);
    bool table = !ask->json && account_table_write(buf_text(&ask->reply), &text) == 0;
    fputs(table ? buf_text(&text) : buf_text(&ask->reply), stdout);
    buf_finish(&text);
    return 0;
}

static int run_backup(struct ask *ask)
{
    char path[4096];
    const char *file = ask->rest[0];

    if (*file != '/') {
        if (getcwd(path, sizeof path) == NULL || strlen(path) + strlen(file) + 2 > sizeof path)
            return 1;
        size_t len = strlen(path);
        snprintf(path + len, sizeof path - len, "/%s", file);
        file = path;
    }
    buf_adds(&ask->body, "{\"file\": ");
    buf_add_json(&ask->body, file, strlen(file));
    buf_adds(&ask->body, "}");
    return send_request(ask, "POST", "/v1/backup") ? show(ask, NULL, 0) : 1;
}

static const struct command {
    const char *name;
    int (*run)(struct ask *ask);
    int least, most; /* arguments */
    const char *usage;
} commands[] = {
    { "messages", run_messages, 0, 0,
      "[--phone N] [--system-id S] [--state STATE] [--since T] [--until T] [--limit N] [--after CURSOR]" },
    { "message", run_message, 1, 1, "ID|PHONE    one message and its story" },
    { "cancel", run_cancel, 1, 1, "ID" },
    { "redeliver", run_redeliver, 1, 1, "ID    its receipt, or an incoming message, once more" },
    { "deliveries", run_deliveries, 0, 2, "[drop SYSTEM_ID]    what waits for the accounts" },
    { "sessions", run_sessions, 0, 0, "[--system-id S]" },
    { "unbind", run_unbind, 1, 1, "SESSION" },
    { "upstreams", run_upstreams, 0, 2, "[pause NAME | resume NAME]" },
    { "status", run_status, 0, 0, "" },
    { "reload", run_reload, 0, 0, "" },
    { "drain", run_drain, 0, 0, "" },
    { "upgrade", run_upgrade, 0, 0, "    by the program that lies in its place now, without refusing anybody" },
    { "explain", run_explain, 0, 0, "--system-id S --to N --text T [--from A] [--field NAME=VALUE]..." },
    { "capture", run_capture, 1, 1, "SESSION [-o FILE] [--text]" },
    { "conformance", run_conformance, 1, 1, "SESSION" },
    { "backup", run_backup, 1, 1, "FILE" },
};

static const char common_help[] = "\n"
                                  "  --url URL     of the administration listener (http://127.0.0.1:8081)\n"
                                  "  --token T     or the environment's SMPPBRIDGE_TOKEN\n"
                                  "  -c FILE       take both from this configuration (" DEFAULT_FILE ")\n"
                                  "  --json        the answer as it came\n";

static void add_query(struct ask *ask, const char *name, const char *value)
{
    buf_adds(&ask->query, ask->query.len > 0 ? "&" : "");
    buf_adds(&ask->query, name);
    buf_adds(&ask->query, "=");
    buf_add_url(&ask->query, value, strlen(value));
}

static void add_member(struct ask *ask, const char *name, size_t name_len, const char *value)
{
    buf_adds(&ask->body, ask->body.len > 0 ? ", " : "{");
    buf_add_json(&ask->body, name, name_len);
    buf_adds(&ask->body, ": ");
    buf_add_json(&ask->body, value, strlen(value));
}

/* An option with a value; false when there is none of this name. */
static bool take_option(struct ask *ask, const char *name, const char *value)
{
    static const char *const filters[][2] = { { "--phone", "phone" }, { "--state", "state" }, { "--since", "since" },
                                              { "--until", "until" }, { "--limit", "limit" }, { "--after", "after" } };
    static const char *const members[][2] = { { "--to", "to" }, { "--from", "from" }, { "--text", "text" } };
    bool explain = strcmp(ask->name, "explain") == 0;

    if (strcmp(name, "--url") == 0) {
        snprintf(ask->url, sizeof ask->url, "%s", value);
    } else if (strcmp(name, "--token") == 0) {
        snprintf(ask->token, sizeof ask->token, "%s", value);
    } else if (strcmp(name, "-c") == 0 || strcmp(name, "--config") == 0) {
        ask->file = value;
    } else if (strcmp(name, "-o") == 0) {
        ask->output = value;
    } else if (strcmp(name, "--system-id") == 0) {
        if (explain)
            add_member(ask, "system_id", 9, value);
        else
            add_query(ask, "system_id", value);
    } else if (explain && strcmp(name, "--field") == 0 && strchr(value, '=') != NULL) {
        add_member(ask, value, strcspn(value, "="), strchr(value, '=') + 1);
    } else {
        for (size_t i = 0; explain && i < ARRAY_LEN(members); i++) {
            if (strcmp(members[i][0], name) == 0) {
                add_member(ask, members[i][1], strlen(members[i][1]), value);
                return true;
            }
        }
        for (size_t i = 0; !explain && i < ARRAY_LEN(filters); i++) {
            if (strcmp(filters[i][0], name) == 0) {
                add_query(ask, filters[i][1], value);
                return true;
            }
        }
        return false;
    }
    return true;
}

/* Returns -1 to go on, else the exit status. */
static int read_options(struct ask *ask, const struct command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];

        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            printf("usage: smppbridge %s %s\n%s", command->name, command->usage, common_help);
            return 0;
        }
        if (strcmp(arg, "--json") == 0) {
            ask->json = true;
        } else if (strcmp(arg, "--text") == 0 && strcmp(ask->name, "capture") == 0) {
            ask->text = true;
        } else if (arg[0] == '-' && arg[1] != '\0') {
            if (i + 1 >= argc || !take_option(ask, arg, argv[i + 1])) {
                fprintf(stderr, "smppbridge %s: %s '%s'\nTry: smppbridge %s --help\n", ask->name,
                        i + 1 >= argc ? "no value, or no such option," : "there is no option", arg, ask->name);
                return 2;
            }
            i++;
        } else if (ask->rest_count < REST_MAX) {
            ask->rest[ask->rest_count++] = arg;
        }
    }
    if (ask->rest_count < command->least || ask->rest_count > command->most) {
        fprintf(stderr, "usage: smppbridge %s %s\n", command->name, command->usage);
        return 2;
    }
    return -1;
}

/* What was not given comes from the environment or a configuration this user may read. */
static int find_gateway(struct ask *ask)
{
    const char *token = getenv("SMPPBRIDGE_TOKEN"), *url = getenv("SMPPBRIDGE_URL");
    const char *file = ask->file != NULL ? ask->file : DEFAULT_FILE;
    struct config *config = NULL;
    struct buf mistakes;

    if (ask->url[0] == '\0' && url != NULL)
        snprintf(ask->url, sizeof ask->url, "%s", url);
    if (ask->token[0] == '\0' && token != NULL)
        snprintf(ask->token, sizeof ask->token, "%s", token);
    if (ask->file != NULL || (access(file, R_OK) == 0 && ask->url[0] == '\0')) {
        buf_init(&mistakes, 1 << 20);
        if (cfg_read_file(file, &config, &mistakes) != 0) {
            fputs(buf_text(&mistakes), stderr);
            buf_finish(&mistakes);
            return 2;
        }
        buf_finish(&mistakes);
        if (ask->url[0] == '\0' && config->admin.listen != NULL && config->admin.listen[0] != NULL) {
            char host[NET_HOST_SIZE];
            uint16_t port;

            if (net_split(config->admin.listen[0], host, &port) == 0) {
                bool any = host[0] == '\0' || strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0;

                snprintf(ask->url, sizeof ask->url, strchr(host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u",
                         any ? "127.0.0.1" : host, port);
            }
        }
        if (ask->token[0] == '\0' && config->admin.token != NULL)
            snprintf(ask->token, sizeof ask->token, "%s", config->admin.token);
        cfg_destroy(config);
    }
    if (ask->url[0] == '\0')
        snprintf(ask->url, sizeof ask->url, "http://127.0.0.1:8081");
    size_t len = strlen(ask->url);
    if (len > 0 && ask->url[len - 1] == '/')
        ask->url[len - 1] = '\0';
    return 0;
}

int command_admin(int argc, char **argv)
{
    const struct command *command = NULL;
    struct ask ask = { .name = argv[0] };

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, argv[0]) == 0)
            command = &commands[i];
    }
    if (command == NULL)
        return 2;
    buf_init(&ask.query, 8192);
    buf_init(&ask.body, 1 << 20);
    buf_init(&ask.reply, REPLY_MAX);
    int status = read_options(&ask, command, argc, argv);
    if (status < 0) {
        status = find_gateway(&ask);
        if (status == 0)
            status = command->run(&ask);
    }
    buf_finish(&ask.query);
    buf_finish(&ask.body);
    buf_finish(&ask.reply);
    explicit_bzero(ask.token, sizeof ask.token);
    return status;
}
