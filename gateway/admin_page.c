/* SPDX-License-Identifier: MIT */
/*
 * admin_page.c - the dashboard's files, the description of the API, and browsers that have shown the token.
 *
 * The files stand in the program (http/web, made into C by cmake/embed.cmake). A browser gets a random key in a cookie
 * that scripts cannot read and other sites cannot send; it lives in memory only.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/admin.h"
#include "web_files.h"

enum { LOGIN_MS = 12 * 3600 * 1000, WRONG_MAX = 10, LOCK_MS = 60000 };
#define COOKIE "smppbridge"
/* The page loads nothing from elsewhere and nobody may frame it. */
#define POLICY "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

static const struct web_file *file_named(const char *name)
{
    for (size_t i = 0; i < web_file_count; i++) {
        if (strcmp(web_files[i].name, name) == 0)
            return &web_files[i];
    }
    return NULL;
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = { { ".html", "text/html; charset=utf-8" },
                                            { ".css", "text/css; charset=utf-8" },
                                            { ".js", "text/javascript; charset=utf-8" },
                                            { ".svg", "image/svg+xml" },
                                            { ".json", "application/json" } };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        size_t len = strlen(name), end = strlen(types[i][0]);

        if (len > end && strcmp(name + len - end, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

static void reply_file(struct admin_call *call, const char *name)
{
    const struct web_file *file = file_named(name);

    if (file == NULL) {
        admin_fail(call->exchange, 404, "there is no such file", "the dashboard is at /");
        return;
    }
    http_reply_header(call->exchange, "Cache-Control", "no-cache");
    http_reply_header(call->exchange, "Content-Security-Policy", POLICY);
    http_reply_header(call->exchange, "X-Content-Type-Options", "nosniff");
    http_reply_header(call->exchange, "Referrer-Policy", "no-referrer");
    http_reply(call->exchange, 200, type_of(name), file->data, file->len);
}

void admin_page(struct admin_call *call)
{
    reply_file(call, call->arg[0][0] == '\0' ? "index.html" : call->arg[0]);
}

void admin_openapi(struct admin_call *call)
{
    reply_file(call, "openapi.json");
}

/* --- browsers ----------------------------------------------------------------------------------------------------- */

/* The key in the Cookie header, or NULL. */
static const char *cookie_key(struct http_exchange *exchange, char out[65])
{
    const char *cookie = http_header(exchange, "Cookie");

    while (cookie != NULL && *cookie != '\0') {
        cookie += strspn(cookie, "; ");
        if (strncmp(cookie, COOKIE "=", sizeof COOKIE) == 0) {
            snprintf(out, 65, "%.*s", (int)strcspn(cookie + sizeof COOKIE, ";"), cookie + sizeof COOKIE);
            return strlen(out) == 64 ? out : NULL;
        }
        cookie += strcspn(cookie, ";");
    }
    return NULL;
}

static struct admin_login *login_of(struct admin *admin, struct http_exchange *exchange)
{
    char key[65];

    if (cookie_key(exchange, key) == NULL)
        return NULL;
    for (size_t i = 0; i < ADMIN_LOGINS; i++) {
        struct admin_login *login = &admin->logins[i];
        unsigned char difference = login->until_ms <= clock_mono_ms();

        for (size_t k = 0; k < 64; k++)
            difference |= (unsigned char)(login->key[k] ^ key[k]);
        if (difference == 0)
            return login;
    }
    return NULL;
}

bool admin_is_logged_in(struct admin *admin, struct http_exchange *exchange)
{
    return login_of(admin, exchange) != NULL;
}

void admin_login(struct admin_call *call)
{
    struct admin *admin = call->gw->admin;
    struct http_params body;
    uint8_t random[32];
    char header[200];

    if (clock_mono_ms() < admin->locked_until_ms) {
        admin_fail(call->exchange, 429, "too many wrong tokens", "wait a minute");
        return;
    }
    http_params_init(&body);
    int err = http_params_read_json(&body, call->request->body, call->request->body_len);
    const char *token = err == 0 ? http_params_get(&body, "token") : NULL;
    if (token == NULL || !admin_token_is(admin, token)) {
        if (++admin->wrong_logins >= WRONG_MAX) {
            admin->wrong_logins = 0;
            admin->locked_until_ms = clock_mono_ms() + LOCK_MS;
            log_warn("dashboard logins locked after wrong tokens", "from=%s", call->request->peer);
        }
        admin_fail(call->exchange, 401, "wrong token", "it is admin.token of the configuration");
    } else if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        admin_fail(call->exchange, 503, "no random numbers", "try again");
    } else {
        struct admin_login *login = &admin->logins[admin->login_next++ % ADMIN_LOGINS];

        admin->wrong_logins = 0;
        for (size_t i = 0; i < sizeof random; i++)
            snprintf(login->key + 2 * i, 3, "%02x", random[i]);
        login->until_ms = clock_mono_ms() + LOGIN_MS;
        snprintf(header, sizeof header, COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d", login->key,
                 LOGIN_MS / 1000);
        http_reply_header(call->exchange, "Set-Cookie", header);
        http_reply(call->exchange, 200, "application/json", "{}\n", 3);
    }
    http_params_finish(&body);
}

void admin_logout(struct admin_call *call)
{
    struct admin_login *login = login_of(call->gw->admin, call->exchange);

    if (login != NULL)
        login->until_ms = 0;
    http_reply_header(call->exchange, "Set-Cookie", COOKIE "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    http_reply(call->exchange, 200, "application/json", "{}\n", 3);
}
