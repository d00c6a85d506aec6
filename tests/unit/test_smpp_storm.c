/* SPDX-License-Identifier: MIT */
/*
 * test_smpp_storm.c - many peers at once doing right and wrong things in a random but repeatable order.
 *
 * What must hold whatever they do: each delivery accepted ends exactly once, each session bound is unbound once, tickets
 * of dead sessions are harmless, and nothing is left when all have gone (the loop closes, sanitizers agree).
 */
#include "smpp_world.h"

enum { PEERS = 24, ROUNDS = 4000 };

static uint32_t seed;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % sides;
}

/* A PDU, or something like one. */
static void some_bytes(struct buf *out, uint32_t sequence)
{
    static const uint32_t ids[] = { CMD_SUBMIT_SM, CMD_SUBMIT_SM,        CMD_SUBMIT_SM, CMD_DATA_SM, CMD_ENQUIRE_LINK,
                                    CMD_UNBIND,    CMD_BIND_TRANSMITTER, CMD_QUERY_SM,  CMD_OUTBIND, CMD_CANCEL_SM };
    uint32_t id = ids[dice(ARRAY_LEN(ids))];
    struct smpp_pdu pdu = world_sm(id);
    size_t start = out->len;

    if (id == CMD_UNBIND && dice(20) != 0) /* rarely, or nothing else would happen */
        pdu = world_sm(CMD_SUBMIT_SM);
    if (dice(4) == 0) { /* an answer, perhaps to a delivery */
        pdu = (struct smpp_pdu){ .command_id = CMD_DELIVER_SM | CMD_RESPONSE };
        sequence = dice(40);
    }
    pdu.bind.system_id = smpp_str("alice");
    pdu.message_id = smpp_str("17");
    raw_pdu(out, &pdu, sequence);
    if (dice(50) == 0 && out->len > start) /* one wrong byte, anywhere */
        out->data[start + dice((uint32_t)(out->len - start))] = (char)dice(256);
}

static void answer_some(struct world *w)
{
    while (w->ticket_count > 0 && dice(3) != 0) {
        uint32_t which = dice(w->ticket_count);
        struct smpp_ticket ticket = w->tickets[which];
        int rc = smpp_answer(w->server, &ticket, dice(5) == 0 ? STATUS_RTHROTTLED : STATUS_ROK, "1000");

        assert_true(rc == 0 || rc == ERR_GONE);
        smpp_answer_left(w->server, &ticket);
        w->tickets[which] = w->tickets[--w->ticket_count];
    }
}

struct pick {
    uint32_t skip;
    struct smpp_session_ref ref;
};

static void pick_one(void *arg, const struct smpp_session_info *session)
{
    struct pick *p = arg;

    if (p->skip-- == 0)
        p->ref = session->ref;
}

static struct smpp_session_ref any_session(struct world *w)
{
    struct pick p = { dice(PEERS), { 0, 0 } };

    smpp_sessions(w->server, pick_one, &p);
    return p.ref;
}

static void storm(uint32_t with_seed)
{
    struct world *w = world_create();
    struct raw *peers[PEERS] = { NULL };
    struct buf bytes;
    unsigned delivered = 0;

    seed = with_seed;
    w->request_status = SMPP_LATER;
    w->grant = (struct smpp_grant){ .window = 20, .deliver_window = 5 };
    w->opts.response_timeout_ms = 30;
    w->opts.enquire_link_interval_ms = 20;
    w->opts.max_output_bytes = 8192;
    world_listen(w, false);
    buf_init(&bytes, 100000);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t i = dice(PEERS);
        struct raw *r = peers[i];

        if (r == NULL) {
            struct smpp_pdu bind = raw_bind_pdu(dice(2) ? CMD_BIND_TRANSCEIVER : CMD_BIND_RECEIVER, 0x34);

            peers[i] = r = raw_connect(w, dice(8) != 0); /* some never read */
            raw_send_pdu(r, &bind, 1);
        } else if (r->eof || dice(60) == 0) {
            raw_close(r);
            peers[i] = NULL;
        } else {
            buf_clear(&bytes);
            for (uint32_t n = dice(30); n > 0; n--)
                some_bytes(&bytes, round + n);

            size_t len = dice(4) == 0 ? dice((uint32_t)bytes.len + 1) : bytes.len; /* the rest never comes */
            uv_buf_t b = uv_buf_init(bytes.data, (unsigned)len);

            if (len > 0)
                uv_try_write((uv_stream_t *)&r->tcp, &b, 1); /* the server may be gone by now */
            if (r->len > sizeof r->in / 2)
                r->len = 0;
        }

        struct smpp_pdu sm = world_sm(CMD_DELIVER_SM);
        struct smpp_session_ref ref = any_session(w);

        delivered += smpp_deliver(w->server, ref, &sm, round) == 0;
        if (dice(100) == 0)
            smpp_session_close(w->server, ref, "storm");
        if (dice(100) == 0)
            smpp_session_unbind(w->server, ref, "storm");
        if (dice(20) == 0)
            smpp_session_probe(w->server, ref, 10);
        answer_some(w);
        uv_run(&w->loop, UV_RUN_NOWAIT);
        assert_true(w->unbound <= w->bound);
        assert_true(w->end_count <= delivered);
    }
    for (size_t i = 0; i < PEERS; i++) {
        if (peers[i] != NULL)
            raw_close(peers[i]);
    }
    smpp_server_drain(w->server, 20, world_on_drained);
    RUN_UNTIL(w, w->drained == 1);
    assert_int_equal(w->bound, w->unbound);
    assert_int_equal(delivered, w->end_count);
    assert_true(w->bound > 20 && w->requests > 500 && delivered > 50); /* it was a storm */
    buf_finish(&bytes);
    world_destroy(w);
}

static void storms_leave_nothing_behind(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 3; i++)
        storm(i * 7919);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(storms_leave_nothing_behind) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
