/*
 * join.h - the parts of one long message wait for each other and become one text.
 *
 * Parts are told by account, source, destination, reference and total; they come in any order, from any bind, perhaps
 * twice. Each is a record of its own (MESSAGE_PART, answered with its own id) and waits in the store, so that a restart
 * loses none. When the last has come the first of them by number carries the whole text and the others follow it; when
 * one does not come in time, the account's policy says what becomes of the rest. Loop thread only.
 */
#ifndef GATEWAY_JOIN_H
#define GATEWAY_JOIN_H

#include "gateway/internal.h"

/* A part (state PART) is durable. Pinned by the caller. */
void join_stored(struct gateway *gw, struct item *item);
/* It has become due, and still waits. Pinned by the caller. */
void join_due(struct gateway *gw, struct item *item);
/* It waits no more (cancelled): its place is free. */
void join_forget(struct gateway *gw, const struct message *part);

/* resume.c: an open row in state PART; then, after the last row, they are read and wait as before. */
void join_resume(struct gateway *gw, const struct progress *p);
void join_resumed(struct gateway *gw);
void join_finish(struct gateway *gw);
/* Messages that wait for a part. */
size_t join_waiting(const struct gateway *gw);

/* Pure: the text of these parts, in order of their numbers, appended to `out` as UTF-8. Neighbours of one alphabet are
 * converted as one run, so that a character cut in two by its sender comes out whole. Returns characters replaced. */
size_t join_text(const struct profile *profile, const struct message *const *parts, size_t count, struct buf *out);

#endif
