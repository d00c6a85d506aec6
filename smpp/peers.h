/*
 * peers.h - how many connections each address has open.
 *
 * A small hash table of counts; an address without connections takes no memory.
 */
#ifndef SMPP_PEERS_H
#define SMPP_PEERS_H

#include <stdbool.h>
#include <stdint.h>

struct smpp_peer;

enum { SMPP_PEER_BUCKETS = 256 };

struct smpp_peers {
    struct smpp_peer *bucket[SMPP_PEER_BUCKETS];
};

/* Counts one more connection of `ip`. False, and not counted: `limit` are open (0: no limit), or out of memory. */
bool smpp_peers_enter(struct smpp_peers *peers, const uint8_t ip[16], uint32_t limit);
/* One less. */
void smpp_peers_leave(struct smpp_peers *peers, const uint8_t ip[16]);
void smpp_peers_finish(struct smpp_peers *peers);

#endif
