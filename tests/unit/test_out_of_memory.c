/*
 * test_out_of_memory.c - each allocation of a path fails in turn: a clean refusal, and afterwards all is as before.
 *
 * The linker sends our rooms' malloc, calloc, realloc and strdup through here (CMakeLists: --wrap); libraries keep
 * theirs. Only the thread that arms is hit, so the store's own threads are left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/table.h"
#include "config/config.h"
#include "base/clock.h"
#include "gateway/book.h"
#include "gateway/gateway.h"
#include "smpp/framer.h"
#include "smpp/smpp.h"

/* ---- the allocator that fails ---- */

static _Thread_local unsigned long countdown; /* 0: not armed; 1: the next one fails */
static _Thread_local bool fired;
static _Thread_local bool starved;           /* all fail */
static _Thread_local unsigned long starving; /* so many have */

static bool refused(void)
{
    if (starved) {
        starving++;
        return true;
    }
    if (countdown == 0 || --countdown > 0)
        return false;
    fired = true;
    return true;
}

static void arm(unsigned long which)
{
    fired = false;
    countdown = which;
}

static void disarm(void)
{
    countdown = 0;
}

/* The names are the linker's. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return refused() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
    return refused() ? NULL : __real_strdup(s);
}

/* Runs `step` with its first, second, ... allocation failing until one run needs no more of them. */
static unsigned long each_in_turn(bool (*step)(void))
{
    for (unsigned long n = 1;; n++) {
        arm(n);
        bool ok = step();
        disarm();
        if (!fired) {
            assert_true(ok); /* nothing failed: it works, also after all the failures before */
            return n - 1;
        }
        assert_true(n < 10000);
    }
}

/* ---- framer, codec, text ---- */

static bool frame_in_pieces(void)
{
    uint8_t pdu[300] = { [2] = 1, [3] = 44, [7] = 4, [15] = 9 }; /* 300 octets */
    struct smpp_framer f;
    struct smpp_frame frame;
    int rc = 0;

    smpp_framer_init(&f, SMPP_UNBOUND_MAX);
    for (size_t i = 0; i < sizeof pdu && rc == 0; i += 50) {
        size_t used;

        rc = smpp_framer_push(&f, pdu + i, 50, &used, &frame);
    }
    assert_true(rc == 1 || rc == ERR_NOMEM);
    smpp_framer_finish(&f);
    return rc == 1;
}

static bool write_and_open(void)
{
    static const uint8_t text[] = "hello";
    static uint8_t payload[3000];
    struct smpp_pdu pdu = { .command_id = CMD_SUBMIT_SM, .sequence_number = 7, .has_body = true }, back;
    struct smpp_dest dests[SMPP_DESTS_MAX];
    uint32_t status;
    struct buf out;

    pdu.sm.source.addr = smpp_str("shop");
    pdu.sm.dest.addr = smpp_str("79990000000");
    pdu.sm.short_message = (struct bytes){ text, 5 };
    assert_true(smpp_tlv_add(&pdu, 0x1400, payload, sizeof payload));
    buf_init(&out, 1 << 20);
    int rc = smpp_pdu_write(&pdu, &out);
    assert_true(rc == 0 || (rc == ERR_FULL && out.len == 0));
    if (rc == 0)
        assert_int_equal(SMPP_OPEN_OK, smpp_pdu_open((const uint8_t *)out.data, out.len, dests, &back, &status));
    buf_finish(&out);
    return rc == 0;
}

static bool texts_both_ways(void)
{
    static uint8_t in[2000];
    struct buf utf8, back;

    buf_init(&utf8, 1 << 16);
    buf_init(&back, 1 << 16);
    (void)smpp_text_to_utf8(ALPHABET_UCS2, in, sizeof in, &utf8);
    (void)smpp_text_from_utf8(ALPHABET_GSM7, buf_text(&utf8), utf8.len, &back);
    bool ok = !utf8.failed && !back.failed;
    buf_finish(&utf8);
    buf_finish(&back);
    return ok;
}

static void framer_codec_and_text_refuse(void **state)
{
    (void)state;
    assert_true(each_in_turn(frame_in_pieces) >= 2);
    assert_true(each_in_turn(write_and_open) >= 1);
    assert_true(each_in_turn(texts_both_ways) >= 2);
    assert_int_equal(0, smpp_codec_refusals());
}

/* ---- book ---- */

static struct book *book;
static uint64_t next_id = 1000;

static bool message_in_the_book(void)
{
    uint64_t id = ++next_id;
    struct message facts = { .id = id,
                             .public_id = id,
                             .kind = MESSAGE_MT,
                             .dest = { "7999", 4 },
                             .text = { "x", 1 },
                             .p = { .id = id, .state = MESSAGE_QUEUED, .esme = 1 } };
    size_t before = book_count(book);
    struct message *m = message_create(&facts);
    struct item *item = m == NULL ? NULL : book_add_take(book, m);

    if (item == NULL) {
        assert_int_equal(before, book_count(book));
        return false;
    }
    assert_ptr_equal(item, book_find(book, id));
    book_unpin(book, item);
    return true;
}

static void the_book_refuses(void **state)
{
    struct store_opts opts = { .url = "memory:" };
    struct store *store;
    uv_loop_t loop;
    char why[256];

    (void)state;
    uv_loop_init(&loop);
    assert_int_equal(0, store_open(&loop, &opts, &store, why));
    book = book_create(store, 100, 1 << 20);
    assert_true(each_in_turn(message_in_the_book) >= 4); /* message, item, and the table with its buckets */
    book_destroy(book);
    store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&loop));
}

struct entry {
    uint32_t key;
    UT_hash_handle hh;
};

/* A table that cannot begin, or cannot grow, is as it was before; uthash by itself ends the process. */
static void a_table_refuses_and_stays_whole(void **state)
{
    static struct entry entries[2000];
    static unsigned tries[ARRAY_LEN(entries)];
    struct entry *table = NULL, *found;
    unsigned refusals_seen = 0;

    (void)state;
    for (uint32_t i = 0; i < ARRAY_LEN(entries); i++) {
        entries[i].key = i;
        for (bool took = false; !took;) {
            unsigned before = HASH_COUNT(table);

            arm(tries[i] < 2 ? 1u + tries[i] : 0); /* its first allocation fails, then its second, then none */
            tries[i]++;
            HASH_ADD(hh, table, key, sizeof entries[i].key, &entries[i]);
            disarm();
            took = TABLE_TOOK(&entries[i]);
            assert_int_equal(HASH_COUNT(table), before + took);
            HASH_FIND(hh, table, &i, sizeof i, found);
            assert_ptr_equal(found, took ? &entries[i] : NULL);
            if (!took) {
                assert_true(fired);
                refusals_seen++;
            }
        }
    }
    assert_true(refusals_seen >= 3); /* table, buckets, and at least once growing */
    for (uint32_t i = 0; i < ARRAY_LEN(entries); i++) {
        HASH_FIND(hh, table, &i, sizeof i, found);
        assert_ptr_equal(found, &entries[i]);
    }
    HASH_CLEAR(hh, table);
}

/* ---- the whole way of a submit_sm ---- */

static uv_loop_t loop;
static struct gateway *gw;
static int peer = -1;
static uint32_t sequence;
static unsigned taken, refusals, hang_ups;

static void hang_up(void)
{
    close(peer);
    peer = -1;
}

/* The next PDU's status, or -1 when the connection has ended. The loop runs meanwhile. */
static int64_t next_status(uint32_t want_id)
{
    uint8_t in[512];
    size_t have = 0, want = 16;
    uint64_t until_ms = clock_mono_ms() + 30000;

    for (;;) {
        if (clock_mono_ms() > until_ms)
            fail_msg("no answer in 30 s");

        ssize_t n = recv(peer, in + have, want - have, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN))
            return -1;
        if (n < 0) {
            uv_run(&loop, UV_RUN_ONCE);
            continue;
        }
        have += (size_t)n;
        if (have < want)
            continue;

        struct reader r = reader_over(in, 16);
        uint32_t len = read_u32(&r), id = read_u32(&r), status = read_u32(&r);

        if (have < len) {
            want = len;
            continue;
        }
        have = 0;
        want = 16;
        if (id == want_id)
            return status;
    }
}

static void say(struct smpp_pdu *pdu)
{
    struct buf out;

    buf_init(&out, 4096);
    pdu->sequence_number = ++sequence;
    assert_int_equal(0, smpp_pdu_write(pdu, &out));
    assert_int_equal((ssize_t)out.len, send(peer, out.data, out.len, MSG_NOSIGNAL));
    buf_finish(&out);
}

static void dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(gateway_smpp_port(gw)) };

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(0, connect(peer, (struct sockaddr *)&to, sizeof to));
}

static bool bind_on_line(void)
{
    struct smpp_pdu pdu = { .command_id = CMD_BIND_TRANSCEIVER, .has_body = true };

    pdu.bind.system_id = smpp_str("demo");
    pdu.bind.password = smpp_str("demo");
    pdu.bind.interface_version = 0x34;

    unsigned long armed = countdown; /* ours is not the memory that fails */

    disarm();
    say(&pdu);
    countdown = armed;
    return next_status(CMD_BIND_TRANSCEIVER | CMD_RESPONSE) == 0;
}

static bool bind_one(void)
{
    dial();
    return bind_on_line();
}

/* Not even memory to turn somebody away: whoever connects is served as soon as there is some. */
static void connect_in_famine(void)
{
    unsigned long before = starving;

    dial();
    starved = true;
    while (starving < before + 2) /* for a session, and for the handle to close */
        uv_run(&loop, UV_RUN_ONCE);
    starved = false;
    assert_true(bind_on_line());
    hang_up();
}

static bool bind_and_go(void)
{
    bool ok = bind_one();

    disarm();
    hang_up();
    for (int i = 0; i < 10; i++) /* its end is seen */
        uv_run(&loop, UV_RUN_NOWAIT);
    return ok;
}

static bool submit_one(void)
{
    static const uint8_t text[] = "a text";
    struct smpp_pdu pdu = { .command_id = CMD_SUBMIT_SM, .has_body = true };
    unsigned long armed = countdown;

    disarm();
    if (peer < 0)
        assert_true(bind_one());

    char dest[16];

    snprintf(dest, sizeof dest, "7999%07u", sequence);
    pdu.sm.dest.addr = smpp_str(dest);
    pdu.sm.source.addr = smpp_str("shop");
    pdu.sm.short_message = (struct bytes){ text, sizeof text - 1 };
    say(&pdu);
    countdown = armed;

    int64_t status = next_status(CMD_SUBMIT_SM | CMD_RESPONSE);

    disarm();
    if (status < 0) {
        hang_ups++;
        hang_up();
    } else if (status == 0) {
        taken++;
    } else {
        refusals++;
        assert_true(status == STATUS_RSYSERR || status == STATUS_RMSGQFUL);
    }
    return status == 0;
}

static void on_stopped(void *owner)
{
    (void)owner;
    gateway_destroy(gw);
}

static void a_submit_is_taken_or_refused(void **state)
{
    static const char text[] =
        "{\"smpp\":{\"listen\":[\"127.0.0.1:0\"]},"
        "\"esmes\":[{\"system_id\":\"demo\",\"password\":\"demo\",\"max_binds\":100000,\"rate\":0}],"
        "\"upstreams\":[{\"name\":\"smsc\",\"urls\":[\"http://127.0.0.1:9\"],\"login\":\"a\","
        "\"password\":\"b\"}],\"store\":{\"url\":\"memory:\"},\"drain_timeout\":\"100ms\"}";
    struct config *config;
    struct buf mistakes;
    char why[256] = "";

    (void)state;
    buf_init(&mistakes, 1 << 16);
    if (cfg_read_text("test", text, sizeof text - 1, &config, &mistakes) != 0)
        fail_msg("%s", buf_text(&mistakes));
    buf_finish(&mistakes);
    uv_loop_init(&loop);
    if (gateway_start(&loop, config, NULL, &gw, why) != 0)
        fail_msg("%s", why);
    unsigned long in_submit = each_in_turn(submit_one);
    assert_true(in_submit >= 2);
    assert_true(refusals + hang_ups >= 1);
    unsigned long in_bind = each_in_turn(bind_and_go);
    assert_true(in_bind >= 2);
    assert_true(submit_one());
    if (peer >= 0)
        hang_up();
    connect_in_famine();
    connect_in_famine();
    print_message(
        "%lu allocations in a submit, %lu from connection to bind; %u taken, %u refused, %u connections closed\n",
        in_submit, in_bind, taken, refusals, hang_ups);
    if (peer >= 0)
        hang_up();
    gateway_drain(gw, on_stopped, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&loop));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framer_codec_and_text_refuse),
        cmocka_unit_test(a_table_refuses_and_stays_whole),
        cmocka_unit_test(the_book_refuses),
        cmocka_unit_test(a_submit_is_taken_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
