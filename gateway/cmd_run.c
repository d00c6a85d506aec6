/* SPDX-License-Identifier: MIT */
/*
 * cmd_run.c - `smppbridge run` and `smppbridge check`.
 *
 * SIGTERM and SIGINT drain, a second one exits at once.
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

static struct config *read_config(const char *file)
{
    struct config *config = NULL;
    struct buf mistakes;

    buf_init(&mistakes, MISTAKES_MAX);
    if (cfg_read_file(file, &config, &mistakes) != 0) {
        fputs(buf_text(&mistakes), stderr);
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
    struct config *config = read_config(file);
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

int command_run(int argc, char **argv)
{
    const char *file;
    int status = read_options(argc, argv, "Runs the gateway until SIGTERM or SIGINT.\n", &file);

    if (status >= 0)
        return status;
    struct config *config = read_config(file);
    if (config == NULL)
        return 2;
    serve_hold_signals();
    if (log_start((enum log_level)config->log.level, (enum log_format)config->log.format) != 0)
        return 1;
    uv_loop_t loop;
    struct gateway *gw;
    char why[256];
    uv_loop_init(&loop);
    int err = gateway_start(&loop, config, &gw, why);
    if (err != 0) {
        log_error("not started", "reason=%s", why);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        log_stop();
        return err == ERR_CONFIG || err == ERR_SYNTAX ? 2 : 1;
    }
    struct lab_host lab;
    if (lab_host_attach(&lab, &loop, gw, why) != 0)
        log_error("lab accounts have no network", "reason=%s", why);
    if (gateway_set_file(gw, file) != 0)
        log_warn("this gateway cannot reload", "reason=out of memory");
    serve_until_signal(&loop, gw, on_end, &lab);
    uv_loop_close(&loop);
    log_stop();
    return 0;
}
