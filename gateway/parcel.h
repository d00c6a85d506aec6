/*
 * parcel.h - what a delivery looks like on the wire.
 */
#ifndef GATEWAY_PARCEL_H
#define GATEWAY_PARCEL_H

#include "gateway/extra.h"
#include "gateway/internal.h"

struct parcel { /* storage for one deliver_sm or data_sm while it is handed over; start with zeros */
    struct smpp_pdu pdu;
    struct smpp_receipt_tlvs tlvs;
    struct buf text;
    bool is_whole; /* false: an incoming message that is too long for this bind, or a receipt cut for it */
    uint8_t told[EXTRA_TOLD_BYTES]; /* TLVs made of what a callback said */
};

/* Builds the PDU of a receipt, a notification or an incoming message for a bind of this version; `session` NULL: nothing
 * more is known of the bind. Views into the message and the parcel. */
void parcel_pack(struct account *account, const struct message *m, uint8_t interface_version,
                 const struct smpp_session_info *session, struct parcel *out);
/* Octets a deliver_sm with addresses of these lengths has for text and TLVs before it is too long for the client. */
size_t parcel_room(const struct profile *profile, size_t source_len, size_t dest_len);

#endif
