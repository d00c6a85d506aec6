/* SPDX-License-Identifier: MIT */
/*
 * handover.c - starting the next process with our listening sockets, and what the two say to each other.
 *
 * Descriptors of the new process: 0..2 as ours, the listening sockets from 3 on (LISTEN_FDS), then the socket pair's end
 * (SMPPBRIDGE_TAKEOVER names it; "anew" where a process begins anew and nobody is at the other end). LISTEN_PID cannot be
 * set: the number is not known before the process is there.
 */
#include "gateway/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

#define TAKEOVER "SMPPBRIDGE_TAKEOVER"

enum {
    CHECK_MS = 60000, /* for "good": reading a configuration takes milliseconds, a loaded machine more */
    TAKE_MS = 300000, /* for "serving": a large store may have to be brought to a new form */
    LINE_MAX_BYTES = 512,
    OWN_VARIABLES = 6,
    END_NAPS = 1000 /* of 10 ms */
};

extern char **environ;

static char **program_argv;
static char program_path[4096];

void program_remember(char **argv)
{
    char directory[2048];
    ssize_t len;

    program_argv = argv;
    /* as it was called, so that a symbolic link to the current release is followed anew */
    if (argv[0] != NULL && argv[0][0] == '/') {
        snprintf(program_path, sizeof program_path, "%s", argv[0]);
    } else if (argv[0] != NULL && strchr(argv[0], '/') != NULL && getcwd(directory, sizeof directory) != NULL) {
        snprintf(program_path, sizeof program_path, "%s/%s", directory, argv[0]);
    } else {
        len = readlink("/proc/self/exe", program_path, sizeof program_path - 1);
        program_path[len < 0 ? 0 : len] = '\0';
    }
}

/* --- environment -------------------------------------------------------------------------------------------------- */

static const char *const not_inherited[] = { "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=", TAKEOVER "=",
                                             "WATCHDOG_PID=" };

static bool is_inherited(const char *variable)
{
    for (size_t i = 0; i < ARRAY_LEN(not_inherited); i++) {
        if (strncmp(variable, not_inherited[i], strlen(not_inherited[i])) == 0)
            return false;
    }
    return true;
}

static void env_free(char **env, size_t own)
{
    for (size_t i = 0; env != NULL && i < own; i++)
        free(env[i]);
    free(env);
}

static char *variable(const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *text = malloc(size);

    if (text != NULL)
        snprintf(text, size, "%s=%s", name, value);
    return text;
}

/* The first *out_own entries are ours to free, the others the environment's. */
static char **env_with(const struct sockets *sockets, const char *takeover, size_t *out_own)
{
    char *names = sockets_names(sockets);
    char number[32];
    size_t count = 0, own = 0;

    while (environ[count] != NULL)
        count++;
    char **env = calloc(count + OWN_VARIABLES, sizeof *env);
    if (names == NULL || env == NULL) {
        free(names);
        free(env);
        return NULL;
    }
    snprintf(number, sizeof number, "%zu", sockets_count(sockets));
    env[own++] = variable("LISTEN_FDS", number);
    env[own++] = variable("LISTEN_FDNAMES", names);
    env[own++] = variable(TAKEOVER, takeover);
    free(names);
    *out_own = own;
    for (size_t i = 0; i < own; i++) {
        if (env[i] == NULL) {
            env_free(env, own);
            return NULL;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (is_inherited(environ[i]))
            env[own++] = environ[i];
    }
    return env;
}

/* --- the old process ---------------------------------------------------------------------------------------------- */

struct handover {
    uv_process_t process;
    uv_pipe_t pipe;
    uv_timer_t timer;
    const struct handover_ops *ops;
    void *owner;
    unsigned handles; /* of the three above, not yet closed */
    bool over;        /* the last of the ops has been called, or nobody listens */
    bool exited;
    char line[LINE_MAX_BYTES];
    size_t line_len;
    char why[256];
};

static void on_closed(uv_handle_t *handle)
{
    struct handover *h = handle->data;

    if (--h->handles == 0)
        free(h);
}

void handover_destroy(struct handover *h)
{
    if (h == NULL)
        return;
    h->over = true;
    uv_close((uv_handle_t *)&h->process, on_closed);
    uv_close((uv_handle_t *)&h->pipe, on_closed);
    uv_close((uv_handle_t *)&h->timer, on_closed);
}

int handover_pid(const struct handover *h)
{
    return h->process.pid;
}

void handover_cancel(struct handover *h)
{
    if (!h->exited)
        uv_process_kill(&h->process, SIGKILL);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
    struct handover *h = process->data;

    h->exited = true;
    if (h->over)
        return;
    h->over = true;
    if (h->why[0] == '\0' && signal_number != 0)
        snprintf(h->why, sizeof h->why, "the new process was ended by signal %d", signal_number);
    else if (h->why[0] == '\0')
        snprintf(h->why, sizeof h->why, "the new process ended with status %lld", (long long)status);
    h->ops->on_failed(h->owner, h->why);
}

static void on_too_late(uv_timer_t *timer)
{
    struct handover *h = timer->data;

    if (h->why[0] == '\0')
        snprintf(h->why, sizeof h->why, "the new process was not ready in time");
    handover_cancel(h);
}

static void on_line(struct handover *h, const char *line)
{
    if (h->over)
        return;
    if (strcmp(line, "good") == 0) {
        uv_timer_stop(&h->timer);
        h->ops->on_good(h->owner);
    } else if (strcmp(line, "serving") == 0) {
        uv_timer_stop(&h->timer);
        h->over = true;
        h->ops->on_serving(h->owner);
    } else if (strncmp(line, "failed ", 7) == 0) {
        snprintf(h->why, sizeof h->why, "%.255s", line + 7); /* its exit follows */
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct handover *h = handle->data;

    UNUSED(suggested);
    *out = uv_buf_init(h->line + h->line_len, (unsigned)(sizeof h->line - 1 - h->line_len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *data)
{
    struct handover *h = stream->data;
    char *end;

    UNUSED(data);
    if (count < 0) { /* its exit tells why */
        uv_read_stop(stream);
        return;
    }
    h->line_len += (size_t)count;
    h->line[h->line_len] = '\0';
    while ((end = memchr(h->line, '\n', h->line_len)) != NULL) {
        size_t used = (size_t)(end - h->line) + 1;
        char line[LINE_MAX_BYTES];

        *end = '\0';
        memcpy(line, h->line, used);
        memmove(h->line, h->line + used, h->line_len - used + 1);
        h->line_len -= used;
        on_line(h, line);
    }
    if (h->line_len == sizeof h->line - 1)
        h->line_len = 0; /* no line of ours */
}

static int spawn(struct handover *h, const struct sockets *sockets, int theirs, char why[256])
{
    size_t count = sockets_count(sockets), own = 0;
    uv_stdio_container_t *stdio = calloc(SOCKETS_FIRST_FD + count + 1, sizeof *stdio);
    char takeover[16];
    int err = UV_ENOMEM;

    snprintf(takeover, sizeof takeover, "%zu", SOCKETS_FIRST_FD + count);
    char **env = env_with(sockets, takeover, &own);
    if (stdio != NULL && env != NULL) {
        for (size_t i = 0; i <= SOCKETS_FIRST_FD + count; i++) {
            stdio[i].flags = UV_INHERIT_FD;
            stdio[i].data.fd = i < SOCKETS_FIRST_FD           ? (int)i
                               : i < SOCKETS_FIRST_FD + count ? sockets_fd(sockets, i - SOCKETS_FIRST_FD)
                                                              : theirs;
        }
        uv_process_options_t options = { .exit_cb = on_exit_of,
                                         .file = program_path,
                                         .args = program_argv,
                                         .env = env,
                                         .stdio = stdio,
                                         .stdio_count = (int)(SOCKETS_FIRST_FD + count + 1) };

        err = uv_spawn(h->pipe.loop, &h->process, &options);
    }
    if (err != 0)
        snprintf(why, 256, "%.150s cannot be started: %s", program_path, uv_strerror(err));
    env_free(env, own);
    free(stdio);
    return err == 0 ? 0 : ERR_IO;
}

int handover_start(uv_loop_t *loop, const struct sockets *sockets, const struct handover_ops *ops, void *owner,
                   struct handover **out, char why[256])
{
    struct handover *h = calloc(1, sizeof *h);
    int pair[2];

    if (h == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        snprintf(why, 256, "no memory or descriptor for the new process");
        free(h);
        return ERR_NOMEM;
    }
    h->ops = ops;
    h->owner = owner;
    h->process.data = h->pipe.data = h->timer.data = h;
    h->handles = 3;
    uv_pipe_init(loop, &h->pipe, 0);
    uv_timer_init(loop, &h->timer);
    if (uv_pipe_open(&h->pipe, pair[0]) != 0)
        close(pair[0]);
    int err = spawn(h, sockets, pair[1], why);
    close(pair[1]);
    if (err != 0) {
        handover_destroy(h); /* uv_spawn has made the handle in any case */
        return err;
    }
    uv_timer_start(&h->timer, on_too_late, CHECK_MS, 0);
    uv_read_start((uv_stream_t *)&h->pipe, on_alloc, on_read);
    *out = h;
    return 0;
}

void handover_give(struct handover *h)
{
    static char word[] = "store\n";
    uv_buf_t data = uv_buf_init(word, sizeof word - 1);

    if (uv_try_write((uv_stream_t *)&h->pipe, &data, 1) != (int)data.len)
        handover_cancel(h); /* gone, or it does not listen */
    uv_timer_start(&h->timer, on_too_late, TAKE_MS, 0);
}

void handover_begin_anew(const struct sockets *sockets)
{
    size_t own, count = sockets_count(sockets);
    char **env = env_with(sockets, "anew", &own);
    int fds[SOCKETS_MAX];

    /* first away from the places they shall have, then into them */
    for (size_t i = 0; i < count; i++)
        fds[i] = fcntl(sockets_fd(sockets, i), F_DUPFD_CLOEXEC, (int)(SOCKETS_FIRST_FD + SOCKETS_MAX));
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0 || dup2(fds[i], SOCKETS_FIRST_FD + (int)i) < 0)
            return;
    }
    if (env != NULL)
        execve("/proc/self/exe", program_argv, env);
}

/* --- the new process ---------------------------------------------------------------------------------------------- */

struct takeover takeover_begin(void)
{
    const char *said = getenv(TAKEOVER), *count = getenv("LISTEN_FDS");
    struct takeover t = { .is_on = said != NULL, .fd = -1, .parent = getppid() };

    if (said == NULL)
        return t;
    if (said[0] >= '0' && said[0] <= '9')
        t.fd = (int)strtol(said, NULL, 10);
    if (t.fd >= 0 && fcntl(t.fd, F_SETFD, FD_CLOEXEC) != 0)
        t.fd = -1;
    closefrom(t.fd >= 0 ? t.fd + 1 : SOCKETS_FIRST_FD + (count == NULL ? 0 : (int)strtol(count, NULL, 10)));
    unsetenv(TAKEOVER);
    return t;
}

/* The store's lock falls when the last descriptor is closed, which may be after the pair's end; a process that has lost its
 * children has closed them all. */
static void wait_for_end_of(int parent)
{
    const struct timespec nap = { .tv_nsec = 10000000 };

    for (int i = 0; i < END_NAPS && getppid() == parent; i++)
        nanosleep(&nap, NULL);
}

static void say(const struct takeover *t, const char *word, const char *more)
{
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof line, "%s%.240s", word, more);

    if (t->fd < 0)
        return;
    while (len > 0 && line[len - 1] == '\n')
        len--;
    for (int i = 0; i < len; i++) { /* mistakes stand one a line */
        if (line[i] == '\n')
            line[i] = ';';
    }
    line[len++] = '\n';
    ssize_t sent = send(t->fd, line, (size_t)len, MSG_NOSIGNAL);
    (void)sent; /* an old process that has gone is noticed by takeover_wait */
}

int takeover_wait(struct takeover *t)
{
    char line[LINE_MAX_BYTES];
    size_t len = 0;

    if (t->fd < 0)
        return 0;
    say(t, "good", "");
    for (;;) {
        ssize_t got = recv(t->fd, line + len, sizeof line - 1 - len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            log_warn("the old process has ended before it handed over", "done=%s", "started without it");
            wait_for_end_of(t->parent);
            return 0;
        }
        len += (size_t)got;
        line[len] = '\0';
        if (strcmp(line, "store\n") == 0)
            return 0;
        if (strchr(line, '\n') != NULL || len == sizeof line - 1)
            return ERR_STATE;
    }
}

static void end(struct takeover *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

void takeover_failed(struct takeover *t, const char *why)
{
    say(t, "failed ", why);
    end(t);
}

void takeover_done(struct takeover *t)
{
    say(t, "serving", "");
    end(t);
}
