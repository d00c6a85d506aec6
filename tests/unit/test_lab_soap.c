/* SPDX-License-Identifier: MIT */
/* test_lab_soap.c - soap.php of the simulated service, asked by our own builder, by a foreign library's request, by nonsense. */
#include "lab_help.h"

static const char *soap(const char *body)
{
    return ask_full("/sys/soap.php", "", "text/xml; charset=utf-8", body, strlen(body), 0);
}

static void our_own_client_is_served(void **state)
{
    struct smsc_login login = { .login = "alex", .password = "123" };
    struct smsc_line line = {
        .phone = "79161234567", .sender = "SHOP", .text = "Да & <нет>", .text_len = strlen("Да & <нет>")
    };
    struct smsc_send send = { .id = "x-1", .lines = &line, .line_count = 1 };
    struct smsc_send_reply sent;
    struct smsc_status_reply status;
    struct smsc_balance_reply balance;
    struct buf body;

    UNUSED(state);
    buf_init(&body, 65536);
    smsc_soap_build_send(&login, &send, &body);
    (void)soap(buf_text(&body));
    smsc_soap_parse_send(last.status, last_reply, strlen(last_reply), &sent);
    assert_int_equal(sent.kind, SMSC_REPLY_OK);
    assert_string_equal(sent.id, "x-1");
    assert_int_equal(sent.cnt, 1);
    assert_int_equal(sent.cost_e6, 1650000);
    smsc_send_reply_finish(&sent);
    assert_string_equal(lab_message_find(&lab->messages, "79161234567", "x-1")->text, "Да & <нет>");

    let_pass(300);
    buf_clear(&body);
    smsc_soap_build_status(&login, "79161234567", "x-1", &body);
    (void)soap(buf_text(&body));
    smsc_soap_parse_status(last.status, last_reply, strlen(last_reply), &status);
    assert_int_equal(status.kind, SMSC_REPLY_OK);
    assert_int_equal(status.items[0].status, 1);
    smsc_status_reply_finish(&status);

    buf_clear(&body);
    smsc_soap_build_balance(&login, &body);
    (void)soap(buf_text(&body));
    smsc_soap_parse_balance(last.status, last_reply, strlen(last_reply), &balance);
    assert_int_equal(balance.kind, SMSC_REPLY_OK);
    assert_int_equal(balance.balance_e6, 999999998350000);
    buf_finish(&body);
}

#define HEAD                                                                                                           \
    "<?xml version=\"1.0\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" "                  \
    "xmlns:tns=\"http://smsc.ru/sys/soap.php\"><soap:Body>"
#define TAIL "</soap:Body></soap:Envelope>"

static void a_foreign_request_is_served(void **state)
{
    UNUSED(state);
    /* as the npm package soap sends it */
    (void)soap(HEAD "<tns:send><login>alex</login><psw>123</psw><phones>79161234567</phones><mes>Hello world!</mes>"
                    "<id></id><sender>ivan</sender><time>0</time></tns:send>" TAIL);
    assert_non_null(
        strstr(last_reply,
               "<ns1:SendResponse><sendresult><id>1</id><balance>999999998.35</balance><cost>1.65</cost><cnt>1</cnt>"
               "</sendresult></ns1:SendResponse>"));
    (void)soap(HEAD "<tns:send2><login/><psw/><phones>79161234567,12</phones><mes><![CDATA[a<b]]></mes>"
                    "<query>apikey=lab&amp;err=1&amp;id=7&amp;fmt=0</query></tns:send2>" TAIL);
    assert_non_null(strstr(last_reply, "<id>7</id>"));
    assert_non_null(strstr(last_reply, "<errors><phone>12</phone><status>22</status></errors>"));
    assert_string_equal(lab_message_find(&lab->messages, "79161234567", "7")->text, "a<b");
    (void)soap(
        HEAD
        "<tns:status><login>alex</login><psw>123</psw><phone>79161234567</phone><id>nobody</id></tns:status>" TAIL);
    assert_non_null(strstr(last_reply, "<statusresult><error>3</error></statusresult>"));
    (void)soap(HEAD
               "<tns:cost><login>alex</login><psw>x</psw><phones>79161234567</phones><mes>a</mes></tns:cost>" TAIL);
    assert_non_null(strstr(last_reply, "<costresult><error>2</error></costresult>"));
}

static void nonsense_is_a_fault(void **state)
{
    static const char *const bodies[] = {
        "x",
        "<a>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a/>",
        HEAD "<tns:nothing/>" TAIL,
        HEAD "<tns:send><login>&bad;</login></tns:send>" TAIL,
        HEAD "<tns:send>",
        "<",
        "<a><b><c><d><e><f></f></e></d></c></b></a>",
        "</a></b>",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        assert_non_null(strstr(soap(bodies[i]), "<SOAP-ENV:Fault>"));
        assert_int_equal(last.status, 500);
    }
    assert_int_equal(lab->n.accepted, 0);
}

static void the_wsdl_names_all_operations(void **state)
{
    static const char *const names[] = { "get_balance",   "send_sms",   "send_sms2",  "get_sms_cost",
                                         "get_sms_cost2", "get_status", "get_status2" };
    char wanted[64];

    UNUSED(state);
    (void)ask_full("/sys/soap.php", "wsdl", NULL, "", 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(wanted, sizeof wanted, "<operation name=\"%s\">", names[i]);
        assert_non_null(strstr(last_reply, wanted));
    }
    assert_non_null(strstr(last_reply, "location=\"http://lab.example/sys/soap.php\""));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = { T(our_own_client_is_served), T(a_foreign_request_is_served),
                                        T(nonsense_is_a_fault), T(the_wsdl_names_all_operations) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
