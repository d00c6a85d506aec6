/* SPDX-License-Identifier: MIT */
/*
 * lab_host.c - the simulator beside a production gateway, and its behaviour over the administration API.
 *
 * Where the simulator has two accounts, a change of behaviour that names none is meant for both, but for what tells them
 * apart (OWN).
 */
#include "gateway/lab_host.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"

static const char *const own[] = { "login", "password", "api_key", "callback_url", "balance" };

static int read_behaviour(void *owner, const char *login, struct buf *out)
{
    return simulator_behaviour_read(((struct lab_host *)owner)->simulator, login, out);
}

static int write_second(struct lab_host *host, const char *json, size_t len, char why[256])
{
    cJSON *root = cJSON_ParseWithLength(json, len);

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        cJSON_DeleteItemFromObjectCaseSensitive(root, own[i]);
    char *rest = root == NULL ? NULL : cJSON_PrintUnformatted(root);
    int err =
        rest == NULL ? ERR_NOMEM : simulator_behaviour_write(host->simulator, LAB_HOST_LOGIN, rest, strlen(rest), why);
    cJSON_free(rest);
    cJSON_Delete(root);
    return err;
}

static int write_behaviour(void *owner, const char *login, const char *json, size_t len, char why[256])
{
    struct lab_host *host = owner;
    int err = simulator_behaviour_write(host->simulator, login, json, len, why);

    return err == 0 && login[0] == '\0' && host->second ? write_second(host, json, len, why) : err;
}

static int incoming(void *owner, bool lab_account, const char *phone, const char *to, const char *text,
                    const char *sms_id)
{
    struct lab_host *host = owner;

    return simulator_incoming(host->simulator, lab_account && host->second ? LAB_HOST_LOGIN : "", phone, to, text,
                              sms_id);
}

static int add_account(struct lab_host *host, const char *callback_url, struct gateway_lab_network *out, char why[256])
{
    struct buf json;

    buf_init(&json, 4096);
    buf_adds(&json, "{\"login\": \"" LAB_HOST_LOGIN "\", \"api_key\": \"" LAB_HOST_LOGIN "\", \"password\": \"lab\", "
                    "\"callback_url\": ");
    buf_add_json(&json, callback_url, strlen(callback_url));
    buf_addc(&json, '}');
    int err = json.failed ? ERR_NOMEM : simulator_add_account(host->simulator, buf_text(&json), json.len, why);
    buf_finish(&json);
    host->second = err == 0;
    snprintf(out->login, sizeof out->login, "%s", LAB_HOST_LOGIN);
    snprintf(out->password, sizeof out->password, "lab");
    return err;
}

static int start(void *owner, const char *callback_url, struct gateway_lab_network *out, char why[256])
{
    struct lab_host *host = owner;
    int err;

    if (host->shared) {
        err = add_account(host, callback_url, out, why);
    } else {
        struct simulator_opts opts = { .address = "127.0.0.1:0", .seed = 1, .callback_url = callback_url };

        err = simulator_create(host->loop, &opts, &host->simulator, &host->port, why);
        snprintf(out->login, sizeof out->login, "alex"); /* the first account's, unless a script says otherwise */
        snprintf(out->password, sizeof out->password, "123");
        if (err == 0)
            gateway_set_lab(host->gw, &host->ops);
    }
    snprintf(out->url, sizeof out->url, "http://127.0.0.1:%u", host->port);
    return err;
}

static int attach(struct lab_host *host, char why[256])
{
    host->host = (struct gateway_lab_host){ host, start };
    host->ops = (struct gateway_lab){ host, host->shared, read_behaviour, write_behaviour, incoming };
    if (host->shared)
        gateway_set_lab(host->gw, &host->ops);
    return gateway_set_lab_host(host->gw, &host->host, why);
}

int lab_host_attach(struct lab_host *host, uv_loop_t *loop, struct gateway *gw, char why[256])
{
    *host = (struct lab_host){ .loop = loop, .gw = gw };
    return attach(host, why);
}

int lab_host_share(struct lab_host *host, struct simulator *simulator, uint16_t port, struct gateway *gw, char why[256])
{
    *host = (struct lab_host){ .simulator = simulator, .port = port, .shared = true, .gw = gw };
    return attach(host, why);
}

void lab_host_finish(struct lab_host *host)
{
    if (!host->shared)
        simulator_destroy(host->simulator);
    host->simulator = NULL;
}
