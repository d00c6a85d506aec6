/* SPDX-License-Identifier: MIT */
/*
 * session.c - what one session does with PDUs, deadlines and the end.
 *
 * Legality is dispatch.c's, states are session_fsm.c's, bytes are link.c's. Ending marks: the session closes its link and
 * leaves its slot, so tickets and callers above find it gone, but its memory stays until libuv has called back, and only
 * then is the owner told of the unbind (a call into the room never calls up).
 */
#include "smpp/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    BINDS_MAX = 3,         /* failed ones on a connection */
    FINISH_MS = 1000,      /* answers owed to a peer that unbinds get this long */
    LINGER_MS = 1000,      /* for the peer to close first */
    WINDOW_DEFAULT = 1000, /* smpp_grant.window */
    DELIVER_DEFAULT = 10,  /* smpp_grant.deliver_window */
    BIND_BYTES = 2 * SMPP_UNBOUND_MAX,
    PATIENCE_MS = 10000 /* where response_timeout is off but something must end */
};

struct smpp_outbind {
    char system_id[SMPP_ID_MAX + 1];
    char password[SMPP_ID_MAX + 1];
};

#define SESSION_OF(member, at) ((struct smpp_session *)((char *)(at)-offsetof(struct smpp_session, member)))

static void on_alarm(struct smpp_alarm *alarm, uint64_t now_ms);
static void ask_about_bind_again(struct smpp_session *s);

static uint64_t now_of(const struct smpp_session *s)
{
    return smpp_turn_now_ms(s->server->turn);
}

static uint64_t patience_ms(const struct smpp_session *s)
{
    uint64_t ms = s->server->opts.response_timeout_ms;

    return ms == 0 ? PATIENCE_MS : ms;
}

const struct smpp_session_info *smpp_session_facts(struct smpp_session *s)
{
    s->info.in_window = s->in_count;
    s->info.out_window = s->window.count;
    s->info.last_in_ms = s->last_in_ms;
    return &s->info;
}

void smpp_session_trouble(struct smpp_session *s, const char *what)
{
    if (s->server->ops->on_trouble != NULL && !s->server->ended)
        s->server->ops->on_trouble(s->server->owner, smpp_session_facts(s), what);
}

/* ---- output ---- */

/* Something ended it inside a call into the room: the alarm says so later. */
static void doom(struct smpp_session *s, const char *why)
{
    if (s->doom == NULL)
        s->doom = why;
    smpp_alarm_set(s->server->turn, &s->alarm, now_of(s));
}

/* The PDU from `start` on has been appended. */
static void queued(struct smpp_session *s, size_t start)
{
    struct buf *out = &s->link.out;

    if (!smpp_link_queued(&s->link)) {
        doom(s, "peer does not read");
        return;
    }
    s->info.pdus_out++;
    if (s->server->ops->on_pdu != NULL)
        s->server->ops->on_pdu(s->server->owner, smpp_session_facts(s), true, (const uint8_t *)out->data + start,
                               out->len - start);
}

bool smpp_session_can_answer(const struct smpp_session *s)
{
    return s->state != ST_LINGER && s->state != ST_CLOSED;
}

/* Written here and not by the codec: the answers nearly all traffic is made of have no fields worth checking. */
void smpp_session_put(struct smpp_session *s, uint32_t command_id, uint32_t status, uint32_t sequence_number,
                      const char *message_id)
{
    if (s->state == ST_CLOSED)
        return;

    struct buf *out = smpp_link_out(&s->link);
    size_t start = out->len;
    size_t id_len = message_id == NULL ? 0 : strlen(message_id) + 1;
    bool list = id_len > 0 && command_id == (CMD_SUBMIT_MULTI | CMD_RESPONSE); /* no_unsuccess follows: 0 */
    size_t len = SMPP_HEADER_BYTES + id_len + list;
    char *to = buf_reserve(out, len);

    if (to != NULL) {
        struct writer w = writer_over(to, len);

        write_u32(&w, (uint32_t)len);
        write_u32(&w, command_id);
        write_u32(&w, status);
        write_u32(&w, sequence_number);
        write_bytes(&w, message_id, id_len);
        if (list)
            write_u8(&w, 0);
        out->len += len;
    }
    queued(s, start);
}

int smpp_session_put_pdu(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    struct buf *out = smpp_link_out(&s->link);
    size_t start = out->len;
    bool failed = out->failed;
    int rc = smpp_pdu_write(pdu, out);

    if (rc != 0) {
        out->failed = failed; /* nothing was appended: nobody has lost an answer yet */
        return rc;
    }
    queued(s, start);
    return 0;
}

void smpp_session_answered(struct smpp_session *s)
{
    assert(s->in_count > 0); /* a ticket is answered once */
    s->in_count--;
    if (s->in_count == 0 && s->state == ST_FINISHING)
        smpp_session_step(s, EV_ANSWERED);
}

void smpp_session_ask(struct smpp_session *s, uint64_t now_ms)
{
    smpp_session_put(s, CMD_ENQUIRE_LINK, STATUS_ROK, smpp_window_next(&s->window), NULL);
    s->asked++;
    s->asked_until_ms = now_ms + patience_ms(s);
}

static void send_outbind(struct smpp_session *s)
{
    struct smpp_pdu pdu = { .command_id = CMD_OUTBIND, .has_body = true };

    pdu.sequence_number = smpp_window_next(&s->window);
    pdu.bind.system_id = smpp_str(s->outbind->system_id);
    pdu.bind.password = smpp_str(s->outbind->password);
    if (smpp_session_put_pdu(s, &pdu) != 0)
        smpp_session_end(s, "outbind: credentials too long");
}

/* ---- states and the end ---- */

void smpp_session_step(struct smpp_session *s, enum smpp_event event)
{
    struct smpp_step step = smpp_fsm_step(s->state, event);
    uint64_t now_ms = now_of(s);

    assert(step.next != ST_NONE);
    if (step.actions & DO_CLOSE) {
        smpp_session_end(s, s->why == NULL ? "closed" : s->why);
        return;
    }
    s->state = step.next;
    if (step.actions & DO_SEND_UNBIND) {
        s->our_unbind = smpp_window_next(&s->window);
        smpp_session_put(s, CMD_UNBIND, STATUS_ROK, s->our_unbind, NULL);
        s->until_ms = now_ms + patience_ms(s);
    }
    if ((step.actions & DO_ANSWER) && s->owes_unbind) {
        smpp_session_put(s, CMD_UNBIND | CMD_RESPONSE, STATUS_ROK, s->peer_unbind, NULL);
        s->owes_unbind = false;
    }
    if (step.actions & DO_FINISH) {
        s->until_ms = now_ms + FINISH_MS;
        if (s->in_count == 0) {
            smpp_session_step(s, EV_ANSWERED);
            return;
        }
    }
    if (step.actions & DO_LINGER) {
        s->until_ms = now_ms + LINGER_MS;
        /* A peer that unbound closes first, or we do after a second; in all other cases it waits for us. */
        if (s->our_unbind != 0 || event == EV_HANG_UP)
            smpp_link_shutdown(&s->link);
    }
    smpp_session_rearm(s);
}

void smpp_session_hang_up(struct smpp_session *s, const char *why)
{
    if (s->state == ST_CLOSED)
        return;
    if (s->why == NULL)
        s->why = why;
    smpp_link_deafen(&s->link);
    smpp_session_step(s, EV_HANG_UP);
}

static void deliver_ended(struct smpp_session *s, uint64_t cookie, enum smpp_deliver_end how, uint32_t status)
{
    if (!s->server->ended)
        s->server->ops->on_deliver_end(s->server->owner, smpp_session_facts(s), cookie, how, status);
}

void smpp_session_end(struct smpp_session *s, const char *why)
{
    uint64_t cookie;

    if (s->state == ST_CLOSED)
        return;
    s->state = ST_CLOSED;
    if (s->why == NULL)
        s->why = why;
    smpp_alarm_set(s->server->turn, &s->alarm, UINT64_MAX);
    smpp_server_release(s->server, s);
    smpp_link_close(&s->link);
    while (smpp_window_take_newest(&s->window, &cookie))
        deliver_ended(s, cookie, SMPP_DELIVER_LOST, 0);
}

static void on_closed(struct smpp_link *link)
{
    struct smpp_session *s = SESSION_OF(link, link);
    struct smpp_server *server = s->server;

    if (!server->ended) {
        if (!s->was_bound)
            smpp_session_trouble(s, s->why);
        else
            server->ops->on_unbound(server->owner, smpp_session_facts(s), s->why);
    }
    smpp_server_reap(server, s);
}

int smpp_session_outbind(struct smpp_session *s, const char *system_id, const char *password)
{
    if (strlen(system_id) > SMPP_ID_MAX || strlen(password) > SMPP_ID_MAX)
        return ERR_RANGE;
    s->outbind = calloc(1, sizeof *s->outbind);
    if (s->outbind == NULL)
        return ERR_NOMEM;
    memcpy(s->outbind->system_id, system_id, strlen(system_id));
    memcpy(s->outbind->password, password, strlen(password));
    return 0;
}

void smpp_session_start(struct smpp_session *s)
{
    s->alarm.ring = on_alarm;
    s->state = ST_OPEN;
    s->alarm.at_ms = s->until_ms = s->probed_until_ms = s->paused_until_ms = s->bind_again_ms = UINT64_MAX;
    buf_init(&s->bind, BIND_BYTES);
    s->connected_ms = s->last_in_ms = now_of(s);
    s->info.system_id = s->info.system_type = s->info.address_range = "";
    s->info.address = s->link.address;
    smpp_window_init(&s->window, 1);
    smpp_session_rearm(s);
}

void smpp_session_finish(struct smpp_session *s)
{
    smpp_window_finish(&s->window);
    buf_finish(&s->bind);
    free(s->names);
    free(s->outbind);
}

/* ---- deadlines ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t after(uint64_t from_ms, uint64_t timeout_ms)
{
    return timeout_ms == 0 ? UINT64_MAX : from_ms + timeout_ms;
}

static uint64_t next_deadline(const struct smpp_session *s)
{
    const struct smpp_server_opts *opts = &s->server->opts;
    uint64_t at = sooner(s->probed_until_ms, s->paused_until_ms);

    if (s->state == ST_OPEN)
        return sooner(sooner(at, s->bind_again_ms), after(s->connected_ms, opts->bind_timeout_ms));
    at = sooner(at, s->window.earliest_ms);
    if (!smpp_state_is_bound(s->state))
        return sooner(at, s->until_ms);
    at = sooner(at, after(s->last_in_ms, opts->inactivity_timeout_ms));
    return sooner(at, s->asked > 0 ? s->asked_until_ms : after(s->last_in_ms, opts->enquire_link_interval_ms));
}

void smpp_session_rearm(struct smpp_session *s)
{
    if (s->state == ST_CLOSED || s->doom != NULL)
        return;

    uint64_t at = next_deadline(s);

    /* A deadline put off is left: the alarm rings too early, looks and is set again. */
    if (at < s->alarm.at_ms)
        smpp_alarm_set(s->server->turn, &s->alarm, at);
}

static void time_out(struct smpp_session *s, const char *what)
{
    smpp_session_trouble(s, what);
    smpp_session_end(s, what);
}

static void look_at_silence(struct smpp_session *s, uint64_t now_ms)
{
    const struct smpp_server_opts *opts = &s->server->opts;

    if (now_ms >= after(s->last_in_ms, opts->inactivity_timeout_ms)) {
        smpp_session_trouble(s, "inactive");
        if (smpp_state_is_bound(s->state)) {
            s->why = "inactive";
            smpp_session_step(s, EV_UNBIND);
        }
    } else if (s->asked > 0 && now_ms >= s->asked_until_ms) {
        /* Two unanswered, each with its own time to be answered: one lost answer does not end a session. */
        if (s->asked >= 2)
            time_out(s, "enquire_link unanswered");
        else
            smpp_session_ask(s, now_ms);
    } else if (s->asked == 0 && now_ms >= after(s->last_in_ms, opts->enquire_link_interval_ms)) {
        smpp_session_ask(s, now_ms);
    }
}

static void look_at_output(struct smpp_session *s, uint64_t now_ms)
{
    size_t unsent = smpp_link_unsent(&s->link);

    if (!s->link.paused) {
        s->paused_until_ms = UINT64_MAX;
    } else if (unsent < s->paused_unsent) {
        s->paused_unsent = unsent; /* slow, but it takes our bytes */
        s->paused_until_ms = now_ms + patience_ms(s);
    } else {
        time_out(s, "peer does not read");
    }
}

static void look_at_window(struct smpp_session *s, uint64_t now_ms)
{
    uint64_t cookie;

    while (s->state != ST_CLOSED && smpp_window_take_due(&s->window, now_ms, &cookie)) {
        smpp_session_trouble(s, "deliver unanswered");
        deliver_ended(s, cookie, SMPP_DELIVER_TIMED_OUT, 0);
    }
}

static void on_alarm(struct smpp_alarm *alarm, uint64_t now_ms)
{
    struct smpp_session *s = SESSION_OF(alarm, alarm);

    if (s->doom != NULL) {
        time_out(s, s->doom);
        return;
    }
    look_at_window(s, now_ms);
    if (s->state == ST_OPEN && now_ms >= after(s->connected_ms, s->server->opts.bind_timeout_ms))
        time_out(s, "bind timeout");
    if (s->state == ST_OPEN && now_ms >= s->bind_again_ms)
        ask_about_bind_again(s);
    if (s->state != ST_CLOSED && now_ms >= s->probed_until_ms)
        time_out(s, "enquire_link unanswered");
    if (s->state != ST_CLOSED && now_ms >= s->paused_until_ms)
        look_at_output(s, now_ms);
    if (smpp_state_is_bound(s->state))
        look_at_silence(s, now_ms);
    else if (s->state == ST_FINISHING && now_ms >= s->until_ms)
        smpp_session_step(s, EV_ANSWERED);
    else if (s->state != ST_CLOSED && s->state != ST_OPEN && now_ms >= s->until_ms)
        smpp_session_step(s, EV_LOST);
    smpp_session_rearm(s);
}

/* ---- calls from the link ---- */

static void on_connected(struct smpp_link *link, int status)
{
    struct smpp_session *s = SESSION_OF(link, link);

    if (status != 0) {
        smpp_session_end(s, "outbind: no connection");
    } else if (s->outbind != NULL) {
        send_outbind(s);
    } else if (!smpp_server_admit(s->server, s)) {
        smpp_session_end(s, "too many connections from address");
    }
}

static void on_pdu(struct smpp_link *link, const uint8_t *pdu, size_t len)
{
    struct smpp_session *s = SESSION_OF(link, link);

    s->info.pdus_in++;
    if (s->server->ops->on_pdu != NULL)
        s->server->ops->on_pdu(s->server->owner, smpp_session_facts(s), false, pdu, len);
    if (s->state != ST_CLOSED)
        smpp_dispatch(s, pdu, len);
}

static void on_read_done(struct smpp_link *link)
{
    struct smpp_session *s = SESSION_OF(link, link);

    /* Half a PDU is a sign of life as well. */
    s->last_in_ms = now_of(s);
    s->asked = 0;
    s->probed_until_ms = UINT64_MAX;
}

/* The first four bytes of another protocol: text (HTTP, SSH, a PROXY header nobody expects) or a TLS record. */
static bool is_foreign(uint32_t length)
{
    if ((length >> 16) == 0x1603)
        return true;
    for (int shift = 0; shift < 32; shift += 8) {
        uint8_t c = (uint8_t)(length >> shift);

        if ((c < 0x20 || c > 0x7E) && c != '\r' && c != '\n')
            return false;
    }
    return true;
}

static void on_broken(struct smpp_link *link, int err)
{
    struct smpp_session *s = SESSION_OF(link, link);
    const struct smpp_framer *f = &link->framer;

    if (err != ERR_RANGE) {
        smpp_session_end(s, "out of memory");
    } else if (s->state == ST_OPEN && s->info.pdus_in == 0 && is_foreign(f->bad_length)) {
        smpp_session_end(s, "not SMPP"); /* quietly: an answer would mean nothing to it */
    } else {
        smpp_session_trouble(s, "framing lost");
        smpp_session_put(s, CMD_GENERIC_NACK, STATUS_RINVCMDLEN, f->bad_sequence, NULL);
        smpp_session_hang_up(s, "framing lost");
    }
}

static void on_paused(struct smpp_link *link)
{
    struct smpp_session *s = SESSION_OF(link, link);

    s->paused_unsent = smpp_link_unsent(link);
    s->paused_until_ms = now_of(s) + patience_ms(s);
    smpp_session_trouble(s, "peer does not read");
    smpp_session_rearm(s);
}

static void on_flushed(struct smpp_link *link)
{
    UNUSED(link); /* the pause ends in the link; the deadline finds out by itself */
}

static void on_end(struct smpp_link *link, const char *why)
{
    smpp_session_end(SESSION_OF(link, link), why);
}

const struct smpp_link_ops smpp_session_link_ops = {
    .on_connected = on_connected,
    .on_pdu = on_pdu,
    .on_broken = on_broken,
    .on_read_done = on_read_done,
    .on_paused = on_paused,
    .on_flushed = on_flushed,
    .on_end = on_end,
    .on_closed = on_closed,
};

/* ---- requests ---- */

static enum smpp_bind_type bind_type(uint32_t command_id)
{
    return command_id == CMD_BIND_TRANSMITTER ? SMPP_BIND_TX
           : command_id == CMD_BIND_RECEIVER  ? SMPP_BIND_RX
                                              : SMPP_BIND_TRX;
}

static const char *place(char **at, struct smpp_str text)
{
    const char *placed = *at;

    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return placed;
}

static bool keep_names(struct smpp_session *s, const struct smpp_bind *bind)
{
    s->names = malloc(bind->system_id.len + bind->system_type.len + bind->address_range.len + 3);
    if (s->names == NULL)
        return false;

    char *at = s->names;

    s->info.system_id = place(&at, bind->system_id);
    s->info.system_type = place(&at, bind->system_type);
    s->info.address_range = place(&at, bind->address_range);
    return true;
}

static uint32_t limited(uint32_t wanted, uint32_t otherwise, uint32_t max)
{
    wanted = wanted == 0 ? otherwise : wanted;
    return wanted > max ? max : wanted;
}

static void answer_bind(struct smpp_session *s, const struct smpp_pdu *request, uint8_t announced)
{
    struct smpp_pdu pdu = { .command_id = request->command_id | CMD_RESPONSE,
                            .sequence_number = request->sequence_number,
                            .has_body = true };
    uint8_t version = announced != 0 ? announced : s->info.interface_version;

    pdu.bind.system_id = smpp_str(s->server->opts.system_id);
    if (s->info.interface_version >= 0x34)
        smpp_tlv_add(&pdu, TAG_SC_INTERFACE_VERSION, &version, 1);
    if (smpp_session_put_pdu(s, &pdu) != 0) /* our own name is too long for the PDU: leave it out */
        smpp_session_put(s, pdu.command_id, STATUS_ROK, pdu.sequence_number, "");
}

static void bind_failed(struct smpp_session *s, const struct smpp_pdu *pdu, uint32_t status)
{
    s->info.type = SMPP_BIND_NONE;
    s->failed_binds++;
    smpp_session_put(s, pdu->command_id | CMD_RESPONSE, status, pdu->sequence_number, NULL);
    if (status == STATUS_RBINDFAIL || s->failed_binds >= BINDS_MAX)
        smpp_session_hang_up(s, "bind refused");
}

/* Not decided: the bind is kept as bytes, for its views die. False: no memory for it. */
static bool bind_waits(struct smpp_session *s, const struct smpp_pdu *pdu, uint32_t again_ms)
{
    if (s->bind.len == 0 && smpp_pdu_write(pdu, &s->bind) != 0)
        return false;
    s->info.bind_asked++;
    s->bind_again_ms = now_of(s) + again_ms;
    smpp_session_rearm(s);
    return true;
}

static void decide_bind(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    struct smpp_server *server = s->server;
    struct smpp_grant grant = { 0 };
    uint8_t version = pdu->bind.interface_version;

    s->info.interface_version = version <= 0x33 ? 0x33 : version == 0x50 ? 0x50 : 0x34;
    s->info.type = bind_type(pdu->command_id);

    uint32_t status = server->ops->on_bind(server->owner, &pdu->bind, smpp_session_facts(s), &grant);

    if (s->state != ST_OPEN)
        return; /* closed from above while it was thinking */
    if (status == SMPP_LATER) {
        if (bind_waits(s, pdu, grant.again_ms))
            return;
        status = STATUS_RSYSERR;
    }
    s->info.bind_asked = 0;
    if (status == STATUS_ROK && !keep_names(s, &pdu->bind))
        status = STATUS_RSYSERR;
    if (status != STATUS_ROK) {
        bind_failed(s, pdu, status);
        return;
    }
    s->info.account = grant.account;
    s->in_limit = limited(grant.window, WINDOW_DEFAULT, UINT32_MAX);
    smpp_window_limit(&s->window, limited(grant.deliver_window, DELIVER_DEFAULT, SMPP_WINDOW_MAX));
    smpp_framer_limit(&s->link.framer, (uint32_t)server->opts.max_pdu_bytes);
    s->was_bound = true;
    answer_bind(s, pdu, grant.announced);
    smpp_session_step(s, s->info.type == SMPP_BIND_TX   ? EV_BOUND_TX
                         : s->info.type == SMPP_BIND_RX ? EV_BOUND_RX
                                                        : EV_BOUND_TRX);
    server->ops->on_bound(server->owner, smpp_session_facts(s));
}

static void ask_about_bind_again(struct smpp_session *s)
{
    struct smpp_pdu pdu;
    uint32_t status;

    s->bind_again_ms = UINT64_MAX;
    if (smpp_pdu_open((const uint8_t *)s->bind.data, s->bind.len, NULL, &pdu, &status) != SMPP_OPEN_OK) {
        smpp_session_end(s, "bind lost"); /* we wrote it ourselves: cannot happen */
        return;
    }
    decide_bind(s, &pdu);
    if (s->bind_again_ms == UINT64_MAX)
        buf_finish(&s->bind); /* decided: its views are not needed any more */
}

uint32_t smpp_handle_bind(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    if (s->bind_again_ms != UINT64_MAX)
        return STATUS_RINVBNDSTS; /* one at a time */
    decide_bind(s, pdu);
    return SMPP_LATER; /* answered, or will be */
}

uint32_t smpp_handle_unbind(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    if (s->state == ST_FINISHING && s->owes_unbind)
        return STATUS_ROK; /* a repeat: the first is answered in its turn */
    s->peer_unbind = pdu->sequence_number;
    s->owes_unbind = true;
    if (s->state == ST_FINISHING)
        return SMPP_LATER; /* after the answer to ours */
    if (s->why == NULL)
        s->why = "unbound by peer";
    smpp_session_step(s, EV_PEER_UNBIND);
    return SMPP_LATER; /* with EV_ANSWERED */
}

uint32_t smpp_handle_enquire_link(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    UNUSED(s);
    UNUSED(pdu);
    return STATUS_ROK;
}

uint32_t smpp_handle_outbind(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    UNUSED(pdu);
    smpp_session_trouble(s, "outbind from a peer"); /* it has the roles mixed up; nothing to answer [SMPP34 4.1.7] */
    return SMPP_LATER;
}

uint32_t smpp_handle_message(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    struct smpp_server *server = s->server;
    struct smpp_ticket ticket = { s->info.ref, pdu->sequence_number, pdu->command_id };

    /* Counted before the call: the owner may answer by ticket inside it. */
    s->in_count++;

    uint32_t status = server->ops->on_request(server->owner, &ticket, smpp_session_facts(s), pdu);

    if (status != SMPP_LATER && s->state != ST_CLOSED)
        s->in_count--;
    return status;
}

/* ---- responses ---- */

void smpp_handle_response(struct smpp_session *s, const struct smpp_pdu *header)
{
    uint64_t cookie;
    bool nacked = header->command_id == CMD_GENERIC_NACK;

    switch (header->command_id) {
    case CMD_DELIVER_SM | CMD_RESPONSE:
    case CMD_DATA_SM | CMD_RESPONSE:
    case CMD_GENERIC_NACK:
        if (smpp_window_answer(&s->window, header->sequence_number, &cookie)) {
            deliver_ended(s, cookie, nacked ? SMPP_DELIVER_NACKED : SMPP_DELIVER_ANSWERED, header->command_status);
            return;
        }
        break;
    case CMD_ENQUIRE_LINK | CMD_RESPONSE:
        return; /* a sign of life like any other PDU */
    default:
        break;
    }
    /* A nack to our unbind ends the session as well as its answer would. */
    if ((s->state == ST_UNBINDING || s->state == ST_FINISHING) && s->our_unbind != 0 &&
        (header->command_id == (CMD_UNBIND | CMD_RESPONSE) || (nacked && header->sequence_number == s->our_unbind)))
        smpp_session_step(s, EV_UNBIND_RESP);
    else
        smpp_session_trouble(s, "answer nobody waits for");
}
