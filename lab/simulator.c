/* SPDX-License-Identifier: MIT */
/*
 * simulator.c - the simulated aggregator on the network: HTTP in, callbacks out, faults made real.
 *
 * core.c decides everything about a request; here its reply is delayed, cut, dropped or sent. Callbacks wait in one
 * queue for their turn and, after a bad answer, in a second one for their repeat. Invariant: while QUEUE_HIGH callbacks
 * wait, no message gets its next status, so a slow handler slows the network and memory stays bounded.
 */
#include "lab/lab.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "lab/core.h"

enum {
    QUEUE_HIGH = 20000, /* callbacks waiting: statuses pause */
    QUEUE_MAX = 200000, /* above it a callback is dropped and counted */
    FLIGHT_MAX = 64,
    ADVANCE_MOST = 2000, /* statuses a turn */
    HANG_MS = 120000,    /* "never answered": the connection is closed after this long */
    BODY_MAX = 16 << 20,
    CONNECTIONS_MAX = 4000,
};

struct waiting { /* one callback */
    struct waiting *next;
    struct lab_post post;
    unsigned attempts;
    uint64_t due_ms; /* of its repeat */
};

struct queue {
    struct waiting *head, **tail;
    size_t count;
};

struct delayed { /* a reply that is not due yet */
    uv_timer_t timer;
    struct simulator *sim;
    struct delayed *next, **link;
    struct http_exchange *exchange;
    struct lab_reply reply;
    bool is_status;
};

struct simulator {
    struct lab *lab;
    struct http_server *server;
    struct http_client *client;
    uv_timer_t timer;
    uint64_t mono0_ms; /* the clock: at this moment it was */
    int64_t wall0_ms;  /* this time */
    double speed;
    uint64_t armed_ms; /* mono; UINT64_MAX: timer not running */
    struct queue ready, repeats;
    struct waiting *flight[FLIGHT_MAX];
    unsigned in_flight;
    struct delayed *delayed;
    unsigned under_way; /* delayed replies but hanging ones */
    unsigned status_under_way;
    char *token;
    uint64_t sent, answered, refused, repeated, given_up, not_found, dropped;
    int last_status;
    unsigned handles; /* that uv has still to close */
    bool closing;
};

static void pump(struct simulator *sim);
static void arm(struct simulator *sim);

/* Time that never jumps back: its start plus what the monotonic clock has run, times the speed. */
static int64_t now_of(const struct simulator *sim)
{
    return sim->wall0_ms + (int64_t)((double)(clock_mono_ms() - sim->mono0_ms) * sim->speed);
}

/* The settings show the clock as it is; after a change of them it follows. */
static void show_clock(struct simulator *sim)
{
    for (struct lab *lab = sim->lab; lab != NULL; lab = lab->others)
        lab->b.time_s = (double)(now_of(sim) / 1000);
}

static void follow_clock(struct simulator *sim)
{
    int64_t now = now_of(sim), most = now;

    for (const struct lab *lab = sim->lab; lab != NULL; lab = lab->others) {
        if ((int64_t)lab->b.time_s > most / 1000)
            most = (int64_t)lab->b.time_s * 1000;
    }
    if (most == now && sim->lab->b.speed == sim->speed)
        return;
    sim->wall0_ms = most;
    sim->mono0_ms = clock_mono_ms();
    sim->speed = sim->lab->b.speed;
}

/* ---- queues ---- */

static void queue_init(struct queue *q)
{
    *q = (struct queue){ NULL, &q->head, 0 };
}

static void queue_push(struct queue *q, struct waiting *w)
{
    w->next = NULL;
    *q->tail = w;
    q->tail = &w->next;
    q->count++;
}

static struct waiting *queue_pop(struct queue *q)
{
    struct waiting *w = q->head;

    if (w == NULL)
        return NULL;
    q->head = w->next;
    if (q->head == NULL)
        q->tail = &q->head;
    q->count--;
    return w;
}

static void waiting_free(struct waiting *w)
{
    if (w == NULL)
        return;
    lab_post_finish(&w->post);
    free(w);
}

static void queue_clear(struct queue *q)
{
    struct waiting *w;

    while ((w = queue_pop(q)) != NULL)
        waiting_free(w);
}

/* ---- callbacks out ---- */

static void on_event(void *owner, const struct lab_event *event)
{
    struct simulator *sim = owner;
    struct waiting *w;

    if (event->lab->b.callback_url[0] == '\0')
        return;
    if (sim->ready.count + sim->repeats.count >= QUEUE_MAX) {
        sim->dropped++;
        return;
    }
    w = calloc(1, sizeof *w);
    if (w == NULL || lab_post_build(event->lab, event, &w->post) != 0) {
        sim->dropped++;
        free(w);
        return;
    }
    queue_push(&sim->ready, w);
}

static void on_posted(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct simulator *sim = owner;
    struct waiting *w = sim->flight[cookie];
    int status = reply->outcome == HTTP_ANSWERED ? reply->status : 0;

    sim->flight[cookie] = NULL;
    sim->in_flight--;
    sim->last_status = status;
    if (sim->closing || status == 200 || status == 404) { /* 404 too ends it: documented */
        sim->answered += status == 200;
        sim->not_found += status == 404;
        waiting_free(w);
    } else {
        sim->refused++;
        if (w->attempts >= (unsigned)sim->lab->b.callback_attempts) {
            sim->given_up++;
            log_warn("callback given up", "attempts=%u status=%d url=%s", w->attempts, status, w->post.url);
            waiting_free(w);
        } else {
            double pause = sim->lab->b.callback_repeat_s * 1000 / sim->lab->b.time_factor / sim->speed;

            w->due_ms = clock_mono_ms() + (uint64_t)pause;
            queue_push(&sim->repeats, w); /* one pause for all: the queue stays in order */
        }
    }
    if (!sim->closing) {
        pump(sim);
        arm(sim);
    }
}

static bool post(struct simulator *sim, struct waiting *w)
{
    struct http_request_out request = { .method = "POST",
                                        .url = w->post.url,
                                        .content_type = w->post.content_type,
                                        .body = w->post.body,
                                        .body_len = w->post.body_len,
                                        .timeout_ms = (uint64_t)sim->lab->b.callback_timeout_ms };
    unsigned slot = 0;

    while (slot < FLIGHT_MAX && sim->flight[slot] != NULL)
        slot++;
    if (slot == FLIGHT_MAX)
        return false;

    int err = http_client_send(sim->client, &request, on_posted, sim, slot);

    if (err == ERR_FULL)
        return false;
    if (err != 0) {
        log_warn("callback not sent", "url=%s why=%s", w->post.url, err_text(err));
        sim->dropped++;
        waiting_free(w);
        return true;
    }
    sim->flight[slot] = w;
    sim->in_flight++;
    sim->sent++;
    sim->repeated += w->attempts > 0;
    w->attempts++;
    return true;
}

static void pump(struct simulator *sim)
{
    uint64_t now = clock_mono_ms();

    while (sim->repeats.head != NULL && sim->repeats.head->due_ms <= now)
        queue_push(&sim->ready, queue_pop(&sim->repeats));
    while (sim->ready.head != NULL && sim->in_flight < (unsigned)sim->lab->b.callback_connections) {
        struct waiting *w = queue_pop(&sim->ready);

        if (post(sim, w))
            continue;
        w->next = sim->ready.head; /* the client is full: first again next time */
        if (sim->ready.head == NULL)
            sim->ready.tail = &w->next;
        sim->ready.head = w;
        sim->ready.count++;
        break;
    }
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer)
{
    struct simulator *sim = timer->data;

    sim->armed_ms = UINT64_MAX;
    if (sim->ready.count < QUEUE_HIGH)
        (void)lab_advance(sim->lab, now_of(sim), ADVANCE_MOST);
    pump(sim);
    arm(sim);
}

static void arm(struct simulator *sim)
{
    int64_t now = now_of(sim), next = sim->ready.count < QUEUE_HIGH ? lab_next_due(sim->lab) : INT64_MAX;
    uint64_t mono = clock_mono_ms(), due = UINT64_MAX;

    if (next != INT64_MAX)
        due = mono + (next > now ? (uint64_t)((double)(next - now) / sim->speed) : 0);
    if (sim->repeats.head != NULL && sim->repeats.head->due_ms < due)
        due = sim->repeats.head->due_ms;
    if (due >= sim->armed_ms)
        return; /* what is running comes first; it arms again */
    sim->armed_ms = due;
    uv_update_time(sim->timer.loop); /* the loop's time may be a whole turn old */
    (void)uv_timer_start(&sim->timer, on_timer, due > mono ? due - mono : 0, 0);
}

/* ---- requests in ---- */

static void send_reply(struct http_exchange *exchange, const struct lab_reply *reply)
{
    const void *body = buf_text(&reply->body);
    size_t len = reply->body.len;

    switch (reply->fault) {
    case LAB_FAULT_500:
        http_reply(exchange, 500, "text/html", "<html><body>Internal Server Error</body></html>", 47);
        break;
    case LAB_FAULT_DROP:
    case LAB_FAULT_HANG:
        http_abort(exchange, reply->status, reply->content_type, body, len, 0);
        break;
    case LAB_FAULT_CUT: {
        size_t whole = len;

        http_abort(exchange, reply->status, reply->content_type, body, whole, whole / 2 + 1);
        break;
    }
    case LAB_FAULT_EMPTY:
        http_reply(exchange, 200, reply->content_type, "", 0);
        break;
    default:
        if (reply->location != NULL)
            http_reply_header(exchange, "Location", reply->location);
        http_reply(exchange, reply->status, reply->content_type, body, len);
        break;
    }
}

static void delayed_unlink(struct delayed *d)
{
    *d->link = d->next;
    if (d->next != NULL)
        d->next->link = d->link;
}

static void simulator_free_last(struct simulator *sim)
{
    if (sim->closing && sim->handles == 0)
        free(sim);
}

static void on_delayed_closed(uv_handle_t *handle)
{
    struct delayed *d = handle->data;
    struct simulator *sim = d->sim;

    lab_reply_finish(&d->reply);
    free(d);
    sim->handles--;
    simulator_free_last(sim);
}

static void on_delayed(uv_timer_t *timer)
{
    struct delayed *d = timer->data;

    send_reply(d->exchange, &d->reply);
    if (d->reply.fault != LAB_FAULT_HANG) {
        d->sim->under_way--;
        d->sim->status_under_way -= d->is_status;
    }
    delayed_unlink(d);
    uv_close((uv_handle_t *)&d->timer, on_delayed_closed);
}

/* Takes the reply along. False: no memory, answer now. */
static bool delay_take(struct simulator *sim, struct http_exchange *exchange, struct lab_reply *reply, bool is_status)
{
    struct delayed *d = calloc(1, sizeof *d);

    if (d == NULL)
        return false;
    d->sim = sim;
    d->exchange = exchange;
    d->is_status = is_status;
    d->reply = *reply;
    d->timer.data = d;
    d->next = sim->delayed;
    d->link = &sim->delayed;
    if (d->next != NULL)
        d->next->link = &d->next;
    sim->delayed = d;
    sim->handles++;
    if (reply->fault != LAB_FAULT_HANG) {
        sim->under_way++;
        sim->status_under_way += is_status;
    }
    (void)uv_timer_init(sim->timer.loop, &d->timer);
    uv_update_time(sim->timer.loop);
    (void)uv_timer_start(&d->timer, on_delayed, reply->fault == LAB_FAULT_HANG ? HANG_MS : reply->latency_ms, 0);
    return true;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0 ||
           strncmp(address, "localhost:", 10) == 0 || strncmp(address, "[::ffff:127.", 12) == 0;
}

static bool may_administer(const struct simulator *sim, struct http_exchange *exchange, const char *peer)
{
    const char *given = http_header(exchange, "Authorization");

    if (sim->token == NULL)
        return is_loopback(peer);
    if (is_loopback(peer))
        return true;
    return given != NULL && strncmp(given, "Bearer ", 7) == 0 && strcmp(given + 7, sim->token) == 0;
}

/* After a request that may have set it. The timer was armed for the old one. */
static void clock_changed(struct simulator *sim)
{
    follow_clock(sim);
    sim->armed_ms = UINT64_MAX;
}

static void callbacks_state(const struct simulator *sim, struct lab_reply *reply)
{
    reply->content_type = "application/json";
    buf_addf(&reply->body,
             "{\"queued\": %zu, \"waiting_for_repeat\": %zu, \"under_way\": %u, \"sent\": %llu, \"answered\": %llu, "
             "\"refused\": %llu, \"repeated\": %llu, \"given_up\": %llu, \"not_found\": %llu, \"dropped\": %llu, "
             "\"last_status\": %d}\n",
             sim->ready.count, sim->repeats.count, sim->in_flight, (unsigned long long)sim->sent,
             (unsigned long long)sim->answered, (unsigned long long)sim->refused, (unsigned long long)sim->repeated,
             (unsigned long long)sim->given_up, (unsigned long long)sim->not_found, (unsigned long long)sim->dropped,
             sim->last_status);
}

static void on_request(void *owner, struct http_exchange *exchange, const struct http_request_in *in)
{
    struct simulator *sim = owner;
    struct lab_request request = { .method = in->method,
                                   .path = in->path,
                                   .query = in->query,
                                   .content_type = http_header(exchange, "Content-Type"),
                                   .body = in->body,
                                   .body_len = in->body_len,
                                   .peer = in->peer,
                                   .host = http_header(exchange, "Host"),
                                   .concurrent = sim->under_way,
                                   .concurrent_status = sim->status_under_way,
                                   .now_ms = now_of(sim) };
    struct lab_reply reply;
    bool taken = false;

    lab_reply_init(&reply);
    if (strncmp(in->path, "/lab/", 5) == 0 && !may_administer(sim, exchange, in->peer)) {
        reply.status = 403;
        reply.content_type = "application/json";
        buf_adds(&reply.body, "{\"error\": \"/lab/ is for loopback, or with the token\"}\n");
    } else if (strcmp(in->path, "/lab/callbacks") == 0) {
        callbacks_state(sim, &reply);
    } else {
        show_clock(sim);
        lab_serve(sim->lab, &request, &reply);
        if (strncmp(in->path, "/lab/", 5) == 0)
            clock_changed(sim);
        if (strcmp(in->path, "/lab/reset") == 0 && reply.status == 200) {
            queue_clear(&sim->ready);
            queue_clear(&sim->repeats);
        }
    }
    if (reply.latency_ms > 0 || reply.fault == LAB_FAULT_HANG)
        taken = delay_take(sim, exchange, &reply, strcmp(in->path, "/sys/status.php") == 0);
    if (!taken) {
        send_reply(exchange, &reply);
        lab_reply_finish(&reply);
    }
    pump(sim);
    arm(sim);
}

/* ---- the door ---- */

/* Settings as one flat object; "accounts" beside them is a list of further accounts, each with what differs. */
static int take_script(struct lab *lab, const char *text, char why[256])
{
    cJSON *root = cJSON_Parse(text);
    cJSON *accounts = cJSON_DetachItemFromObjectCaseSensitive(root, "accounts");
    char *flat = root == NULL ? NULL : cJSON_PrintUnformatted(root);
    const cJSON *one;
    int err = flat == NULL ? ERR_SYNTAX : lab_settings_write(lab, flat, strlen(flat), why);

    if (err == ERR_SYNTAX && why[0] == '\0')
        (void)snprintf(why, 256, "not one JSON object");
    if (err == 0 && accounts != NULL && !cJSON_IsArray(accounts)) {
        (void)snprintf(why, 256, "\"accounts\" must be a list of objects");
        err = ERR_SYNTAX;
    }
    cJSON_ArrayForEach(one, accounts)
    {
        char *settings = err == 0 ? cJSON_PrintUnformatted(one) : NULL;

        if (err == 0)
            err = settings == NULL ? ERR_NOMEM : lab_add_account(lab, settings, strlen(settings), why);
        cJSON_free(settings);
    }
    cJSON_free(flat);
    cJSON_Delete(accounts);
    cJSON_Delete(root);
    return err;
}

static int read_script(struct simulator *sim, const char *path, char why[256])
{
    FILE *file = fopen(path, "rb");
    struct buf text;
    char part[4096];
    size_t n;
    int err;

    if (file == NULL) {
        (void)snprintf(why, 256, "script %.150s cannot be opened", path);
        return ERR_CONFIG;
    }
    buf_init(&text, 1 << 20);
    while ((n = fread(part, 1, sizeof part, file)) > 0)
        buf_add(&text, part, n);
    (void)fclose(file);

    char inner[256] = "";

    show_clock(sim);
    err = text.failed ? ERR_FULL : take_script(sim->lab, buf_text(&text), inner);
    follow_clock(sim);
    buf_finish(&text);
    if (err != 0)
        (void)snprintf(why, 256, "script %.80s: %.150s", path, inner[0] != '\0' ? inner : err_text(err));
    return err != 0 ? ERR_CONFIG : 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct simulator *sim = handle->data;

    sim->handles--;
    simulator_free_last(sim);
}

int simulator_create(uv_loop_t *loop, const struct simulator_opts *opts, struct simulator **out, uint16_t *out_port,
                     char why[256])
{
    struct simulator *sim;
    struct http_client_opts client_opts = { .max_inflight = FLIGHT_MAX, .max_reply_bytes = 256 << 10 };
    struct http_server_opts server_opts = { .address = opts->address,
                                            .listen_fd = -1,
                                            .max_body_bytes = BODY_MAX,
                                            .max_connections = CONNECTIONS_MAX,
                                            .timeout_s = 120 };
    int err;

    why[0] = '\0';
    if (!is_loopback(opts->address) && opts->token == NULL) {
        (void)snprintf(why, 256, "%.100s is not loopback: a token is needed to listen there", opts->address);
        return ERR_DENIED;
    }
    sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        return ERR_NOMEM;
    queue_init(&sim->ready);
    queue_init(&sim->repeats);
    sim->mono0_ms = clock_mono_ms();
    sim->wall0_ms = clock_wall_ms();
    sim->speed = 1;
    sim->armed_ms = UINT64_MAX;
    sim->timer.data = sim;
    sim->handles = 1;
    (void)uv_timer_init(loop, &sim->timer);
    sim->lab = lab_create(opts->seed, opts->max_messages, on_event, sim);
    sim->token = opts->token != NULL ? strdup(opts->token) : NULL;
    err = sim->lab == NULL || (opts->token != NULL && sim->token == NULL) ? ERR_NOMEM : 0;
    if (err == 0 && opts->script != NULL)
        err = read_script(sim, opts->script, why);
    if (err == 0 && opts->callback_url != NULL) {
        struct buf json;

        buf_init(&json, 8192);
        buf_adds(&json, "{\"callback_url\":");
        buf_add_json(&json, opts->callback_url, strlen(opts->callback_url));
        buf_addc(&json, '}');
        err = lab_settings_write(sim->lab, buf_text(&json), json.len, why);
        buf_finish(&json);
    }
    if (err == 0)
        err = http_client_create(loop, &client_opts, &sim->client);
    if (err == 0)
        err = http_server_create(loop, &server_opts, on_request, sim, &sim->server, out_port, why);
    if (err != 0) {
        if (why[0] == '\0')
            (void)snprintf(why, 256, "%s", err_text(err));
        simulator_destroy(sim);
        return err;
    }
    *out = sim;
    return 0;
}

void simulator_behaviour_read(struct simulator *sim, struct buf *out)
{
    show_clock(sim);
    lab_settings_read(sim->lab, out);
}

int simulator_behaviour_write(struct simulator *sim, const char *json, size_t len, char why[256])
{
    show_clock(sim);
    int err = lab_settings_write(sim->lab, json, len, why);

    clock_changed(sim);
    pump(sim);
    arm(sim);
    return err;
}

int simulator_incoming(struct simulator *sim, const char *phone, const char *to, const char *text, const char *sms_id)
{
    int err = lab_incoming(sim->lab, phone, to, text, sms_id, now_of(sim));

    pump(sim);
    arm(sim);
    return err;
}

void simulator_destroy(struct simulator *sim)
{
    if (sim == NULL)
        return;
    sim->closing = true;
    for (struct delayed *d = sim->delayed, *next; d != NULL; d = next) {
        next = d->next;
        uv_close((uv_handle_t *)&d->timer, on_delayed_closed);
    }
    sim->delayed = NULL;
    if (sim->server != NULL)
        http_server_destroy(sim->server);
    if (sim->client != NULL)
        http_client_destroy(sim->client); /* ends callbacks under way: on_posted frees them */
    queue_clear(&sim->ready);
    queue_clear(&sim->repeats);
    lab_destroy(sim->lab);
    free(sim->token);
    uv_close((uv_handle_t *)&sim->timer, on_timer_closed);
}
