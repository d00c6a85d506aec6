/*
 * waitcall.h - confirmation by the subscriber's own call, asked over SMPP [smsc-api 14].
 *
 * A submit_sm or data_sm with service_type "WCALL" is no message: its destination is the number that will call. The
 * aggregator is asked for a number to call; submit_sm_resp comes when it has answered, then a deliver_sm from that
 * destination whose text is the number to call. The call itself comes later as a deliver_sm with the text "[waitcall]".
 */
#ifndef GATEWAY_WAITCALL_H
#define GATEWAY_WAITCALL_H

#include "gateway/internal.h"

#define WAITCALL_SERVICE_TYPE "WCALL"

bool waitcall_is_asked(const struct smpp_pdu *pdu);
/* Answers the ticket by the status it returns, or later. */
uint32_t waitcall_handle(struct gateway *gw, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                         const struct smpp_pdu *pdu);

#endif
