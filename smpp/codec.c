/* SPDX-License-Identifier: MIT */
/*
 * codec.c - the airlock's inner door: mandatory fields through libsmpp34, everything else by ourselves.
 *
 * The only file that knows the library. On raw network PDUs it writes past a global buffer (29 TLVs do), leaks on broken
 * lists, and refuses vendor statuses, sequence 0 and several TON/NPI. So it is given a copy of the header and the
 * mandatory fields, cut to what it takes: text, lists and TLVs out, a field it would refuse or has no room for replaced
 * by a harmless one, a NUL behind the end, a zeroed struct. What was replaced is read from the frame, whose bounds
 * scan.c has proved, or written by us into what the library packed. It never allocates: its allocator aborts.
 *
 * One thread only: the library keeps its trace in globals.
 *
 * Statuses of a refused request are chosen in scan.c: a field ending too early RINVCMDLEN, a string too long by its row
 * in fields.h, text above 254 bytes or past the end RINVMSGLEN, more than SMPP_TLVS_MAX TLVs RINVTLVSTREAM, an unknown
 * command RINVCMDID. The library refusing what the scan has passed is our bug: RSYSERR, counted.
 */
#include "smpp/scan.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <smpp34.h>
#include <smpp34_structs.h> /* order matters to the library */
#include <smpp34_heap.h>

#include "smpp/codec_shim.h"

enum {
    CUT_BYTES_MAX = 400, /* header and mandatory fields at the library's own lengths: 195 at most */
    PACK_SPARE = 2       /* the library wants room behind the end */
};

/* Where the library keeps a field. size 0: it does not know the field. */
struct lib_field {
    uint16_t at;
    uint16_t size;
};

struct lib_layout {
    uint32_t type; /* the library's command_id for this struct: chosen by layout, not by command */
    uint32_t size;
    const struct lib_field *fields;
};

#define LIB_HEADER     enquire_link_t
#define LIB_BIND       bind_transceiver_t
#define LIB_BIND_RESP  bind_transceiver_resp_t
#define LIB_OUTBIND    outbind_t
#define LIB_SUBMIT     submit_sm_t /* for deliver_sm too: its own struct has no room for the two times */
#define LIB_MULTI      submit_multi_t
#define LIB_MULTI_RESP submit_multi_resp_t
#define LIB_DATA       data_sm_t
#define LIB_REPLACE    replace_sm_t
#define LIB_QUERY      query_sm_t
#define LIB_QUERY_RESP query_sm_resp_t
#define LIB_CANCEL     cancel_sm_t
#define LIB_ALERT      alert_notification_t
#define LIB_ID_RESP    submit_sm_resp_t /* deliver_sm_resp's own has no room for an id */

#define ROWS(layout)                           static const struct lib_field lib_##layout[] = { FIELDS_##layout(F){ 0, 0 } };
#define F(kind, name, member, longest, status) { offsetof(LIB, name), sizeof(((LIB *)0)->name) },
#define LIB                                    LIB_HEADER
ROWS(HEADER)
#undef LIB
#define LIB LIB_BIND
ROWS(BIND)
#undef LIB
#define LIB LIB_BIND_RESP
ROWS(BIND_RESP)
#undef LIB
#define LIB LIB_OUTBIND
ROWS(OUTBIND)
#undef LIB
#define LIB LIB_SUBMIT
ROWS(SUBMIT)
#undef LIB
#define LIB LIB_MULTI
ROWS(MULTI)
#undef LIB
#define LIB LIB_MULTI_RESP
ROWS(MULTI_RESP)
#undef LIB
#define LIB LIB_DATA
ROWS(DATA)
#undef LIB
#define LIB LIB_REPLACE
ROWS(REPLACE)
#undef LIB
#define LIB LIB_QUERY
ROWS(QUERY)
#undef LIB
#define LIB LIB_QUERY_RESP
ROWS(QUERY_RESP)
#undef LIB
#define LIB LIB_CANCEL
ROWS(CANCEL)
#undef LIB
#define LIB LIB_ALERT
ROWS(ALERT)
#undef LIB
#define LIB LIB_ID_RESP
ROWS(ID_RESP)
#undef LIB
#undef F
/* The broadcast family: header only for the library. */
#define F(kind, name, member, longest, status) { 0, 0 },
ROWS(BROADCAST)
ROWS(QUERY_BROADCAST)
ROWS(CANCEL_BROADCAST)
#undef F

#define ROW(layout, type) [LAYOUT_##layout] = { type, sizeof(LIB_##layout), lib_##layout }
#define OURS(layout)      [LAYOUT_##layout] = { ENQUIRE_LINK, sizeof(LIB_HEADER), lib_##layout }
static const struct lib_layout lib_layouts[LAYOUT_COUNT] = {
    ROW(HEADER, ENQUIRE_LINK),
    ROW(BIND, BIND_TRANSCEIVER),
    ROW(BIND_RESP, BIND_TRANSCEIVER_RESP),
    ROW(OUTBIND, OUTBIND),
    ROW(SUBMIT, SUBMIT_SM),
    ROW(MULTI, SUBMIT_MULTI),
    ROW(MULTI_RESP, SUBMIT_MULTI_RESP),
    ROW(DATA, DATA_SM),
    ROW(REPLACE, REPLACE_SM),
    ROW(QUERY, QUERY_SM),
    ROW(QUERY_RESP, QUERY_SM_RESP),
    ROW(CANCEL, CANCEL_SM),
    ROW(ALERT, ALERT_NOTIFICATION),
    ROW(ID_RESP, SUBMIT_SM_RESP),
    OURS(BROADCAST),
    OURS(QUERY_BROADCAST),
    OURS(CANCEL_BROADCAST),
};

/* Any of the library's structs; all begin with the header. */
union lib_pdu {
    enquire_link_t header;
    LIB_BIND bind;
    LIB_BIND_RESP bind_resp;
    LIB_OUTBIND outbind;
    LIB_SUBMIT submit;
    LIB_MULTI multi;
    LIB_MULTI_RESP multi_resp;
    LIB_DATA data;
    LIB_REPLACE replace;
    LIB_QUERY query;
    LIB_QUERY_RESP query_resp;
    LIB_CANCEL cancel;
    LIB_ALERT alert;
    LIB_ID_RESP id_resp;
};

static uint64_t refusals;

uint64_t smpp_codec_refusals(void)
{
    return refusals;
}

static void *no_malloc(size_t size)
{
    (void)size;
    abort(); /* a TLV or a list has reached the library: see the head of this file */
}

static void *no_realloc(void *p, size_t size)
{
    (void)p;
    return no_malloc(size);
}

static void no_free(void *p)
{
    if (p != NULL)
        abort();
}

static void forbid_allocation(void)
{
    static const struct smpp34_memory_functions none = { no_malloc, no_realloc, no_free };
    static bool done;

    if (done)
        return;
    smpp34_set_memory_functions(&none);
    done = true;
}

/* A value the library's whitelists refuse? [SMPP34 5.2.5, 5.2.6, 5.2.4] */
static inline bool is_refused(uint8_t kind, uint8_t value)
{
    enum { NPI_KNOWN = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 14 | 1 << 18 };

    switch (kind) {
    case FIELD_TON:
        return value > 6;
    case FIELD_NPI:
        return value > 18 || (NPI_KNOWN >> value & 1) == 0;
    case FIELD_VERSION:
        return value != SMPP_VERSION;
    default:
        return false;
    }
}

/* What the library gets in place of a field it would refuse: an empty string, list or text, or a known value. */
static inline uint8_t harmless(uint8_t kind)
{
    return kind == FIELD_VERSION ? SMPP_VERSION : 0;
}

static inline bool is_number(uint8_t kind)
{
    return kind >= FIELD_U8 && kind <= FIELD_VERSION;
}

static void put_u32(uint8_t *to, uint32_t v)
{
    to[0] = (uint8_t)(v >> 24);
    to[1] = (uint8_t)(v >> 16);
    to[2] = (uint8_t)(v >> 8);
    to[3] = (uint8_t)v;
}

/* The set of fields (bit i) the library must not see as they are. */
static uint32_t fields_to_replace(const uint8_t *frame, const struct scan *s, const struct scan_layout *layout,
                                  const struct lib_field *lib)
{
    uint32_t set = 0;

    for (uint32_t i = 0; i < layout->count; i++) {
        uint8_t kind = layout->fields[i].kind;
        bool replace = kind == FIELD_STRING
                           ? s->at[i + 1] - s->at[i] > lib[i].size
                           : kind >= FIELD_TEXT || lib[i].size == 0 || is_refused(kind, frame[s->at[i]]);

        set |= (uint32_t)replace << i;
    }
    return set;
}

/* The library's copy: mandatory fields with the replaced ones made harmless. Returns its length. */
static size_t cut(const uint8_t *frame, const struct scan *s, const struct scan_layout *layout,
                  const struct lib_layout *lib, uint32_t replace, uint8_t to[CUT_BYTES_MAX])
{
    size_t from = SMPP_HEADER_BYTES, len = SMPP_HEADER_BYTES;

    for (; replace != 0; replace &= replace - 1) {
        unsigned i = (unsigned)__builtin_ctz(replace);
        size_t run = s->at[i] - from;

        assert(len + run + 1 < CUT_BYTES_MAX);
        memcpy(to + len, frame + from, run);
        len += run;
        if (lib->fields[i].size > 0)
            to[len++] = harmless(layout->fields[i].kind);
        from = s->at[i + 1];
    }
    size_t rest = s->at[layout->count] - from;
    assert(len + rest < CUT_BYTES_MAX);
    memcpy(to + len, frame + from, rest);
    len += rest;
    put_u32(to, (uint32_t)len);
    put_u32(to + 4, lib->type);
    put_u32(to + 8, 0);
    put_u32(to + 12, 1);
    to[len] = 0; /* the library reads strings before it looks at their end */
    return len;
}

/* Passwords stay where the frame is and nowhere else. */
static void forget(uint8_t *bytes, size_t len, union lib_pdu *lib)
{
    explicit_bzero(bytes, len);
    explicit_bzero(lib, sizeof *lib);
#ifndef SMPP34_QUIET /* the trace has it too; the library clears that at its next call */
    static const uint8_t enquire_link[] = { 0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1, 0 };

    if (smpp34_unpack(ENQUIRE_LINK, lib, enquire_link, SMPP_HEADER_BYTES) != 0)
        refusals++;
#endif
}

enum smpp_open smpp_pdu_open(const uint8_t *frame, size_t len, struct smpp_dest *dests, struct smpp_pdu *out,
                             uint32_t *out_status)
{
    union lib_pdu lib;
    struct scan s;
    uint8_t copy[CUT_BYTES_MAX];

    if (len < SMPP_HEADER_BYTES)
        return SMPP_OPEN_FATAL;
    memset(out, 0, offsetof(struct smpp_pdu, tlvs));
    out->dests = NULL;

    struct reader r = reader_over(frame, SMPP_HEADER_BYTES);
    out->command_length = read_u32(&r);
    out->command_id = read_u32(&r);
    out->command_status = read_u32(&r);
    out->sequence_number = read_u32(&r);
    if (out->command_length != len)
        return SMPP_OPEN_FATAL;

    uint32_t status = scan_body(frame, len, dests, out, &s);
    if (status != STATUS_ROK) {
        *out_status = status;
        return SMPP_OPEN_REJECT;
    }

    const struct scan_layout *layout = scan_layout(s.layout);
    const struct lib_layout *lib_layout = &lib_layouts[s.layout];
    uint32_t replaced = fields_to_replace(frame, &s, layout, lib_layout->fields);
    size_t copy_len = cut(frame, &s, layout, lib_layout, replaced, copy);

    forbid_allocation();
    memset(&lib, 0, lib_layout->size);
    if (smpp34_unpack(lib_layout->type, &lib, copy, (int)copy_len) != 0) {
        refusals++;
        *out_status = STATUS_RSYSERR;
        return SMPP_OPEN_REJECT;
    }

    for (uint32_t i = 0; i < layout->count; i++) {
        const struct scan_field *f = &layout->fields[i];
        uint8_t *place = (uint8_t *)out + f->place;
        const uint8_t *at = frame + s.at[i];

        if (f->kind == FIELD_STRING) {
            struct smpp_str view = { (const char *)at, s.at[i + 1] - s.at[i] - 1 };
            memcpy(place, &view, sizeof view);
        } else if (is_number(f->kind)) {
            *place = replaced >> i & 1 ? *at : ((const uint8_t *)&lib)[lib_layout->fields[i].at];
        } else if (f->kind == FIELD_TEXT) {
            struct bytes text = { at + 1, *at };
            memcpy(place, &text, sizeof text);
        }
    }
    if (s.layout == LAYOUT_BIND || s.layout == LAYOUT_OUTBIND)
        forget(copy, sizeof copy, &lib);
    return SMPP_OPEN_OK;
}

/* Encoding. The lists' wire length, or 0 when a member does not fit (a list has at least its counter). */
static size_t list_len(const struct smpp_pdu *pdu, uint8_t kind)
{
    size_t len = 1;

    if (pdu->dest_count > SMPP_DESTS_MAX)
        return 0;
    for (size_t i = 0; i < pdu->dest_count; i++) {
        const struct smpp_dest *d = &pdu->dests[i];

        if (d->address.addr.len > 20 || (kind == FIELD_DESTS && d->dest_flag != 1 && d->dest_flag != 2) ||
            (d->address.addr.len > 0 && memchr(d->address.addr.at, 0, d->address.addr.len) != NULL))
            return 0;
        len += d->address.addr.len + 1;
        len += kind == FIELD_UNSUCCESS ? 2 + 4 : d->dest_flag == 1 ? 1 + 2 : 1;
    }
    return len;
}

static uint8_t *put_string(uint8_t *to, struct smpp_str s)
{
    if (s.len > 0)
        memcpy(to, s.at, s.len);
    to[s.len] = 0;
    return to + s.len + 1;
}

static uint8_t *put_list(uint8_t *to, const struct smpp_pdu *pdu, uint8_t kind)
{
    *to++ = (uint8_t)pdu->dest_count;
    for (size_t i = 0; i < pdu->dest_count; i++) {
        const struct smpp_dest *d = &pdu->dests[i];

        if (kind == FIELD_DESTS)
            *to++ = d->dest_flag;
        if (kind == FIELD_UNSUCCESS || d->dest_flag == 1) {
            *to++ = d->address.ton;
            *to++ = d->address.npi;
        }
        to = put_string(to, d->address.addr);
        if (kind == FIELD_UNSUCCESS) {
            put_u32(to, d->status);
            to += 4;
        }
    }
    return to;
}

/* A PDU on its way out: what the library gets, and what we put into what it packed. */
struct outgoing {
    union lib_pdu lib;
    uint16_t packed_at[SCAN_FIELDS_MAX + 1]; /* where each field will start in the packed bytes */
    uint32_t replaced;                       /* fields written by us */
    size_t len;                              /* of the whole PDU */
};

static struct smpp_str string_of(const struct smpp_pdu *pdu, const struct scan_field *f)
{
    struct smpp_str s;

    memcpy(&s, (const uint8_t *)pdu + f->place, sizeof s);
    return s;
}

static struct bytes text_of(const struct smpp_pdu *pdu, const struct scan_field *f)
{
    struct bytes b;

    memcpy(&b, (const uint8_t *)pdu + f->place, sizeof b);
    return b;
}

/* Fills the library's struct and adds up lengths. Returns 0 or ERR_RANGE. */
static int lay_out(const struct smpp_pdu *pdu, const struct scan_layout *layout, const struct lib_layout *lib_layout,
                   struct outgoing *o)
{
    size_t packed = SMPP_HEADER_BYTES;

    o->replaced = 0;
    o->len = SMPP_HEADER_BYTES;
    memset(&o->lib, 0, lib_layout->size);
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct scan_field *f = &layout->fields[i];
        struct lib_field lf = lib_layout->fields[i];
        uint8_t *to = (uint8_t *)&o->lib + lf.at;
        uint8_t value = ((const uint8_t *)pdu)[f->place];
        size_t wire = 1, in_lib = lf.size == 0 ? 0 : 1;
        bool replace = false;

        o->packed_at[i] = (uint16_t)packed;
        if (f->kind == FIELD_STRING) {
            struct smpp_str s = string_of(pdu, f);

            if (s.len >= f->longest || (s.len > 0 && memchr(s.at, 0, s.len) != NULL))
                return ERR_RANGE;
            wire = s.len + 1;
            replace = wire > lf.size;
            if (!replace) {
                if (s.len > 0)
                    memcpy(to, s.at, s.len);
                in_lib = wire;
            }
        } else if (is_number(f->kind)) {
            replace = lf.size == 0 || is_refused(f->kind, value);
            if (lf.size > 0)
                *to = replace ? harmless(f->kind) : value;
        } else {
            replace = true;
            if (f->kind == FIELD_TEXT) {
                wire = text_of(pdu, f).len + 1;
                if (wire > SMPP_SHORT_MESSAGE_MAX + 1)
                    return ERR_RANGE;
            } else {
                wire = list_len(pdu, f->kind);
                if (wire == 0)
                    return ERR_RANGE;
            }
        }
        o->replaced |= (uint32_t)replace << i;
        o->len += wire;
        packed += in_lib;
    }
    o->packed_at[layout->count] = (uint16_t)packed;
    if (pdu->tlv_count > SMPP_TLVS_MAX || (pdu->tlv_count > 0 && !layout->takes_tlvs))
        return ERR_RANGE;
    o->len += tlv_wire_len(pdu);
    return 0;
}

static uint8_t *put_replaced(uint8_t *to, const struct smpp_pdu *pdu, const struct scan_field *f)
{
    switch (f->kind) {
    case FIELD_STRING:
        return put_string(to, string_of(pdu, f));
    case FIELD_TEXT: {
        struct bytes text = text_of(pdu, f);

        *to++ = (uint8_t)text.len;
        if (text.len > 0)
            memcpy(to, text.at, text.len);
        return to + text.len;
    }
    case FIELD_DESTS:
    case FIELD_UNSUCCESS:
        return put_list(to, pdu, f->kind);
    default:
        *to++ = ((const uint8_t *)pdu)[f->place];
        return to;
    }
}

int smpp_pdu_write(const struct smpp_pdu *pdu, struct buf *out)
{
    struct outgoing o;
    uint8_t packed[CUT_BYTES_MAX + PACK_SPARE];
    int packed_len = 0;
    int id = scan_layout_of(pdu->command_id);

    if (id < 0)
        return ERR_RANGE;
    if ((pdu->command_id & CMD_RESPONSE) && !pdu->has_body)
        id = LAYOUT_HEADER;

    const struct scan_layout *layout = scan_layout((enum smpp_layout_id)id);
    const struct lib_layout *lib_layout = &lib_layouts[id];
    int err = lay_out(pdu, layout, lib_layout, &o);
    if (err != 0)
        return err;

    forbid_allocation();
    o.lib.header.command_id = lib_layout->type;
    o.lib.header.sequence_number = 1;
    if (smpp34_pack(lib_layout->type, packed, sizeof packed, &packed_len, &o.lib) != 0 ||
        packed_len != o.packed_at[layout->count]) {
        refusals++;
        return ERR_STATE;
    }

    bool failed_before = out->failed;
    uint8_t *start = (uint8_t *)buf_reserve(out, o.len);
    if (start == NULL) {
        out->failed = failed_before; /* nothing was appended: the caller may go on with what is there */
        return ERR_FULL;
    }
    uint8_t *to = start + SMPP_HEADER_BYTES;
    size_t from = SMPP_HEADER_BYTES;
    for (uint32_t left = o.replaced; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        size_t run = o.packed_at[i] - from;

        memcpy(to, packed + from, run);
        to = put_replaced(to + run, pdu, &layout->fields[i]);
        from = o.packed_at[i + 1];
    }
    memcpy(to, packed + from, (size_t)packed_len - from);
    to = tlv_put(pdu, to + ((size_t)packed_len - from));
    assert(to == start + o.len);
    if (id == LAYOUT_BIND || id == LAYOUT_OUTBIND)
        forget(packed, sizeof packed, &o.lib);
    put_u32(start, (uint32_t)o.len);
    put_u32(start + 4, pdu->command_id);
    put_u32(start + 8, pdu->command_status);
    put_u32(start + 12, pdu->sequence_number);
    out->len += o.len;
    out->data[out->len] = '\0';
    return 0;
}

int smpp_codec_selftest(void)
{
    /* A submit_sm with everything the library must not see: TLVs, text, an unknown TON, a vendor status, sequence 0. */
    static const uint8_t frame[] = {
        0,   0,   0,   62,  0,   0,    0, 4,   0,   0,    4,    1,    0,    0, 0, 0, 'W',  'A', 'P', 0, 5, 0,
        't', 'e', 's', 't', 0,   9,    1, '4', '4', '7',  '7',  0,    0x40, 0, 0, 0, 0,    1,   0,   8, 0, 5,
        'h', 'e', 'l', 'l', 'o', 0x14, 0, 0,   1,   0x7F, 0x04, 0x24, 0,    2, 0, 0, 0x14, 0,   0,   0,
    };
    uint8_t whole[sizeof frame];
    struct smpp_pdu pdu;
    struct buf again;
    uint32_t status;
    int err = ERR_STATE;

    memcpy(whole, frame, sizeof frame);
    put_u32(whole, sizeof frame);
    buf_init(&again, 1024);
#ifdef SMPP34_QUIET
    uint64_t before = shim_swallowed();
#endif
    if (smpp_pdu_open(whole, sizeof whole, NULL, &pdu, &status) != SMPP_OPEN_OK)
        goto out;
    if (pdu.sm.dest.ton != 9 || pdu.sm.data_coding != 8 || pdu.tlv_count != 3 || !smpp_str_is(pdu.sm.dest.addr, "4477"))
        goto out;
    if (smpp_pdu_write(&pdu, &again) != 0)
        goto out;
    if (again.len != sizeof whole || memcmp(again.data, whole, sizeof whole) != 0)
        goto out;
#ifdef SMPP34_QUIET
    if (shim_swallowed() == before || !shim_trace_is_empty())
        goto out;
#endif
    err = 0;
out:
    buf_finish(&again);
    return err;
}
