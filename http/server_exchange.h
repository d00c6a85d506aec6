/* SPDX-License-Identifier: MIT */
/*
 * server_exchange.h - what server.c (requests in) and server_answer.c (answers out) share. Private to http/.
 */
#ifndef HTTP_SERVER_EXCHANGE_H
#define HTTP_SERVER_EXCHANGE_H

#include "base/buf.h"
#include "base/net.h"
#include "http/linger.h"
#include "http/server.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

enum state {
    READING,  /* head and body are coming in */
    HANDLING, /* inside the handler */
    PARKED,   /* suspended: the handler will answer later */
    ANSWERED, /* an answer is set; MHD has it or will fetch it in the next run */
    DROPPED   /* the connection is gone, the owner still holds the exchange */
};

struct http_exchange {
    struct http_server *server;
    struct http_exchange *prev, *next; /* server->exchanges, or the pool (next) */
    struct MHD_Connection *connection;
    enum state state;
    bool is_seen;      /* the head has been judged */
    bool is_too_large; /* a chunked body went over the limit */
    bool is_queued;    /* MHD has the response */
    bool is_aborted;
    size_t discarded;
    struct buf query, body, headers; /* headers: name NUL value NUL ... */
    struct MHD_Response *response;
    unsigned status;
    struct buf raw;       /* http_abort: sent as it stands; http_reply_slowly: the body */
    unsigned slow_rate;   /* bytes a second that are read, then written; 0 as fast as it goes */
    uint64_t slow_credit; /* thousandths of bytes it may move now */
    bool is_slowed;       /* suspended until the next tick */
    struct http_stream *stream;
};

struct http_stream {
    struct http_exchange *exchange; /* NULL when the connection is gone */
    struct buf out;
    bool is_suspended;
    bool is_closing; /* by http_stream_close: the owner has let go */
    void (*on_closed)(void *owner);
    void *owner;
};

/* One TCP connection: MHD's socket context. */
struct peer {
    char text[NET_TEXT_SIZE];
    bool is_cut_short; /* answered before all of its request has been read */
};

struct http_server {
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_timer_t slow;
    unsigned slowed; /* exchanges suspended for their slowness */
    unsigned (*read_rate)(void *owner);
    unsigned hurries; /* runs since the last event for which MHD said it has more to do at once */
    unsigned handles; /* libuv handles not closed yet */
    bool in_run, wants_run, is_quiesced, is_leaving, closing, is_tls;
    unsigned connections, max_connections;
    bool is_starved;   /* the process has no descriptor left for the first connection that waits */
    bool is_full;      /* MHD has stopped accepting: at max_connections, or without descriptors */
    bool has_reopened; /* it accepts again, but notices only in its next run */
    http_handler_fn *handler;
    void *owner;
    size_t max_body_bytes;
    unsigned timeout_s;
    struct net_list allow;
    struct lingers lingers;
    struct http_exchange exchanges; /* head of a ring: all that live */
    struct http_exchange *pool;
    char *certificate, *key;
    char complaint[200]; /* MHD's last message while starting */
};

/* server.c: a run of MHD in the next turn; however many ask in one turn, they make one. */
void http_server_wake(struct http_server *s);
/* server.c: nobody holds it any more. */
void http_exchange_give_back(struct http_exchange *x);

/* server_answer.c: slow on purpose (the simulator's fault). How many of `len` bytes may move now; 0: the connection has been
 * suspended until some may. */
size_t http_slow_share(struct http_exchange *x, size_t len);
void http_slow_suspend(struct http_exchange *x);
void http_slow_forget(struct http_exchange *x);

#endif
