/* SPDX-License-Identifier: MIT */
/* lab_host.c - the simulator beside a production gateway, and its behaviour over the administration API. */
#include "gateway/lab_host.h"

#include <stdio.h>

#include "lab/lab.h"

static void read_behaviour(void *owner, struct buf *out)
{
    simulator_behaviour_read(((struct lab_host *)owner)->simulator, out);
}

static int write_behaviour(void *owner, const char *json, size_t len, char why[256])
{
    return simulator_behaviour_write(((struct lab_host *)owner)->simulator, json, len, why);
}

static int incoming(void *owner, const char *phone, const char *to, const char *text, const char *sms_id)
{
    return simulator_incoming(((struct lab_host *)owner)->simulator, phone, to, text, sms_id);
}

static int start(void *owner, const char *callback_url, char out_url[160], char why[256])
{
    struct lab_host *host = owner;
    struct simulator_opts opts = { .address = "127.0.0.1:0", .seed = 1, .callback_url = callback_url };
    uint16_t port;

    int err = simulator_create(host->loop, &opts, &host->simulator, &port, why);
    if (err != 0)
        return err;
    snprintf(out_url, 160, "http://127.0.0.1:%u", port);
    gateway_set_lab(host->gw, &host->ops);
    return 0;
}

int lab_host_attach(struct lab_host *host, uv_loop_t *loop, struct gateway *gw, char why[256])
{
    *host = (struct lab_host){
        .loop = loop, .gw = gw, .host = { host, start }, .ops = { host, read_behaviour, write_behaviour, incoming }
    };
    return gateway_set_lab_host(gw, &host->host, why);
}

void lab_host_finish(struct lab_host *host)
{
    simulator_destroy(host->simulator);
    host->simulator = NULL;
}
