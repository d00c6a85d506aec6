/* SPDX-License-Identifier: MIT */
/*
 * cancel_upstream.c - one message that the aggregator has accepted is to be deleted there [API status, del=1].
 *
 * Only the aggregator's OK counts; silence or anything else leaves the message as it was, and its status still comes.
 */
#include "gateway/face.h"

#include <stdlib.h>

struct deleting {
    struct gateway *gw;
    uint64_t id;
    uint16_t upstream;
    cancel_upstream_fn *fn;
    void *owner;
};

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *http)
{
    struct deleting *d = owner;
    struct upstream *up = upstream_by_number(d->gw, d->upstream);
    enum smsc_reply_kind kind = SMSC_REPLY_UNCLEAR;
    char text[96] = "";
    int error = 0;

    UNUSED(cookie);
    if (http->outcome == HTTP_ANSWERED)
        kind = smsc_parse_any(http->status, http->body, http->body_len, &error, text);
    meters_count3(d->gw->meters.requests, up->name, "delete",
                  kind == SMSC_REPLY_OK      ? "ok"
                  : kind == SMSC_REPLY_ERROR ? "error"
                                             : "unclear");
    if (kind != SMSC_REPLY_OK)
        log_info("not deleted upstream", "upstream=%s msg=%llu error=%d reason=%s", up->name, (unsigned long long)d->id,
                 error, http->outcome == HTTP_ANSWERED ? text : http->why);
    d->fn(d->owner, d->id, kind == SMSC_REPLY_OK);
    free(d);
}

int cancel_upstream(struct gateway *gw, struct item *item, cancel_upstream_fn *fn, void *owner)
{
    struct upstream *up = upstream_by_number(gw, item->m->p.upstream);
    struct deleting *d;
    char id[24], url[512];

    if (up == NULL || up->cfg == NULL || up->http_status == NULL || gw->draining)
        return ERR_STATE;
    d = malloc(sizeof *d);
    if (d == NULL)
        return ERR_NOMEM;
    *d = (struct deleting){ gw, item->m->id, up->number, fn, owner };
    send_id_text(item->m->p.upid, id);
    struct smsc_login login = upstream_login(up);
    struct smsc_status_query query = {
        .ids = (const char *const[]){ id }, .phones = (const char *const[]){ item->m->dest.at }, .count = 1, .del = true
    };
    buf_clear(&gw->body);
    smsc_build_status(&login, &query, &gw->body);
    struct http_request_out out = { .method = "POST",
                                    .url = upstream_url(up, SMSC_PATH_STATUS, url),
                                    .body = buf_text(&gw->body),
                                    .body_len = gw->body.len };
    int err = http_client_send(up->http_status, &out, on_reply, d, d->id);
    if (err != 0)
        free(d);
    return err;
}
