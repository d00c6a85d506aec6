/* SPDX-License-Identifier: MIT */
/*
 * admin_deliveries.c - the backlog of receipts and incoming messages, by account: seen, dropped, delivered once more.
 */
#include "gateway/admin.h"

#include <stdlib.h>
#include <string.h>

void admin_deliveries(struct admin_call *call)
{
    struct account *account, *next;
    struct buf out;
    bool first = true;

    buf_init(&out, ADMIN_REPLY_MAX);
    buf_adds(&out, "{\"items\": [");
    HASH_ITER(hh, call->gw->accounts, account, next)
    {
        buf_adds(&out, first ? "\n{\"system_id\": " : ",\n{\"system_id\": ");
        buf_add_json(&out, account->system_id, strlen(account->system_id));
        buf_addf(&out, ", \"waiting\": %llu, \"postponed\": %llu, \"under_way\": %llu}",
                 (unsigned long long)deliver_waiting(account), (unsigned long long)account->postponed,
                 (unsigned long long)account->delivering);
        first = false;
    }
    buf_adds(&out, "], \"next\": null}\n");
    admin_reply(call->exchange, 200, &out);
    buf_finish(&out);
}

void admin_deliveries_drop(struct admin_call *call)
{
    struct account *account;
    struct buf out;

    HASH_FIND_STR(call->gw->accounts, call->arg[0], account);
    if (account == NULL) {
        admin_fail(call->exchange, 404, "there is no such account", "GET /v1/deliveries names them");
        return;
    }
    buf_init(&out, 256);
    buf_addf(&out, "{\"dropped\": %llu}\n", (unsigned long long)deliver_drop_all(account));
    admin_reply(call->exchange, 200, &out);
    buf_finish(&out);
}

static void on_redelivered(void *owner, uint64_t cookie, int err)
{
    struct http_exchange *exchange = owner;
    struct buf out;

    UNUSED(cookie);
    if (err == ERR_NOT_FOUND) {
        admin_fail(exchange, 404, "nothing to deliver",
                   "the id of a message whose outcome is known, or of an incoming message that still has its text");
    } else if (err == ERR_STATE) {
        admin_fail(exchange, 409, "its delivery waits already", "GET /v1/deliveries shows the backlog");
    } else if (err != 0) {
        admin_fail(exchange, 503, "the store is busy", "try again");
    } else {
        buf_init(&out, 64);
        buf_adds(&out, "{\"redelivered\": true}\n");
        admin_reply(exchange, 202, &out);
        buf_finish(&out);
    }
}

struct redeliver {
    struct gateway *gw;
    struct http_exchange *exchange;
};

static void on_found(void *owner, uint64_t cookie, int err, struct message **messages, size_t count, uint64_t next)
{
    struct redeliver *r = owner;
    struct http_exchange *exchange = r->exchange;
    uint64_t id = 0;

    UNUSED(cookie);
    UNUSED(next);
    for (size_t i = 0; i < count; i++) {
        if (id == 0 && messages[i]->kind != MESSAGE_NOTE && messages[i]->kind != MESSAGE_PIECE)
            id = messages[i]->id;
        message_destroy(messages[i]);
    }
    if (err == 0 && id == 0)
        err = ERR_NOT_FOUND;
    if (err == 0)
        err = deliver_redeliver(r->gw, id, (struct store_done){ on_redelivered, exchange, 0 });
    free(r);
    if (err != 0)
        on_redelivered(exchange, 0, err);
}

void admin_redeliver(struct admin_call *call)
{
    struct store_query query = { .limit = 100 };
    struct redeliver *r = malloc(sizeof *r);

    if (r == NULL || strlen(call->arg[0]) > SMPP_ID_MAX || !profile_id_read(smpp_str(call->arg[0]), &query.public_id)) {
        free(r);
        on_redelivered(call->exchange, 0, ERR_NOT_FOUND);
        return;
    }
    *r = (struct redeliver){ call->gw, call->exchange };
    if (store_find(call->gw->store, &query, on_found, r, 0) != 0) {
        free(r);
        on_redelivered(call->exchange, 0, ERR_BUSY);
    }
}
