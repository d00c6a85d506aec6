/*
 * commands.h - the gateway's own subcommands: complete programs with a loop of their own.
 *
 * argv[0] is the subcommand's name. Each returns the exit status.
 */
#ifndef GATEWAY_COMMANDS_H
#define GATEWAY_COMMANDS_H

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
/* messages, message, cancel, sessions, unbind, upstreams, status, reload, drain, upgrade, explain, capture, backup */
int command_admin(int argc, char **argv);
int command_lab(int argc, char **argv);
int command_smsc(int argc, char **argv);

#endif
