/* SPDX-License-Identifier: MIT */
/* test_smsc_reply.c - replies of send.php and of any method, recorded and damaged [smsc-api 1.4, 2.1, 3.4, 3.5]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "http/json.h"
#include "http/smsc_api.h"
#include "tests/vectors/vector.h"

static struct vector v;

static void parse(const char *text, struct smsc_send_reply *r)
{
    smsc_parse_send(200, text, strlen(text), r);
}

static void recorded_success(void **state)
{
    struct smsc_send_reply r;

    UNUSED(state);
    vector_read("api/send_ok.txt", &v);
    assert_int_equal(22, v.len);
    smsc_parse_send(200, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_string_equal("33", r.id);
    assert_int_equal(1, r.cnt);
    assert_int_equal(-1, r.cost_e6);
    assert_false(r.has_balance);
    assert_int_equal(0, r.line_count);
    smsc_send_reply_finish(&r);

    vector_read("api/send_cost3.txt", &v);
    smsc_parse_send(200, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_int_equal(2, r.cnt);
    assert_int_equal(3300000, r.cost_e6);
    assert_true(r.has_balance);
    assert_int_equal(3215309700, r.balance_e6);
    smsc_send_reply_finish(&r);
}

static void a_record_for_each_phone(void **state)
{
    struct smsc_send_reply r;

    UNUSED(state);
    vector_read("api/send_op1.txt", &v);
    smsc_parse_send(200, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_string_equal("gw-1.A_7", r.id);
    assert_int_equal(-500000, r.balance_e6);
    assert_int_equal(3, r.line_count);
    assert_string_equal("79990000001", r.lines[0].phone);
    assert_string_equal("25001", r.lines[0].mccmnc);
    assert_int_equal(1500000, r.lines[0].cost_e6);
    assert_int_equal(-100, r.lines[0].status);
    assert_int_equal(0, r.lines[0].error);
    assert_int_equal(3000000, r.lines[1].cost_e6);
    assert_string_equal("123", r.lines[2].phone);
    assert_int_equal(-1, r.lines[2].cost_e6);
    assert_int_equal(22, r.lines[2].status);
    assert_int_equal(249, r.lines[2].error);
    smsc_send_reply_finish(&r);
}

static void many_records(void **state)
{
    struct smsc_send_reply r;
    struct buf body;

    UNUSED(state);
    buf_init(&body, 1 << 20);
    buf_adds(&body, "{\"id\":1,\"cnt\":1000,\"phones\":[");
    for (int i = 0; i < 1000; i++)
        buf_addf(&body, "%s{\"phone\":\"7%d\",\"cost\":%d}", i > 0 ? "," : "", i, i);
    buf_adds(&body, "]}");
    smsc_parse_send(200, body.data, body.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_int_equal(1000, r.line_count);
    for (int i = 0; i < 1000; i++) {
        char phone[16];

        snprintf(phone, sizeof phone, "7%d", i);
        assert_string_equal(phone, r.lines[i].phone);
        assert_int_equal(i * INT64_C(1000000), r.lines[i].cost_e6);
    }
    smsc_send_reply_finish(&r);
    buf_finish(&body);
}

static void recorded_errors(void **state)
{
    static const struct {
        const char *name;
        int code;
        const char *text, *id;
    } cases[] = {
        { "api/error_authorise.txt", 2, "authorise error", "" },
        { "api/error_number.txt", 7, "invalid number", "34" },
        { "api/error_duplicate.txt", 9, "duplicate request, wait a minute", "" },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct smsc_send_reply r;
        char text[96];
        int code;

        vector_read(cases[i].name, &v);
        smsc_parse_send(200, v.bytes, v.len, &r);
        assert_int_equal(SMSC_REPLY_ERROR, r.kind);
        assert_int_equal(cases[i].code, r.error_code);
        assert_string_equal(cases[i].text, r.error_text);
        assert_string_equal(cases[i].id, r.id);
        smsc_send_reply_finish(&r);
        assert_int_equal(SMSC_REPLY_ERROR, smsc_parse_any(200, v.bytes, v.len, &code, text));
        assert_int_equal(cases[i].code, code);
        assert_string_equal(cases[i].text, text);
    }
}

static void errors_in_every_format(void **state)
{
    static const struct {
        const char *body;
        int code;
        const char *text, *id;
    } cases[] = {
        { "ERROR = 4 (ip is blocked)", 4, "ip is blocked", "" },
        { "ERROR = 6 (message is denied), ID - 34\n", 6, "message is denied", "34" },
        { "ERROR = 8 (can't to deliver (now)), ID - gw-1.x_Y", 8, "can't to deliver (now)", "gw-1.x_Y" },
        { "0,-2", 2, "", "" },
        { "34,-7\r\n", 7, "", "34" },
        { "gw-1,-3", 3, "", "gw-1" },
        { "<result>\n<error>authorise error</error>\n<error_code>2</error_code>\n</result>", 2, "authorise error", "" },
        { "<?xml version=\"1.0\"?><result><id>9</id><error>x</error><error_code>6</error_code></result>\n", 6, "x",
          "9" },
        { "{\"error\": \"x\", \"error_code\": \"9\", \"id\": \"a\"}", 9, "x", "a" },
        { "\xEF\xBB\xBF{\"error_code\":1}", 1, "", "" },
        { "{\"error\":\"no money\",\"error_code\":3,\"id\":1,\"cnt\":1}", 3, "no money", "1" },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct smsc_send_reply r;

        parse(cases[i].body, &r);
        if (r.kind != SMSC_REPLY_ERROR)
            fail_msg("%s", cases[i].body);
        assert_int_equal(cases[i].code, r.error_code);
        assert_string_equal(cases[i].text, r.error_text);
        assert_string_equal(cases[i].id, r.id);
        smsc_send_reply_finish(&r);
    }
}

static void foreign_bodies_are_unclear(void **state)
{
    static const char *const bodies[] = {
        "",
        " \r\n",
        "OK",
        "OK - 1 SMS, ID - 33", /* cut or whole? nobody can tell */
        "33,1",
        "33,1,3.3,100",
        "<html><body>502 Bad Gateway</body></html>",
        "<html><error_code>2</error_code></html>",
        "ERROR = (x)",
        "ERROR = 4",
        "ERROR = 4 (ip is",
        "ERROR = 4 (ip is blocked), ID - ",
        "ERROR = 99999999999999999999 (x)",
        "0,-",
        "0,-0",
        "0,-2,",
        ",-2",
        "[]",
        "[{\"id\":1,\"cnt\":1}]",
        "{}",
        "null",
        "33",
        "{\"id\":33}",
        "{\"cnt\":1}",
        "{\"id\":null,\"cnt\":1}",
        "{\"id\":\"\",\"cnt\":1}",
        "{\"id\":33,\"cnt\":1.5}",
        "{\"id\":33,\"cnt\":-1}",
        "{\"id\":33,\"cnt\":1}}",
        "{\"id\":33,\"cnt\":1} x",
        "{\"id\":33,\"cnt\":1,}",
        "{\"id\":33,,\"cnt\":1}",
        "{\"id\":33 \"cnt\":1}",
        "{,\"id\":33,\"cnt\":1}",
        "{\"id\":33,\"cnt\":1,\"error\":\"what\"}",
        "{\"id\":33,\"cnt\":1,\"error_code\":\"many\"}",
        "{\"id\":33,\"cnt\":1,\"phones\":[1]}",
        "{\"id\":33,\"cnt\":1,\"phones\":[{\"phone\":\"1\"}}",
        "{\"id\":\"0123456789012345678901234567890123456789012345678901234567890\",\"cnt\":1}",
        "{\"id\":33,\"cnt\":1,\"x\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
        "{\"id\":33,\"cnt\":1,\"x\":\"\\q\"}",
        "{\"id\":33,\"cnt\":1,\"x\":\"\\u12\"}",
        "{\"id\":33,\"cnt\":1,\"x\":tru}",
        "{\"id\":33,\"cnt\":1,\"x\":-}",
        "{'id':33,'cnt':1}",
        "ID - 33",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct smsc_send_reply r;

        parse(bodies[i], &r);
        if (r.kind != SMSC_REPLY_UNCLEAR)
            fail_msg("taken as %d: %s", (int)r.kind, bodies[i]);
        assert_null(r.lines);
        assert_string_equal("", r.id);
        smsc_send_reply_finish(&r);
    }
    struct smsc_send_reply r;
    smsc_parse_send(200, NULL, 0, &r);
    assert_int_equal(SMSC_REPLY_UNCLEAR, r.kind);
}

/* The API answers 200 to everything; anything else was said by somebody in between. */
static void other_http_statuses_are_unclear(void **state)
{
    static const int statuses[] = { 0, 100, 201, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503, 504 };
    char text[96];
    int code;

    UNUSED(state);
    vector_read("api/send_ok.txt", &v);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct smsc_send_reply r;

        smsc_parse_send(statuses[i], v.bytes, v.len, &r);
        assert_int_equal(SMSC_REPLY_UNCLEAR, r.kind);
        assert_int_equal(SMSC_REPLY_UNCLEAR, smsc_parse_any(statuses[i], v.bytes, v.len, &code, text));
    }
}

static void a_cut_reply_is_never_success(void **state)
{
    static const char *const names[] = { "api/send_ok.txt", "api/send_cost3.txt", "api/send_op1.txt" };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        vector_read(names[i], &v);
        for (size_t len = 0; len < v.len; len++) {
            struct smsc_send_reply r;
            char text[96];
            int code;

            smsc_parse_send(200, v.bytes, len, &r);
            assert_int_equal(SMSC_REPLY_UNCLEAR, r.kind);
            assert_int_equal(SMSC_REPLY_UNCLEAR, smsc_parse_any(200, v.bytes, len, &code, text));
        }
    }
}

static void any_reply(void **state)
{
    static const char *const good[] = {
        "OK", " OK\n", "[]", "{}", "{\"zones\":[{\"zone\":\"1\"}],\"error_code\":0}", "[{\"error_code\":3}]"
    };
    char text[96];
    int code;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(SMSC_REPLY_OK, smsc_parse_any(200, good[i], strlen(good[i]), &code, text));
        assert_int_equal(0, code);
    }
    assert_int_equal(SMSC_REPLY_UNCLEAR, smsc_parse_any(200, "OKAY", 4, &code, text));
    assert_int_equal(SMSC_REPLY_ERROR, smsc_parse_any(200, "ERROR = 3 (not found)", 21, &code, text));
    assert_int_equal(3, code);
    assert_string_equal("not found", text);
}

static void money_without_floating_point(void **state)
{
    static const struct {
        const char *text;
        int64_t e6;
        const char *back;
    } good[] = {
        { "0", 0, "0" },
        { "1871.62", 1871620000, "1871.62" },
        { "3215.3097", 3215309700, "3215.3097" },
        { "-0.5", -500000, "-0.5" },
        { ".5", 500000, "0.5" },
        { "5.", 5000000, "5" },
        { "0.1234567", 123456, "0.123456" },
        { "0.000001", 1, "0.000001" },
        { "+9000000000000", INT64_C(9000000000000000000), "9000000000000" },
        { "-9000000000000.25", INT64_C(-9000000000000250000), "-9000000000000.25" },
    };
    static const char *const bad[] = { "", "-", ".", "1,5", "1.5 ", " 1", "1e3", "0x1", "nan", "99999999999999999999" };
    char text[32];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t e6;

        assert_int_equal(0, smsc_money_read(good[i].text, &e6));
        assert_true(e6 == good[i].e6);
        smsc_money_write(e6, text);
        assert_string_equal(good[i].back, text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t e6;

        assert_int_equal(ERR_SYNTAX, smsc_money_read(bad[i], &e6));
    }
    smsc_money_write(INT64_MIN, text);
    assert_string_equal("-9223372036854.775808", text);
}

static void json_strings_and_numbers(void **state)
{
    static const char text[] =
        "[\"a\\u0416\\uD83D\\uDE00\\uD83Dx\\n\\/\\\\\", 12345678901234567890, \"-7\", \"7x\", 7.5, \"\"]";
    struct json_value top, value;
    struct json j;
    char out[32];
    int64_t n;

    UNUSED(state);
    json_open(&j, text, sizeof text - 1);
    assert_true(json_read(&j, &top));
    assert_int_equal(JSON_ARRAY, top.kind);
    assert_true(json_item(&j, &value));
    assert_int_equal(0, json_copy(&value, out, sizeof out));
    assert_string_equal("aЖ😀\xEF\xBF\xBDx\n/\\", out);
    assert_int_equal(ERR_RANGE, json_copy(&value, out, 4));
    assert_string_equal("", out);
    assert_true(json_item(&j, &value));
    assert_int_equal(0, json_copy(&value, out, sizeof out));
    assert_string_equal("12345678901234567890", out);
    assert_int_equal(ERR_SYNTAX, json_integer(&value, 0, INT64_MAX, &n));
    assert_true(json_item(&j, &value));
    assert_int_equal(0, json_integer(&value, -10, 10, &n));
    assert_int_equal(-7, n);
    assert_int_equal(ERR_SYNTAX, json_integer(&value, 0, 10, &n));
    for (int i = 0; i < 3; i++) {
        assert_true(json_item(&j, &value));
        assert_int_equal(ERR_SYNTAX, json_integer(&value, -10, 10, &n));
    }
    assert_false(json_item(&j, &value));
    assert_true(json_end(&j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_success),
        cmocka_unit_test(a_record_for_each_phone),
        cmocka_unit_test(many_records),
        cmocka_unit_test(recorded_errors),
        cmocka_unit_test(errors_in_every_format),
        cmocka_unit_test(foreign_bodies_are_unclear),
        cmocka_unit_test(other_http_statuses_are_unclear),
        cmocka_unit_test(a_cut_reply_is_never_success),
        cmocka_unit_test(any_reply),
        cmocka_unit_test(money_without_floating_point),
        cmocka_unit_test(json_strings_and_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
