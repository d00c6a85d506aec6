/*
 * face.h - requests beside submit_sm: sets of destinations, questions and orders about messages taken before.
 *
 * Private to the gateway's SMPP side (submit.c, multi.c, manage.c, cancel_upstream.c). Each answers its ticket exactly
 * once, by the status it returns or later.
 */
#ifndef GATEWAY_FACE_H
#define GATEWAY_FACE_H

#include "gateway/internal.h"
#include "gateway/read_sm.h"

/* submit.c: what both ways of taking a message share. */
/* Answers the request that brought this message, once. */
void submit_answer(struct gateway *gw, struct item *item, uint32_t status);
uint32_t submit_read(struct gateway *gw, struct account *account, const struct smpp_session_info *session,
                     const struct smpp_pdu *pdu, struct reading *reading, struct message *out);
/* May a message that is routed so be taken by `when_down`? ROK, or what it is refused with. */
uint32_t submit_way(struct gateway *gw, const struct account *account, const struct message *m);
uint64_t submit_public_id(struct gateway *gw, const struct message *m); /* 0: none now; m->id is set, p.esme too */

/* multi.c */
uint32_t multi_handle(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                      const struct smpp_pdu *pdu);
/* A member of a set is durable, or could not be made so. */
void multi_stored(struct gateway *gw, struct item *item, int err);
void multi_finish(struct gateway *gw);

/* manage.c */
uint32_t manage_query(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                      const struct smpp_pdu *pdu);
uint32_t manage_replace(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                        const struct smpp_pdu *pdu);
/* What query_sm says about these records of one public id (pure): the state of the one that is least far, else the first
 * that was not delivered. `version` of the bind: 5.0 knows SCHEDULED. */
struct manage_state {
    uint8_t message_state, error_code;
    int64_t final_ms; /* 0 not final */
};
struct manage_state manage_state_of(struct message *const *records, size_t count, uint8_t version);

/* cancel.c */
uint32_t cancel_handle(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                       const struct smpp_pdu *pdu);
/* Cancels every record of this public id that belongs to the account (0: any). `fn` is called once, never from inside
 * this call: `cancelled` and `kept` count records. Returns 0, or an error when nothing was begun. */
typedef void cancel_done_fn(void *owner, size_t cancelled, size_t kept);
int cancel_public(struct gateway *gw, uint16_t esme, uint64_t public_id, cancel_done_fn *fn, void *owner) MUST_CHECK;

/* cancel_upstream.c: asks the upstream to delete a message it has accepted. `fn` once, never from inside this call. */
typedef void cancel_upstream_fn(void *owner, uint64_t id, bool deleted);
int cancel_upstream(struct gateway *gw, struct item *item, cancel_upstream_fn *fn, void *owner) MUST_CHECK;

#endif
