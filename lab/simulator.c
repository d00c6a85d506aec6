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
    /* ids of incoming messages begin at a number made of the time */
    ANSWERS_SINCE_S = 1700000000,
    ANSWERS_PER_S = 8,
    ANSWER_IDS = 2000000000, /* what after_id can say */
};

struct waiting { /* one callback */
    struct waiting *next;
    struct lab *account; /* accounts live as long as the service */
    struct lab_post post;
    unsigned attempts;
    uint64_t due_ms; /* of its repeat */
};

struct queue {
    struct waiting *head, **tail;
    size_t count;
    uint64_t last_due_ms; /* the latest ever inserted by time */
};

struct delayed { /* a reply that is not due yet */
    uv_timer_t timer;
    struct simulator *sim;
    struct lab *account; /* whose request; NULL: nobody's */
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
    uint64_t heads; /* numbers the draws for slow reading */
    char *token;
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
    double speed = sim->speed;

    for (struct lab *lab = sim->lab; lab != NULL; lab = lab->others) {
        if ((int64_t)lab->b.time_s > most / 1000)
            most = (int64_t)lab->b.time_s * 1000;
        if (lab->b.speed != sim->speed)
            speed = lab->b.speed; /* one clock: whichever account was told last */
    }
    for (struct lab *lab = sim->lab; lab != NULL; lab = lab->others)
        lab->b.speed = speed;
    if (most == now && speed == sim->speed)
        return;
    sim->wall0_ms = most;
    sim->mono0_ms = clock_mono_ms();
    sim->speed = speed;
}

/* ---- queues ---- */

static void queue_init(struct queue *q)
{
    *q = (struct queue){ NULL, &q->head, 0, 0 };
}

static void queue_push(struct queue *q, struct waiting *w)
{
    w->next = NULL;
    *q->tail = w;
    q->tail = &w->next;
    q->count++;
}

/* By due_ms. Accounts with the same pause append; others look for their place. */
static void queue_insert(struct queue *q, struct waiting *w)
{
    struct waiting **at = &q->head;

    if (q->last_due_ms <= w->due_ms) {
        q->last_due_ms = w->due_ms;
        queue_push(q, w);
        return;
    }
    while (*at != NULL && (*at)->due_ms <= w->due_ms)
        at = &(*at)->next;
    w->next = *at;
    *at = w;
    if (w->next == NULL)
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
    struct lab *account = lab_account_named(sim->lab, event->lab->b.login);
    struct waiting *w;

    if (event->lab->b.callback_url[0] == '\0')
        return;
    if (sim->ready.count + sim->repeats.count >= QUEUE_MAX) {
        account->posts.dropped++;
        return;
    }
    w = calloc(1, sizeof *w);
    if (w == NULL || lab_post_build(event->lab, event, &w->post) != 0) {
        account->posts.dropped++;
        free(w);
        return;
    }
    w->account = account;
    queue_push(&sim->ready, w);
}

static void on_posted(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct simulator *sim = owner;
    struct waiting *w = sim->flight[cookie];
    struct lab *account = w->account;
    struct lab_posts *posts = &account->posts;
    int status = reply->outcome == HTTP_ANSWERED ? reply->status : 0;

    sim->flight[cookie] = NULL;
    sim->in_flight--;
    posts->last_status = status;
    if (sim->closing || status == 200 || status == 404) { /* 404 too ends it: documented */
        posts->answered += status == 200;
        posts->not_found += status == 404;
        waiting_free(w);
    } else {
        posts->refused++;
        if (w->attempts >= (unsigned)account->b.callback_attempts) {
            posts->given_up++;
            log_warn("callback given up", "account=%s attempts=%u status=%d", account->b.login, w->attempts, status);
            waiting_free(w);
        } else {
            double pause = account->b.callback_repeat_s * 1000 / account->b.time_factor / sim->speed;

            w->due_ms = clock_mono_ms() + (uint64_t)pause;
            queue_insert(&sim->repeats, w);
        }
    }
    if (!sim->closing) {
        pump(sim);
        arm(sim);
    }
}

static bool post(struct simulator *sim, struct waiting *w)
{
    struct lab_posts *posts = &w->account->posts;
    struct http_request_out request = { .method = "POST",
                                        .url = w->post.url,
                                        .content_type = w->post.content_type,
                                        .body = w->post.body,
                                        .body_len = w->post.body_len,
                                        .timeout_ms = (uint64_t)w->account->b.callback_timeout_ms };
    unsigned slot = 0;

    while (slot < FLIGHT_MAX && sim->flight[slot] != NULL)
        slot++;
    if (slot == FLIGHT_MAX)
        return false;

    int err = http_client_send(sim->client, &request, on_posted, sim, slot);

    if (err == ERR_FULL)
        return false;
    if (err != 0) {
        log_warn("callback not sent", "account=%s why=%s", w->account->b.login, err_text(err));
        posts->dropped++;
        waiting_free(w);
        return true;
    }
    sim->flight[slot] = w;
    sim->in_flight++;
    posts->sent++;
    posts->repeated += w->attempts > 0;
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
    case LAB_FAULT_SLOW:
        http_reply_slowly(exchange, reply->status, reply->content_type, body, len,
                          (unsigned)reply->account->b.slow_bytes_s);
        break;
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

/* Delayed replies but hanging ones count as requests of their account under way. */
static void count_under_way(const struct delayed *d, int by)
{
    if (d->account == NULL || d->reply.fault == LAB_FAULT_HANG)
        return;
    d->account->under_way += (unsigned)by;
    if (d->is_status)
        d->account->status_under_way += (unsigned)by;
}

static void on_delayed(uv_timer_t *timer)
{
    struct delayed *d = timer->data;

    send_reply(d->exchange, &d->reply);
    count_under_way(d, -1);
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
    d->account = reply->account;
    d->reply = *reply;
    d->timer.data = d;
    d->next = sim->delayed;
    d->link = &sim->delayed;
    if (d->next != NULL)
        d->next->link = &d->next;
    sim->delayed = d;
    sim->handles++;
    count_under_way(d, 1);
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

/* Of the account asked for, else of all together; what waits is always counted for all. */
static void callbacks_state(const struct simulator *sim, const char *query, struct lab_reply *reply)
{
    struct http_params params;
    struct lab_posts sum = { 0 };
    const struct lab *only = NULL;

    http_params_init(&params);
    const char *login =
        http_params_read_form(&params, query, strlen(query)) == 0 ? http_params_get(&params, "account") : NULL;

    reply->content_type = "application/json";
    if (login != NULL && (only = lab_account_named(sim->lab, login)) == NULL) {
        reply->status = 404;
        buf_adds(&reply->body, "{\"error\": \"there is no account of this login\"}\n");
        http_params_finish(&params);
        return;
    }
    http_params_finish(&params);
    for (const struct lab *lab = sim->lab; lab != NULL; lab = lab->others) {
        if (only != NULL && lab != only)
            continue;
        sum.sent += lab->posts.sent;
        sum.answered += lab->posts.answered;
        sum.refused += lab->posts.refused;
        sum.repeated += lab->posts.repeated;
        sum.given_up += lab->posts.given_up;
        sum.not_found += lab->posts.not_found;
        sum.dropped += lab->posts.dropped;
        sum.last_status = lab->posts.last_status != 0 ? lab->posts.last_status : sum.last_status;
    }
    buf_addf(&reply->body,
             "{\"queued\": %zu, \"waiting_for_repeat\": %zu, \"under_way\": %u, \"sent\": %llu, \"answered\": %llu, "
             "\"refused\": %llu, \"repeated\": %llu, \"given_up\": %llu, \"not_found\": %llu, \"dropped\": %llu, "
             "\"last_status\": %d}\n",
             sim->ready.count, sim->repeats.count, sim->in_flight, (unsigned long long)sum.sent,
             (unsigned long long)sum.answered, (unsigned long long)sum.refused, (unsigned long long)sum.repeated,
             (unsigned long long)sum.given_up, (unsigned long long)sum.not_found, (unsigned long long)sum.dropped,
             sum.last_status);
}

/* Whether a request's body is read slowly is drawn before anybody can know whose it is. */
static unsigned read_rate(void *owner)
{
    struct simulator *sim = owner;
    const struct lab_behaviour *b = &sim->lab->b;

    return b->slow_read > 0 && lab_draw(sim->lab->seed, sim->heads++, 110) < b->slow_read ? (unsigned)b->slow_bytes_s
                                                                                          : 0;
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
                                   .now_ms = now_of(sim) };
    struct lab_reply reply;
    bool taken = false;

    lab_reply_init(&reply);
    if (strncmp(in->path, "/lab/", 5) == 0 && !may_administer(sim, exchange, in->peer)) {
        reply.status = 403;
        reply.content_type = "application/json";
        buf_adds(&reply.body, "{\"error\": \"/lab/ is for loopback, or with the token\"}\n");
    } else if (strcmp(in->path, "/lab/callbacks") == 0) {
        callbacks_state(sim, in->query, &reply);
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
                                            .timeout_s = 120,
                                            .read_rate = read_rate };
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
    if (sim->lab != NULL) /* as the service's ids, they never come again: not after a restart either */
        sim->lab->next_answer = sim->lab->first_answer =
            (uint64_t)(sim->wall0_ms / 1000 - ANSWERS_SINCE_S) * ANSWERS_PER_S % ANSWER_IDS + 1;
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

int simulator_behaviour_read(struct simulator *sim, const char *login, struct buf *out)
{
    struct lab *account = lab_account_named(sim->lab, login);

    if (account == NULL)
        return ERR_NOT_FOUND;
    show_clock(sim);
    lab_settings_read(account, out);
    return 0;
}

int simulator_behaviour_write(struct simulator *sim, const char *login, const char *json, size_t len, char why[256])
{
    struct lab *account = lab_account_named(sim->lab, login);

    if (account == NULL) {
        (void)snprintf(why, 256, "there is no account \"%.60s\"", login);
        return ERR_NOT_FOUND;
    }
    show_clock(sim);
    int err = lab_settings_write(account, json, len, why);

    clock_changed(sim);
    pump(sim);
    arm(sim);
    return err;
}

int simulator_add_account(struct simulator *sim, const char *json, size_t len, char why[256])
{
    show_clock(sim);
    return lab_add_account(sim->lab, json, len, why);
}

int simulator_incoming(struct simulator *sim, const char *login, const char *phone, const char *to, const char *text,
                       const char *sms_id)
{
    struct lab *account = lab_account_named(sim->lab, login);
    int err = account == NULL ? ERR_NOT_FOUND : lab_incoming(account, phone, to, text, sms_id, now_of(sim));

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
