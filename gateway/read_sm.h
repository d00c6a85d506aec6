/*
 * read_sm.h - what a submit_sm, data_sm, submit_multi or replace_sm says, as the facts of a message.
 *
 * Text becomes UTF-8 here, addresses their international form, TLVs bytes and parameters. Decides nothing about the
 * store and answers nobody: a PDU that cannot be taken gives the status to answer with.
 */
#ifndef GATEWAY_READ_SM_H
#define GATEWAY_READ_SM_H

#include "base/buf.h"
#include "config/config.h"
#include "gateway/message.h"
#include "gateway/number.h"
#include "gateway/profile.h"
#include "smpp/smpp.h"

struct reading { /* what reading needs to know, and the storage behind the views it gives */
    const struct cfg_esme *cfg;
    const struct profile *profile;
    const struct cfg_pair *tlv_map;
    const char *system_type; /* of the bind */
    uint8_t interface_version;
    int64_t now_ms;
    struct buf *text; /* scratch: the message's text */
    struct buf *rest; /* scratch: its TLVs and parameters */
    char dest[NUMBER_MAX + 1];
    /* out */
    size_t replaced; /* characters that had no place in the text */
};

/* One send of the aggregator takes so much [API send, mes]; counted in UTF-16 units. */
enum { READ_TEXT_UNITS = 1000, READ_BINARY_MAX = 140, READ_PIECE_BYTES = 134, READ_PIECES_MAX = 255 };

/* Facts and first progress: state QUEUED, SCHEDULED (due_ms), PART (due_ms) or DIVIDED. Ids, account and upstream are the
 * caller's. Views into the PDU and into `reading`. Returns STATUS_ROK or the status to refuse with. */
uint32_t read_sm(struct reading *reading, const struct smpp_pdu *pdu, struct message *out);
/* The alphabet and destination of one more address of a submit_multi. */
uint32_t read_sm_dest(struct reading *reading, const struct smpp_addr *dest, struct message *m);
/* SMS this message takes, 1 or more. */
size_t read_sm_parts(const struct message *m);
/* Must this message go out in several sends? */
bool read_sm_needs_division(const struct message *m);
/* The text of a part as stored (bytes with their UDH): header length and what its alphabet is; false when it is no text. */
bool read_sm_part_text(const struct profile *profile, const struct message *part, struct smpp_udh *out_udh,
                       struct smpp_coding *out_coding);

#endif
