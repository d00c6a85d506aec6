/* SPDX-License-Identifier: MIT */
/*
 * client.c - bounded HTTP requests out: what is asked of libcurl, and what its results mean.
 *
 * Leaves sockets and timers to curl_loop.c, meaning of replies to the callers. Invariant: a request leaves at most once.
 * libcurl repeats a request by itself when a reused connection dies before the first byte of the reply (seen with 7.88:
 * 200 POSTs became 343). Every attempt passes before_request, which refuses a second one unless it can prove that not
 * one byte of the first had been taken; the same witness tells "never sent" from "perhaps sent" at the end.
 */
#include "http/client.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "http/curl_loop.h"
#include "version.h"

enum {
    DEFAULT_MAX_INFLIGHT = 64,
    DEFAULT_CONNECT_TIMEOUT_MS = 5000,
    DEFAULT_TIMEOUT_MS = 30000,
    DEFAULT_IDLE_MS = 4000,
    DEFAULT_MAX_REPLY_BYTES = 4 << 20,
    BODY_BYTES_MAX = 64 << 20, /* of a request: our own callers, so only a backstop */
    PROXY_WANTS_LOGIN = 407,
    BUFFER_KEPT_BYTES = 1 << 18 /* a pooled buffer larger than this is given back */
};

static const char default_type[] = "application/x-www-form-urlencoded";

/* One request, or a place for one. Pooled with its libcurl handle and buffers. */
struct call {
    struct http_client *client;
    struct call *prev, *next; /* `under_way` (both), or the free list (next) */
    CURL *easy;
    unsigned settings; /* client->settings when the handle was set up; an outdated handle is not pooled again */
    /* as set in the handle; set again only when they differ */
    char *url;
    char *header_text; /* the lines of `headers` */
    struct curl_slist *headers;
    bool is_post;
    bool is_delete;
    uint64_t timeout_ms;
    /* the request under way */
    struct buf body, reply;
    bool has_begun;    /* before_request let it through */
    bool was_refused;  /* before_request refused a repetition */
    bool has_head;     /* the blank line behind the final reply's head has come */
    long begun_size;   /* CURLINFO_REQUEST_SIZE then: a proxy's CONNECT counts as well */
    uint64_t began_ns; /* http_client_send */
    http_reply_fn *on_reply;
    void *owner;
    uint64_t cookie;
    char error[CURL_ERROR_SIZE];
};

struct http_client {
    uv_loop_t *loop;
    struct curl_loop *cl;
    struct http_client_opts opts; /* defaults filled in; strings owned */
    unsigned settings;            /* counts http_client_configure */
    unsigned inflight;
    struct call under_way; /* head of a ring */
    struct call *pool;
    bool closing;
};

/* ---- what libcurl calls ---- */

static long request_size(CURL *easy)
{
    long size = 0;

    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &size);
    return size;
}

/* Before each attempt to send, on a connection that stands. */
static int before_request(void *owner, char *peer, char *own, int peer_port, int own_port)
{
    struct call *call = owner;
    long size = request_size(call->easy);

    UNUSED(peer);
    UNUSED(own);
    UNUSED(peer_port);
    UNUSED(own_port);
    if (call->has_begun && size != call->begun_size) {
        call->was_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    call->has_begun = true;
    call->begun_size = size;
    return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *data, size_t one, size_t len, void *owner)
{
    struct call *call = owner;

    UNUSED(one);
    buf_add(&call->reply, data, len);
    return call->reply.failed ? 0 : len;
}

/* libcurl takes a head cut by the end of the connection for a whole reply without body: a charge would be lost sight of. */
static size_t on_header(char *line, size_t one, size_t len, void *owner)
{
    struct call *call = owner;

    UNUSED(one);
    call->has_head = line[0] == '\r' || line[0] == '\n';
    return len;
}

/* ---- calls ---- */

static void call_destroy(struct call *call)
{
    if (call == NULL)
        return;
    if (call->easy != NULL)
        curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    free(call->url);
    free(call->header_text);
    buf_finish(&call->body);
    buf_finish(&call->reply);
    free(call);
}

static struct call *call_create(struct http_client *client)
{
    const struct http_client_opts *o = &client->opts;
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->client = client;
    call->settings = client->settings;
    buf_init(&call->body, BODY_BYTES_MAX);
    buf_init(&call->reply, o->max_reply_bytes);
    call->easy = curl_easy_init();
    if (call->easy == NULL) {
        call_destroy(call);
        return NULL;
    }
    curl_loop_prepare(client->cl, call->easy);
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(call->easy, CURLOPT_PREREQFUNCTION, before_request);
    curl_easy_setopt(call->easy, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(call->easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_USERAGENT, "smppbridge/" SMPPBRIDGE_VERSION);
    curl_easy_setopt(call->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(call->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(call->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(call->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* no signals: the resolver's alarm would hit the loop; quick exit: do not wait for a resolver thread at a time-out */
    curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(call->easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    /* libcurl reuses up to and including this many whole seconds of age, so one less keeps the promise */
    curl_easy_setopt(call->easy, CURLOPT_MAXAGE_CONN, o->idle_ms < 1000 ? 0L : (long)(o->idle_ms / 1000) - 1);
    curl_easy_setopt(call->easy, CURLOPT_PROXY, o->proxy == NULL ? "" : o->proxy); /* "": not even the environment's */
    curl_easy_setopt(call->easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(call->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* they end no reply's head, see on_header */
    if (o->ca_file != NULL)
        curl_easy_setopt(call->easy, CURLOPT_CAINFO, o->ca_file);
    curl_easy_setopt(call->easy, CURLOPT_SSL_VERIFYPEER, o->insecure ? 0L : 1L);
    curl_easy_setopt(call->easy, CURLOPT_SSL_VERIFYHOST, o->insecure ? 0L : 2L);
    return call;
}

static void call_back_to_pool(struct call *call)
{
    struct http_client *client = call->client;

    if (client->closing || call->settings != client->settings) {
        call_destroy(call);
        return;
    }
    if (call->body.size > BUFFER_KEPT_BYTES)
        buf_finish(&call->body);
    if (call->reply.size > BUFFER_KEPT_BYTES)
        buf_finish(&call->reply);
    call->prev = NULL;
    call->next = client->pool;
    client->pool = call;
}

static int set_url(struct call *call, const char *url)
{
    CURLU *parsed;
    CURLUcode code;
    char *copy;

    if (call->url != NULL && strcmp(call->url, url) == 0)
        return 0;
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return ERR_SYNTAX;
    parsed = curl_url();
    if (parsed == NULL)
        return ERR_NOMEM;
    code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    curl_url_cleanup(parsed);
    if (code != CURLUE_OK)
        return code == CURLUE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_SYNTAX;
    copy = strdup(url);
    if (copy == NULL || curl_easy_setopt(call->easy, CURLOPT_URL, url) != CURLE_OK) {
        free(copy);
        return ERR_NOMEM;
    }
    free(call->url);
    call->url = copy;
    return 0;
}

/* The lines as one text: a call keeps its list as long as they are the same. */
static int headers_text(const char *content_type, const char *const *headers, struct buf *out)
{
    if (content_type != NULL)
        buf_addf(out, "Content-Type: %s", content_type);
    buf_addc(out, '\n');
    for (; headers != NULL && *headers != NULL; headers++) {
        if (strpbrk(*headers, "\r\n") != NULL)
            return ERR_SYNTAX;
        buf_addf(out, "%s\n", *headers);
    }
    if (content_type != NULL && strpbrk(content_type, "\r\n") != NULL)
        return ERR_SYNTAX;
    return out->failed ? ERR_SYNTAX : 0;
}

static int append_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL)
        return ERR_NOMEM;
    *list = longer;
    return 0;
}

static int set_headers(struct call *call, const char *content_type, const char *const *headers)
{
    struct curl_slist *list = NULL;
    struct buf text;

    buf_init(&text, 8192);
    int err = headers_text(content_type, headers, &text);
    if (err != 0 || (call->header_text != NULL && strcmp(call->header_text, buf_text(&text)) == 0)) {
        buf_finish(&text);
        return err;
    }
    char *copy = strdup(buf_text(&text));
    err = copy == NULL ? ERR_NOMEM : append_header(&list, "Expect:"); /* no second round trip before a large body */
    for (char *line = text.data, *next; err == 0 && line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (*line != '\0')
            err = append_header(&list, line);
    }
    buf_finish(&text);
    if (err != 0) {
        curl_slist_free_all(list);
        free(copy);
        return err;
    }
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, list);
    curl_slist_free_all(call->headers);
    call->headers = list;
    free(call->header_text);
    call->header_text = copy;
    return 0;
}

static int call_set_up(struct call *call, const struct http_request_out *request, bool is_post)
{
    uint64_t timeout_ms = request->timeout_ms != 0 ? request->timeout_ms : call->client->opts.timeout_ms;
    int err;

    err = set_url(call, request->url);
    if (err != 0)
        return err;
    if (timeout_ms != call->timeout_ms) {
        curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
        call->timeout_ms = timeout_ms;
    }
    buf_clear(&call->body);
    const char *type = request->content_type != NULL ? request->content_type : is_post ? default_type : NULL;
    if (type != NULL || request->headers != NULL || call->header_text != NULL) {
        err = set_headers(call, type, request->headers);
        if (err != 0)
            return err;
    }
    if (is_post) {
        buf_add(&call->body, request->body, request->body_len);
        if (call->body.failed)
            return ERR_NOMEM;
        curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, buf_text(&call->body)); /* not copied by libcurl */
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    } else if (call->is_post) {
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(call->easy, CURLOPT_HTTPGET, 1L);
    }
    bool is_delete = strcmp(request->method, "DELETE") == 0;
    if (is_delete != call->is_delete)
        curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, is_delete ? "DELETE" : NULL);
    call->is_delete = is_delete;
    call->is_post = is_post;
    return 0;
}

/* ---- results ---- */

static void end_call(struct call *call, const struct http_reply_in *reply)
{
    struct http_client *client = call->client;

    call->prev->next = call->next;
    call->next->prev = call->prev;
    client->inflight--;
    call->on_reply(call->owner, call->cookie, reply);
    call_back_to_pool(call);
}

/* No byte of the request was taken by the network: it never began, or it began and the first write failed. */
static bool never_left(const struct call *call)
{
    return !call->has_begun || request_size(call->easy) == call->begun_size;
}

/* A proxy that wants other credentials passes nothing on [RFC 9110 15.5.8]. Inside a tunnel it has no word any more. */
static bool refused_by_proxy(const struct call *call, long status)
{
    return status == PROXY_WANTS_LOGIN && call->client->opts.proxy != NULL &&
           strncasecmp(call->url, "https://", 8) != 0;
}

static void on_done(void *owner, CURL *easy, CURLcode result)
{
    struct call *call = NULL;
    struct http_reply_in reply = { .outcome = HTTP_UNKNOWN };
    long status = 0;

    UNUSED(owner);
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
    reply.took_us = (clock_mono_ns() - call->began_ns) / 1000;
    if (result == CURLE_OK && call->has_head)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (refused_by_proxy(call, status)) {
        reply.outcome = HTTP_NOT_SENT;
        reply.why = "the proxy refuses our credentials (407)";
    } else if (status > 0) {
        reply.outcome = HTTP_ANSWERED;
        reply.status = (int)status;
        reply.body = buf_text(&call->reply);
        reply.body_len = call->reply.len;
        reply.why = "";
    } else if (result == CURLE_OK) {
        reply.why = "the connection ended within the head of the reply";
    } else if (call->was_refused) {
        reply.why = "the connection died after the request had left; not repeated";
    } else if (call->reply.failed) {
        reply.why = "the reply is larger than allowed";
    } else {
        if (never_left(call))
            reply.outcome = HTTP_NOT_SENT;
        reply.why = call->error[0] != '\0' ? call->error : curl_easy_strerror(result);
    }
    end_call(call, &reply);
}

/* ---- the door ---- */

static void opts_finish(struct http_client_opts *o)
{
    free((char *)o->proxy);
    free((char *)o->ca_file);
    o->proxy = o->ca_file = NULL;
}

/* Copies with defaults. ERR_NOMEM. */
static int opts_copy(const struct http_client_opts *from, struct http_client_opts *out)
{
    struct http_client_opts o = *from;

    o.proxy = from->proxy != NULL && from->proxy[0] != '\0' ? strdup(from->proxy) : NULL;
    o.ca_file = from->ca_file != NULL && from->ca_file[0] != '\0' ? strdup(from->ca_file) : NULL;
    if ((from->proxy != NULL && from->proxy[0] != '\0' && o.proxy == NULL) ||
        (from->ca_file != NULL && from->ca_file[0] != '\0' && o.ca_file == NULL)) {
        opts_finish(&o);
        return ERR_NOMEM;
    }
    if (o.max_inflight == 0)
        o.max_inflight = DEFAULT_MAX_INFLIGHT;
    if (o.connect_timeout_ms == 0)
        o.connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS;
    if (o.timeout_ms == 0)
        o.timeout_ms = DEFAULT_TIMEOUT_MS;
    if (o.idle_ms == 0)
        o.idle_ms = DEFAULT_IDLE_MS;
    if (o.max_reply_bytes == 0)
        o.max_reply_bytes = DEFAULT_MAX_REPLY_BYTES;
    *out = o;
    return 0;
}

int http_client_create(uv_loop_t *loop, const struct http_client_opts *opts, struct http_client **out)
{
    struct http_client *client = calloc(1, sizeof *client);
    int err;

    if (client == NULL)
        return ERR_NOMEM;
    err = opts_copy(opts, &client->opts);
    if (err != 0)
        goto out;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err = ERR_NOMEM;
        goto out;
    }
    err = curl_loop_create(loop, on_done, client, &client->cl);
    if (err != 0) {
        curl_global_cleanup();
        goto out;
    }
    /* OpenSSL writes with write(2): a peer that has gone would end the process */
    signal(SIGPIPE, SIG_IGN);
    client->loop = loop;
    client->under_way.prev = client->under_way.next = &client->under_way;
    curl_loop_keep(client->cl, 2L * client->opts.max_inflight);
    *out = client;
    return 0;
out:
    opts_finish(&client->opts);
    free(client);
    return err;
}

static void drop_pool(struct http_client *client)
{
    struct call *call, *next;

    for (call = client->pool; call != NULL; call = next) {
        next = call->next;
        call_destroy(call);
    }
    client->pool = NULL;
}

void http_client_configure(struct http_client *client, const struct http_client_opts *opts)
{
    struct http_client_opts fresh;

    if (opts_copy(opts, &fresh) != 0)
        return; /* out of memory: the old limits are still good ones */
    opts_finish(&client->opts);
    client->opts = fresh;
    client->settings++;
    drop_pool(client); /* handles with the old settings; the connections live on in the multi handle */
    /* twice: by default libcurl's pool follows the number of transfers under way and shrinks in every gap */
    curl_loop_keep(client->cl, 2L * client->opts.max_inflight);
}

int http_client_send(struct http_client *client, const struct http_request_out *request, http_reply_fn *on_reply,
                     void *owner, uint64_t cookie)
{
    struct call *call;
    bool is_post = strcmp(request->method, "POST") == 0;
    int err;

    if (client->closing)
        return ERR_STATE;
    if (!is_post && strcmp(request->method, "GET") != 0 && strcmp(request->method, "DELETE") != 0)
        return ERR_SYNTAX;
    if (client->inflight >= client->opts.max_inflight)
        return ERR_FULL;
    call = client->pool;
    if (call != NULL)
        client->pool = call->next;
    else
        call = call_create(client);
    if (call == NULL)
        return ERR_NOMEM;
    err = call_set_up(call, request, is_post);
    if (err != 0) {
        call_back_to_pool(call);
        return err;
    }
    buf_clear(&call->reply);
    call->has_begun = call->was_refused = call->has_head = false;
    call->begun_size = 0;
    call->error[0] = '\0';
    call->on_reply = on_reply;
    call->owner = owner;
    call->cookie = cookie;
    call->began_ns = clock_mono_ns();
    err = curl_loop_add(client->cl, call->easy);
    if (err != 0) {
        call_back_to_pool(call);
        return err;
    }
    call->prev = client->under_way.prev;
    call->next = &client->under_way;
    call->prev->next = call->next->prev = call;
    client->inflight++;
    return 0;
}

unsigned http_client_inflight(const struct http_client *client)
{
    return client->inflight;
}

static void on_closed(void *owner)
{
    struct http_client *client = owner;

    opts_finish(&client->opts);
    free(client);
    curl_global_cleanup();
}

void http_client_destroy(struct http_client *client)
{
    struct call *call;

    if (client == NULL || client->closing)
        return;
    client->closing = true;
    while ((call = client->under_way.next) != &client->under_way) {
        struct http_reply_in reply = { .outcome = HTTP_UNKNOWN, .why = "the client was shut down" };

        curl_loop_remove(client->cl, call->easy);
        reply.took_us = (clock_mono_ns() - call->began_ns) / 1000;
        end_call(call, &reply);
    }
    drop_pool(client);
    curl_loop_destroy(client->cl, on_closed, client);
}
