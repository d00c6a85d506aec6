/* SPDX-License-Identifier: MIT */
/* test_smsc_soap.c - SOAP requests as the aggregator's WSDL has them, results and Faults [smsc-api 16]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "http/smsc_soap.h"
#include "http/xml.h"
#include "tests/vectors/vector.h"

static const struct smsc_login alex = { "alex", "1<2>&3", "" };
static const struct smsc_login key = { "alex", "123", "k&1" };
static struct vector v;
static struct buf out;

#define LINE(p, s, t)                                                                                                  \
    {                                                                                                                  \
        .phone = (p), .sender = (s), .text = (t), .text_len = sizeof(t) - 1                                            \
    }
#define HEAD                                                                                                           \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                                     \
    "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\""                                          \
    " xmlns:tns=\"http://smsc.ru/sys/soap.php\"><soap:Body>"
#define TAIL "</soap:Body></soap:Envelope>"

static int setup(void **state)
{
    UNUSED(state);
    buf_init(&out, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    buf_finish(&out);
    return 0;
}

static void one_message(void **state)
{
    struct smsc_line line = LINE("79999999999", "ivan", "Hello <world> & \"all\"\r\n\x01");
    struct smsc_send send = { .id = "gw-1", .lines = &line, .line_count = 1, .at_s = 1476794052, .valid_minutes = 90 };

    UNUSED(state);
    smsc_soap_build_send(&alex, &send, &out);
    assert_string_equal(HEAD "<tns:send2><login>alex</login><psw>1&lt;2&gt;&amp;3</psw><phones>79999999999</phones>"
                             "<mes>Hello &lt;world&gt; &amp; \"all\"&#13;\n?</mes><id>gw-1</id><sender>ivan</sender>"
                             "<time>01476794052</time><query>cost=3&amp;valid=01%3A30</query></tns:send2>" TAIL,
                        out.data);
}

static void several_messages_and_an_api_key(void **state)
{
    struct smsc_line lines[] = { LINE("7001", "", "one"), LINE("7002", "S", "two & \n three") };
    struct smsc_param extra = { "sender", "Def" };
    struct smsc_send send = {
        .id = "1", .kind = SMSC_FLASH, .lines = lines, .line_count = 2, .extra = &extra, .extra_count = 1
    };

    UNUSED(state);
    smsc_soap_build_send(&key, &send, &out);
    assert_string_equal(HEAD
                        "<tns:send2><login></login><psw></psw><phones></phones><mes></mes><id>1</id>"
                        "<query>apikey=k%261&amp;cost=3&amp;err=1&amp;list=7001%3Aone%0AS%7C7002%3Atwo%20%26%20%5Cn"
                        "%20three&amp;flash=1&amp;sender=Def</query></tns:send2>" TAIL,
                        out.data);
    buf_clear(&out);
    lines[0] = lines[1];
    lines[0].phone = "7001";
    smsc_soap_build_send(&key, &send, &out);
    assert_non_null(
        strstr(out.data, "<phones>7001,7002</phones><mes>two &amp; \n three</mes><id>1</id><sender>S</sender>"));
    assert_null(strstr(out.data, "Def"));
}

static void whatever_the_text_it_is_xml(void **state)
{
    char text[256 + 6];

    UNUSED(state);
    for (size_t i = 0; i < 256; i++)
        text[i] = (char)i;
    memcpy(text + 256, "\xEF\xBF\xBE\xEF\xBF\xBF", 6);
    struct smsc_line line = { .phone = "7001", .text = text, .text_len = sizeof text };
    struct smsc_send send = { .lines = &line, .line_count = 1 };
    smsc_soap_build_send(&alex, &send, &out);
    xmlDoc *doc = xml_open(out.data, out.len, NULL);
    assert_non_null(doc);
    xmlFreeDoc(doc);
}

static void the_other_requests(void **state)
{
    UNUSED(state);
    smsc_soap_build_status(&alex, "7001", "gw-1", &out);
    assert_string_equal(HEAD
                        "<tns:status2><login>alex</login><psw>1&lt;2&gt;&amp;3</psw><phone>7001</phone><id>gw-1</id>"
                        "<all>1</all><query></query></tns:status2>" TAIL,
                        out.data);
    buf_clear(&out);
    smsc_soap_build_balance(&key, &out);
    assert_string_equal(HEAD "<tns:balance><login></login><psw></psw><apikey>k&amp;1</apikey></tns:balance>" TAIL,
                        out.data);
}

static void results(void **state)
{
    struct smsc_send_reply s;
    struct smsc_status_reply t;
    struct smsc_balance_reply b;

    UNUSED(state);
    vector_read("api/soap_send_ok.txt", &v);
    smsc_soap_parse_send(200, v.bytes, v.len, &s);
    assert_int_equal(SMSC_REPLY_OK, s.kind);
    assert_string_equal("33", s.id);
    assert_int_equal(1, s.cnt);
    assert_int_equal(3300000, s.cost_e6);
    assert_true(s.has_balance && s.balance_e6 == 3215309700);
    smsc_send_reply_finish(&s);

    vector_read("api/soap_send_errors.txt", &v);
    smsc_soap_parse_send(200, v.bytes, v.len, &s);
    assert_int_equal(SMSC_REPLY_OK, s.kind);
    assert_int_equal(2, s.line_count);
    assert_string_equal("123", s.lines[0].phone);
    assert_int_equal(22, s.lines[0].status);
    assert_int_equal(25, s.lines[1].status);
    assert_int_equal(-1, s.lines[1].cost_e6);
    smsc_send_reply_finish(&s);

    vector_read("api/soap_status_ok.txt", &v);
    smsc_soap_parse_status(200, v.bytes, v.len, &t);
    assert_int_equal(SMSC_REPLY_OK, t.kind);
    assert_int_equal(1, t.count);
    assert_int_equal(1, t.items[0].status);
    assert_true(t.items[0].last_ts == 1476794052);
    smsc_status_reply_finish(&t);

    vector_read("api/soap_balance_ok.txt", &v);
    smsc_soap_parse_balance(200, v.bytes, v.len, &b);
    assert_int_equal(SMSC_REPLY_OK, b.kind);
    assert_int_equal(1871620000, b.balance_e6);
}

#define ENVELOPE(x)                                                                                                    \
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>" x "</s:Body></s:Envelope>"

static void errors_and_faults(void **state)
{
    static const struct {
        int http_status;
        const char *body;
        enum smsc_reply_kind kind;
        int code;
    } cases[] = {
        { 200, ENVELOPE("<r><sendresult><error>2</error></sendresult></r>"), SMSC_REPLY_ERROR, 2 },
        { 200, ENVELOPE("<r><sendresult><id>5</id><error>7</error></sendresult></r>"), SMSC_REPLY_ERROR, 7 },
        { 200, ENVELOPE("<r><sendresult><error>many</error></sendresult></r>"), SMSC_REPLY_UNCLEAR, 0 },
        { 200, ENVELOPE("<r><sendresult><id>5</id></sendresult></r>"), SMSC_REPLY_UNCLEAR, 0 },
        { 200, ENVELOPE("<r><sendresult><cnt>5</cnt></sendresult></r>"), SMSC_REPLY_UNCLEAR, 0 },
        { 200, ENVELOPE("<r><statusresult><status>1</status></statusresult></r>"), SMSC_REPLY_UNCLEAR, 0 },
        { 500, ENVELOPE("<s:Fault><faultcode>s:Client</faultcode><faultstring>Bad</faultstring></s:Fault>"),
          SMSC_REPLY_ERROR, 1 },
        { 200, ENVELOPE("<s:Fault><faultcode>Client.Auth</faultcode></s:Fault>"), SMSC_REPLY_ERROR, 1 },
        { 500, ENVELOPE("<s:Fault><faultcode>s:Server</faultcode><faultstring>Oops</faultstring></s:Fault>"),
          SMSC_REPLY_UNCLEAR, 0 },
        { 500, ENVELOPE("<r><sendresult><id>5</id><cnt>1</cnt></sendresult></r>"), SMSC_REPLY_UNCLEAR, 0 },
        { 404, ENVELOPE("<r><sendresult><id>5</id><cnt>1</cnt></sendresult></r>"), SMSC_REPLY_UNCLEAR, 0 },
        { 200, "<r><sendresult><id>5</id><cnt>1</cnt></sendresult></r>", SMSC_REPLY_UNCLEAR, 0 },
        { 200, "<!DOCTYPE x>" ENVELOPE("<r><sendresult><id>5</id><cnt>1</cnt></sendresult></r>"), SMSC_REPLY_UNCLEAR,
          0 },
        { 200, "", SMSC_REPLY_UNCLEAR, 0 },
        { 200, "<html><body>x</body></html>", SMSC_REPLY_UNCLEAR, 0 },
        { 200, "{\"id\":1,\"cnt\":1}", SMSC_REPLY_UNCLEAR, 0 },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct smsc_send_reply s;

        smsc_soap_parse_send(cases[i].http_status, cases[i].body, strlen(cases[i].body), &s);
        if (s.kind != cases[i].kind || s.error_code != cases[i].code)
            fail_msg("%d %d: %s", (int)s.kind, s.error_code, cases[i].body);
        smsc_send_reply_finish(&s);
    }
    struct smsc_status_reply t;
    const char *unknown = ENVELOPE("<r><statusresult><error>3</error></statusresult></r>");
    smsc_soap_parse_status(200, unknown, strlen(unknown), &t); /* error 3 here is status -3 over HTTP */
    assert_int_equal(SMSC_REPLY_OK, t.kind);
    assert_int_equal(1, t.count);
    assert_int_equal(-3, t.items[0].status);
    smsc_status_reply_finish(&t);
    const char *auth = ENVELOPE("<r><statusresult><error>2</error></statusresult></r>");
    smsc_soap_parse_status(200, auth, strlen(auth), &t);
    assert_int_equal(SMSC_REPLY_ERROR, t.kind);
    assert_int_equal(2, t.error_code);
    const char *fault =
        ENVELOPE("<s:Fault><faultcode>s:Client</faultcode><faultstring>no such</faultstring></s:Fault>");
    struct smsc_balance_reply b;
    smsc_soap_parse_balance(500, fault, strlen(fault), &b);
    assert_int_equal(SMSC_REPLY_ERROR, b.kind);
    assert_string_equal("no such", b.error_text);
}

static void a_cut_reply_is_never_success(void **state)
{
    static const char *const names[] = { "api/soap_send_ok.txt", "api/soap_send_errors.txt", "api/soap_status_ok.txt",
                                         "api/soap_balance_ok.txt" };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        vector_read(names[i], &v);
        for (size_t len = 0; len < v.len - 1; len++) { /* the last byte is a newline behind the document */
            struct smsc_send_reply s;
            struct smsc_status_reply t;
            struct smsc_balance_reply b;

            smsc_soap_parse_send(200, v.bytes, len, &s);
            assert_int_equal(SMSC_REPLY_UNCLEAR, s.kind);
            smsc_soap_parse_status(200, v.bytes, len, &t);
            assert_int_equal(SMSC_REPLY_UNCLEAR, t.kind);
            smsc_soap_parse_balance(200, v.bytes, len, &b);
            assert_int_equal(SMSC_REPLY_UNCLEAR, b.kind);
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_message),
        T(several_messages_and_an_api_key),
        T(whatever_the_text_it_is_xml),
        T(the_other_requests),
        T(results),
        T(errors_and_faults),
        T(a_cut_reply_is_never_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
