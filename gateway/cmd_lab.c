/* SPDX-License-Identifier: MIT */
/*
 * cmd_lab.c - `smppbridge lab`: gateway, simulated SMSC behind it, a demo account; all on loopback.
 *
 * The gateway here is the production gateway with a configuration made up; it reaches the simulator over real HTTP only.
 */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/log.h"
#include "gateway/commands.h"
#include "gateway/gateway.h"
#include "gateway/lab_host.h"
#include "gateway/serve.h"
#include "lab/lab.h"

struct lab {
    uv_loop_t loop;
    struct simulator *simulator;
    struct gateway *gateway;
    struct lab_host host; /* of accounts of mode "lab" in a file */
    uint16_t smpp_port, admin_port, callback_port, simulator_port;
    const char *config_file;
    const char *script;
    uint64_t seed;
    char directory[64]; /* of the store, removed at the end */
};

static const char help[] =
    "usage: smppbridge lab [OPTIONS]\n\n"
    "Starts the gateway, a simulated SMSC behind it and the account demo/demo; everything on loopback.\n\n"
    "  -c FILE                 a configuration of your own instead of the made-up one; its upstreams reach the "
    "simulated\n"
    "                          SMSC at its port, its accounts of mode \"lab\" by themselves\n"
    "  --seed N                outcomes of the simulated network repeat for the same seed (1)\n"
    "  --script FILE           behaviour of the simulated SMSC as JSON\n"
    "  --smpp-port N           (2775), 0 = any free one\n"
    "  --admin-port N          (8081)\n"
    "  --callback-port N       (8080)\n"
    "  --simulator-port N      (8082)\n";

static bool read_port(const char *text, uint16_t *out)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value > 65535)
        return false;
    *out = (uint16_t)value;
    return true;
}

static int read_options(int argc, char **argv, struct lab *lab)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "seed", required_argument, NULL, 's' },
        { "script", required_argument, NULL, 'f' },
        { "smpp-port", required_argument, NULL, '1' },
        { "admin-port", required_argument, NULL, '2' },
        { "callback-port", required_argument, NULL, '3' },
        { "simulator-port", required_argument, NULL, '4' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    uint16_t *ports[] = { &lab->smpp_port, &lab->admin_port, &lab->callback_port, &lab->simulator_port };
    char *end;
    int c;

    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            lab->config_file = optarg;
            break;
        case 'f':
            lab->script = optarg;
            break;
        case 's':
            lab->seed = strtoull(optarg, &end, 10);
            if (*optarg == '\0' || *end != '\0') {
                fprintf(stderr, "smppbridge lab: --seed takes a number\n");
                return 2;
            }
            break;
        case '1':
        case '2':
        case '3':
        case '4':
            if (!read_port(optarg, ports[c - '1'])) {
                fprintf(stderr, "smppbridge lab: a port is a number from 0 to 65535, not '%s'\n", optarg);
                return 2;
            }
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "smppbridge lab: '%s' was not expected\n", argv[optind]);
        return 2;
    }
    return -1;
}

static struct config *make_config(const struct lab *lab, uint16_t simulator_port)
{
    struct config *config = NULL;
    struct buf text, mistakes;

    buf_init(&text, 1 << 16);
    buf_init(&mistakes, 1 << 16);
    buf_addf(&text,
             "{\n"
             "  \"smpp\": { \"listen\": [\"127.0.0.1:%u\"] },\n"
             "  \"esmes\": [ { \"system_id\": \"demo\", \"password\": \"demo\", \"upstream\": \"lab\" } ],\n"
             "  \"upstreams\": [ { \"name\": \"lab\", \"urls\": [\"http://127.0.0.1:%u\"], \"login\": \"alex\",\n"
             "                   \"password\": \"123\" } ],\n"
             "  \"callbacks\": { \"listen\": [\"127.0.0.1:%u\"], \"upstream\": \"lab\", \"hash\": \"sha1\", "
             "\"secret\": \"lab\" },\n"
             "  \"incoming\": [ { \"to\": \"*\", \"system_id\": \"demo\" } ],\n"
             "  \"admin\": { \"listen\": [\"127.0.0.1:%u\"], \"token\": \"lab\" },\n"
             "  \"store\": { \"url\": \"sqlite:%s/lab.db\" }\n"
             "}\n",
             lab->smpp_port, simulator_port, lab->callback_port, lab->admin_port, lab->directory);
    int err = lab->config_file != NULL ? cfg_read_file(lab->config_file, &config, &mistakes)
                                       : cfg_read_text("lab", text.data, text.len, &config, &mistakes);
    if (err != 0) {
        fputs(buf_text(&mistakes), stderr);
        config = NULL;
    }
    if (config != NULL && lab->config_file == NULL)
        config->admin.token = ""; /* only this machine is served then, and nobody has to copy a token */
    buf_finish(&text);
    buf_finish(&mistakes);
    return config;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_store(const struct lab *lab)
{
    if (lab->directory[0] != '\0')
        nftw(lab->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void on_end(void *owner)
{
    struct lab *lab = owner;

    simulator_destroy(lab->simulator);
}

/* The simulator's account calls back where the gateway listens for it, in the form the configuration asks for. */
static int set_callback(const struct lab *lab, char why[256])
{
    char address[512];
    struct buf json;

    if (!gateway_callback_url(lab->gateway, address, sizeof address))
        return 0; /* a file without callbacks: polling */
    buf_init(&json, 2048);
    buf_adds(&json, "{\"callback_url\": ");
    buf_add_json(&json, address, strlen(address));
    buf_addc(&json, '}');
    int err = simulator_behaviour_write(lab->simulator, "", buf_text(&json), json.len, why);
    buf_finish(&json);
    return err;
}

static void print_addresses(const struct lab *lab, uint16_t simulator_port)
{
    const char *account = lab->config_file == NULL ? "demo:demo" : "SYSTEM_ID:PASSWORD";

    printf("SMPP       smpp://%s@127.0.0.1:%u\n", account, gateway_smpp_port(lab->gateway));
    if (gateway_admin_port(lab->gateway) != 0)
        printf("dashboard  http://127.0.0.1:%u/\n", gateway_admin_port(lab->gateway));
    if (gateway_callback_port(lab->gateway) != 0)
        printf("callbacks  http://127.0.0.1:%u%s\n", gateway_callback_port(lab->gateway),
               lab->config_file == NULL ? "/smsc/callback" : "");
    printf("simulator  http://127.0.0.1:%u\n", simulator_port);
    printf("try        %s send --url smpp://%s@127.0.0.1:%u --to 79991234567 --text Hello --wait\n",
           program_invocation_name, account, gateway_smpp_port(lab->gateway));
    fflush(stdout);
}

static int start(struct lab *lab)
{
    char address[32], why[256];
    uint16_t simulator_port;

    snprintf(address, sizeof address, "127.0.0.1:%u", lab->simulator_port);
    struct simulator_opts opts = { .address = address, .seed = lab->seed, .script = lab->script };
    int err = simulator_create(&lab->loop, &opts, &lab->simulator, &simulator_port, why);
    if (err != 0) {
        fprintf(stderr, "smppbridge lab: simulator on port %u: %s (try --simulator-port)\n", lab->simulator_port, why);
        return 1;
    }
    struct config *config = make_config(lab, simulator_port);
    if (config == NULL)
        return 2;
    err = gateway_start(&lab->loop, config, NULL, &lab->gateway, why);
    if (err != 0) {
        fprintf(stderr, "smppbridge lab: %s (ports: --smpp-port, --callback-port, --admin-port; 0 = any free one)\n",
                why);
        return 1;
    }
    if (set_callback(lab, why) != 0) {
        fprintf(stderr, "smppbridge lab: simulator: %s\n", why);
        return 1;
    }
    if (lab_host_share(&lab->host, lab->simulator, simulator_port, lab->gateway, why) != 0) {
        fprintf(stderr, "smppbridge lab: %s\n", why);
        return 1;
    }
    if (lab->config_file != NULL && gateway_set_file(lab->gateway, lab->config_file) != 0)
        return 1;
    print_addresses(lab, simulator_port);
    return 0;
}

int command_lab(int argc, char **argv)
{
    struct lab lab = {
        .smpp_port = 2775, .admin_port = 8081, .callback_port = 8080, .simulator_port = 8082, .seed = 1
    };
    int status = read_options(argc, argv, &lab);

    if (status >= 0)
        return status;
    snprintf(lab.directory, sizeof lab.directory, "/tmp/smppbridge-lab-XXXXXX");
    if (mkdtemp(lab.directory) == NULL) {
        perror("smppbridge lab: a directory for the store");
        return 1;
    }
    serve_hold_signals();
    if (log_start(LOG_WARN, LOG_TEXT) != 0)
        return 1;
    uv_loop_init(&lab.loop);
    status = start(&lab);
    if (status == 0)
        (void)serve_until_signal(&lab.loop, lab.gateway, NULL, on_end, &lab);
    else {
        simulator_destroy(lab.simulator);
        uv_run(&lab.loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&lab.loop);
    remove_store(&lab);
    log_stop();
    return status;
}
