/*
 * link.h - one TCP connection that carries PDUs: framing, one write per loop turn, ceilings, TLS and PROXY headers.
 *
 * Both sides use it: a session of the server and the client embed one each. It knows where PDUs begin and end and
 * nothing of what they mean. Input is read always, with two exceptions: the peer does not take our output (above
 * max_output_bytes), or more PDUs came at once than one turn may take, then the rest waits for the next turn.
 */
#ifndef SMPP_LINK_H
#define SMPP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "smpp/framer.h"
#include "smpp/tls.h"
#include "smpp/turn.h"

enum { SMPP_PDUS_PER_TURN = 256, SMPP_ADDRESS_SIZE = 64, SMPP_OUTPUT_DEFAULT = 1024 * 1024 };

struct smpp_link;
struct smpp_link_write;

/* Calls up. Any of them may close the link. */
struct smpp_link_ops {
    /* Connected out (0 or a negative uv error), or a PROXY header has named the peer of an accepted link. */
    void (*on_connected)(struct smpp_link *link, int status);
    /* One whole PDU; the bytes die on return. */
    void (*on_pdu)(struct smpp_link *link, const uint8_t *pdu, size_t len);
    /* Where the next PDU starts is unknown (ERR_RANGE: see framer.bad_length), or ERR_NOMEM. No more on_pdu. */
    void (*on_broken)(struct smpp_link *link, int err);
    /* A read event and all its PDUs have been handled. */
    void (*on_read_done)(struct smpp_link *link);
    /* The peer does not take our output: reading has stopped until it does. */
    void (*on_paused)(struct smpp_link *link);
    /* All output has been given to the operating system. */
    void (*on_flushed)(struct smpp_link *link);
    /* End of input or an error, a phrase. The link is not closed by that. */
    void (*on_end)(struct smpp_link *link, const char *why);
    /* After smpp_link_close: the memory may go. Last call. */
    void (*on_closed)(struct smpp_link *link);
};

struct smpp_link {
    uv_tcp_t tcp;
    const struct smpp_link_ops *ops;
    struct smpp_turn *turn;
    struct smpp_framer framer;
    struct smpp_tls *tls;            /* NULL: plain */
    struct buf out;                  /* PDUs queued in this turn */
    struct buf cipher;               /* only with tls: records not given to libuv yet */
    struct smpp_link_write *writing; /* NULL: libuv holds nothing of ours */
    struct buf held;                 /* input for the next turn, or half a PROXY header */
    size_t held_at;
    size_t max_output_bytes; /* SIZE_MAX: reading never pauses, the owner bounds what it queues */
    struct smpp_chore flush;
    struct smpp_chore resume;
    unsigned budget;  /* PDUs this turn may still take */
    unsigned pending; /* things libuv will still call back for; the link may go at 0 */
    void *resolving;  /* uv_getaddrinfo_t under way */
    bool reading, paused, deaf, failed, closing, proxy;
    bool more;                       /* TLS holds plaintext for the next turn */
    bool shutting;                   /* the end of our stream is wanted when all has been sent */
    char address[SMPP_ADDRESS_SIZE]; /* the peer: "127.0.0.1:51234"; behind a PROXY header the real one */
    uint8_t ip[16];                  /* the same without port, IPv4 mapped */
};

/* 0 or ERR_NOMEM / ERR_IO; on failure nothing needs closing. `out_max` 0: the default. */
int smpp_link_init(struct smpp_link *link, struct smpp_turn *turn, const struct smpp_link_ops *ops,
                   size_t max_output_bytes, uint32_t max_pdu_bytes) MUST_CHECK;
/* Takes the connection waiting at `listener` and starts to read. `proxy`: a PROXY header comes first. `tls`: taken
 * over, NULL for plain. After an error smpp_link_close is still due. */
int smpp_link_accept(struct smpp_link *link, uv_stream_t *listener, bool proxy, struct smpp_tls *tls_take) MUST_CHECK;
/* Connects; `host` is an address or a name. on_connected follows unless an error is returned. */
int smpp_link_connect(struct smpp_link *link, const char *host, uint16_t port, struct smpp_tls *tls_take) MUST_CHECK;

/* The buffer to append PDUs to; smpp_link_queued then has them sent at the end of the turn. */
struct buf *smpp_link_out(struct smpp_link *link);
/* False: the buffer refused something, answers are lost; the owner ends the connection. Calls nobody. */
bool smpp_link_queued(struct smpp_link *link);
/* Bytes not given to the operating system yet. */
size_t smpp_link_unsent(const struct smpp_link *link);
/* Does a queued PDU with this id and sequence number still wait here? */
bool smpp_link_holds(const struct smpp_link *link, uint32_t command_id, uint32_t sequence_number);
/* Input from now on is thrown away; its end is still reported. */
void smpp_link_deafen(struct smpp_link *link);
/* Sends what is queued, then the end of our stream. */
void smpp_link_shutdown(struct smpp_link *link);
/* Closes; on_closed follows from the loop. Once. What fits into the socket's buffer still goes. */
void smpp_link_close(struct smpp_link *link);

#endif
