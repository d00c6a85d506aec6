/* internal.h - the server behind smpp/server.h, for server.c, session.c and dispatch.c. */
#ifndef SMPP_INTERNAL_H
#define SMPP_INTERNAL_H

#include "smpp/peers.h"
#include "smpp/session.h"

struct smpp_slot {
    struct smpp_session *session; /* NULL: free */
    uint32_t generation;          /* of the session in it, or of the next one */
    uint32_t next_free;
};

struct smpp_listener {
    uv_tcp_t tcp;
    uv_timer_t again; /* a connection waits that there was no memory to turn away */
    unsigned handles; /* not closed yet */
    struct smpp_listener *next;
    struct smpp_server *server;
    bool tls;
    bool closing;
};

struct smpp_server {
    struct smpp_turn *turn;
    struct smpp_server_opts opts;
    char *system_id; /* opts.system_id points at it */
    const struct smpp_server_ops *ops;
    void *owner;
    struct smpp_tls_context *tls; /* NULL until smpp_server_tls */
    struct smpp_listener *listeners;
    struct smpp_slot *slots;
    uint32_t slot_count;
    uint32_t free_slot; /* NO_SLOT: none */
    uint32_t live;      /* sessions in slots */
    uint32_t linked;    /* sessions in memory: live, and those libuv has not let go of */
    uint64_t last_n;
    struct smpp_peers peers;
    struct smpp_dest dests[SMPP_DESTS_MAX]; /* of the submit_multi being handled */
    struct smpp_alarm drain_alarm;
    struct smpp_chore drain_chore;
    void (*on_drained)(void *owner);
    bool draining;
    bool takes_last; /* smpp_server_take_last */
    bool ended;      /* destroyed: no calls up any more */
};

/* The session's slot is free again and its tickets are void. */
void smpp_server_release(struct smpp_server *server, struct smpp_session *session);
/* The session's link has let go: frees it. */
void smpp_server_reap(struct smpp_server *server, struct smpp_session *session);
/* The peer of a PROXY connection is known now. False: it has too many connections. */
bool smpp_server_admit(struct smpp_server *server, struct smpp_session *session);

#endif
