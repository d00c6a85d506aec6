/* SPDX-License-Identifier: MIT */
/*
 * listening.c - what a server needs before libmicrohttpd has it: a bound socket, its port, the texts of its TLS files.
 *
 * An inherited socket is duplicated, never taken over: whoever handed it down still owns it.
 */
#include "http/listening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net.h"

enum {
    BACKLOG = 1024,
    FILE_BYTES_MAX = 1 << 20 /* of a certificate or key */
};

int http_listen_on(const struct http_server_opts *opts, int *out_fd, char why[256])
{
    struct sockaddr_storage address;
    socklen_t len;
    int one = 1;
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
    if (opts->address == NULL || net_sockaddr(opts->address, &address, &len) != 0) {
        snprintf(why, 256, "\"%s\" is not address:port", opts->address == NULL ? "" : opts->address);
        return ERR_SYNTAX;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0) {
        snprintf(why, 256, "cannot listen on %s: %s", opts->address, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    *out_fd = fd;
    return 0;
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

int http_listen_port(int fd, uint16_t *out_port)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char text[NET_TEXT_SIZE], host[NET_HOST_SIZE];

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return ERR_IO;
    net_text((struct sockaddr *)&address, text);
    return net_split(text, host, out_port) == 0 ? 0 : ERR_IO;
}
