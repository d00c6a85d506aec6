/* listening.h - sockets and TLS files of server.c. Private to http/. */
#ifndef HTTP_LISTENING_H
#define HTTP_LISTENING_H

#include "base/err.h"
#include "http/server.h"

/* A listening socket that does not block: opts->listen_fd duplicated, or bound to opts->address. Returns 0, ERR_SYNTAX,
 * ERR_IO with a sentence in `why`. */
int http_listen_on(const struct http_server_opts *opts, int *out_fd, char why[256]) MUST_CHECK;
/* The whole file as text; the caller frees. NULL with a sentence in `why`. */
char *http_listen_file(const char *path, char why[256]) MUST_CHECK;

#endif
