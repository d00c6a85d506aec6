/*
 * fields.h - the mandatory fields of every PDU body, one row per field, in wire order.
 *
 * Read twice: scan.c makes its own bounds from it, codec.c the places in libsmpp34's structs, so the two cannot drift.
 * F(kind, the library's name, place in struct smpp_pdu, longest length with its NUL, status when it is longer)
 * Lengths are what we take from a peer, not what the library can hold: system_id and password up to 64 characters are
 * common in the field although SMPP34 5.2.1 allows 15 and 8.
 * Spec: SMPP34 4, SMPP50 4.
 */
#ifndef SMPP_FIELDS_H
#define SMPP_FIELDS_H

enum smpp_field_kind {
    FIELD_STRING,
    FIELD_U8,
    FIELD_TON,      /* as U8; the library knows few values */
    FIELD_NPI,      /* likewise */
    FIELD_VERSION,  /* likewise */
    FIELD_TEXT,     /* sm_length and short_message */
    FIELD_DESTS,    /* number_of_dests and dest_address(es) */
    FIELD_UNSUCCESS /* no_unsuccess and unsuccess_sme(s) */
};

#define FIELDS_HEADER(F)

#define FIELDS_BIND(F)                                                                                                 \
    F(STRING, system_id, bind.system_id, 65, RINVSYSID)                                                                \
    F(STRING, password, bind.password, 65, RINVPASWD)                                                                  \
    F(STRING, system_type, bind.system_type, 13, RINVSYSTYP)                                                           \
    F(VERSION, interface_version, bind.interface_version, 1, ROK)                                                      \
    F(TON, addr_ton, bind.addr_ton, 1, ROK)                                                                            \
    F(NPI, addr_npi, bind.addr_npi, 1, ROK)                                                                            \
    F(STRING, address_range, bind.address_range, 65, RBINDFAIL)

#define FIELDS_BIND_RESP(F) F(STRING, system_id, bind.system_id, 65, RINVSYSID)

#define FIELDS_OUTBIND(F)                                                                                              \
    F(STRING, system_id, bind.system_id, 65, RINVSYSID)                                                                \
    F(STRING, password, bind.password, 65, RINVPASWD)

#define FIELDS_SOURCE(F, longest)                                                                                      \
    F(TON, source_addr_ton, sm.source.ton, 1, ROK)                                                                     \
    F(NPI, source_addr_npi, sm.source.npi, 1, ROK)                                                                     \
    F(STRING, source_addr, sm.source.addr, longest, RINVSRCADR)

#define FIELDS_DEST(F, longest)                                                                                        \
    F(TON, dest_addr_ton, sm.dest.ton, 1, ROK)                                                                         \
    F(NPI, dest_addr_npi, sm.dest.npi, 1, ROK)                                                                         \
    F(STRING, destination_addr, sm.dest.addr, longest, RINVDSTADR)

#define FIELDS_TIMES(F)                                                                                                \
    F(STRING, schedule_delivery_time, sm.schedule_delivery_time, 17, RINVSCHED)                                        \
    F(STRING, validity_period, sm.validity_period, 17, RINVEXPIRY)

#define FIELDS_SERVICE_TYPE(F) F(STRING, service_type, sm.service_type, 6, RINVSERTYP)
#define FIELDS_MESSAGE_ID(F)   F(STRING, message_id, message_id, 65, RINVMSGID)

#define FIELDS_HOW_AND_TEXT(F)                                                                                         \
    F(U8, esm_class, sm.esm_class, 1, ROK)                                                                             \
    F(U8, protocol_id, sm.protocol_id, 1, ROK)                                                                         \
    F(U8, priority_flag, sm.priority_flag, 1, ROK)                                                                     \
    FIELDS_TIMES(F)                                                                                                    \
    F(U8, registered_delivery, sm.registered_delivery, 1, ROK)                                                         \
    F(U8, replace_if_present_flag, sm.replace_if_present_flag, 1, ROK)                                                 \
    F(U8, data_coding, sm.data_coding, 1, ROK)                                                                         \
    F(U8, sm_default_msg_id, sm.sm_default_msg_id, 1, ROK)                                                             \
    F(TEXT, sm_length, sm.short_message, 254, RINVMSGLEN)

#define FIELDS_SUBMIT(F)                                                                                               \
    FIELDS_SERVICE_TYPE(F)                                                                                             \
    FIELDS_SOURCE(F, 21)                                                                                               \
    FIELDS_DEST(F, 21)                                                                                                 \
    FIELDS_HOW_AND_TEXT(F)

#define FIELDS_MULTI(F)                                                                                                \
    FIELDS_SERVICE_TYPE(F)                                                                                             \
    FIELDS_SOURCE(F, 21)                                                                                               \
    F(DESTS, number_of_dests, dest_count, 21, RINVNUMDESTS)                                                            \
    FIELDS_HOW_AND_TEXT(F)

#define FIELDS_MULTI_RESP(F)                                                                                           \
    FIELDS_MESSAGE_ID(F)                                                                                               \
    F(UNSUCCESS, no_unsuccess, dest_count, 21, RINVNUMDESTS)

#define FIELDS_DATA(F)                                                                                                 \
    FIELDS_SERVICE_TYPE(F)                                                                                             \
    FIELDS_SOURCE(F, 65)                                                                                               \
    FIELDS_DEST(F, 65)                                                                                                 \
    F(U8, esm_class, sm.esm_class, 1, ROK)                                                                             \
    F(U8, registered_delivery, sm.registered_delivery, 1, ROK)                                                         \
    F(U8, data_coding, sm.data_coding, 1, ROK)

#define FIELDS_REPLACE(F)                                                                                              \
    FIELDS_MESSAGE_ID(F)                                                                                               \
    FIELDS_SOURCE(F, 21)                                                                                               \
    FIELDS_TIMES(F)                                                                                                    \
    F(U8, registered_delivery, sm.registered_delivery, 1, ROK)                                                         \
    F(U8, sm_default_msg_id, sm.sm_default_msg_id, 1, ROK)                                                             \
    F(TEXT, sm_length, sm.short_message, 254, RINVMSGLEN)

#define FIELDS_QUERY(F)                                                                                                \
    FIELDS_MESSAGE_ID(F)                                                                                               \
    FIELDS_SOURCE(F, 21)

#define FIELDS_QUERY_RESP(F)                                                                                           \
    FIELDS_MESSAGE_ID(F)                                                                                               \
    F(STRING, final_date, final_date, 17, RINVEXPIRY)                                                                  \
    F(U8, message_state, message_state, 1, ROK)                                                                        \
    F(U8, error_code, error_code, 1, ROK)

#define FIELDS_CANCEL(F)                                                                                               \
    FIELDS_SERVICE_TYPE(F)                                                                                             \
    FIELDS_MESSAGE_ID(F)                                                                                               \
    FIELDS_SOURCE(F, 21)                                                                                               \
    FIELDS_DEST(F, 21)

#define FIELDS_ALERT(F)                                                                                                \
    FIELDS_SOURCE(F, 65)                                                                                               \
    F(TON, esme_addr_ton, esme.ton, 1, ROK)                                                                            \
    F(NPI, esme_addr_npi, esme.npi, 1, ROK)                                                                            \
    F(STRING, esme_addr, esme.addr, 65, RINVDSTADR)

#define FIELDS_ID_RESP(F) FIELDS_MESSAGE_ID(F)

/* SMPP50 only, unknown to the library: every field is ours to read and write. */
#define FIELDS_BROADCAST(F)                                                                                            \
    FIELDS_SERVICE_TYPE(F)                                                                                             \
    FIELDS_SOURCE(F, 21)                                                                                               \
    FIELDS_MESSAGE_ID(F)                                                                                               \
    F(U8, priority_flag, sm.priority_flag, 1, ROK)                                                                     \
    FIELDS_TIMES(F)                                                                                                    \
    F(U8, replace_if_present_flag, sm.replace_if_present_flag, 1, ROK)                                                 \
    F(U8, data_coding, sm.data_coding, 1, ROK)                                                                         \
    F(U8, sm_default_msg_id, sm.sm_default_msg_id, 1, ROK)

#define FIELDS_CANCEL_BROADCAST(F)                                                                                     \
    FIELDS_SERVICE_TYPE(F)                                                                                             \
    FIELDS_MESSAGE_ID(F)                                                                                               \
    FIELDS_SOURCE(F, 21)

/* L(name, does the body end in TLVs?). A leftover behind a body without them is an error [SMPP34 3.2.1.4]. Binds and
 * replace_sm have TLVs since SMPP50; a response's are always welcome. */
#define LAYOUT_LIST(L)                                                                                                 \
    L(HEADER, false)                                                                                                   \
    L(BIND, true)                                                                                                      \
    L(BIND_RESP, true)                                                                                                 \
    L(OUTBIND, false)                                                                                                  \
    L(SUBMIT, true)                                                                                                    \
    L(MULTI, true)                                                                                                     \
    L(MULTI_RESP, true)                                                                                                \
    L(DATA, true)                                                                                                      \
    L(REPLACE, true)                                                                                                   \
    L(QUERY, false)                                                                                                    \
    L(QUERY_RESP, true)                                                                                                \
    L(CANCEL, false)                                                                                                   \
    L(ALERT, true)                                                                                                     \
    L(ID_RESP, true)                                                                                                   \
    L(BROADCAST, true)                                                                                                 \
    L(QUERY_BROADCAST, true)                                                                                           \
    L(CANCEL_BROADCAST, true)

#define FIELDS_QUERY_BROADCAST(F) FIELDS_QUERY(F)

enum smpp_layout_id {
#define L(name, tlvs) LAYOUT_##name,
    LAYOUT_LIST(L)
#undef L
        LAYOUT_COUNT
};

#endif
