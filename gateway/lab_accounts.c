/* SPDX-License-Identifier: MIT */
/*
 * lab_accounts.c - the upstream and the callbacks listener of lab accounts [see lab_accounts.h].
 *
 * Their settings are a configuration of two entries of our own, so that they have every default a file would give them.
 */
#include "gateway/lab_accounts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static int make_secret(char out[33])
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return ERR_IO;
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[32] = '\0';
    return 0;
}

static int read_settings(const struct gateway_lab_network *network, const char *secret, struct config **out)
{
    struct buf text, mistakes;

    buf_init(&text, 4096);
    buf_init(&mistakes, 4096);
    buf_addf(&text,
             "{\"esmes\": [{\"system_id\": \"lab\", \"password\": \"lab\", \"upstream\": \"lab\"}],"
             "\"upstreams\": [{\"name\": \"lab\", \"urls\": [\"%s\"], \"login\": \"%s\", \"password\": \"%s\","
             "\"limits\": {\"repeat\": \"0ms\"}}],"
             "\"callbacks\": {\"listen\": [\"127.0.0.1:0\"], \"upstream\": \"lab\", \"hash\": \"sha1\", "
             "\"secret\": \"%s\"},"
             "\"store\": {\"url\": \"memory:\"}}",
             network->url, network->login, network->password, secret);
    int err = cfg_read_text("lab accounts", buf_text(&text), text.len, out, &mistakes);
    if (err != 0)
        log_error("lab accounts", "reason=%s", buf_text(&mistakes));
    buf_finish(&text);
    buf_finish(&mistakes);
    return err;
}

static int make_upstream(struct gateway *gw)
{
    struct upstream *up = upstream_named(gw, LAB_UPSTREAM); /* there are messages for it in the store, perhaps */
    int err = up != NULL ? 0 : upstream_create(gw, LAB_UPSTREAM, &up);

    return err != 0 ? err : upstream_configure(up, &gw->lab_config->upstreams[0]);
}

static int prepare(struct gateway *gw, char why[256])
{
    struct gateway_lab_network network = { .url = "http://127.0.0.1:1", .login = "lab", .password = "lab" };
    char secret[33], callback[160];
    uint16_t port = 0;

    int err = make_secret(secret);
    if (err == 0)
        err = read_settings(&network, secret, &gw->lab_config); /* the address is known below */
    if (err != 0)
        return err;
    gw->lab_config->callbacks[0].upstream = LAB_UPSTREAM;
    err = listen_callbacks_for(gw, &gw->lab_config->callbacks[0], LISTENER_LAB, &port, why);
    if (err != 0)
        return err;
    snprintf(callback, sizeof callback, "http://127.0.0.1:%u%s?charset=utf-8&sha1=%s", port,
             gw->lab_config->callbacks[0].path, secret);
    err = gw->lab_host->start(gw->lab_host->owner, callback, &network, why);
    if (err != 0)
        return err;
    /* again, now with the address: the listener keeps looking at gw->lab_config */
    struct config *first = gw->lab_config;
    err = read_settings(&network, secret, &gw->lab_config);
    if (err != 0) {
        gw->lab_config = first;
        return err;
    }
    gw->lab_config->callbacks[0].upstream = LAB_UPSTREAM;
    gw->lab_config->upstreams[0].name = LAB_UPSTREAM;
    cfg_destroy(first);
    return make_upstream(gw);
}

int lab_accounts_prepare(struct gateway *gw, const struct config *config, char why[256])
{
    bool needed = false;

    why[0] = '\0';
    for (size_t i = 0; i < config->esme_count; i++)
        needed |= config->esmes[i].mode == CFG_LAB;
    needed |= upstream_named(gw, LAB_UPSTREAM) != NULL; /* the store says that messages are under way there */
    if (!needed || gw->lab_config != NULL)
        return 0;
    if (gw->lab_host == NULL) {
        snprintf(why, 256, "accounts of mode lab: this program has no simulated network");
        return ERR_UNSUPPORTED;
    }
    int err = prepare(gw, why);
    if (err != 0 && why[0] == '\0')
        snprintf(why, 256, "accounts of mode lab: %s", err_text(err));
    return err;
}

const struct cfg_callbacks *listener_cfg(const struct listener *listener)
{
    const struct gateway *gw = listener->gateway;

    return listener->index == LISTENER_LAB ? &gw->lab_config->callbacks[0] : &gw->config->callbacks[listener->index];
}

bool lab_account_is(const struct account *account)
{
    return account != NULL && account->cfg != NULL && account->cfg->mode == CFG_LAB;
}

struct account *lab_account_for(struct gateway *gw, const struct incoming *in)
{
    for (size_t i = 0; i < gw->config->incoming_count; i++) {
        struct account *account = route_incoming_by(gw, &gw->config->incoming[i], in->to, in->text);

        if (lab_account_is(account))
            return account;
    }
    for (size_t i = 0; i < gw->config->esme_count; i++) {
        if (gw->config->esmes[i].mode == CFG_LAB)
            return account_get(gw, gw->config->esmes[i].system_id);
    }
    return NULL;
}

struct account *lab_account_marked(struct gateway *gw, const struct incoming *in)
{
    size_t len = strlen(LAB_MARK);
    struct account *account = NULL;

    if (strncmp(in->sms_id, LAB_MARK, len) != 0 || (!in->lab && (gw->lab == NULL || !gw->lab->whole)))
        return NULL;
    HASH_FIND_STR(gw->accounts, in->sms_id + len, account);
    return account != NULL && account->cfg != NULL && (!in->lab || lab_account_is(account)) ? account : NULL;
}

void lab_accounts_finish(struct gateway *gw)
{
    cfg_destroy(gw->lab_config);
    gw->lab_config = NULL;
}

int gateway_set_lab_host(struct gateway *gw, const struct gateway_lab_host *host, char why[256])
{
    gw->lab_host = host;
    return lab_accounts_prepare(gw, gw->config, why);
}
