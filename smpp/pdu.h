/*
 * pdu.h - one SMPP PDU as a struct, decoded from the wire and encoded to it.
 *
 * A decoded PDU holds views into the frame it was read from: they die with the frame. Lists and TLVs keep wire order.
 * Network bytes reach libsmpp34 only through scan.c and codec.c (the airlock); nothing here exposes its types.
 * Spec: SMPP34 3, 4, 5; SMPP50 4.
 */
#ifndef SMPP_PDU_H
#define SMPP_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

enum smpp_command {
    CMD_GENERIC_NACK = 0x80000000u,
    CMD_BIND_RECEIVER = 0x01,
    CMD_BIND_TRANSMITTER = 0x02,
    CMD_QUERY_SM = 0x03,
    CMD_SUBMIT_SM = 0x04,
    CMD_DELIVER_SM = 0x05,
    CMD_UNBIND = 0x06,
    CMD_REPLACE_SM = 0x07,
    CMD_CANCEL_SM = 0x08,
    CMD_BIND_TRANSCEIVER = 0x09,
    CMD_OUTBIND = 0x0B,
    CMD_ENQUIRE_LINK = 0x15,
    CMD_SUBMIT_MULTI = 0x21,
    CMD_ALERT_NOTIFICATION = 0x102,
    CMD_DATA_SM = 0x103,
    CMD_BROADCAST_SM = 0x111,
    CMD_QUERY_BROADCAST_SM = 0x112,
    CMD_CANCEL_BROADCAST_SM = 0x113,
    CMD_RESPONSE = 0x80000000u /* the bit of every response */
};

/* command_status [SMPP34 5.1.3, SMPP50 4.7.6]: name, value */
#define SMPP_STATUS_LIST(X)                                                                                            \
    X(ROK, 0x00)                                                                                                       \
    X(RINVMSGLEN, 0x01)                                                                                                \
    X(RINVCMDLEN, 0x02)                                                                                                \
    X(RINVCMDID, 0x03)                                                                                                 \
    X(RINVBNDSTS, 0x04)                                                                                                \
    X(RALYBND, 0x05)                                                                                                   \
    X(RINVPRTFLG, 0x06)                                                                                                \
    X(RINVREGDLVFLG, 0x07)                                                                                             \
    X(RSYSERR, 0x08)                                                                                                   \
    X(RINVSRCADR, 0x0A)                                                                                                \
    X(RINVDSTADR, 0x0B)                                                                                                \
    X(RINVMSGID, 0x0C)                                                                                                 \
    X(RBINDFAIL, 0x0D)                                                                                                 \
    X(RINVPASWD, 0x0E)                                                                                                 \
    X(RINVSYSID, 0x0F)                                                                                                 \
    X(RCANCELFAIL, 0x11)                                                                                               \
    X(RREPLACEFAIL, 0x13)                                                                                              \
    X(RMSGQFUL, 0x14)                                                                                                  \
    X(RINVSERTYP, 0x15)                                                                                                \
    X(RINVNUMDESTS, 0x33)                                                                                              \
    X(RINVDLNAME, 0x34)                                                                                                \
    X(RINVDESTFLAG, 0x40)                                                                                              \
    X(RINVSUBREP, 0x42)                                                                                                \
    X(RINVESMCLASS, 0x43)                                                                                              \
    X(RCNTSUBDL, 0x44)                                                                                                 \
    X(RSUBMITFAIL, 0x45)                                                                                               \
    X(RINVSRCTON, 0x48)                                                                                                \
    X(RINVSRCNPI, 0x49)                                                                                                \
    X(RINVDSTTON, 0x50)                                                                                                \
    X(RINVDSTNPI, 0x51)                                                                                                \
    X(RINVSYSTYP, 0x53)                                                                                                \
    X(RINVREPFLAG, 0x54)                                                                                               \
    X(RINVNUMMSGS, 0x55)                                                                                               \
    X(RTHROTTLED, 0x58)                                                                                                \
    X(RINVSCHED, 0x61)                                                                                                 \
    X(RINVEXPIRY, 0x62)                                                                                                \
    X(RINVDFTMSGID, 0x63)                                                                                              \
    X(RX_T_APPN, 0x64)                                                                                                 \
    X(RX_P_APPN, 0x65)                                                                                                 \
    X(RX_R_APPN, 0x66)                                                                                                 \
    X(RQUERYFAIL, 0x67)                                                                                                \
    X(RINVTLVSTREAM, 0xC0)                                                                                             \
    X(RTLVNOTALLWD, 0xC1)                                                                                              \
    X(RINVTLVLEN, 0xC2)                                                                                                \
    X(RMISSINGTLV, 0xC3)                                                                                               \
    X(RINVTLVVAL, 0xC4)                                                                                                \
    X(RDELIVERYFAILURE, 0xFE)                                                                                          \
    X(RUNKNOWNERR, 0xFF)                                                                                               \
    X(RINVDCS, 0x104)

enum smpp_status {
#define X(name, value) STATUS_##name = value,
    SMPP_STATUS_LIST(X)
#undef X
};

/* TLV tags this program reads or writes [SMPP34 5.3.2]. */
enum smpp_tag {
    TAG_SOURCE_PORT = 0x020A,
    TAG_DESTINATION_PORT = 0x020B,
    TAG_SAR_MSG_REF_NUM = 0x020C,
    TAG_LANGUAGE_INDICATOR = 0x020D,
    TAG_SAR_TOTAL_SEGMENTS = 0x020E,
    TAG_SAR_SEGMENT_SEQNUM = 0x020F,
    TAG_SC_INTERFACE_VERSION = 0x0210,
    TAG_RECEIPTED_MESSAGE_ID = 0x001E,
    TAG_USER_MESSAGE_REFERENCE = 0x0204,
    TAG_NETWORK_ERROR_CODE = 0x0423,
    TAG_MESSAGE_PAYLOAD = 0x0424,
    TAG_DELIVERY_FAILURE_REASON = 0x0425,
    TAG_MORE_MESSAGES_TO_SEND = 0x0426,
    TAG_MESSAGE_STATE = 0x0427,
    TAG_CONGESTION_STATE = 0x0428,
    TAG_MS_AVAILABILITY_STATUS = 0x0422,
    TAG_QOS_TIME_TO_LIVE = 0x0017,
    TAG_SET_DPF = 0x0421,
    TAG_SMSC_COST = 0x2000, /* the aggregator's own [API smpp/status] */
    TAG_SMSC_FLAG = 0x2001
};

enum {
    SMPP_HEADER_BYTES = 16,
    SMPP_TLVS_MAX = 64,
    SMPP_DESTS_MAX = 255,
    SMPP_ID_MAX = 64,             /* message_id without its NUL */
    SMPP_SHORT_MESSAGE_MAX = 254, /* longer text travels in message_payload */
    SMPP_PAYLOAD_MAX = 65535
};

/* esm_class bits [SMPP34 5.2.12] */
enum {
    ESM_MODE_MASK = 0x03,
    ESM_MODE_FORWARD = 0x02,
    ESM_TYPE_MASK = 0x3C,
    ESM_RECEIPT = 0x04,
    ESM_INTERMEDIATE = 0x20,
    ESM_UDHI = 0x40,
    ESM_REPLY_PATH = 0x80
};

/* registered_delivery [SMPP34 5.2.17, SMPP50 4.7.21] */
enum {
    REG_RECEIPT_MASK = 0x03,
    REG_RECEIPT = 0x01,
    REG_ON_FAILURE = 0x02,
    REG_ON_SUCCESS = 0x03,
    REG_INTERMEDIATE = 0x10
};

/* message_state [SMPP34 5.2.28] */
enum smpp_message_state {
    SMPP_STATE_SCHEDULED = 0,
    SMPP_STATE_ENROUTE = 1,
    SMPP_STATE_DELIVERED = 2,
    SMPP_STATE_EXPIRED = 3,
    SMPP_STATE_DELETED = 4,
    SMPP_STATE_UNDELIVERABLE = 5,
    SMPP_STATE_ACCEPTED = 6,
    SMPP_STATE_UNKNOWN = 7,
    SMPP_STATE_REJECTED = 8
};

/* A view of text inside the frame, without its NUL. In PDUs to encode: any string that outlives the call. */
struct smpp_str {
    const char *at;
    size_t len;
};

struct smpp_addr {
    uint8_t ton;
    uint8_t npi;
    struct smpp_str addr;
};

struct smpp_tlv {
    uint16_t tag;
    uint16_t len;
    const uint8_t *value;
};

struct smpp_bind {
    struct smpp_str system_id;
    struct smpp_str password;
    struct smpp_str system_type;
    uint8_t interface_version;
    uint8_t addr_ton;
    uint8_t addr_npi;
    struct smpp_str address_range;
};

/* submit_sm, deliver_sm, data_sm, submit_multi, replace_sm: the fields a command lacks stay zero. */
struct smpp_sm {
    struct smpp_str service_type;
    struct smpp_addr source;
    struct smpp_addr dest; /* submit_multi: see dests */
    uint8_t esm_class;
    uint8_t protocol_id;
    uint8_t priority_flag;
    struct smpp_str schedule_delivery_time;
    struct smpp_str validity_period;
    uint8_t registered_delivery;
    uint8_t replace_if_present_flag;
    uint8_t data_coding;
    uint8_t sm_default_msg_id;
    struct bytes short_message; /* UDH included when esm_class says so */
};

struct smpp_dest {     /* submit_multi request; in its response an unsuccess_sme with status */
    uint8_t dest_flag; /* 1 SME address, 2 distribution list (name in addr) */
    struct smpp_addr address;
    uint32_t status;
};

struct smpp_pdu {
    uint32_t command_length;
    uint32_t command_id;
    uint32_t command_status;
    uint32_t sequence_number;
    bool has_body;              /* responses may be header only */
    bool tlvs_damaged;          /* the TLV area was cut short: what was readable is in tlvs */
    struct smpp_bind bind;      /* bind_*, outbind; bind_*_resp use bind.system_id */
    struct smpp_sm sm;          /* see struct smpp_sm; query_sm and cancel_sm use sm.source, sm.dest, sm.service_type */
    struct smpp_str message_id; /* query_sm, cancel_sm, replace_sm and their kin; *_sm_resp */
    struct smpp_str final_date; /* query_sm_resp */
    uint8_t message_state;      /* query_sm_resp */
    uint8_t error_code;         /* query_sm_resp */
    struct smpp_addr esme;      /* alert_notification */
    size_t dest_count;          /* submit_multi, submit_multi_resp */
    size_t tlv_count;
    struct smpp_tlv tlvs[SMPP_TLVS_MAX]; /* valid up to tlv_count */
    struct smpp_dest *dests; /* decode: storage given by smpp_pdu_open's caller, may be NULL when not wanted */
};

enum smpp_open {
    SMPP_OPEN_OK,
    SMPP_OPEN_REJECT, /* header is sound: answer with the status given */
    SMPP_OPEN_FATAL   /* framing is lost: generic_nack, close */
};

/* Decodes one whole frame (len == command_length; no byte behind it is read). `dests` has room for SMPP_DESTS_MAX, or is
 * NULL: then a submit_multi is rejected and the list of a submit_multi_resp is left out. On REJECT the header fields are
 * filled and *out_status is the answer: STATUS_RINVCMDID asks for a generic_nack, the rest for the matching response; a
 * rejected response (CMD_RESPONSE) is dropped, nobody answers it. A message whose TLVs are cut short is OK with
 * tlvs_damaged. Where fields came out longer than SMPP34 allows and why they are accepted: fields.h. The views in *out
 * die with the frame. Only one thread of the process may use this and smpp_pdu_write (the library's trace is global). */
enum smpp_open smpp_pdu_open(const uint8_t *frame, size_t len, struct smpp_dest *dests, struct smpp_pdu *out,
                             uint32_t *out_status) MUST_CHECK;

/* Appends the PDU's bytes to `out`; command_length is computed. Any command this file names, any status and sequence.
 * Text longer than 254 bytes must already stand in a message_payload TLV. Responses are header only unless has_body;
 * with it cancel_sm_resp, unbind_resp and their kin get a message_id too, so leave it false there.
 * Returns 0, ERR_RANGE when a field does not fit its place or the command is unknown, ERR_FULL when `out` is full,
 * ERR_STATE when the library refused what it must take (our bug). On error nothing was appended. */
int smpp_pdu_write(const struct smpp_pdu *pdu, struct buf *out) MUST_CHECK;

/* The first TLV with this tag, or NULL. */
const struct smpp_tlv *smpp_tlv_find(const struct smpp_pdu *pdu, uint16_t tag);
/* The unsigned value of a TLV of 1, 2 or 4 bytes; false when it is absent or has another length. */
bool smpp_tlv_uint(const struct smpp_pdu *pdu, uint16_t tag, uint32_t *out);
/* Appends a TLV to a PDU to be encoded (the value is not copied). False when SMPP_TLVS_MAX are there. */
bool smpp_tlv_add(struct smpp_pdu *pdu, uint16_t tag, const void *value, uint16_t len);
/* The user's bytes: message_payload when short_message is empty, else short_message. */
struct bytes smpp_sm_text(const struct smpp_pdu *pdu);

struct smpp_str smpp_str(const char *s); /* view of a C string; NULL gives the empty view */
bool smpp_str_is(struct smpp_str a, const char *b);

/* "submit_sm" for CMD_SUBMIT_SM, "submit_sm_resp", "unknown". Static strings. */
const char *smpp_command_name(uint32_t command_id);
/* "ESME_RTHROTTLED"; "" for a status without a name. Static strings. */
const char *smpp_status_name(uint32_t status);
/* Start-up self-test of the airlock: a valid PDU decodes and encodes to the same bytes, and the library's trace stays
 * empty when the shim is linked. Returns 0 or ERR_STATE. */
int smpp_codec_selftest(void) MUST_CHECK;
/* How often the library refused a PDU our scan had passed (answered with STATUS_RSYSERR): 0 unless we have a bug. */
uint64_t smpp_codec_refusals(void);

#endif
