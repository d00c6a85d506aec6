/* SPDX-License-Identifier: MIT */
/*
 * answer.c - answers to whoever asked: an ESME's session, or an HTTP exchange of the administration room.
 *
 * A message may come as POST /v1/messages; it then carries a ticket of no session, and takes exactly the way an ESME's
 * submit_sm takes.
 */
#include "gateway/admin.h"
#include "gateway/internal.h"

int answer_ticket(struct gateway *gw, const struct smpp_ticket *ticket, uint32_t status, const char *message_id)
{
    if (!admin_is_ticket(ticket))
        return smpp_answer(gw->smpp, ticket, status, message_id);
    admin_answered(gw, ticket, status, message_id);
    return 0;
}

int answer_ticket_pdu(struct gateway *gw, const struct smpp_ticket *ticket, struct smpp_pdu *response)
{
    if (!admin_is_ticket(ticket))
        return smpp_answer_pdu(gw->smpp, ticket, response);
    admin_answered(gw, ticket, response->command_status, response->message_id.at);
    return 0;
}

bool answer_left(struct gateway *gw, const struct smpp_ticket *ticket)
{
    return admin_is_ticket(ticket) || smpp_answer_left(gw->smpp, ticket);
}
