/* SPDX-License-Identifier: MIT */
/* test_account_methods.c - the account's methods: their requests are what the simulated aggregator answers, their
 * replies and errors come out in words; tables. No sockets. */
#include "lab_help.h"

#include "gateway/account_methods.h"
#include "gateway/account_table.h"

static const struct smsc_login login = { "alex", "123", "" };
static struct account_answer answer;
static char shown[65536];

/* Asks the simulated aggregator; the words on failure, the JSON else. */
static const char *ask_account(const char *name, bool soap, const struct smsc_param *given, size_t count)
{
    const struct account_method *method = account_method_named(name);
    struct buf body;
    char why[200];

    assert_non_null(method);
    buf_init(&body, 1 << 20);
    if (account_method_build(method, soap, &login, given, count, &body, why) != 0) {
        snprintf(shown, sizeof shown, "%s", why);
    } else {
        const char *reply = ask_full(soap ? SMSC_PATH_SOAP : method->path, "",
                                     soap ? "text/xml; charset=utf-8" : "application/x-www-form-urlencoded",
                                     buf_text(&body), body.len, 0);

        account_method_read(method, soap, 200, reply, strlen(reply), &answer);
        snprintf(shown, sizeof shown, "%s", answer.kind == SMSC_REPLY_OK ? buf_text(&answer.json) : answer.words);
        account_answer_finish(&answer);
    }
    buf_finish(&body);
    return shown;
}

#define ASK(name, soap, ...)                                                                                           \
    ask_account(name, soap, (const struct smsc_param[]){ __VA_ARGS__ },                                                \
                sizeof((const struct smsc_param[]){ __VA_ARGS__ }) / sizeof(struct smsc_param))
#define HAS(text, part) assert_non_null(strstr(text, part))

static void every_method_is_answered(void **state)
{
    UNUSED(state);
    (void)ask("send", AUTH "id=m1&phones=79161234567&mes=http://a.example/x&tinyurl=1");
    assert_int_equal(0, lab_incoming(lab, "79161234567", "", "да", "m1", now_ms));
    HAS(ask_account("balance", false, NULL, 0), "\"currency\": \"RUR\"");
    HAS(ASK("cost", false, { "phones", "79161234567" }, { "mes", "Hello" }), "\"cost\": \"1.65\"");
    HAS(ASK("status", false, { "phone", "79161234567" }, { "id", "m1" }), "\"message\":");
    HAS(ASK("status", false, { "phone", "79161234567,79161234567" }, { "id", "m1,m2" }), "\"id\": \"m2\"");
    HAS(ask_account("history", false, NULL, 0), "\"phone\": \"79161234567\"");
    HAS(ask_account("incoming", false, NULL, 0), "\"message\": \"да\"");
    HAS(ask_account("stat", false, NULL, 0), "\"login\": \"alex\"");
    HAS(ask_account("prices", false, NULL, 0), "\"zones\"");
    HAS(ask_account("megafon", false, NULL, 0), "\"account\"");
    HAS(ASK("operator", false, { "phone", "79161234567" }), "\"operator\": \"МТС\"");
    HAS(ASK("tinyurl", false, { "id", "1" }), "\"cnt\": \"0\"");
    HAS(ASK("wait-call", false, { "phone", "79161234567" }), "\"all_phones\"");
    assert_string_equal(ASK("delete", false, { "phone", "79161234567" }, { "id", "m1" }), "{\"result\": \"OK\"}");
}

static void three_of_them_over_soap(void **state)
{
    UNUSED(state);
    (void)ask("send", AUTH "id=m1&phones=79161234567&mes=<да>");
    assert_string_equal(ask_account("balance", true, NULL, 0), "{\"balance\": \"999999998.35\", \"error\": \"0\"}");
    HAS(ASK("cost", true, { "phones", "79161234567" }, { "mes", "Hello" }, { "translit", "1" }), "\"cost\": \"1.65\"");
    HAS(ASK("status", true, { "phone", "79161234567" }, { "id", "m1" }), "\"status\": 0");
    assert_string_equal(ASK("status", true, { "phone", "79161234567" }, { "id", "none" }), "{\"status\": -3}");
    HAS(ask_account("stat", true, NULL, 0), "not among the aggregator's SOAP operations");
    assert_true(account_method_over_soap(account_method_named("status"), NULL, 0));
    assert_false(
        account_method_over_soap(account_method_named("status"), (const struct smsc_param[]){ { "id", "1,2" } }, 1));
}

static void mistakes_cost_no_request(void **state)
{
    UNUSED(state);
    assert_null(account_method_named("send"));
    HAS(ask_account("operator", false, NULL, 0), "operator needs phone");
    HAS(ASK("operator", false, { "phone", "seven" }), "international form");
    HAS(ASK("history", false, { "cnt", "101" }), "from 1 to 100");
    HAS(ASK("history", false, { "start", "2026-01-01" }), "dd.mm.yyyy");
    HAS(ASK("history", false, { "cnt", "1" }, { "cnt", "2" }), "given twice");
    HAS(ASK("balance", false, { "login", "bob" }), "no parameter \"login\"");
    HAS(ASK("cost", false, { "phones", "79161234567" }, { "mes", "a" }, { "cost", "0" }), "no parameter \"cost\"");
    HAS(ASK("cost", false, { "mes", "a" }), "needs phones or list");
    HAS(ask_account("tinyurl", false, NULL, 0), "needs link or id");
    assert_int_equal(lab->n.requests, 0);
}

static void errors_are_words(void **state)
{
    UNUSED(state);
    HAS(ASK("operator", false, { "phone", "12345" }), "the operator of this number is not known");
    HAS(ASK("delete", false, { "phone", "79161234567" }, { "id", "zz" }), "error 5: the message could not be deleted");
    for (int i = 0; i < 3; i++)
        (void)ask_account("megafon", false, NULL, 0);
    HAS(ask_account("megafon", false, NULL, 0), "a minute's pause");
    account_method_read(account_method_named("stat"), false, 502, "<html>", 6, &answer);
    HAS(answer.words, "not understood (HTTP 502");
    account_answer_finish(&answer);
    account_method_failed("connection refused", &answer);
    HAS(answer.words, "connection refused");
    account_answer_finish(&answer);
}

static void replies_become_tables(void **state)
{
    struct buf out;

    UNUSED(state);
    buf_init(&out, 1 << 16);
    assert_int_equal(0,
                     account_table_write("[{\"a\":1,\"name\":\"да\"},{\"a\":22,\"name\":\"x\\ny\",\"z\":true}]", &out));
    assert_string_equal(buf_text(&out), "a   name  z\n1   да    \n22  x y   yes\n");
    buf_clear(&out);
    assert_int_equal(0,
                     account_table_write("{\"phone\":\"7\",\"all_phones\":[\"7\",\"8\"],\"l\":[{\"k\":\"v\"}]}", &out));
    assert_string_equal(buf_text(&out), "phone       7\nall_phones  7, 8\n\nl\nk\nv\n");
    buf_clear(&out);
    assert_int_equal(0, account_table_write("[]", &out));
    assert_string_equal(buf_text(&out), "none\n");
    assert_int_equal(ERR_SYNTAX, account_table_write("{", &out));
    buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_method_is_answered, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(three_of_them_over_soap, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(mistakes_cost_no_request, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(errors_are_words, lab_setup, lab_teardown),
        cmocka_unit_test(replies_become_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
