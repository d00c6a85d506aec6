/* SPDX-License-Identifier: MIT */
/*
 * cmd_run.c - `smppbridge run` and `smppbridge check`.
 *
 * SIGTERM and SIGINT drain, a second one exits at once; SIGHUP reloads, SIGUSR2 upgrades.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "gateway/commands.h"
#include "gateway/gateway.h"
#include "gateway/lab_host.h"
#include "gateway/serve.h"

#define DEFAULT_FILE "/etc/smppbridge/smppbridge.json"
enum { MISTAKES_MAX = 1 << 20 };

/* Reads -c FILE and --help; returns -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, const char *help, const char **out_file)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "help", no_argument, NULL, 'h' },
                                             { NULL, 0, NULL, 0 } };
    int c;

    *out_file = DEFAULT_FILE;
    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (c == 'c') {
            *out_file = optarg;
        } else if (c == 'h') {
            printf("usage: smppbridge %s [-c FILE]\n\n%s\nThe default file is " DEFAULT_FILE ".\n", argv[0], help);
            return 0;
        } else {
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "smppbridge %s: '%s' was not expected\n", argv[0], argv[optind]);
        return 2;
    }
    return -1;
}

/* NULL: `t` (may be NULL) and the standard error have been told the mistakes. */
static struct config *read_config(const char *file, struct takeover *t)
{
    struct config *config = NULL;
    struct buf mistakes;

    buf_init(&mistakes, MISTAKES_MAX);
    if (cfg_read_file(file, &config, &mistakes) != 0) {
        fputs(buf_text(&mistakes), stderr);
        if (t != NULL)
            takeover_failed(t, buf_text(&mistakes));
        config = NULL;
    }
    buf_finish(&mistakes);
    return config;
}

int command_check(int argc, char **argv)
{
    const char *file;
    int status =
        read_options(argc, argv, "Reads the configuration and says what it would do, or names every mistake.\n", &file);

    if (status >= 0)
        return status;
    struct config *config = read_config(file, NULL);
    if (config == NULL)
        return 2;
    struct buf report;
    buf_init(&report, MISTAKES_MAX);
    cfg_write_report(config, &report);
    fputs(buf_text(&report), stdout);
    buf_finish(&report);
    cfg_destroy(config);
    return 0;
}

static void on_end(void *owner)
{
    lab_host_finish(owner);
}

static int before_store(void *owner, char why[256])
{
    int err = takeover_wait(owner);

    if (err != 0)
        snprintf(why, 256, "the process before this one goes on itself");
    return err;
}

static int run(const char *file, struct config *config, struct sockets *sockets, struct takeover *takeover)
{
    struct gateway_start_opts how = { .sockets = sockets, .before_store = before_store, .owner = takeover };
    uv_loop_t loop;
    struct gateway *gw;
    struct lab_host lab;
    char why[256];

    uv_loop_init(&loop);
    int err = gateway_start(&loop, config, &how, &gw, why);
    if (err != 0) {
        log_error("not started", "reason=%s", why);
        takeover_failed(takeover, why);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        return err == ERR_CONFIG || err == ERR_SYNTAX ? 2 : 1;
    }
    if (lab_host_attach(&lab, &loop, gw, why) != 0)
        log_error("lab accounts have no network", "reason=%s", why);
    if (gateway_set_file(gw, file) != 0)
        log_warn("this gateway cannot reload", "reason=out of memory");
    takeover_done(takeover);
    enum upgrade_end end = serve_until_signal(&loop, gw, sockets, on_end, &lab);
    uv_loop_close(&loop);
    if (end == UPGRADE_FAILED) {
        log_stop();
        handover_begin_anew(sockets);
        perror("smppbridge run: this program cannot begin anew");
        return 1;
    }
    return 0;
}

int command_run(int argc, char **argv)
{
    const char *file;
    int status = read_options(argc, argv, "Runs the gateway until SIGTERM or SIGINT.\n", &file);

    if (status >= 0)
        return status;
    struct takeover takeover = takeover_begin();
    struct config *config = read_config(file, &takeover);
    if (config == NULL)
        return 2;
    serve_hold_signals();
    if (log_start((enum log_level)config->log.level, (enum log_format)config->log.format) != 0)
        return 1;
    struct sockets *sockets = sockets_create(takeover.is_on);
    status = sockets == NULL ? 1 : run(file, config, sockets, &takeover);
    sockets_destroy(sockets);
    log_stop();
    return status;
}
