/*
 * translate.h - which of the aggregator's channels a message asks for: by the first word of its text, or by service_type.
 *
 * Pure. The prefixes are those of the aggregator's own SMPP service (`__HLR__`, `__PING__`, ...); a prefix is cut off the
 * text. README lists the table. Parameters of a channel (voice, subj, bot ...) come from mapped TLVs, see extra.h.
 */
#ifndef GATEWAY_TRANSLATE_H
#define GATEWAY_TRANSLATE_H

#include "gateway/message.h"

/* Sets the channel of a plain-text message and cuts a prefix off its text (the view moves). What names no channel stays
 * as it is. */
void translate_channel(struct message *m);

#endif
