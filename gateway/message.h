/*
 * message.h - one message from its acceptance to its last receipt.
 *
 * Two halves: the facts, which never change once stored (one row of `messages`), and the progress, small and changed
 * often (one row of `open`, deleted when the message is closed). A message is made by message_create in one block of
 * memory with copies of all strings. Which state follows which event stands in message_fsm.c.
 */
#ifndef GATEWAY_MESSAGE_H
#define GATEWAY_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum message_kind {
    MESSAGE_MT = 1, /* from an ESME to a subscriber */
    MESSAGE_MO,     /* incoming: from a subscriber to an ESME; delivered, never sent */
    MESSAGE_NOTE,   /* an intermediate notification for an ESME; `leader` is the message it speaks of */
    MESSAGE_PIECE /* one of several sends a long text takes; `leader` is the message the ESME knows, public_id its too */
};

/* Stored as numbers: append only. */
enum message_state {
    MESSAGE_NONE,
    MESSAGE_PART,       /* waits for the other parts of its long message until due_ms */
    MESSAGE_FOLLOWING,  /* joined into `leader` and shares its fate */
    MESSAGE_SCHEDULED,  /* waits for due_ms */
    MESSAGE_QUEUED,     /* may be sent from due_ms on */
    MESSAGE_SENDING,    /* travels in request `upid`; what became of it stands in that send's row */
    MESSAGE_DELIVERING, /* outcome is final; receipt (or MO, note) waits for its ESME from due_ms on */
    MESSAGE_CLOSED,     /* nothing more will happen */
    MESSAGE_DIVIDED,    /* travels as several MESSAGE_PIECE records; ends when the last of them has */
    MESSAGE_STATE_COUNT
};

/* How it ended, for operators and query_sm: enum smpp_message_state's numbers; 0 = not yet. */

struct progress { /* the row of `open` */
    uint64_t id;
    uint8_t state;   /* enum message_state */
    uint8_t final;   /* enum smpp_message_state once the outcome is known, else 0 */
    uint8_t receipt; /* enum message_receipt */
    bool urgent;
    uint16_t esme;          /* store_intern number of the system_id */
    uint16_t upstream;      /* store_intern number of the upstream, 0 none yet */
    uint16_t tries;         /* requests sent so far */
    uint16_t deliver_tries; /* deliver_sm sent so far */
    uint64_t upid;          /* the send it travels in; 0 none */
    uint64_t leader;        /* FOLLOWING, NOTE, PIECE: the message it belongs to; else 0 */
    int64_t due_ms;         /* wall ms, see the states */
    int32_t status;         /* the aggregator's last status, -100 none */
    int32_t err;            /* the aggregator's delivery error code, or its send error + 1000; 0 none */
    int64_t done_ms;        /* wall ms of the outcome, 0 not yet */
    int64_t cost_e6;        /* millionths, -1 unknown */
};

enum message_receipt { /* what became of the receipt */
                       RECEIPT_NOT_ASKED,
                       RECEIPT_WAITING,
                       RECEIPT_DELIVERED,
                       RECEIPT_REFUSED, /* the ESME refused it for good */
                       RECEIPT_DROPPED  /* hold time, ceiling, or operator */
};

struct message_text { /* bytes with a length; NUL-terminated as well */
    char *at;
    size_t len;
};

struct message {
    /* facts */
    uint64_t id;         /* unique over the life of the store, ascending */
    uint64_t public_id;  /* the number the ESME knows: id, but for submit_multi the id of the set */
    int64_t accepted_ms; /* wall */
    int64_t expires_ms;  /* end of validity, wall; 0 none */
    uint8_t kind;        /* enum message_kind */
    uint8_t channel;     /* enum smsc_kind */
    uint8_t source_ton, source_npi, dest_ton, dest_npi;
    uint8_t esm_class, protocol_id, priority_flag, registered_delivery, data_coding;
    uint8_t interface_version;       /* of the bind it came by */
    bool binary;                     /* text holds raw bytes, the UDH's length octet first (0 when there is none) */
    uint8_t part_number, part_total; /* of a long message; 0/0 whole */
    uint32_t part_reference;         /* see smpp_part_of */
    struct message_text source, dest;
    struct message_text service_type;
    struct message_text text; /* UTF-8, or bytes when binary */
    struct message_text tlvs; /* the PDU's TLVs as on the wire (tag, length, value ...), in order; may be empty */
    struct message_text
        extra; /* upstream parameters "name=value&..." (form encoded) for this message alone; "time" of a
                                * MESSAGE_PART is its schedule; HLR tail of a result */
    /* progress */
    struct progress p;
};

/* A copy on the heap of `from` (views of any lifetime) in one block. NULL when out of memory. */
struct message *message_create(const struct message *from);
/* NULL is welcome. */
void message_destroy(struct message *m);
/* Bytes of the block, for ceilings. */
size_t message_bytes(const struct message *m);

/* The destination as a number: its digits when there are 1..18 of them and nothing else but a leading '+', else a
 * 63-bit hash with bit 63 set. */
uint64_t message_phone(const char *text, size_t len);

#endif
