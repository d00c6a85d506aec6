/* SPDX-License-Identifier: MIT */
/*
 * soak.c - `soak COUNT [SEED]`: so many PDUs of make_pdu.c over loopback into the real server, on one loop, as one process.
 *
 * Eight peers bind, send PDUs in pieces of any size and read answers; the owner above the server does with them what a
 * gateway does: reads text, header and receipt, writes the PDU again, answers now, later or with an error, delivers,
 * unbinds, probes. Checked: no PDU is answered twice, each request is answered before its peer's round ends, what was
 * accepted is written again, the library refuses nothing the scan has passed. What memory does is the sanitizer's part.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/bytes.h"
#include "make_pdu.h"
#include "smpp/smpp.h"

enum { PEERS = 8, PER_ROUND = 600, OUT_BYTES = 256 * 1024, LATER_MAX = 8192, STUCK_MS = 60000 };

struct peer {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    struct soak *soak;
    struct dice dice;
    uint8_t in[128 * 1024];
    size_t in_len;
    char chunk[64 * 1024];
    struct buf out;     /* not given to the system yet; does not move while a piece of it is being written */
    struct buf replies; /* to the server's requests, to go behind it */
    uv_write_t writing;
    size_t writing_len;           /* of `out`, under way */
    uint32_t next, last;          /* sequence numbers of this round: 1 is the bind, `last` the fence */
    uint8_t state[PER_ROUND + 3]; /* by sequence number */
    unsigned open;                /* requests without an answer */
    bool unbound;                 /* this round does not bind: answers are few and then it is closed */
    bool wild;                    /* a command_length was damaged: what is answered is anybody's guess */
    bool closing;
};

enum { NOT_SENT, ASKED, UNASKED, ANSWERED };

struct soak {
    uv_loop_t loop;
    uv_check_t turn;
    uv_timer_t stuck;
    struct smpp_server *server;
    struct dice dice;
    uint16_t port;
    struct peer peers[PEERS];
    struct smpp_ticket later[LATER_MAX];
    size_t later_count;
    struct smpp_session_ref sessions[4 * PEERS];
    size_t session_count;
    uint64_t goal, sent, received, at_last_look;
    uint64_t binds, rounds, closed_on_us, requests, decoded, deliveries, delivered, troubles;
    uint64_t ok, refused, nacked, replaced_characters, receipts, parts;
    struct buf scratch;
    bool done;
};

static void fail(const char *what, uint64_t number)
{
    fprintf(stderr, "soak: %s (%llu)\n", what, (unsigned long long)number);
    abort();
}

/* ---- the owner above the server ---- */

static uint32_t on_bind(void *owner, const struct smpp_bind *bind, const struct smpp_session_info *session,
                        struct smpp_grant *grant)
{
    struct soak *s = owner;

    UNUSED(bind);
    UNUSED(session);
    if (dice_roll(&s->dice, 10) == 0) {
        grant->again_ms = dice_roll(&s->dice, 2);
        return SMPP_LATER;
    }
    grant->window = dice_roll(&s->dice, 4) == 0 ? 5 : 0;
    grant->deliver_window = 1 + dice_roll(&s->dice, 50);
    return dice_roll(&s->dice, 50) == 0 ? STATUS_RBINDFAIL : STATUS_ROK;
}

static void on_bound(void *owner, const struct smpp_session_info *session)
{
    struct soak *s = owner;

    s->binds++;
    if (s->session_count < ARRAY_LEN(s->sessions))
        s->sessions[s->session_count++] = session->ref;
}

static void on_unbound(void *owner, const struct smpp_session_info *session, const char *why)
{
    struct soak *s = owner;

    UNUSED(why);
    for (size_t i = 0; i < s->session_count; i++) {
        if (s->sessions[i].slot == session->ref.slot && s->sessions[i].generation == session->ref.generation)
            s->sessions[i--] = s->sessions[--s->session_count];
    }
}

/* What a gateway does with a message. */
static void use(struct soak *s, const struct smpp_pdu *pdu)
{
    struct bytes text = smpp_sm_text(pdu);
    struct smpp_udh udh = { 0 };
    struct smpp_receipt_parsed parsed;
    uint32_t reference;
    uint8_t total, number;

    if ((pdu->sm.esm_class & ESM_UDHI) != 0)
        smpp_udh_read(text, &udh);
    if (udh.header_len > 0 && !udh.damaged) {
        text.at += udh.header_len;
        text.len -= udh.header_len;
    }

    struct smpp_coding coding = smpp_coding_of(pdu->sm.data_coding, ALPHABET_GSM7, ALPHABET_LATIN1, true);

    buf_clear(&s->scratch);
    s->replaced_characters += coding.alphabet == ALPHABET_GSM7
                                  ? smpp_text_gsm_to_utf8(udh.locking, udh.single, text.at, text.len, &s->scratch)
                                  : smpp_text_to_utf8(coding.alphabet, text.at, text.len, &s->scratch);
    s->receipts += smpp_receipt_parse(text, &parsed) == 0;
    s->parts += smpp_part_of(pdu, &reference, &total, &number);
}

static uint32_t on_request(void *owner, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                           const struct smpp_pdu *pdu)
{
    struct soak *s = owner;

    UNUSED(session);
    s->requests++;
    use(s, pdu);
    buf_clear(&s->scratch);
    if (smpp_pdu_write(pdu, &s->scratch) != 0)
        fail("an accepted PDU cannot be written", s->sent);
    s->decoded++;
    switch (dice_roll(&s->dice, 4)) {
    case 0:
        return STATUS_RSYSERR;
    case 1:
        if (smpp_answer(s->server, ticket, STATUS_ROK, "1795316378221000002") != 0)
            fail("the session that asks is there", s->sent);
        return SMPP_LATER;
    default:
        if (s->later_count == LATER_MAX)
            return STATUS_RMSGQFUL;
        s->later[s->later_count++] = *ticket;
        return SMPP_LATER;
    }
}

static void on_deliver_end(void *owner, const struct smpp_session_info *session, uint64_t cookie,
                           enum smpp_deliver_end how, uint32_t status)
{
    struct soak *s = owner;

    UNUSED(session);
    UNUSED(cookie);
    UNUSED(how);
    UNUSED(status);
    s->delivered++;
}

static void on_trouble(void *owner, const struct smpp_session_info *session, const char *what)
{
    UNUSED(session);
    UNUSED(what);
    ((struct soak *)owner)->troubles++;
}

static const struct smpp_server_ops ops = {
    .on_bind = on_bind,
    .on_bound = on_bound,
    .on_unbound = on_unbound,
    .on_request = on_request,
    .on_deliver_end = on_deliver_end,
    .on_trouble = on_trouble,
};

static void deliver(struct soak *s, struct smpp_session_ref to)
{
    struct smpp_pdu pdu = { .command_id = dice_roll(&s->dice, 5) == 0 ? CMD_DATA_SM : CMD_DELIVER_SM,
                            .has_body = true };
    uint8_t text[254];

    pdu.sm.source.addr = smpp_str("79990000000");
    pdu.sm.dest.addr = smpp_str("shop");
    memset(text, 'd', sizeof text);
    if (pdu.command_id == CMD_DELIVER_SM)
        pdu.sm.short_message = (struct bytes){ text, dice_roll(&s->dice, sizeof text) };
    if (smpp_deliver(s->server, to, &pdu, s->deliveries + 1) == 0)
        s->deliveries++;
}

/* Once a turn: some of the answers owed, and what an operator or a receipt may cause. */
static void on_turn(uv_check_t *check)
{
    struct soak *s = check->data;

    for (size_t n = s->later_count > 0 ? 1 + dice_roll(&s->dice, (uint32_t)s->later_count) : 0; n > 0; n--) {
        size_t at = dice_roll(&s->dice, (uint32_t)s->later_count);
        struct smpp_ticket ticket = s->later[at];

        s->later[at] = s->later[--s->later_count];
        (void)smpp_answer(s->server, &ticket, dice_roll(&s->dice, 4) == 0 ? 0x45 : 0, "1795316378221000002");
    }
    for (size_t i = 0; i < s->session_count; i++) {
        struct smpp_session_ref ref = s->sessions[i];

        for (uint32_t n = dice_roll(&s->dice, 20); n > 0; n--)
            deliver(s, ref);
        if (dice_roll(&s->dice, 200) == 0)
            smpp_session_probe(s->server, ref, 5000);
        if (dice_roll(&s->dice, 4000) == 0)
            smpp_session_unbind(s->server, ref, "soak");
        else if (dice_roll(&s->dice, 4000) == 0)
            smpp_session_close(s->server, ref, "soak");
    }
}

/* ---- peers ---- */

static void begin(struct peer *p);

static void on_closed(uv_handle_t *handle)
{
    struct peer *p = handle->data;

    buf_finish(&p->out);
    buf_finish(&p->replies);
    if (!p->soak->done)
        begin(p);
}

/* The round ends; the next begins with a new connection. */
static void hang_up(struct peer *p)
{
    if (p->closing)
        return;
    p->closing = true;
    p->soak->rounds++;
    uv_close((uv_handle_t *)&p->tcp, on_closed);
}

static void push(struct peer *p);

static void on_written(uv_write_t *req, int status)
{
    struct peer *p = req->data;

    if (p->closing)
        return;
    buf_shift(&p->out, p->writing_len);
    p->writing_len = 0;
    if (status < 0)
        hang_up(p);
    else
        push(p);
}

/* More PDUs of the round, and a piece of them to the server. */
static void push(struct peer *p)
{
    struct soak *s = p->soak;
    static uint8_t pdu[MAKE_PDU_MAX];

    if (p->closing || p->writing_len > 0)
        return;
    while (p->next <= p->last && p->out.len < OUT_BYTES / 4) {
        uint32_t sequence = p->next++;
        size_t len = sequence == p->last            ? make_header(CMD_ENQUIRE_LINK, 0, sequence, pdu)
                     : sequence == 1 && !p->unbound ? make_bind(&p->dice, sequence, pdu)
                                                    : make_pdu(&p->dice, sequence, pdu);
        struct reader r = reader_over(pdu + 4, 4);
        uint32_t command_id = read_u32(&r);
        bool asks = (command_id & CMD_RESPONSE) == 0 && command_id != CMD_OUTBIND;

        if (dice_roll(&p->dice, 20000) == 0) {
            p->wild = true;
            pdu[dice_roll(&p->dice, 4)] ^=
                (uint8_t)(1 + dice_roll(&p->dice, 255)); /* framing lost, or PDUs swallowed */
        }
        p->state[sequence] = asks ? ASKED : UNASKED;
        p->open += asks;
        buf_add(&p->out, pdu, len);
        s->sent++;
    }
    buf_add(&p->out, p->replies.data, p->replies.len);
    buf_clear(&p->replies);
    if (p->out.failed || p->replies.failed)
        fail("out of memory", p->out.len);
    if (p->out.len == 0)
        return;
    p->writing_len = dice_roll(&p->dice, 3) == 0 ? 1 + dice_roll(&p->dice, 100) : 1 + dice_roll(&p->dice, 60000);
    if (p->writing_len > p->out.len)
        p->writing_len = p->out.len;
    p->writing.data = p;

    uv_buf_t piece = uv_buf_init(p->out.data, (unsigned)p->writing_len);

    if (uv_write(&p->writing, (uv_stream_t *)&p->tcp, &piece, 1, on_written) != 0)
        hang_up(p);
}

static void answer(struct peer *p, uint32_t command_id, uint32_t sequence)
{
    static uint8_t pdu[MAKE_PDU_MAX];

    if (command_id == CMD_DELIVER_SM && dice_roll(&p->dice, 20) == 0)
        return; /* late for ever */
    buf_add(&p->replies, pdu, make_answer(&p->dice, command_id, sequence, pdu));
    push(p);
}

static void take(struct peer *p, uint32_t command_id, uint32_t status, uint32_t sequence)
{
    struct soak *s = p->soak;

    s->received++;
    if ((command_id & CMD_RESPONSE) == 0) {
        if (command_id != CMD_ALERT_NOTIFICATION)
            answer(p, command_id, sequence);
        return;
    }
    s->ok += status == 0;
    s->refused += status != 0;
    s->nacked += command_id == CMD_GENERIC_NACK;
    if (sequence == 0 || sequence >= p->next)
        return; /* a nack to lost framing */
    if (p->state[sequence] != ASKED && command_id != CMD_GENERIC_NACK && !p->wild)
        fail("not asked, or answered before", sequence);
    if (p->state[sequence] == ANSWERED && !p->wild)
        fail("answered twice", sequence);
    if (p->state[sequence] == ASKED)
        p->open--;
    p->state[sequence] = ANSWERED;
    if (p->next > p->last && p->open == 0)
        hang_up(p);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
    struct peer *p = stream->data;
    size_t at = 0;

    if (n == 0)
        return;
    if (n < 0) {
        p->soak->closed_on_us++;
        hang_up(p);
        return;
    }
    if (p->in_len + (size_t)n > sizeof p->in)
        fail("the server sends PDUs without an end", p->in_len);
    memcpy(p->in + p->in_len, data->base, (size_t)n);
    p->in_len += (size_t)n;
    while (!p->closing && p->in_len - at >= SMPP_HEADER_BYTES) {
        struct reader r = reader_over(p->in + at, SMPP_HEADER_BYTES);
        uint32_t len = read_u32(&r), command_id = read_u32(&r), status = read_u32(&r), sequence = read_u32(&r);

        if (len < SMPP_HEADER_BYTES || len > 1000)
            fail("a PDU from the server with a length of", len);
        if (p->in_len - at < len)
            break;
        take(p, command_id, status, sequence);
        at += len;
    }
    memmove(p->in, p->in + at, p->in_len - at);
    p->in_len -= at;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct peer *p = handle->data;

    UNUSED(suggested);
    *out = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct peer *p = req->data;

    if (status != 0 || p->closing)
        return;
    uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read);
    push(p);
}

static void finish(struct soak *s)
{
    s->done = true;
    uv_timer_stop(&s->stuck);
    smpp_server_destroy(s->server);
    uv_close((uv_handle_t *)&s->turn, NULL);
    uv_close((uv_handle_t *)&s->stuck, NULL);
    for (int i = 0; i < PEERS; i++) {
        if (!uv_is_closing((uv_handle_t *)&s->peers[i].tcp))
            uv_close((uv_handle_t *)&s->peers[i].tcp, on_closed);
    }
}

static void begin(struct peer *p)
{
    struct soak *s = p->soak;
    struct sockaddr_in address;

    if (s->sent >= s->goal) {
        uv_tcp_init(&s->loop, &p->tcp); /* so that finish() can close all alike */
        p->tcp.data = p;
        finish(s);
        return;
    }
    memset(p->state, NOT_SENT, sizeof p->state);
    p->in_len = p->writing_len = 0;
    p->open = 0;
    p->closing = p->wild = false;
    p->unbound = dice_roll(&p->dice, 20) == 0;
    p->next = 1;
    p->last = 2 + dice_roll(&p->dice, PER_ROUND);
    buf_init(&p->out, 2 * OUT_BYTES);
    buf_init(&p->replies, OUT_BYTES);
    uv_tcp_init(&s->loop, &p->tcp);
    p->tcp.data = p->connecting.data = p;
    uv_ip4_addr("127.0.0.1", s->port, &address);
    if (uv_tcp_connect(&p->connecting, &p->tcp, (struct sockaddr *)&address, on_connected) != 0)
        fail("no connection", s->rounds);
}

static void on_stuck(uv_timer_t *timer)
{
    struct soak *s = timer->data;

    if (s->sent + s->received == s->at_last_look)
        fail("nothing moves any more", s->sent);
    s->at_last_look = s->sent + s->received;
}

static void report(const struct soak *s, uint64_t seed, uint64_t took_ms)
{
#define N(v) (unsigned long long)(v)
    printf("seed %llu: %llu PDUs in %llu rounds, %llu binds, %llu.%llu s\n", N(seed), N(s->sent), N(s->rounds),
           N(s->binds), N(took_ms / 1000), N(took_ms % 1000 / 100));
    printf("answers: %llu ok, %llu with an error, %llu of them generic_nack; closed by the server: %llu rounds\n",
           N(s->ok), N(s->refused), N(s->nacked), N(s->closed_on_us));
    printf("decoded by the library and written again: %llu; texts with replaced characters, in all: %llu characters; "
           "receipts read: %llu; parts: %llu\n",
           N(s->decoded), N(s->replaced_characters), N(s->receipts), N(s->parts));
    printf("deliveries: %llu sent, %llu ended; troubles counted: %llu; library refusals after the scan: %llu\n",
           N(s->deliveries), N(s->delivered), N(s->troubles), N(smpp_codec_refusals()));
#undef N
}

int main(int argc, char **argv)
{
    static struct soak s;
    struct smpp_server_opts opts = { .system_id = "soak",
                                     .bind_timeout_ms = 1000,
                                     .enquire_link_interval_ms = 50,
                                     .response_timeout_ms = 300,
                                     .max_pdu_bytes = 128 * 1024 };
    const char *why = "";
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20250322;

    s.goal = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    if (s.goal == 0 || seed == 0) {
        fprintf(stderr, "usage: soak COUNT [SEED]   (neither may be 0)\n");
        return 2;
    }
    if (smpp_codec_selftest() != 0)
        fail("the codec's self-test", 0);
    uv_loop_init(&s.loop);
    uv_check_init(&s.loop, &s.turn);
    uv_timer_init(&s.loop, &s.stuck);
    s.turn.data = s.stuck.data = &s;
    uv_check_start(&s.turn, on_turn);
    uv_timer_start(&s.stuck, on_stuck, STUCK_MS, STUCK_MS);
    s.dice.state = seed;
    buf_init(&s.scratch, 1 << 20);
    if (smpp_server_create(&s.loop, &opts, &ops, &s, &s.server) != 0 ||
        smpp_server_listen(s.server, "127.0.0.1:0", false, &s.port, &why) != 0)
        fail(why, 0);

    uint64_t start_ms = uv_hrtime() / 1000000;

    for (int i = 0; i < PEERS; i++) {
        s.peers[i].soak = &s;
        s.peers[i].dice.state = seed + (uint64_t)i + 1;
        begin(&s.peers[i]);
    }
    uv_run(&s.loop, UV_RUN_DEFAULT);
    buf_finish(&s.scratch);
    report(&s, seed, uv_hrtime() / 1000000 - start_ms);
    if (uv_loop_close(&s.loop) != 0)
        fail("something was left on the loop", 0);
    return smpp_codec_refusals() == 0 ? 0 : 1;
}
