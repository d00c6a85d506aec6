/* SPDX-License-Identifier: MIT */
/* peers.c - connections per address: counts in chains, freed when they reach nothing. */
#include "smpp/peers.h"

#include <stdlib.h>
#include <string.h>

struct smpp_peer {
    struct smpp_peer *next;
    uint32_t count;
    uint8_t ip[16];
};

static struct smpp_peer **find(struct smpp_peers *peers, const uint8_t ip[16])
{
    uint32_t hash = 2166136261u; /* FNV-1a: addresses differ in few bytes */

    for (size_t i = 0; i < 16; i++)
        hash = (hash ^ ip[i]) * 16777619u;

    struct smpp_peer **at = &peers->bucket[(hash ^ hash >> 16) % SMPP_PEER_BUCKETS];

    while (*at != NULL && memcmp((*at)->ip, ip, 16) != 0)
        at = &(*at)->next;
    return at;
}

bool smpp_peers_enter(struct smpp_peers *peers, const uint8_t ip[16], uint32_t limit)
{
    struct smpp_peer **at = find(peers, ip);

    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
        if (*at == NULL)
            return false;
        memcpy((*at)->ip, ip, 16);
    }
    if (limit > 0 && (*at)->count >= limit)
        return false;
    (*at)->count++;
    return true;
}

void smpp_peers_leave(struct smpp_peers *peers, const uint8_t ip[16])
{
    struct smpp_peer **at = find(peers, ip);
    struct smpp_peer *peer = *at;

    if (peer == NULL || --peer->count > 0)
        return;
    *at = peer->next;
    free(peer);
}

void smpp_peers_finish(struct smpp_peers *peers)
{
    for (size_t i = 0; i < SMPP_PEER_BUCKETS; i++) {
        while (peers->bucket[i] != NULL) {
            struct smpp_peer *peer = peers->bucket[i];

            peers->bucket[i] = peer->next;
            free(peer);
        }
    }
}
