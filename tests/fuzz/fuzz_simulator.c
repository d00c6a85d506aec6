/* SPDX-License-Identifier: MIT */
/*
 * fuzz_simulator.c - any bytes as a request to the simulated service: always an answer, never a crash.
 *
 * The first byte chooses method, body type and format, then a line of query, then the body. Credentials are added so that
 * the input reaches the methods; behaviour is set by PUT like any request. Time moves on, so statuses happen too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/core.h"

static struct lab *lab;
static int64_t now_ms = 1700000000000;

static void on_event(void *owner, const struct lab_event *event)
{
    struct lab_post post;

    UNUSED(owner);
    if (lab_post_build(lab, event, &post) == 0)
        lab_post_finish(&post);
}

static const char *const paths[] = { "/sys/send.php", "/sys/templates.php", "/sys/status.php",   "/sys/balance.php",
                                     "/sys/get.php",  "/sys/info.php",      "/sys/tinyurls.php", "/sys/wait_call.php",
                                     "/rest/send/",   "/lab/messages",      "/lab/behaviour",    "/lab/incoming",
                                     "/t/1",          "/sys/soap.php",      "/sys/jobs.php",     "/sys/phones.php" };
/* the last of them stands for four */
static const char *const desks[] = { "/sys/senders.php", "/sys/phones.php", "/sys/users.php", "/sys/op_templates.php" };
static const char *const types[] = { "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                     "application/json", NULL };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text, *query;
    struct lab_reply reply;
    struct lab_request request = { .peer = "127.0.0.1:1", .host = "h" };
    size_t line;

    if (size < 2)
        return 0;
    if (lab == NULL && (lab = lab_create(1, 64, on_event, NULL)) == NULL)
        return 0;
    lab->b.limits = 0; /* blocks would hide everything behind error 4 */
    if (lab->b.callback_url[0] == '\0')
        (void)snprintf(lab->b.callback_url, sizeof lab->b.callback_url, "http://h/!a?sha1=s&charset=koi8-r");
    (void)snprintf(lab->b.api_key, sizeof lab->b.api_key, "lab");
    lab->b.latency_max_ms = lab->b.latency_min_ms;
    text = malloc(size);
    query = malloc(size + 64);
    if (text == NULL || query == NULL)
        abort();
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    line = strcspn(text, "\n");
    (void)snprintf(query, size + 64, "apikey=lab&fmt=%u&%.*s", data[0] >> 6, (int)line, text);
    request.method = (data[0] & 0x10) != 0 ? "PUT" : "GET";
    request.path = (data[0] & 15) == 15 ? desks[data[1] & 3] : paths[data[0] & 15];
    request.content_type = types[data[0] >> 4 & 3];
    request.query = query;
    request.body = line < size - 1 ? text + line + 1 : "";
    request.body_len = line < size - 1 ? size - 2 - line : 0;
    request.now_ms = now_ms += 100;
    lab_reply_init(&reply);
    lab_serve(lab, &request, &reply);
    if (reply.body.failed)
        abort(); /* no reply may outgrow its ceiling on inputs this small */
    lab_reply_finish(&reply);
    (void)lab_advance(lab, now_ms, 100);
    free(text);
    free(query);
    return 0;
}
