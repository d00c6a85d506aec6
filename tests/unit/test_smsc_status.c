/* SPDX-License-Identifier: MIT */
/* test_smsc_status.c - replies of status.php, balance.php and get_answers [smsc-api 8, 11, 12.2]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "http/smsc_api.h"
#include "tests/vectors/vector.h"

static struct vector v;

static void one_message(void **state)
{
    struct smsc_status_reply r;

    UNUSED(state);
    vector_read("api/status_delivered.txt", &v);
    smsc_parse_status(200, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_int_equal(1, r.count);
    assert_int_equal(1, r.items[0].status);
    assert_int_equal(0, r.items[0].err);
    assert_true(r.items[0].last_ts == 1476794052);
    assert_string_equal("", r.items[0].id);
    assert_int_equal(-1, r.items[0].cost_e6);
    assert_false(r.items[0].has_hlr);
    smsc_status_reply_finish(&r);
}

static void several_messages(void **state)
{
    struct smsc_status_reply r;

    UNUSED(state);
    vector_read("api/status_multi.txt", &v);
    smsc_parse_status(200, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_int_equal(3, r.count);
    assert_string_equal("gw-1", r.items[0].id);
    assert_string_equal("79990000001", r.items[0].phone);
    assert_int_equal(1500000, r.items[0].cost_e6);
    assert_string_equal("9223372036854775807", r.items[1].id);
    assert_int_equal(-3, r.items[1].status);
    assert_int_equal(20, r.items[2].status);
    assert_int_equal(255, r.items[2].err);
    assert_int_equal(4, r.items[2].flag);
    assert_true(r.items[2].last_ts == 1476794053);
    smsc_status_reply_finish(&r);
}

static void hlr_members(void **state)
{
    struct smsc_status_reply r;

    UNUSED(state);
    vector_read("api/status_hlr.txt", &v);
    smsc_parse_status(200, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_true(r.items[0].has_hlr);
    assert_string_equal("250023012345678", r.items[0].imsi);
    assert_string_equal("79168999100", r.items[0].msc);
    assert_string_equal("250", r.items[0].mcc);
    assert_string_equal("02", r.items[0].mnc);
    assert_string_equal("Россия", r.items[0].cn);
    assert_string_equal("Мегафон", r.items[0].net);
    assert_string_equal("", r.items[0].rcn);
    smsc_status_reply_finish(&r);
}

static void deletions_errors_and_foreign_bodies(void **state)
{
    static const struct {
        const char *body;
        enum smsc_reply_kind kind;
        int code;
    } cases[] = {
        { "OK", SMSC_REPLY_OK, 0 },
        { "[]", SMSC_REPLY_OK, 0 },
        { "[{\"id\":1,\"phone\":\"7\"}]", SMSC_REPLY_OK, 0 },
        { "ERROR = 5 (error deleting)", SMSC_REPLY_ERROR, 5 },
        { "0,-9", SMSC_REPLY_ERROR, 9 },
        { "{\"error\":\"x\",\"error_code\":9}", SMSC_REPLY_ERROR, 9 },
        { "", SMSC_REPLY_UNCLEAR, 0 },
        { "{}", SMSC_REPLY_UNCLEAR, 0 },
        { "{\"status\":null}", SMSC_REPLY_UNCLEAR, 0 },
        { "{\"status\":\"delivered\"}", SMSC_REPLY_UNCLEAR, 0 },
        { "{\"status\":100000}", SMSC_REPLY_UNCLEAR, 0 },
        { "{\"status\":1,\"error_code\":\"?\"}", SMSC_REPLY_UNCLEAR, 0 },
        { "[{\"status\":1,\"phone\":\"7\"}]", SMSC_REPLY_OK, 0 },
        { "[{\"status\":-3,\"id\":\"7\",\"phone\":\"\"}]", SMSC_REPLY_OK, 0 },
        { "[1]", SMSC_REPLY_UNCLEAR, 0 },
        { "1,1476794052,0", SMSC_REPLY_UNCLEAR, 0 },
        { "<html></html>", SMSC_REPLY_UNCLEAR, 0 },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct smsc_status_reply r;

        smsc_parse_status(200, cases[i].body, strlen(cases[i].body), &r);
        if (r.kind != cases[i].kind)
            fail_msg("%s", cases[i].body);
        assert_int_equal(cases[i].code, r.error_code);
        assert_int_equal(0, r.count);
        smsc_status_reply_finish(&r);
    }
}

static void a_cut_reply_is_never_success(void **state)
{
    static const char *const names[] = { "api/status_delivered.txt", "api/status_multi.txt", "api/status_hlr.txt",
                                         "api/balance_ok.txt", "api/answers.txt" };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        vector_read(names[i], &v);
        for (size_t len = 0; len < v.len; len++) {
            struct smsc_status_reply s;
            struct smsc_balance_reply b;
            struct smsc_answers_reply a;

            smsc_parse_status(200, v.bytes, len, &s);
            assert_int_equal(SMSC_REPLY_UNCLEAR, s.kind);
            assert_null(s.items);
            smsc_parse_balance(200, v.bytes, len, &b);
            assert_int_equal(SMSC_REPLY_UNCLEAR, b.kind);
            smsc_parse_answers(200, v.bytes, len, &a);
            assert_int_equal(SMSC_REPLY_UNCLEAR, a.kind);
            assert_null(a.items);
        }
    }
}

static void balances(void **state)
{
    static const struct {
        const char *body;
        enum smsc_reply_kind kind;
        int64_t e6;
    } cases[] = {
        { "{\"balance\": 100}", SMSC_REPLY_OK, 100000000 },
        { "{\"balance\": \"-1.5\", \"credit\": \"5\", \"currency\": \"RUR\"}", SMSC_REPLY_OK, -1500000 },
        { "{\"balance\": \"\"}", SMSC_REPLY_UNCLEAR, 0 },
        { "{\"balance\": null}", SMSC_REPLY_UNCLEAR, 0 },
        { "250.80", SMSC_REPLY_UNCLEAR, 0 }, /* text could be cut: "250.8", "25" */
        { "{\"error\":\"authorise error\",\"error_code\":2}", SMSC_REPLY_ERROR, 0 },
        { "ERROR = 2 (authorise error)", SMSC_REPLY_ERROR, 0 },
    };
    struct smsc_balance_reply r;

    UNUSED(state);
    vector_read("api/balance_ok.txt", &v);
    smsc_parse_balance(200, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_int_equal(1871620000, r.balance_e6);
    smsc_parse_balance(500, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_UNCLEAR, r.kind);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        smsc_parse_balance(200, cases[i].body, strlen(cases[i].body), &r);
        assert_int_equal(cases[i].kind, r.kind);
        assert_true(r.balance_e6 == cases[i].e6);
        assert_int_equal(cases[i].kind == SMSC_REPLY_ERROR ? 2 : 0, r.error_code);
    }
}

static void incoming_messages(void **state)
{
    static const char cp1251[] = "[{\"id\":\"5\",\"phone\":\"7\",\"message\":\"\xEF\xF0\xE8\xE2\xE5\xF2\"}]";
    struct smsc_answers_reply r;

    UNUSED(state);
    vector_read("api/answers.txt", &v);
    smsc_parse_answers(200, v.bytes, v.len, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_int_equal(2, r.count);
    assert_string_equal("12345678901", r.items[0].id);
    assert_string_equal("79990000001", r.items[0].phone);
    assert_string_equal("79037672215", r.items[0].to_phone);
    assert_string_equal("да\nнет \"x\" 😀", r.items[0].message);
    assert_string_equal("18.10.2016 15:34:12", r.items[0].received);
    assert_string_equal("", r.items[1].message);
    smsc_answers_reply_finish(&r);

    smsc_parse_answers(200, cp1251, sizeof cp1251 - 1, &r); /* charset=utf-8 ignored by the other side */
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_string_equal("привет", r.items[0].message);
    smsc_answers_reply_finish(&r);

    smsc_parse_answers(200, "[]", 2, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    smsc_parse_answers(200, "0,-4", 4, &r);
    assert_int_equal(SMSC_REPLY_ERROR, r.kind);
    assert_int_equal(4, r.error_code);
    smsc_parse_answers(200, "{}", 2, &r);
    assert_int_equal(SMSC_REPLY_UNCLEAR, r.kind);
    const char *half = "[{\"id\":1,\"phone\":\"7\",\"message\":\"x\"},{\"id\":2}]";
    smsc_parse_answers(200, half, strlen(half), &r);
    assert_int_equal(SMSC_REPLY_UNCLEAR, r.kind);
    assert_null(r.items);
}

static void codes_have_their_words(void **state)
{
    static const int statuses[] = { -3, -2, -1, 0, 1, 2, 3, 4, 20, 22, 23, 24, 25 };
    static const int errs[] = { 0,   1,   2,   3,   4,   6,   11,  12,  13,  21,  200, 219, 220, 237, 238, 239,
                                240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255 };
    unsigned known = 0;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        assert_non_null(smsc_status_words(statuses[i]));
    for (size_t i = 0; i < ARRAY_LEN(errs); i++)
        assert_non_null(smsc_err_words(errs[i]));
    for (int code = -1000; code < 1000; code++)
        known += (smsc_status_words(code) != NULL ? 1U : 0U) + (smsc_err_words(code) != NULL ? 1U : 0U);
    assert_int_equal(ARRAY_LEN(statuses) + ARRAY_LEN(errs), known);
    assert_string_equal("delivered", smsc_status_words(1));
    assert_string_equal("subscriber offline", smsc_err_words(6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_message),
        cmocka_unit_test(several_messages),
        cmocka_unit_test(hlr_members),
        cmocka_unit_test(deletions_errors_and_foreign_bodies),
        cmocka_unit_test(a_cut_reply_is_never_success),
        cmocka_unit_test(balances),
        cmocka_unit_test(incoming_messages),
        cmocka_unit_test(codes_have_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
