/* SPDX-License-Identifier: MIT */
/*
 * capture.c - rings of PDUs, and pcap out of them.
 *
 * The pcap holds what the PDUs travelled in only as far as Wireshark needs it: made-up IP and TCP headers around each PDU,
 * with the peer's real address, our side as port 2775 (the port it knows as SMPP), and sequence numbers that fit.
 */
#include "gateway/capture.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/net.h"
#include "base/table.h"
#include "smpp/smpp.h"

enum { PCAP_MAGIC = (int)0xa1b2c3d4, LINKTYPE_RAW = 101, SNAP_BYTES = 262144, SEGMENT_BYTES = 1400, SMPP_PORT = 2775 };
enum { OUR_SIDE = 0, THEIR_SIDE = 1 };

struct entry { /* in front of each PDU in the ring */
    int64_t at_ms;
    uint32_t len;
    uint32_t outgoing;
};

struct ring {
    uint64_t n;
    char address[NET_TEXT_SIZE];
    bool ended;
    uint64_t used_at; /* order of the last PDU */
    uint8_t *bytes;
    size_t start, len;
    UT_hash_handle hh;
};

struct capture {
    struct ring *rings;
    size_t session_bytes, sessions_max;
    uint64_t turns;
    struct ring *last; /* most PDUs come in runs of one session */
};

struct capture *capture_create(size_t session_bytes, size_t sessions_max)
{
    struct capture *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->session_bytes = session_bytes;
    c->sessions_max = sessions_max;
    return c;
}

static void drop(struct capture *c, struct ring *ring)
{
    HASH_DEL(c->rings, ring);
    if (c->last == ring)
        c->last = NULL;
    free(ring->bytes);
    free(ring);
}

void capture_destroy(struct capture *c)
{
    if (c == NULL)
        return;
    while (c->rings != NULL)
        drop(c, c->rings);
    free(c);
}

static struct ring *ring_find(const struct capture *c, uint64_t n)
{
    struct ring *ring;

    HASH_FIND(hh, c->rings, &n, sizeof n, ring);
    return ring;
}

static void make_room(struct capture *c)
{
    struct ring *ring, *next, *best = NULL;

    HASH_ITER(hh, c->rings, ring, next)
    {
        if (best == NULL || ring->ended > best->ended || (ring->ended == best->ended && ring->used_at < best->used_at))
            best = ring;
    }
    if (best != NULL)
        drop(c, best);
}

static struct ring *ring_get(struct capture *c, uint64_t n, const char *address)
{
    struct ring *ring = c->last != NULL && c->last->n == n ? c->last : ring_find(c, n);

    if (ring == NULL) {
        if (HASH_COUNT(c->rings) >= c->sessions_max)
            make_room(c);
        ring = calloc(1, sizeof *ring);
        if (ring == NULL)
            return NULL;
        ring->bytes = malloc(c->session_bytes);
        if (ring->bytes == NULL) {
            free(ring);
            return NULL;
        }
        ring->n = n;
        snprintf(ring->address, sizeof ring->address, "%s", address);
        HASH_ADD(hh, c->rings, n, sizeof ring->n, ring);
        if (!TABLE_TOOK(ring)) {
            free(ring->bytes);
            free(ring);
            return NULL;
        }
    }
    c->last = ring;
    ring->used_at = ++c->turns;
    return ring;
}

static void ring_put(struct capture *c, struct ring *ring, const void *from, size_t len)
{
    size_t at = (ring->start + ring->len) % c->session_bytes;
    size_t first = len < c->session_bytes - at ? len : c->session_bytes - at;

    memcpy(ring->bytes + at, from, first);
    memcpy(ring->bytes, (const uint8_t *)from + first, len - first);
    ring->len += len;
}

static void ring_get_bytes(const struct capture *c, const struct ring *ring, size_t offset, void *to, size_t len)
{
    size_t at = (ring->start + offset) % c->session_bytes;
    size_t first = len < c->session_bytes - at ? len : c->session_bytes - at;

    memcpy(to, ring->bytes + at, first);
    memcpy((uint8_t *)to + first, ring->bytes, len - first);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* --- keeping ------------------------------------------------------------------------------------------------------ */

static bool has_password(uint32_t command_id)
{
    return command_id == CMD_BIND_RECEIVER || command_id == CMD_BIND_TRANSMITTER ||
           command_id == CMD_BIND_TRANSCEIVER || command_id == CMD_OUTBIND;
}

/* The bytes from behind the first string to the next NUL; a password without its NUL to the end. */
static void password_place(const uint8_t *frame, size_t len, size_t *out_from, size_t *out_to)
{
    size_t at = SMPP_HEADER_BYTES;

    while (at < len && frame[at] != '\0')
        at++;
    *out_from = at < len ? at + 1 : len;
    for (at = *out_from; at < len && frame[at] != '\0'; at++)
        continue;
    *out_to = at;
}

void capture_add(struct capture *c, uint64_t n, const char *address, bool outgoing, const uint8_t *frame, size_t len)
{
    struct entry entry = { clock_wall_ms(), (uint32_t)len, outgoing };
    struct ring *ring = c == NULL || len < SMPP_HEADER_BYTES ? NULL : ring_get(c, n, address);

    if (ring == NULL)
        return;
    if (len > c->session_bytes - sizeof entry) /* longer than all we keep: its head tells most */
        entry.len = (uint32_t)(c->session_bytes - sizeof entry);
    while (ring->len + sizeof entry + entry.len > c->session_bytes) {
        struct entry oldest;

        ring_get_bytes(c, ring, 0, &oldest, sizeof oldest);
        ring->start = (ring->start + sizeof oldest + oldest.len) % c->session_bytes;
        ring->len -= sizeof oldest + oldest.len;
    }
    ring_put(c, ring, &entry, sizeof entry);
    size_t at = ring->len;
    ring_put(c, ring, frame, entry.len);
    if (has_password(be32(frame + 4))) {
        size_t from, to;

        password_place(frame, entry.len, &from, &to);
        for (size_t i = from; i < to; i++)
            ring->bytes[(ring->start + at + i) % c->session_bytes] = '*';
    }
}

void capture_ended(struct capture *c, uint64_t n)
{
    struct ring *ring = c == NULL ? NULL : ring_find(c, n);

    if (ring != NULL)
        ring->ended = true;
}

/* --- giving out --------------------------------------------------------------------------------------------------- */

static void le(struct buf *out, uint32_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_addc(out, (char)(v >> (8 * i)));
}

static void be(struct buf *out, uint32_t v, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--)
        buf_addc(out, (char)(v >> (8 * (i - 1))));
}

static void blank(const void *view, size_t len, uint8_t *frame, size_t frame_len)
{
    const uint8_t *at = view;

    if (len > 0 && at >= frame && at + len <= frame + frame_len)
        memset(frame + (at - frame), '*', len);
}

/* Where a receipt's own text begins: behind "text:"; its end when there is none. */
static size_t receipt_text_at(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i + 5 <= len; i++) {
        if ((at[i] | 0x20) == 't' && memcmp(at + i + 1, "ext:", 4) == 0)
            return i + 5;
    }
    return len;
}

static void blank_text(uint8_t *frame, size_t len)
{
    static struct smpp_pdu pdu; /* loop thread only; too large for the stack */
    static struct smpp_dest dests[SMPP_DESTS_MAX];
    uint32_t status, command_id = be32(frame + 4);

    if (command_id != CMD_SUBMIT_SM && command_id != CMD_DELIVER_SM && command_id != CMD_DATA_SM &&
        command_id != CMD_SUBMIT_MULTI && command_id != CMD_REPLACE_SM)
        return;
    if (be32(frame) != len || smpp_pdu_open(frame, len, dests, &pdu, &status) != SMPP_OPEN_OK) {
        memset(frame + SMPP_HEADER_BYTES, '*', len - SMPP_HEADER_BYTES); /* nobody knows where its text is */
        return;
    }
    bool receipt = command_id == CMD_DELIVER_SM && (pdu.sm.esm_class & ESM_TYPE_MASK) == ESM_RECEIPT;
    struct bytes text = pdu.sm.short_message;
    size_t from = receipt ? receipt_text_at(text.at, text.len) : 0;
    blank(text.at + from, text.len - from, frame, len);
    for (size_t i = 0; i < pdu.tlv_count; i++) {
        const struct smpp_tlv *tlv = &pdu.tlvs[i];

        if (tlv->tag != TAG_MESSAGE_PAYLOAD)
            continue;
        from = receipt ? receipt_text_at(tlv->value, tlv->len) : 0;
        blank(tlv->value + from, tlv->len - from, frame, len);
    }
}

static void add_ip4(const uint8_t from[4], const uint8_t to[4], size_t payload, struct buf *out)
{
    uint8_t head[20] = { 0x45, 0 };
    uint32_t sum = 0;

    head[2] = (uint8_t)((payload + 20) >> 8);
    head[3] = (uint8_t)(payload + 20);
    head[6] = 0x40;
    head[8] = 64;
    head[9] = IPPROTO_TCP;
    memcpy(head + 12, from, 4);
    memcpy(head + 16, to, 4);
    for (size_t i = 0; i < sizeof head; i += 2)
        sum += (uint32_t)head[i] << 8 | head[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    head[10] = (uint8_t)(~sum >> 8);
    head[11] = (uint8_t)~sum;
    buf_add(out, head, sizeof head);
}

struct sides {
    bool six;
    uint8_t address[2][16];
    uint16_t port[2];
    uint32_t next_seq[2];
};

static void sides_of(const char *peer, struct sides *out)
{
    struct sockaddr_storage sa;
    socklen_t sa_len;

    *out = (struct sides){ .port = { SMPP_PORT, 40000 }, .next_seq = { 1, 1 } };
    memcpy(out->address[OUR_SIDE], (const uint8_t[]){ 127, 0, 0, 1 }, 4);
    memcpy(out->address[THEIR_SIDE], (const uint8_t[]){ 127, 0, 0, 1 }, 4);
    if (net_sockaddr(peer, &sa, &sa_len) != 0)
        return;
    if (sa.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&sa;

        memcpy(out->address[THEIR_SIDE], &in->sin_addr, 4);
        out->port[THEIR_SIDE] = ntohs(in->sin_port);
    } else if (sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&sa;

        out->six = true;
        memcpy(out->address[OUR_SIDE], &in6addr_loopback, 16);
        memcpy(out->address[THEIR_SIDE], &in->sin6_addr, 16);
        out->port[THEIR_SIDE] = ntohs(in->sin6_port);
    }
}

static void add_packet(struct sides *sides, const struct entry *entry, const uint8_t *bytes, size_t len,
                       struct buf *out)
{
    int from = entry->outgoing ? OUR_SIDE : THEIR_SIDE, to = !from;
    size_t ip = sides->six ? 40 : 20, tcp = 20;

    le(out, (uint32_t)(entry->at_ms / 1000), 4);
    le(out, (uint32_t)(entry->at_ms % 1000) * 1000, 4);
    le(out, (uint32_t)(ip + tcp + len), 4);
    le(out, (uint32_t)(ip + tcp + len), 4);
    if (sides->six) {
        be(out, 0x60000000, 4);
        be(out, (uint32_t)(tcp + len), 2);
        be(out, IPPROTO_TCP << 8 | 64, 2);
        buf_add(out, sides->address[from], 16);
        buf_add(out, sides->address[to], 16);
    } else {
        add_ip4(sides->address[from], sides->address[to], tcp + len, out);
    }
    be(out, sides->port[from], 2);
    be(out, sides->port[to], 2);
    be(out, sides->next_seq[from], 4);
    be(out, sides->next_seq[to], 4);
    be(out, 0x5018, 2); /* 20 bytes of header; PSH and ACK */
    be(out, 0xffff, 2);
    be(out, 0, 4); /* no checksum: as a card that computes it would leave it */
    buf_add(out, bytes, len);
    sides->next_seq[from] += (uint32_t)len;
}

int capture_write(const struct capture *c, uint64_t n, bool with_text, struct buf *out)
{
    const struct ring *ring = c == NULL ? NULL : ring_find(c, n);
    struct sides sides;
    size_t at = 0;

    if (ring == NULL)
        return ERR_NOT_FOUND;
    uint8_t *frame = malloc(c->session_bytes);
    if (frame == NULL)
        return ERR_NOMEM;
    sides_of(ring->address, &sides);
    le(out, (uint32_t)PCAP_MAGIC, 4);
    le(out, 4u << 16 | 2, 4); /* version 2.4 */
    le(out, 0, 4);
    le(out, 0, 4);
    le(out, SNAP_BYTES, 4);
    le(out, LINKTYPE_RAW, 4);
    while (at < ring->len) {
        struct entry entry;

        ring_get_bytes(c, ring, at, &entry, sizeof entry);
        ring_get_bytes(c, ring, at + sizeof entry, frame, entry.len);
        at += sizeof entry + entry.len;
        if (!with_text)
            blank_text(frame, entry.len);
        for (size_t done = 0; done < entry.len; done += SEGMENT_BYTES)
            add_packet(&sides, &entry, frame + done,
                       entry.len - done < SEGMENT_BYTES ? entry.len - done : SEGMENT_BYTES, out);
    }
    free(frame);
    return out->failed ? ERR_FULL : 0;
}
