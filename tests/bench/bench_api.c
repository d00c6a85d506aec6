/* SPDX-License-Identifier: MIT */
/*
 * bench_api.c - nanoseconds per request built and per reply or callback read.
 *
 * One line per case: name, ns per operation, and for batches ns per message. Run it from a release build.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/smsc_soap.h"
#include "http/webhook.h"

enum { BATCH = 100 };

static const struct smsc_login login = { "alex", "123", "" };
static struct smsc_line lines[BATCH];
static struct buf out, reply, soap;

static void build_one(void)
{
    struct smsc_send send = { .id = "1", .lines = lines, .line_count = 1 };

    buf_clear(&out);
    smsc_build_send(&login, &send, &out);
}

static void build_list(void)
{
    struct smsc_send send = { .id = "1", .lines = lines, .line_count = BATCH };

    buf_clear(&out);
    smsc_build_send(&login, &send, &out);
}

static void build_soap(void)
{
    struct smsc_send send = { .id = "1", .lines = lines, .line_count = 1 };

    buf_clear(&out);
    smsc_soap_build_send(&login, &send, &out);
}

static void can_list(void)
{
    static volatile bool sink;

    for (size_t i = 0; i < BATCH; i++)
        sink = smsc_line_can_list(&lines[i]);
    UNUSED(sink);
}

static void parse_one(void)
{
    static const char body[] = "{\n\"id\": 33,\n\"cnt\": 1,\n\"cost\": \"3.3\",\n\"balance\": \"3215.3097\"\n}";
    struct smsc_send_reply r;

    smsc_parse_send(200, body, sizeof body - 1, &r);
    smsc_send_reply_finish(&r);
}

static void parse_list(void)
{
    struct smsc_send_reply r;

    smsc_parse_send(200, reply.data, reply.len, &r);
    smsc_send_reply_finish(&r);
}

static void parse_soap(void)
{
    struct smsc_send_reply r;

    smsc_soap_parse_send(200, soap.data, soap.len, &r);
    smsc_send_reply_finish(&r);
}

static void open_callback(const char *body, enum webhook_hash hash)
{
    struct webhook_opts opts = { .hash = hash, .secret = "zxc", .charset = WEBHOOK_UTF8 };
    struct smsc_event e;
    const char *why;

    if (webhook_open(&opts, NULL, "", body, strlen(body), &e, &why) == WEBHOOK_OK)
        smsc_event_finish(&e);
    else
        printf("refused: %s\n", why);
}

static void callback_form(void)
{
    open_callback("id=gw-1&phone=79990000001&status=1&time=18.10.16+15%3A34%3A12&ts=1476794052&cnt=2&type=0&cost=3.30&"
                  "flag=1056&sender=My+Shop",
                  WEBHOOK_HASH_NONE);
}

static void callback_sha1(void)
{
    open_callback("id=77&phone=123&mes=text&to=234&sha1=b6f768ce7614d7858cc4a6116f8ffd0dc236a3cd", WEBHOOK_HASH_SHA1);
}

static void callback_xml(void)
{
    open_callback("<?xml version=\"1.0\"?><r><id>gw-1</id><phone>79990000001</phone><status>1</status></r>",
                  WEBHOOK_HASH_NONE);
}

static void callback_json(void)
{
    open_callback("{\"id\":\"gw-1\",\"phone\":\"79990000001\",\"status\":1,\"ts\":1476794052,\"cost\":\"3.30\"}",
                  WEBHOOK_HASH_NONE);
}

static void run(const char *name, void (*op)(void), unsigned messages)
{
    enum { LONG_ENOUGH_NS = 100 * 1000 * 1000 };
    uint64_t count = 0, spent = 0, start = clock_mono_ns();

    while (spent < LONG_ENOUGH_NS) {
        for (int i = 0; i < 50; i++)
            op();
        count += 50;
        spent = clock_mono_ns() - start;
    }
    uint64_t ns = spent / count;
    printf("%-28s %9llu ns", name, (unsigned long long)ns);
    if (messages > 1)
        printf("  %6llu ns/message", (unsigned long long)(ns / messages));
    printf("\n");
}

int main(void)
{
    static char phones[BATCH][16], texts[BATCH][80];

    buf_init(&out, 1 << 20);
    buf_init(&reply, 1 << 20);
    buf_init(&soap, 1 << 20);
    buf_adds(&reply, "{\n\"id\": 33,\n\"cnt\": 100,\n\"cost\": \"150\",\n\"balance\": \"3215.3097\",\n\"phones\": [");
    for (unsigned i = 0; i < BATCH; i++) {
        snprintf(phones[i], sizeof phones[i], "7999%07u", i);
        snprintf(texts[i], sizeof texts[i], "Your order %u is ready.\nКод: %u", i, i * 7919);
        lines[i] = (struct smsc_line){ phones[i], "Shop", texts[i], strlen(texts[i]) };
        buf_addf(&reply, "%s\n{\n\"phone\": \"%s\",\n\"mccmnc\": \"25001\",\n\"cost\": \"1.5\"\n}", i > 0 ? "," : "",
                 phones[i]);
    }
    buf_adds(&reply, "\n]\n}");
    buf_adds(&soap,
             "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><n:Send2Response "
             "xmlns:n=\"http://smsc.ru/sys/soap.php\"><sendresult><id>33</id><balance>1</balance><cost>3.3</cost>"
             "<cnt>1</cnt></sendresult></n:Send2Response></s:Body></s:Envelope>");

    run("build send", build_one, 1);
    run("build list of 100", build_list, BATCH);
    run("can_list, 100 lines", can_list, BATCH);
    run("build soap send", build_soap, 1);
    run("parse send reply", parse_one, 1);
    run("parse op=1 reply of 100", parse_list, BATCH);
    run("parse soap reply", parse_soap, 1);
    run("callback, form", callback_form, 1);
    run("callback, form, sha1", callback_sha1, 1);
    run("callback, xml", callback_xml, 1);
    run("callback, json", callback_json, 1);
    buf_finish(&out);
    buf_finish(&reply);
    buf_finish(&soap);
    return 0;
}
