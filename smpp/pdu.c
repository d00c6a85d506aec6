/* SPDX-License-Identifier: MIT */
/* pdu.c - names of commands and statuses, and the small questions one asks a decoded PDU. Knows no bytes of the wire. */
#include "smpp/pdu.h"

static const struct name {
    uint32_t command_id;
    const char *request, *response;
} commands[] = {
    { CMD_SUBMIT_SM, "submit_sm", "submit_sm_resp" },
    { CMD_DELIVER_SM, "deliver_sm", "deliver_sm_resp" },
    { CMD_ENQUIRE_LINK, "enquire_link", "enquire_link_resp" },
    { CMD_BIND_RECEIVER, "bind_receiver", "bind_receiver_resp" },
    { CMD_BIND_TRANSMITTER, "bind_transmitter", "bind_transmitter_resp" },
    { CMD_BIND_TRANSCEIVER, "bind_transceiver", "bind_transceiver_resp" },
    { CMD_UNBIND, "unbind", "unbind_resp" },
    { CMD_QUERY_SM, "query_sm", "query_sm_resp" },
    { CMD_REPLACE_SM, "replace_sm", "replace_sm_resp" },
    { CMD_CANCEL_SM, "cancel_sm", "cancel_sm_resp" },
    { CMD_OUTBIND, "outbind", NULL },
    { CMD_SUBMIT_MULTI, "submit_multi", "submit_multi_resp" },
    { CMD_ALERT_NOTIFICATION, "alert_notification", NULL },
    { CMD_DATA_SM, "data_sm", "data_sm_resp" },
    { CMD_BROADCAST_SM, "broadcast_sm", "broadcast_sm_resp" },
    { CMD_QUERY_BROADCAST_SM, "query_broadcast_sm", "query_broadcast_sm_resp" },
    { CMD_CANCEL_BROADCAST_SM, "cancel_broadcast_sm", "cancel_broadcast_sm_resp" },
    { 0, NULL, "generic_nack" }, /* 0 | CMD_RESPONSE */
};

const char *smpp_command_name(uint32_t command_id)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i].command_id == (command_id & ~(uint32_t)CMD_RESPONSE)) {
            const char *name = command_id & CMD_RESPONSE ? commands[i].response : commands[i].request;
            return name == NULL ? "unknown" : name;
        }
    }
    return "unknown";
}

const char *smpp_status_name(uint32_t status)
{
    switch (status) {
#define X(name, value)                                                                                                 \
    case value:                                                                                                        \
        return "ESME_" #name;
        SMPP_STATUS_LIST(X)
#undef X
    default:
        return "";
    }
}

struct bytes smpp_sm_text(const struct smpp_pdu *pdu)
{
    if (pdu->sm.short_message.len == 0) {
        const struct smpp_tlv *payload = smpp_tlv_find(pdu, TAG_MESSAGE_PAYLOAD);

        if (payload != NULL)
            return (struct bytes){ payload->value, payload->len };
    }
    return pdu->sm.short_message;
}

struct smpp_str smpp_str(const char *s)
{
    return (struct smpp_str){ s == NULL ? "" : s, s == NULL ? 0 : strlen(s) };
}

bool smpp_str_is(struct smpp_str a, const char *b)
{
    return a.len == strlen(b) && (a.len == 0 || memcmp(a.at, b, a.len) == 0);
}
