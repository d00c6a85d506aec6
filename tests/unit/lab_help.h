/* lab_help.h - a simulated service without sockets for tests: one request in, its reply as text. */
#ifndef TESTS_LAB_HELP_H
#define TESTS_LAB_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/core.h"

#define AUTH "login=alex&psw=123&"

static struct lab *lab;
static int64_t now_ms;
static char last_reply[65536];
static struct lab_reply last; /* its body has been freed */

struct seen_event {
    enum lab_event_kind kind;
    int status, err;
    char phone[64], id[64], text[256], body[2048], url[256];
    const char *content_type;
};
static struct seen_event events[256];
static size_t event_count;

static inline void on_lab_event(void *owner, const struct lab_event *event)
{
    struct seen_event *e = &events[event_count < 255 ? event_count : 255];
    struct lab_post post;

    UNUSED(owner);
    memset(e, 0, sizeof *e);
    e->kind = event->kind;
    if (event->kind == LAB_EVENT_STATUS) {
        e->status = event->message->status;
        e->err = event->message->err;
        (void)snprintf(e->phone, sizeof e->phone, "%s", event->message->phone);
        (void)snprintf(e->id, sizeof e->id, "%s", event->message->id);
    } else {
        (void)snprintf(e->phone, sizeof e->phone, "%s", event->answer->phone);
        (void)snprintf(e->text, sizeof e->text, "%s", event->answer->text);
    }
    if (lab_post_build(lab, event, &post) == 0) {
        (void)snprintf(e->body, sizeof e->body, "%.*s", (int)post.body_len, post.body);
        (void)snprintf(e->url, sizeof e->url, "%s", post.url);
        e->content_type = post.content_type;
        lab_post_finish(&post);
    }
    event_count++;
}

static inline int lab_setup(void **state)
{
    UNUSED(state);
    now_ms = 1476794052000; /* 18.10.2016 15:34:12 in Moscow, as recorded */
    event_count = 0;
    lab = lab_create(1, 1000, on_lab_event, NULL);
    return lab == NULL;
}

static inline int lab_teardown(void **state)
{
    UNUSED(state);
    lab_destroy(lab);
    lab = NULL;
    return 0;
}

static inline const char *ask_full(const char *path, const char *query, const char *type, const char *body, size_t len,
                                   unsigned concurrent)
{
    struct lab_request request = { .method = body[0] != '\0' ? "POST" : "GET",
                                   .path = path,
                                   .query = query,
                                   .content_type = type,
                                   .body = body,
                                   .body_len = len,
                                   .peer = "127.0.0.1:4000",
                                   .host = "lab.example",
                                   .now_ms = now_ms };

    lab_reply_init(&last);
    lab->under_way = lab->status_under_way = concurrent;
    lab_serve(lab, &request, &last);
    lab->under_way = lab->status_under_way = 0;
    (void)snprintf(last_reply, sizeof last_reply, "%s", buf_text(&last.body));
    lab_reply_finish(&last);
    return last_reply;
}

/* A POST of a form to /sys/<name>.php. */
static inline const char *ask(const char *name, const char *form)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/sys/%s.php", name);
    return ask_full(path, "", "application/x-www-form-urlencoded", form, strlen(form), 0);
}

static inline void set(const char *json)
{
    char why[256] = "";

    if (lab_settings_write(lab, json, strlen(json), why) != 0)
        fail_msg("%s", why);
}

static inline void let_pass(int64_t ms)
{
    now_ms += ms;
    while (lab_advance(lab, now_ms, 1000) <= now_ms)
        ;
}

#endif
