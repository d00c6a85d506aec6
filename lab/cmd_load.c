/* SPDX-License-Identifier: MIT */
/*
 * cmd_load.c - `smppbridge load`: many binds, full windows, exact latencies.
 *
 * Every submit carries its time as the cookie of its request, so its answer is measured without a search; receipts find
 * theirs by message_id in a table. Rate is paid out by elapsed time over all binds. Progress goes to stderr, the result
 * to stdout.
 */
#include "lab/lab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/command.h"
#include "lab/latency.h"
#include "lab/load_table.h"

enum { BINDS_MAX = 1000, STATUSES_MAX = 32, RATE_TICK_MS = 5, ADDRESS_SIZE = 24, QUIET_S = 30 };

static const struct command_help help = {
    "load",
    "Submits messages as fast as the windows and --rate allow, and measures submit_sm to submit_sm_resp and, with\n"
    "--receipts, submit to receipt. '#' in --to, --from and --text is a digit of the message's number, so that no two\n"
    "are alike. Exit status 0 when all were accepted and all receipts came.",
    "smppbridge load --binds 4 --window 100 --count 100000 --receipts",
};

struct tally { /* how often a status or a stat came */
    char name[48];
    uint64_t times;
};

struct load;

struct bind {
    struct load *load;
    struct smpp_client *client;
    bool bound, closed;
};

struct load {
    uv_loop_t loop;
    uv_timer_t tick, second;
    uv_signal_t signals[2];
    struct bind *binds;
    unsigned bind_count, bound, closed;
    const char *to, *from, *text_pattern;
    struct esme_text text;
    struct esme_fields fields;
    bool text_varies, receipts_wanted, json, quiet;
    double rate;
    uint64_t count; /* to send, 0 = until stopped */
    uint64_t started_ns, first_ns, last_ns, last_receipt_ns, until_ns;
    uint64_t sent, answered, accepted, failed, unanswered, receipts, receipts_unknown;
    uint64_t shown_answered, quiet_since_ns, quiet_seen;
    struct tally statuses[STATUSES_MAX], stats[STATUSES_MAX];
    struct latency response, receipt;
    struct load_table table;
    unsigned next_bind;
    bool stopping, ending;
    int status;
};

static void count_in(struct tally *t, const char *name, size_t len)
{
    if (len >= sizeof t->name)
        len = sizeof t->name - 1;
    for (size_t i = 0; i < STATUSES_MAX; i++) {
        if (t[i].times > 0 && (strncmp(t[i].name, name, len) != 0 || t[i].name[len] != '\0') && i + 1 < STATUSES_MAX)
            continue;
        if (t[i].times == 0) {
            memcpy(t[i].name, name, len);
            t[i].name[len] = '\0';
        }
        t[i].times++; /* the last place takes all further names */
        return;
    }
}

/* '#' from the right are the digits of n. */
static size_t fill(const char *pattern, uint64_t n, char *out, size_t size)
{
    size_t len = strlen(pattern);

    if (len >= size)
        len = size - 1;
    for (size_t i = len; i > 0; i--) {
        if (pattern[i - 1] == '#') {
            out[i - 1] = (char)('0' + n % 10);
            n /= 10;
        } else {
            out[i - 1] = pattern[i - 1];
        }
    }
    out[len] = '\0';
    return len;
}

/* ---- sending ---- */

static bool may_send(const struct load *l, uint64_t now_ns)
{
    if (l->stopping || (l->count != 0 && l->sent >= l->count) || (l->until_ns != 0 && now_ns >= l->until_ns))
        return false;
    return l->rate <= 0 || (double)l->sent < (double)(now_ns - l->started_ns) * l->rate / 1e9 + 1;
}

static bool send_one(struct load *l, struct bind *b, uint64_t now_ns)
{
    char to[ADDRESS_SIZE], from[ADDRESS_SIZE], text[1024];
    struct smpp_pdu pdu;
    struct esme_text varied;
    const struct esme_text *used = &l->text;
    int err;

    memset(&pdu, 0, offsetof(struct smpp_pdu, tlvs)); /* the room for TLVs need not be cleared for each message */
    pdu.dests = NULL;
    pdu.command_id = CMD_SUBMIT_SM;
    pdu.has_body = true;
    (void)fill(l->to, l->sent, to, sizeof to);
    (void)fill(l->from, l->sent, from, sizeof from);
    pdu.sm.source = esme_addr(from, true);
    pdu.sm.dest = esme_addr(to, false);
    pdu.sm.registered_delivery = l->receipts_wanted ? REG_RECEIPT : 0;
    if (l->text_varies) {
        (void)fill(l->text_pattern, l->sent, text, sizeof text);
        if (esme_text_init(&varied, text, false) != 0)
            return false;
        used = &varied;
    }
    pdu.sm.data_coding = used->data_coding;
    esme_fields_apply(&l->fields, &pdu.sm);
    esme_put_text(&pdu, (const uint8_t *)buf_text(&used->bytes), used->bytes.len);
    err = smpp_client_send(b->client, &pdu, now_ns);
    if (l->text_varies)
        esme_text_finish(&varied);
    if (err != 0)
        return false;
    if (l->sent == 0)
        l->first_ns = now_ns;
    l->sent++;
    return true;
}

static void feed(struct load *l)
{
    uint64_t now_ns = clock_mono_ns();
    unsigned without = 0;

    /* one message to each bind in turn: all windows fill alike */
    while (without < l->bind_count && may_send(l, now_ns)) {
        struct bind *b = &l->binds[l->next_bind];

        l->next_bind = (l->next_bind + 1) % l->bind_count;
        if (b->bound && !b->closed && smpp_client_room(b->client) > 0 && send_one(l, b, now_ns))
            without = 0;
        else
            without++;
        now_ns = clock_mono_ns();
    }
}

static void end(struct load *l)
{
    if (l->ending)
        return;
    l->ending = true;
    l->stopping = true;
    for (unsigned i = 0; i < l->bind_count; i++) {
        if (!l->binds[i].closed && l->binds[i].client != NULL)
            smpp_client_unbind(l->binds[i].client);
    }
    if (l->closed == l->bind_count)
        uv_stop(&l->loop);
}

/* Everything sent and answered, and every receipt here? */
static void check_end(struct load *l)
{
    bool all_sent =
        l->stopping || (l->count != 0 && l->sent >= l->count) || (l->until_ns != 0 && clock_mono_ns() >= l->until_ns);

    if (all_sent && l->bound == l->bind_count && l->answered == l->sent &&
        (!l->receipts_wanted || l->receipts >= l->accepted))
        end(l);
}

/* ---- what comes back ---- */

static void on_bound(void *owner, uint32_t status)
{
    struct bind *b = owner;
    struct load *l = b->load;

    if (status != STATUS_ROK) {
        (void)fprintf(stderr, "smppbridge load: bind refused: %s (0x%08X)\n", esme_status_text(status), status);
        l->status = 1;
        end(l);
        return;
    }
    b->bound = true;
    if (++l->bound < l->bind_count)
        return;
    l->started_ns = clock_mono_ns();
    if (l->until_ns != 0)
        l->until_ns += l->started_ns;
    feed(l);
}

static void on_response(void *owner, uint64_t cookie, enum smpp_deliver_end how, uint32_t status,
                        const struct smpp_pdu *response)
{
    struct bind *b = owner;
    struct load *l = b->load;
    uint64_t now_ns = clock_mono_ns(), other_ns;

    l->answered++;
    if (how == SMPP_DELIVER_TIMED_OUT || how == SMPP_DELIVER_LOST) {
        l->unanswered++;
        count_in(l->statuses, how == SMPP_DELIVER_LOST ? "connection lost" : "no answer",
                 how == SMPP_DELIVER_LOST ? 15 : 9);
        return;
    }
    l->last_ns = now_ns;
    latency_add(&l->response, (now_ns - cookie) / 1000);

    char name[48];

    (void)snprintf(name, sizeof name, "%s 0x%02X", esme_status_text(status), status);
    count_in(l->statuses, name, strlen(name));
    if (status != STATUS_ROK || how != SMPP_DELIVER_ANSWERED) {
        l->failed++;
        return;
    }
    l->accepted++;
    if (l->receipts_wanted && response != NULL &&
        load_table_meet(&l->table, response->message_id.at, response->message_id.len, cookie, &other_ns)) {
        l->receipts++; /* its receipt has overtaken this answer */
        latency_add(&l->receipt, other_ns > cookie ? (other_ns - cookie) / 1000 : 0);
    }
}

static uint32_t on_deliver(void *owner, const struct smpp_pdu *pdu)
{
    struct bind *b = owner;
    struct load *l = b->load;
    struct esme_receipt receipt;
    uint64_t now_ns = clock_mono_ns(), sent_ns;

    if (!esme_receipt_of(pdu, &receipt) || (pdu->sm.esm_class & ESM_INTERMEDIATE) != 0)
        return STATUS_ROK;
    count_in(l->stats, receipt.stat.len > 0 ? receipt.stat.at : "?", receipt.stat.len > 0 ? receipt.stat.len : 1);
    if (load_table_meet(&l->table, receipt.id.at, receipt.id.len, now_ns, &sent_ns)) {
        l->receipts++;
        l->last_receipt_ns = now_ns;
        latency_add(&l->receipt, (now_ns - sent_ns) / 1000);
    } else {
        l->receipts_unknown++; /* of an earlier run, a repeat, or ahead of its answer */
    }
    return STATUS_ROK;
}

static void on_room(void *owner)
{
    struct bind *b = owner;

    feed(b->load);
    check_end(b->load);
}

static void on_closed(void *owner, const char *why)
{
    struct bind *b = owner;
    struct load *l = b->load;

    b->closed = true;
    l->closed++;
    if (!l->ending) {
        (void)fprintf(stderr, "smppbridge load: connection closed: %s\n", why);
        l->status = 1;
        if (!b->bound || l->closed == l->bind_count)
            end(l);
    }
    if (l->closed == l->bind_count)
        uv_stop(&l->loop);
}

static void on_tick(uv_timer_t *timer)
{
    struct load *l = timer->data;

    if (l->bound == l->bind_count && !l->ending)
        feed(l);
}

static void on_second(uv_timer_t *timer)
{
    struct load *l = timer->data;
    uint64_t now_ns = clock_mono_ns(), moved = l->answered + l->receipts;

    if (l->bound == l->bind_count && !l->quiet) {
        (void)fprintf(stderr, "%7.1f s  sent %llu  answered %llu (%llu/s)  refused %llu",
                      (double)(now_ns - l->started_ns) / 1e9, (unsigned long long)l->sent,
                      (unsigned long long)l->answered, (unsigned long long)(l->answered - l->shown_answered),
                      (unsigned long long)(l->failed + l->unanswered));
        if (l->receipts_wanted)
            (void)fprintf(stderr, "  receipts %llu", (unsigned long long)l->receipts);
        (void)fprintf(stderr, "  p99 %.1f ms\n", (double)latency_at(&l->response, 0.99) / 1000);
    }
    l->shown_answered = l->answered;
    if (moved != l->quiet_seen) {
        l->quiet_seen = moved;
        l->quiet_since_ns = now_ns;
    }
    if (l->quiet_since_ns == 0)
        l->quiet_since_ns = now_ns;
    check_end(l);
    /* with the work done but receipts missing, wait only as long as some still come */
    if (!l->ending && l->answered == l->sent && (l->stopping || (l->count != 0 && l->sent >= l->count)) &&
        now_ns - l->quiet_since_ns > QUIET_S * 1000000000ull)
        end(l);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct load *l = handle->data;

    UNUSED(number);
    if (l->stopping)
        end(l); /* the second one does not wait */
    l->stopping = true;
    check_end(l);
}

/* ---- the result ---- */

static void print_latency(const struct load *l, const char *name, const struct latency *h, bool json)
{
    double p[4] = { (double)latency_at(h, 0.5) / 1000, (double)latency_at(h, 0.9) / 1000,
                    (double)latency_at(h, 0.99) / 1000, (double)h->max_us / 1000 };

    UNUSED(l);
    if (json)
        (void)printf(", \"%s_ms\": {\"count\": %llu, \"mean\": %.3f, \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, "
                     "\"max\": %.3f}",
                     name, (unsigned long long)h->count, h->count > 0 ? (double)h->sum_us / 1000 / (double)h->count : 0,
                     p[0], p[1], p[2], p[3]);
    else
        (void)printf("submit to %-9s p50 %.3f ms  p90 %.3f ms  p99 %.3f ms  max %.3f ms\n", name, p[0], p[1], p[2],
                     p[3]);
}

static void print_tally(const char *name, const struct tally *t, bool json)
{
    struct buf quoted;

    buf_init(&quoted, sizeof t->name * 8);
    if (json)
        (void)printf(", \"%s\": {", name);
    for (size_t i = 0; i < STATUSES_MAX && t[i].times > 0; i++) {
        buf_clear(&quoted);
        buf_add_json(&quoted, t[i].name, strlen(t[i].name)); /* a stat is what the server has written */
        if (json)
            (void)printf("%s%s: %llu", i == 0 ? "" : ", ", buf_text(&quoted), (unsigned long long)t[i].times);
        else
            (void)printf("%-9s %-28s %llu\n", name, t[i].name, (unsigned long long)t[i].times);
    }
    if (json)
        (void)printf("}");
    buf_finish(&quoted);
}

static void print_result(const struct load *l)
{
    double seconds = l->last_ns > l->first_ns ? (double)(l->last_ns - l->first_ns) / 1e9 : 0;
    double receipt_seconds = l->last_receipt_ns > l->first_ns ? (double)(l->last_receipt_ns - l->first_ns) / 1e9 : 0;
    double per_s = seconds > 0 ? (double)l->response.count / seconds : 0;

    if (l->json)
        (void)printf(
            "{\"sent\": %llu, \"accepted\": %llu, \"refused\": %llu, \"unanswered\": %llu, \"receipts\": %llu, "
            "\"receipts_missing\": %llu, \"receipt_seconds\": %.3f, \"seconds\": %.3f, \"per_second\": %.1f, "
            "\"binds\": %u",
            (unsigned long long)l->sent, (unsigned long long)l->accepted, (unsigned long long)l->failed,
            (unsigned long long)l->unanswered, (unsigned long long)l->receipts,
            (unsigned long long)(l->receipts_wanted ? l->accepted - l->receipts : 0), receipt_seconds, seconds, per_s,
            l->bind_count);
    else
        (void)printf(
            "sent %llu  accepted %llu  refused %llu  unanswered %llu  in %.3f s: %.1f messages/s over %u binds\n",
            (unsigned long long)l->sent, (unsigned long long)l->accepted, (unsigned long long)l->failed,
            (unsigned long long)l->unanswered, seconds, per_s, l->bind_count);
    print_latency(l, "response", &l->response, l->json);
    if (l->receipts_wanted)
        print_latency(l, "receipt", &l->receipt, l->json);
    print_tally(l->json ? "statuses" : "status", l->statuses, l->json);
    if (l->receipts_wanted)
        print_tally(l->json ? "stats" : "receipt", l->stats, l->json);
    if (l->json)
        (void)printf("}\n");
    else if (l->receipts_wanted && l->receipts < l->accepted)
        (void)printf("receipts  missing                      %llu\n", (unsigned long long)(l->accepted - l->receipts));
}

static int run(struct load *l, const struct smpp_client_opts *opts)
{
    static const struct smpp_client_ops ops = { on_bound, on_response, on_deliver, on_room, on_closed };
    static const int numbers[2] = { SIGINT, SIGTERM };

    l->tick.data = l->second.data = l;
    (void)uv_timer_init(&l->loop, &l->tick);
    (void)uv_timer_init(&l->loop, &l->second);
    if (l->rate > 0 || l->until_ns != 0)
        (void)uv_timer_start(&l->tick, on_tick, RATE_TICK_MS, RATE_TICK_MS);
    (void)uv_timer_start(&l->second, on_second, 1000, 1000);
    for (int i = 0; i < 2; i++) {
        l->signals[i].data = l;
        (void)uv_signal_init(&l->loop, &l->signals[i]);
        (void)uv_signal_start(&l->signals[i], on_signal, numbers[i]);
    }

    int err = 0;
    for (unsigned i = 0; err == 0 && i < l->bind_count; i++) {
        l->binds[i].load = l;
        err = smpp_client_create(&l->loop, opts, &ops, &l->binds[i], &l->binds[i].client);
    }
    if (err != 0) {
        (void)fprintf(stderr, "smppbridge load: %s\n", err_text(err));
        l->status = 1;
    } else {
        (void)uv_run(&l->loop, UV_RUN_DEFAULT);
    }
    for (unsigned i = 0; i < l->bind_count; i++) {
        if (l->binds[i].client != NULL)
            smpp_client_destroy(l->binds[i].client);
    }
    uv_close((uv_handle_t *)&l->tick, NULL);
    uv_close((uv_handle_t *)&l->second, NULL);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&l->signals[i], NULL);
    (void)uv_run(&l->loop, UV_RUN_DEFAULT);
    if (l->sent > 0 || l->json)
        print_result(l);
    if (l->status == 0 && (l->sent == 0 || l->accepted < l->sent || (l->receipts_wanted && l->receipts < l->accepted)))
        l->status = 1;
    return l->status;
}

int lab_cmd_load(int argc, char **argv)
{
    const char *url = ESME_URL, *text = "Load test message", *from = "LOAD", *to = "7916#######";
    double binds = 1, window = 10, rate = 0, count = 1000, seconds = 0;
    bool receipts = false, json = false, quiet = false;
    struct smpp_client_opts opts = { 0 };
    struct esme_bind bind = { 0 };
    struct esme_fields fields = ESME_FIELDS_NONE;
    const struct option_row rows[] = {
        { "--url", "URL", OPTION_TEXT, &url, 0, 0, "smpp[s]://id:password@host:port (" ESME_URL ")" },
        ESME_TLS_ROWS(opts),
        { "--binds", "N", OPTION_NUMBER, &binds, 1, BINDS_MAX, "sessions (1)" },
        { "--window", "W", OPTION_NUMBER, &window, 1, 10000, "submit_sm unanswered on each (10)" },
        { "--rate", "R", OPTION_NUMBER, &rate, 0, 1e7, "messages a second over all (0: as fast as it goes)" },
        { "--count", "C", OPTION_NUMBER, &count, 0, 1e12, "messages (1000; 0: until a signal or --seconds)" },
        { "--seconds", "S", OPTION_NUMBER, &seconds, 0, 1e7, "stop submitting after so long" },
        { "--receipts", NULL, OPTION_FLAG, &receipts, 0, 0, "ask for receipts, wait for them, measure them" },
        { "--text", "TEXT", OPTION_TEXT, &text, 0, 0, "'#' is a digit of the message's number" },
        { "--from", "NAME", OPTION_TEXT, &from, 0, 0, "sender (LOAD)" },
        { "--to", "PATTERN", OPTION_TEXT, &to, 0, 0, "destination (7916#######)" },
        { "--json", NULL, OPTION_FLAG, &json, 0, 0, "the result as one JSON object on stdout" },
        { "--quiet", NULL, OPTION_FLAG, &quiet, 0, 0, "no progress on stderr" },
        ESME_BIND_ROWS(bind),
        ESME_FIELD_ROWS(fields),
    };
    int status = options_read(&help, rows, ARRAY_LEN(rows), argc, argv);
    char storage[512];
    struct load *l;

    if (status != COMMAND_GO)
        return status;
    if (smpp_url_read(url, storage, &opts) != 0)
        return usage_error(&help,
                           "--url must look like smpp://id:password@host:port"); /* never shown: it has a password */
    if (to[0] == '\0' || strlen(to) >= 21 || strlen(from) >= 21)
        return usage_error(&help, "--to and --from have at most 20 characters, and --to at least one");
    if (!esme_bind_apply(&bind, &opts))
        return usage_error(&help, "--smpp-version must be 3.3, 3.4 or 5.0, got \"%s\"", bind.version);
    l = calloc(1, sizeof *l);
    if (l == NULL)
        return 1;
    l->fields = fields;
    l->bind_count = (unsigned)binds;
    l->binds = calloc(l->bind_count, sizeof *l->binds);
    l->to = to;
    l->from = from;
    l->text_pattern = text;
    l->text_varies = strchr(text, '#') != NULL;
    l->receipts_wanted = receipts;
    l->json = json;
    l->quiet = quiet;
    l->rate = rate;
    l->count = seconds > 0 && count == 1000 ? 0 : (uint64_t)count;
    l->until_ns = (uint64_t)(seconds * 1e9);
    opts.type = receipts ? SMPP_BIND_TRX : SMPP_BIND_TX;
    opts.window = (uint32_t)window;
    if (l->binds == NULL || uv_loop_init(&l->loop) != 0) {
        status = 1;
    } else if (esme_text_init(&l->text, text, false) != 0 || (l->text_varies && strlen(text) > 1000)) {
        status = usage_error(&help, "the text is too long");
        (void)uv_loop_close(&l->loop);
    } else {
        status = run(l, &opts);
        esme_text_finish(&l->text);
        (void)uv_loop_close(&l->loop);
    }
    load_table_finish(&l->table);
    free(l->binds);
    free(l);
    return status;
}
