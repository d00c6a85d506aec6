/* server_head.h - what libmicrohttpd lets through in a request's head but should not. Private to http/. */
#ifndef HTTP_SERVER_HEAD_H
#define HTTP_SERVER_HEAD_H

#include <stdbool.h>
#include <stdint.h>

struct MHD_Connection;

struct http_head {
    unsigned lengths, codings;
    bool is_malformed, is_coding_unknown;
    uint64_t length;
    const char *value_end; /* of the header before, while reading */
};

/* All headers of the request. The length is whole and the body has not been asked for. */
void http_head_read(struct MHD_Connection *connection, struct http_head *out);

#endif
