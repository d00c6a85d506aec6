/*
 * sockets.h - the listening sockets of this process: inherited or opened, used by copies, handed to the next process.
 *
 * Two ways to inherit: a service manager's socket activation (LISTEN_FDS, LISTEN_PID), or a process of this program that
 * hands over (handover.h). A socket is found by the address it is bound to. While the set holds one, the kernel takes
 * connections on it, whoever accepts them: that is what makes a change of processes invisible to peers.
 * Spec: sd_listen_fds(3)
 */
#ifndef GATEWAY_SOCKETS_H
#define GATEWAY_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum socket_kind { SOCKET_SMPP, SOCKET_SMPPS, SOCKET_CALLBACKS, SOCKET_ADMIN, SOCKET_KIND_COUNT };
enum { SOCKETS_MAX = 256, SOCKETS_FIRST_FD = 3 };

struct sockets;

/* With what the environment says, which is taken out of it; `handed`: by a process of this program. NULL: out of memory. */
struct sockets *sockets_create(bool handed);
void sockets_destroy(struct sockets *sockets); /* closes all; NULL is welcome */
/* Inherited or opened now. `path` is for the log, NULL none. *out_fd stays the set's: copy it. Returns 0, ERR_SYNTAX, ERR_IO, ERR_FULL with a sentence. */
int sockets_take(struct sockets *sockets, enum socket_kind kind, const char *address, const char *path, int *out_fd,
                 uint16_t *out_port, char why[256]) MUST_CHECK;
/* Everything the configuration names has been taken: what was inherited beyond it is closed, and said. */
void sockets_close_rest(struct sockets *sockets);
/* Connections are refused from now on, unless somebody else holds the socket too. */
void sockets_close(struct sockets *sockets, enum socket_kind kind);
/* Says in the log what is listened on. */
void sockets_announce(const struct sockets *sockets);

/* --- for the next process --- */

size_t sockets_count(const struct sockets *sockets);
enum socket_kind sockets_kind(const struct sockets *sockets, size_t i);
int sockets_fd(const struct sockets *sockets, size_t i);
/* "smpp:admin", as LISTEN_FDNAMES wants them; the caller frees. NULL: out of memory. */
char *sockets_names(const struct sockets *sockets);

#endif
