/* SPDX-License-Identifier: MIT */
/*
 * upgrade.c - the old process's side of an upgrade, step by step.
 *
 * Invariant: up to LEAVING everything can be taken back and is, when the new process ends; from then on the way leads to
 * a process that serves: the new one, or this program begun anew.
 */
#include "gateway/upgrade.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/notify.h"

enum stage {
    IDLE,
    CHECKING, /* the new process reads its configuration */
    HOLDING,  /* it waits; this one lets work end and serves */
    LEAVING,  /* sessions are being unbound, the store flushed */
    GIVEN     /* the store is the new one's */
};

struct upgrade {
    uv_loop_t *loop;
    struct gateway *gw;
    const struct sockets *sockets;
    struct handover *handover; /* NULL: no new process, or it has ended */
    enum stage stage;
    bool stopping; /* somebody wants the service to end */
    void (*on_stopped)(void *owner);
    void (*on_over)(void *owner, enum upgrade_end how);
    void *owner;
    gateway_upgrade_fn *done; /* who asked; NULL answered */
    void *done_owner;
    char last_why[256]; /* of the last one that failed */
    struct gateway_upgrader upgrader;
};

static void answer(struct upgrade *u, int pid, const char *why)
{
    gateway_upgrade_fn *done = u->done;

    u->done = NULL;
    if (done != NULL)
        done(u->done_owner, pid, why);
}

static void end_handover(struct upgrade *u)
{
    handover_destroy(u->handover);
    u->handover = NULL;
}

static void on_stopped(void *owner)
{
    struct upgrade *u = owner;

    u->on_stopped(u->owner); /* the store is closed now */
    u->gw = NULL;
    if (u->handover == NULL) {
        u->on_over(u->owner, u->stopping ? UPGRADE_STOPPED : UPGRADE_FAILED);
        return;
    }
    u->stage = GIVEN;
    handover_give(u->handover);
}

static void on_good(void *owner)
{
    struct upgrade *u = owner;

    if (u->stage != CHECKING)
        return;
    log_info("upgrade: the new process is ready to take over", "pid=%d", handover_pid(u->handover));
    u->stage = HOLDING;
    u->last_why[0] = '\0';
    answer(u, handover_pid(u->handover), NULL);
    gateway_hand_over(u->gw, on_stopped, u);
}

static void on_serving(void *owner)
{
    struct upgrade *u = owner;

    log_info("upgrade: the new process serves, this one ends", "pid=%d", handover_pid(u->handover));
    notify_say("MAINPID=%d", handover_pid(u->handover));
    end_handover(u);
    u->on_over(u->owner, UPGRADE_TAKEN);
}

static void on_failed(void *owner, const char *why)
{
    struct upgrade *u = owner;
    enum stage stage = u->stage;

    end_handover(u);
    if (u->stopping) {
        if (stage == GIVEN)
            u->on_over(u->owner, UPGRADE_STOPPED);
        return;
    }
    snprintf(u->last_why, sizeof u->last_why, "%s", why);
    if (stage == GIVEN) {
        log_error("upgrade failed: this program begins anew", "reason=%s", why);
        u->on_over(u->owner, UPGRADE_FAILED);
        return;
    }
    if (stage == LEAVING || (stage == HOLDING && !gateway_hand_back(u->gw))) {
        log_error("upgrade failed: this program begins anew when it has let go", "reason=%s", why);
        u->stage = LEAVING;
        return;
    }
    u->stage = IDLE;
    log_error("upgrade failed: nothing has been changed", "reason=%s", why);
    answer(u, 0, why);
}

static const struct handover_ops ops = { on_good, on_serving, on_failed };

static int start(void *owner, gateway_upgrade_fn *done, void *done_owner, char why[256])
{
    struct upgrade *u = owner;

    if (u->stage != IDLE)
        snprintf(why, 256, "an upgrade is under way");
    else if (gateway_is_draining(u->gw))
        snprintf(why, 256, "the gateway is stopping");
    else if (getpid() == 1)
        snprintf(why, 256, "as the first process of a container it would end the container: replace the container");
    else if (handover_start(u->loop, u->sockets, &ops, u, &u->handover, why) == 0) {
        log_info("upgrade: a new process checks its configuration", "pid=%d", handover_pid(u->handover));
        u->stage = CHECKING;
        u->done = done;
        u->done_owner = done_owner;
        return 0;
    }
    log_warn("upgrade refused", "reason=%s", why);
    return ERR_STATE;
}

static const char *state(void *owner)
{
    struct upgrade *u = owner;

    switch (u->stage) {
    case IDLE:
        return u->last_why[0] == '\0' ? "" : u->last_why;
    case CHECKING:
        return "checking";
    default:
        return "handing over";
    }
}

void upgrade_begin(struct upgrade *u)
{
    char why[256];

    (void)start(u, NULL, NULL, why); /* which has said why not */
}

bool upgrade_stop(struct upgrade *u)
{
    if (u == NULL || u->stage == IDLE)
        return false;
    u->stopping = true;
    if (u->stage == GIVEN) {
        kill(handover_pid(u->handover), SIGTERM); /* it drains; its end is ours */
        return true;
    }
    if (u->handover != NULL)
        handover_cancel(u->handover);
    if (u->stage == HOLDING && !gateway_hand_back(u->gw))
        u->stage = LEAVING;
    if (u->stage == LEAVING)
        return true;
    /* nothing is given up yet: the gateway drains as ever, the new process is gone before that ends */
    end_handover(u);
    u->stage = IDLE;
    answer(u, 0, "the gateway is stopping");
    return false;
}

struct upgrade *upgrade_create(uv_loop_t *loop, struct gateway *gw, const struct sockets *sockets,
                               void (*stopped)(void *owner), void (*on_over)(void *owner, enum upgrade_end how),
                               void *owner)
{
    struct upgrade *u = calloc(1, sizeof *u);

    if (u == NULL)
        return NULL;
    u->loop = loop;
    u->gw = gw;
    u->sockets = sockets;
    u->on_stopped = stopped;
    u->on_over = on_over;
    u->owner = owner;
    u->upgrader = (struct gateway_upgrader){ u, start, state };
    gateway_set_upgrader(gw, &u->upgrader);
    return u;
}

void upgrade_destroy(struct upgrade *u)
{
    if (u == NULL)
        return;
    end_handover(u);
    free(u);
}
