/*
 * extra.h - send parameters of one message alone ("name=value&...", form encoded), and the TLVs they come from. Pure.
 *
 * message.extra carries them from the PDU to the request; message.tlvs carries the PDU's TLVs as they stood.
 */
#ifndef GATEWAY_EXTRA_H
#define GATEWAY_EXTRA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"
#include "http/http.h"
#include "smpp/smpp.h"

enum { EXTRA_MAX = 128, EXTRA_BYTES = 4096, EXTRA_TOLD_BYTES = 512 };

struct extra { /* decoded; views into `storage` */
    struct smsc_param at[EXTRA_MAX];
    size_t count;
    char storage[EXTRA_BYTES];
};

void extra_add(struct buf *out, const char *name, const char *value, size_t len);
/* What does not fit is left out. */
void extra_read(const char *text, size_t len, struct extra *out);
void extra_add_pairs(const struct cfg_pair *pairs, struct buf *out); /* NULL: none */
/* The value of the first parameter of this name, or NULL. */
const char *extra_find(const struct extra *extra, const char *name);
/* A schedule at the aggregator: the parameter "time" as a Unix time; 0 when there is none. */
int64_t extra_time(const struct extra *extra);
void extra_add_time(struct buf *out, int64_t at_s);

/* What a request carries beside its lines: the message's parameters (its TLVs', then its account's), then those of the
 * upstream; of two of a name the first goes out. Views into `storage`. */
void extra_fill(const struct cfg_pair *of_upstream, const char *text, size_t len, struct extra *storage,
                struct smsc_send *out);

/* Appends the PDU's TLVs as on the wire, in order, without message_payload (that is the text). */
void extra_pack_tlvs(const struct smpp_pdu *pdu, struct buf *out);
/* The first TLV of this tag in what extra_pack_tlvs wrote; false when there is none. */
bool extra_find_tlv(const char *tlvs, size_t len, uint16_t tag, struct bytes *out);
/* Appends the parameters that `map` (tag -> name, ends with name NULL) makes of the PDU's TLVs. A value that is no text
 * goes out as hexadecimal digits. */
void extra_map_tlvs(const struct cfg_pair *map, const struct smpp_pdu *pdu, struct buf *out);
/* The way back: appends, as TLVs on the wire, the callback's values of the parameters in `map`. Those that are absent,
 * empty or would make it longer than EXTRA_TOLD_BYTES are left out. */
void extra_pack_told(const struct cfg_pair *map, const struct http_params *params, struct buf *out);
/* What extra_pack_told wrote, as a word of a message's result (" tlvs:" and hexadecimal digits), and read from there: the
 * length, 0 when there is none. */
void extra_write_told(const struct buf *told, struct buf *out);
size_t extra_read_told(const char *result, size_t len, uint8_t out[EXTRA_TOLD_BYTES]);
/* "0x1400" or "5120"; false when it is no tag. */
bool extra_tag_read(const char *text, uint16_t *out_tag);

#endif
