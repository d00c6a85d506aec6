/* SPDX-License-Identifier: MIT */
/* test_dispatch.c - each request in each state: which answer, and that the session lives on [SMPP34 2.3]. */
#include "smpp_world.h"

enum { IN_OPEN = 1, IN_TX = 2, IN_RX = 4, IN_TRX = 8, SENDERS = IN_TX | IN_TRX, BOUND = IN_TX | IN_RX | IN_TRX };

static const struct {
    uint32_t command_id;
    unsigned legal_in;
    bool has_response;
    uint32_t refused_bound; /* where it is not legal and the peer is bound */
} rows[] = {
    { CMD_SUBMIT_SM, SENDERS, true, STATUS_RINVBNDSTS },
    { CMD_DATA_SM, SENDERS, true, STATUS_RINVBNDSTS },
    { CMD_SUBMIT_MULTI, SENDERS, true, STATUS_RINVBNDSTS },
    { CMD_QUERY_SM, SENDERS, true, STATUS_RINVBNDSTS },
    { CMD_CANCEL_SM, SENDERS, true, STATUS_RINVBNDSTS },
    { CMD_REPLACE_SM, SENDERS, true, STATUS_RINVBNDSTS },
    { CMD_ENQUIRE_LINK, IN_OPEN | BOUND, true, STATUS_RINVBNDSTS },
    { CMD_BIND_TRANSMITTER, 0, true, STATUS_RALYBND }, /* in OPEN it is what got us here */
    { CMD_BIND_RECEIVER, 0, true, STATUS_RALYBND },
    { CMD_BIND_TRANSCEIVER, 0, true, STATUS_RALYBND },
    { CMD_DELIVER_SM, 0, true, STATUS_RINVBNDSTS },
    { CMD_ALERT_NOTIFICATION, 0, false, STATUS_RINVBNDSTS },
    { CMD_OUTBIND, 0, false, STATUS_RINVBNDSTS },
    { 0x0000000A, 0, false, STATUS_RINVCMDID },
    { 0x00010203, 0, false, STATUS_RINVCMDID },
    { 0x7FFFFFFF, 0, false, STATUS_RINVCMDID },
};

static bool is_bind(uint32_t id)
{
    return id == CMD_BIND_TRANSMITTER || id == CMD_BIND_RECEIVER || id == CMD_BIND_TRANSCEIVER;
}

static void send_request(struct raw *r, uint32_t id, uint32_t sequence)
{
    struct smpp_dest dest = { .dest_flag = 1 };
    struct smpp_pdu pdu = world_sm(id);

    if (smpp_command_name(id)[0] == 'u') { /* unknown: the codec writes none */
        raw_send_header(r, 16, id, 0, sequence);
        return;
    }
    dest.address.addr = smpp_str("79000000000");
    pdu.dests = &dest;
    pdu.dest_count = 1;
    pdu.message_id = smpp_str("1");
    pdu.bind.system_id = smpp_str("alice");
    pdu.esme.addr = smpp_str("1");
    raw_send_pdu(r, &pdu, sequence);
}

static void each_request_in_each_state(void **state)
{
    static const struct {
        unsigned bit;
        uint32_t bind;
    } states[] = {
        { IN_OPEN, 0 }, { IN_TX, CMD_BIND_TRANSMITTER }, { IN_RX, CMD_BIND_RECEIVER }, { IN_TRX, CMD_BIND_TRANSCEIVER }
    };
    struct world *w = world_create();

    (void)state;
    w->message_id = NULL; /* header-only answers do for all */
    world_listen(w, false);
    for (size_t s = 0; s < ARRAY_LEN(states); s++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            uint32_t id = rows[i].command_id;
            bool open = states[s].bit == IN_OPEN, legal = (rows[i].legal_in & states[s].bit) != 0;

            if (open && (is_bind(id) || id == CMD_OUTBIND))
                continue; /* binds have their tests, an outbind has no answer */

            struct raw *r = open ? raw_connect(w, true) : raw_bound(w, states[s].bind);
            uint32_t refused =
                open && rows[i].refused_bound != STATUS_RINVCMDID ? STATUS_RINVBNDSTS : rows[i].refused_bound;
            unsigned requests = w->requests;

            send_request(r, id, 77);
            NEXT_IS(w, r, rows[i].has_response ? id | CMD_RESPONSE : CMD_GENERIC_NACK, legal ? STATUS_ROK : refused,
                    77);
            assert_int_equal(requests + (legal && id != CMD_ENQUIRE_LINK), w->requests);
            raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 78); /* one answer, and still there */
            NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, 78);
            raw_close(r);
        }
    }
    world_destroy(w);
}

static void responses_are_never_answered(void **state)
{
    static const uint32_t ids[] = { CMD_GENERIC_NACK, CMD_SUBMIT_SM | CMD_RESPONSE, CMD_UNBIND | CMD_RESPONSE,
                                    CMD_ENQUIRE_LINK | CMD_RESPONSE, 0xFFFFFFFF };
    struct world *w = world_create();

    (void)state;
    world_listen(w, false);

    struct raw *r = raw_bound(w, CMD_BIND_TRANSCEIVER);

    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        raw_send_header(r, 16, ids[i], STATUS_ROK, 5);
    raw_send_header(r, 16, CMD_ENQUIRE_LINK, 0, 6);
    NEXT_IS(w, r, CMD_ENQUIRE_LINK | CMD_RESPONSE, STATUS_ROK, 6);
    assert_int_equal(4, w->troubles); /* all but the enquire_link_resp are counted */
    raw_close(r);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_in_each_state),
        cmocka_unit_test(responses_are_never_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
