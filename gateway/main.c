/* SPDX-License-Identifier: MIT */
/*
 * main.c - argv and signals: one program, one subcommand each [interface.md 1].
 *
 * Exit status: 0 success, 1 the operation failed, 2 wrong usage or configuration.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "gateway/commands.h"
#include "gateway/handover.h"
#include "version.h"
#include "lab/lab.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "run", command_run, "the gateway" },
    { "check", command_check, "read a configuration and say what it would do" },
    { "lab", command_lab, "gateway, simulated SMSC and a demo account, no configuration needed" },
    { "simulator", lab_cmd_simulator, "the simulated SMSC HTTP service alone" },
    { "send", lab_cmd_send, "an ESME: submit one message" },
    { "listen", lab_cmd_listen, "an ESME: print each deliver_sm as one JSON object a line" },
    { "load", lab_cmd_load, "an ESME: load generator" },
    { "smsc", command_smsc, "the upstream account: balance, cost, history, operator, wait-call ..." },
    { "messages", command_admin, "of a running gateway: its messages, newest first" },
    { "message", command_admin, "of a running gateway: one message and its story" },
    { "cancel", command_admin, "of a running gateway: cancel a message that waits" },
    { "deliveries", command_admin, "of a running gateway: what waits for its accounts; drop it" },
    { "redeliver", command_admin, "of a running gateway: a receipt or incoming message once more" },
    { "explain", command_admin, "of a running gateway: what would be done with a message" },
    { "sessions", command_admin, "of a running gateway: its binds" },
    { "unbind", command_admin, "of a running gateway: end a session" },
    { "capture", command_admin, "of a running gateway: a session's last PDUs as pcap" },
    { "conformance", command_admin, "of a running gateway: what a session's client does wrong" },
    { "upstreams", command_admin, "of a running gateway: its upstreams; pause or resume one" },
    { "status", command_admin, "of a running gateway: how it is" },
    { "reload", command_admin, "of a running gateway: read the configuration again" },
    { "drain", command_admin, "of a running gateway: finish and stop" },
    { "upgrade", command_admin, "of a running gateway: a new process takes its place, nobody is refused" },
    { "backup", command_admin, "of a running gateway: copy its store to a file" },
};

static void usage(FILE *to)
{
    fprintf(to, "usage: smppbridge COMMAND [OPTIONS]\n\ncommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\nsmppbridge COMMAND --help tells more; smppbridge --version the version.\n");
}

int main(int argc, char **argv)
{
    program_remember(argv);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is answered like a full disk */
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("smppbridge %s\n", SMPPBRIDGE_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "smppbridge: there is no command '%s'\n\n", argv[1]);
    usage(stderr);
    return 2;
}
