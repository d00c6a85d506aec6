/*
 * curl_loop.h - one libcurl multi handle driven by the libuv loop.
 *
 * Knows sockets and timers, nothing of requests. A socket that libcurl lets go of stays registered with the loop until
 * it is used again or closed: libcurl removes and adds it around every request, which would cost four system calls.
 */
#ifndef HTTP_CURL_LOOP_H
#define HTTP_CURL_LOOP_H

#include <curl/curl.h>
#include <uv.h>

#include "base/err.h"

struct curl_loop;

/* A transfer has ended; called from the loop, never from inside curl_loop_add. The handle is no longer in the multi. */
typedef void curl_done_fn(void *owner, CURL *easy, CURLcode result);

int curl_loop_create(uv_loop_t *loop, curl_done_fn *on_done, void *owner, struct curl_loop **out) MUST_CHECK;
/* Connections kept when idle. */
void curl_loop_keep(struct curl_loop *cl, long connections);
/* Sets the socket callbacks of a new easy handle. */
void curl_loop_prepare(struct curl_loop *cl, CURL *easy);
/* Returns 0, ERR_NOMEM. */
int curl_loop_add(struct curl_loop *cl, CURL *easy) MUST_CHECK;
/* Takes a transfer back before its end; on_done is not called for it. */
void curl_loop_remove(struct curl_loop *cl, CURL *easy);
/* The easy handles must be out and cleaned up. Calls on_closed(closed_owner) in a later turn, when libuv has let go. */
void curl_loop_destroy(struct curl_loop *cl, void (*on_closed)(void *owner), void *closed_owner);

#endif
