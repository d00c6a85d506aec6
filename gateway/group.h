/*
 * group.h - messages that share a fate: a joined long message and its parts, a divided one and its pieces.
 *
 * Followers wait for the outcome of their leader and then have the same; a divided message waits for all its pieces and
 * then has the worst of their outcomes. The store tells both by progress.leader; the table here only says who waits, and
 * is made again at start. Loop thread only.
 */
#ifndef GATEWAY_GROUP_H
#define GATEWAY_GROUP_H

#include "gateway/internal.h"

/* This message (pinned, stored, in the book) shares the fate of `leader`: moved to FOLLOWING now; its outcome comes at
 * once when the leader has ended already. */
void group_follow(struct gateway *gw, struct item *item, uint64_t leader);
/* A follower whose leader could not be looked at has become due. */
void group_due(struct gateway *gw, struct item *item);
/* outcome.c: this message's outcome is durable. */
void group_on_final(struct gateway *gw, const struct message *m);

/* A message in state DIVIDED (pinned, stored): makes the pieces that are missing; ends it when all have ended. */
void divide_start(struct gateway *gw, struct item *item);
/* A scheduled message that needs division has become due (in the book). */
void divide_due(struct gateway *gw, struct item *item);
/* One more piece of this message is open. */
int group_count_piece(struct gateway *gw, uint64_t leader) MUST_CHECK;
bool group_has_pieces(struct gateway *gw, uint64_t leader);
/* The same where pieces may exist: after a restart, or when their making was interrupted. */
void divide_check(struct gateway *gw, uint64_t id, uint64_t public_id);

/* resume.c: an open row that belongs to somebody; then, after the last row, everything is looked after. */
void group_resume(struct gateway *gw, const struct progress *p);
void group_resumed(struct gateway *gw);
void group_finish(struct gateway *gw);

/* Every record of this public id, oldest first, pieces included; messages belong to the callee's caller and die when it
 * returns. `err` as in the store. The book's newer progress stands in them. */
typedef void group_records_fn(void *owner, int err, struct message **records, size_t count);
int group_records(struct gateway *gw, uint64_t public_id, group_records_fn *fn, void *owner) MUST_CHECK;

#endif
