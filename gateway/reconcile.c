/* SPDX-License-Identifier: MIT */
/*
 * reconcile.c - sends whose outcome is unknown: asked about, never guessed.
 *
 * Such a send keeps its place in flight, its messages stay pinned and its phones busy. status.php is asked for its first
 * open member under the id we chose: found means the request was accepted as a whole; not found (-3) means it was not,
 * and the very same request goes out again under the same id, so that the aggregator's own rule against repeats stands
 * behind us. Found by nobody for give_up: the messages end as unknown.
 */
#include "gateway/internal.h"

enum { ASK_FIRST_MS = 1000, ASK_AGAIN_MS = 15000, ASK_BEFORE_REPEAT = 1 };

void reconcile_add(struct send *send, uint64_t after_ms)
{
    struct upstream *up = send->upstream;

    if (send->state != SEND_UNCLEAR) {
        send->state = SEND_UNCLEAR;
        send_save(up->gateway, send);
    }
    if (heap_push(&up->unclear, (int64_t)(clock_mono_ms() + after_ms), send->upid) != 0)
        log_error("unclear send waits until the next start", "send=%llu", (unsigned long long)send->upid);
}

static const struct send_member *first_open(const struct send *send)
{
    for (size_t i = 0; i < send->member_count; i++) {
        if (!send->members[i].done)
            return &send->members[i];
    }
    return NULL;
}

static void ask_again(struct send *send)
{
    reconcile_add(send, send->asked < 4 ? ASK_AGAIN_MS : 60000);
}

static void on_status(void *owner, uint64_t cookie, const struct http_reply_in *http)
{
    struct gateway *gw = owner;
    struct send *send = send_find(gw, cookie);
    struct smsc_status_reply reply;

    if (send == NULL)
        return;
    struct upstream *up = send->upstream;
    up->asking--;
    if (http->outcome != HTTP_ANSWERED) {
        meters_count3(gw->meters.requests, up->name, "status", "failed");
        ask_again(send);
        return;
    }
    smsc_parse_status(http->status, http->body, http->body_len, &reply);
    if (reply.kind != SMSC_REPLY_OK || reply.count == 0) {
        meters_count3(gw->meters.requests, up->name, "status", reply.kind == SMSC_REPLY_ERROR ? "error" : "unclear");
        if (reply.kind == SMSC_REPLY_ERROR && reply.error_code == 2)
            upstream_pause(up, PAUSE_LOGIN, UINT64_MAX);
        ask_again(send);
    } else if (reply.items[0].status != -3) {
        meters_count3(gw->meters.requests, up->name, "status", "found");
        log_info("unclear send was accepted", "upstream=%s send=%llu", up->name, (unsigned long long)send->upid);
        up->failures = 0;
        struct smsc_status status = reply.items[0];
        uint64_t upid = send->upid, member_id = first_open(send) == NULL ? 0 : first_open(send)->id;

        upstream_accepted(send, -1);
        struct item *item = member_id == 0 ? NULL : book_find(gw->book, member_id);
        if (item != NULL && item->m->p.upid == upid)
            report_polled(gw, item, &status);
        upstream_pump(up);
    } else {
        meters_count3(gw->meters.requests, up->name, "status", "not_found");
        up->failures = 0;
        send->repeated = true;
        log_info("unclear send was not accepted: sent again under the same id", "upstream=%s send=%llu", up->name,
                 (unsigned long long)send->upid);
        send->state = SEND_IN_FLIGHT;
        send_save(gw, send);
        upstream_ready(send);
    }
    smsc_status_reply_finish(&reply);
}

static void ask(struct send *send)
{
    struct upstream *up = send->upstream;
    struct gateway *gw = up->gateway;
    const struct send_member *member = first_open(send);
    struct item *item = member == NULL ? NULL : book_find(gw->book, member->id);
    char id[24], url[512];

    if (item == NULL) { /* callbacks have told everything meanwhile */
        upstream_accepted(send, -1);
        return;
    }
    send_id_text(send->upid, id);
    struct smsc_login login = upstream_login(up);
    struct smsc_status_query query = { .ids = (const char *const[]){ id },
                                       .phones = (const char *const[]){ item->m->dest.at },
                                       .count = 1 };
    buf_clear(&gw->body);
    smsc_build_status(&login, &query, &gw->body);
    struct http_request_out out = { .method = "POST",
                                    .url = upstream_url(up, SMSC_PATH_STATUS, url),
                                    .body = buf_text(&gw->body),
                                    .body_len = gw->body.len };
    send->asked++;
    if (http_client_send(up->http_status, &out, on_status, gw, send->upid) != 0)
        ask_again(send);
    else
        up->asking++;
}

void reconcile_tick(struct upstream *up, uint64_t now_ms)
{
    struct heap_entry entry;

    if (up->cfg == NULL || up->gateway->stopped)
        return;
    while (up->asking < up->cfg->status_connections && up->pause != PAUSE_LOGIN && up->pause != PAUSE_BLOCKED &&
           heap_pop(&up->unclear, (int64_t)now_ms, &entry)) {
        struct send *send = send_find(up->gateway, entry.id);

        if (send != NULL && send->state == SEND_UNCLEAR)
            ask(send);
    }
}
