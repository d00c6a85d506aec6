/* SPDX-License-Identifier: MIT */
/* cmd_simulator.c - `smppbridge simulator`: the simulated aggregator as a program of its own, until a signal ends it. */
#include "lab/lab.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lab/command.h"

static const struct command_help help = {
    "simulator",
    "The aggregator's HTTP and SOAP service, simulated: account alex, password 123, API key lab. Same seed and same\n"
    "requests give the same outcomes. Everything is delivered but for what settings or the number say:\n"
    "  790000000SS final status SS: 01 delivered, 03 expired, 20 impossible, 22 invalid, 23 prohibited, 25 "
    "unavailable\n"
    "  79000001EEE impossible to deliver, err EEE         7900000200N  send.php answers error N\n"
    "  79000003TTT delivered after TTT seconds            79000005xxx  the subscriber answers with the same text\n"
    "  79000004001 callback lost, 002 twice, 003 with a wrong hash, 004 before the reply, 005 status 0 afterwards\n"
    "  79000006000 connection closed before acceptance, 001 after, 002 empty reply, 003 half a reply, 004 none,\n"
    "              005 a slow one, 500 and 501 HTTP 500 before and after acceptance (every other try)\n"
    "Over HTTP, from loopback: GET /lab/accepted, /lab/messages, /lab/callbacks, /lab/behaviour; PUT /lab/behaviour "
    "with\n"
    "any of its settings; POST /lab/incoming {phone, text, to, sms_id}, /lab/waitcall {phone}, /lab/reset.",
    "smppbridge simulator --seed 7 --callback 'http://127.0.0.1:8080/smsc/callback?charset=utf-8'",
};

static void on_signal(uv_signal_t *handle, int number)
{
    UNUSED(number);
    uv_stop(handle->loop);
}

int lab_cmd_simulator(int argc, char **argv)
{
    const char *listen = "127.0.0.1:8082", *script = NULL, *callback = NULL, *token = NULL;
    double seed = 1, keep = 0;
    const struct option_row rows[] = {
        { "--listen", "ADDR", OPTION_TEXT, &listen, 0, 0, "host:port (127.0.0.1:8082; port 0: any free one)" },
        { "--script", "FILE", OPTION_TEXT, &script, 0, 0,
          "settings as one flat JSON object, as PUT /lab/behaviour takes" },
        { "--seed", "N", OPTION_NUMBER, &seed, 0, 9007199254740992.0, "of all outcomes (1)" },
        { "--callback", "URL", OPTION_TEXT, &callback, 0, 0, "the client's handler, as set in the account" },
        { "--keep", "N", OPTION_NUMBER, &keep, 0, 50000000, "messages kept (500000)" },
        { "--token", "TEXT", OPTION_TEXT, &token, 0, 0,
          "asked for /lab/ from beyond loopback; needed to listen there" },
    };
    int status = options_read(&help, rows, ARRAY_LEN(rows), argc, argv);
    struct simulator_opts opts;
    struct simulator *sim;
    uv_loop_t loop;
    uv_signal_t signals[2];
    uint16_t port;
    char why[256];

    if (status != COMMAND_GO)
        return status;
    if (strrchr(listen, ':') == NULL)
        return usage_error(&help, "--listen must be host:port, got \"%s\"", listen);
    opts = (struct simulator_opts){ .address = listen,
                                    .seed = (uint64_t)seed,
                                    .script = script,
                                    .callback_url = callback,
                                    .token = token,
                                    .max_messages = (size_t)keep };
    if (uv_loop_init(&loop) != 0)
        return 1;
    status = simulator_create(&loop, &opts, &sim, &port, why);
    if (status != 0) {
        (void)fprintf(stderr, "smppbridge simulator: %s\n", why);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&loop);
        return status == ERR_CONFIG || status == ERR_DENIED || status == ERR_SYNTAX ? 2 : 1;
    }
    if (token != NULL)
        (void)fprintf(stderr, "warning: whoever reaches this address can use the simulated account\n");
    (void)printf("simulator on http://%.*s:%u/sys/ (login alex, psw 123, apikey lab; seed %.0f)\n",
                 (int)(strrchr(listen, ':') - listen), listen, port, seed);
    (void)fflush(stdout);

    static const int numbers[2] = { SIGINT, SIGTERM };
    for (int i = 0; i < 2; i++) {
        (void)uv_signal_init(&loop, &signals[i]);
        (void)uv_signal_start(&signals[i], on_signal, numbers[i]);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    simulator_destroy(sim);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return 0;
}
