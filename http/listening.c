/* SPDX-License-Identifier: MIT */
/*
 * listening.c - what a server needs before libmicrohttpd has it: a bound socket, the texts of its TLS files.
 *
 * An inherited socket is duplicated, never taken over: whoever handed it down still owns it.
 */
#include "http/listening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/net.h"

enum { FILE_BYTES_MAX = 1 << 20 }; /* of a certificate or key */

int http_listen_on(const struct http_server_opts *opts, int *out_fd, char why[256])
{
    int fd;

    if (opts->listen_fd >= 0) {
        fd = fcntl(opts->listen_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
            snprintf(why, 256, "inherited socket %d: %s", opts->listen_fd, strerror(errno));
            if (fd >= 0)
                close(fd);
            return ERR_IO;
        }
        *out_fd = fd;
        return 0;
    }
    return net_listen(opts->address, out_fd, why);
}

char *http_listen_file(const char *path, char why[256])
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t len = 0;

    if (f != NULL)
        text = malloc(FILE_BYTES_MAX);
    if (text != NULL)
        len = fread(text, 1, FILE_BYTES_MAX - 1, f);
    if (text == NULL || ferror(f) || len == 0) {
        snprintf(why, 256, "cannot read %s: %s", path, errno != 0 ? strerror(errno) : "empty");
        free(text);
        text = NULL;
    } else {
        text[len] = '\0';
    }
    if (f != NULL)
        fclose(f);
    return text;
}
