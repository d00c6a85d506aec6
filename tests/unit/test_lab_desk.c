/* SPDX-License-Identifier: MIT */
/* test_lab_desk.c - several accounts, contacts and their kin, spread mailings, limits of end users. No sockets. */
#include "lab_help.h"

static void records_are_added_changed_listed_and_deleted(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("phones", AUTH "add=1&phone=79161234567&name=Ivan&fmt=3"), "{\n\"id\": 1\n}");
    assert_string_equal(ask("phones", AUTH "add=1&phone=79161234567&fmt=1"), "0,-5"); /* he is there */
    assert_string_equal(ask("phones", AUTH "add=1&fmt=1"), "0,-1");
    assert_string_equal(ask("phones", AUTH "chg=1&phone=79161234567&cmt=friend"), "OK");
    assert_string_equal(ask("phones", AUTH "get=1&fmt=1"), "1,79161234567,,Ivan,,,,,,friend");
    assert_string_equal(ask("phones", AUTH "add_group=1&name=All&fmt=1"), "2");
    assert_string_equal(ask("phones", AUTH "move_group=2&grp=2&phone=79161234567"), "OK");
    assert_string_equal(ask("phones", AUTH "del=1&id=1"), "OK");
    assert_string_equal(ask("phones", AUTH "get=1&fmt=3"), "[]");
    assert_string_equal(ask("phones", AUTH "del=1&id=1&fmt=1"), "0,-3");
    assert_string_equal(ask("templates", AUTH "add=1&name=Hi&msg=Hello&fmt=1"), "3");
    assert_non_null(strstr(ask("templates", AUTH "get=1&fmt=3"), "\"message\": \"Hello\""));
    assert_string_equal(ask("users", AUTH "pay=1&user=bob&sum=5&fmt=1"), "0,-6");
    assert_string_equal(ask("users", AUTH "add=1&user=bob&password=x&fmt=1"), "4");
    assert_string_equal(ask("senders", AUTH "add=1&sender=SHOP&fmt=1"), "5");
    assert_string_equal(ask("jobs", AUTH "add=1&name=News&phones=79161234567&mes=a&fmt=1"), "6");
    assert_string_equal(ask("jobs", AUTH "cancel=1&id=6"), "OK");
    assert_string_equal(ask("jobs", AUTH "get=1&id=6&fmt=1"), "6,News,79161234567,a,,,,1");
}

static void accounts_are_strangers_to_each_other(void **state)
{
    const char *second = "{\"login\": \"bob\", \"password\": \"p\", \"api_key\": \"k2\", \"balance\": \"7\","
                         " \"callback_url\": \"http://bob/\"}";
    char why[256] = "";

    UNUSED(state);
    assert_int_equal(0, lab_add_account(lab, second, strlen(second), why));
    assert_int_equal(ERR_EXISTS, lab_add_account(lab, second, strlen(second), why));
    assert_string_equal(ask("balance", "login=bob&psw=p"), "7");
    assert_string_equal(ask("balance", "apikey=k2"), "7");
    assert_string_equal(ask("balance", "login=bob&psw=123&fmt=1"), "0,-2");
    assert_string_equal(ask("send", "apikey=k2&id=9&phones=79161234567&mes=b&fmt=1"), "9,1");
    assert_string_equal(ask("status", AUTH "phone=79161234567&id=9&fmt=1"), "-3,0,0");
    let_pass(400);
    assert_int_equal(event_count, 1);
    assert_string_equal(events[0].id, "9");
    assert_non_null(strstr(ask("status", "apikey=k2&phone=79161234567&id=9&fmt=1"), "1,"));
    assert_non_null(strstr(ask_full("/lab/accepted", "account=bob", NULL, "", 0, 0), "\"accepted\": 1,"));
    (void)ask_full("/lab/accepted", "account=carol", NULL, "", 0, 0);
    assert_int_equal(last.status, 404);
}

static void accounts_share_neither_faults_nor_blocks_nor_limits(void **state)
{
    const char *second = "{\"login\": \"bob\", \"password\": \"p\", \"api_key\": \"k2\"}";
    char why[256] = "";
    struct lab *bob;

    UNUSED(state);
    assert_int_equal(0, lab_add_account(lab, second, strlen(second), why));
    bob = lab_account_named(lab, "bob");
    set("{\"http_500\": 1}"); /* the first one's */
    (void)ask("balance", AUTH);
    assert_int_equal(last.fault, LAB_FAULT_500);
    assert_string_equal(ask("balance", "apikey=k2&fmt=1"), "1000000000");
    assert_int_equal(last.fault, LAB_FAULT_NONE);
    set("{\"http_500\": 0}");
    assert_int_equal(lab->n.requests, 1);
    assert_int_equal(bob->n.requests, 1);
    bob->b.blocked = 1;
    assert_string_equal(ask("balance", "apikey=k2&fmt=1"), "0,-4");
    assert_string_equal(ask("balance", AUTH "fmt=1"), "1000000000");
    bob->b.blocked = 0;
    for (int i = 0; i < 5; i++) /* five wrong passwords are his */
        (void)ask("balance", "login=bob&psw=no&fmt=1");
    assert_string_equal(ask("balance", "login=bob&psw=p&fmt=1"), "0,-4");
    assert_string_equal(ask("balance", AUTH "fmt=1"), "1000000000");
    for (int i = 0; i < 8; i++) /* and ten balances a minute: hers */
        (void)ask("balance", AUTH "fmt=1");
    assert_string_equal(ask("balance", AUTH "fmt=1"), "0,-9");
    now_ms += 30 * 60000;
    assert_string_equal(ask("balance", "login=bob&psw=p&fmt=1"), "1000000000");
    bob->under_way = 14;
    assert_string_equal(ask("balance", "apikey=k2&fmt=1"), "0,-9");
    assert_string_equal(ask("balance", AUTH "fmt=1"), "1000000000");
    bob->under_way = 0;
    /* over SOAP too it is known whose request it is */
    const char *soap = "<e:Envelope xmlns:e=\"e\"><e:Body><t:balance xmlns:t=\"t\"><login>bob</login><psw>p</psw>"
                       "</t:balance></e:Body></e:Envelope>";
    bob->b.drop_before = 1;
    (void)ask_full("/sys/soap.php", "", "text/xml", soap, strlen(soap), 0);
    assert_int_equal(last.fault, LAB_FAULT_DROP);
    bob->b.drop_before = 0;
    assert_non_null(strstr(ask_full("/sys/soap.php", "", "text/xml", soap, strlen(soap), 0), "<balance>1000000000<"));
    /* short links of both */
    (void)ask("send", "apikey=k2&phones=79161234567&mes=see http://a.example/x&tinyurl=1&id=5");
    (void)ask("send", AUTH "phones=79161234567&mes=see http://b.example/y&tinyurl=1&id=6");
    (void)ask_full("/t/bob-1", "", NULL, "", 0, 0);
    assert_int_equal(last.status, 302);
    (void)ask_full("/t/eve-1", "", NULL, "", 0, 0);
    assert_int_equal(last.status, 404);
    assert_non_null(strstr(ask("tinyurls", "apikey=k2&get=1&id=1&fmt=1"), "1,1,1,1,0,0,http://lab.example/t/bob-1"));
    assert_non_null(strstr(ask("tinyurls", AUTH "get=1&id=1&fmt=1"), "1,0,0,0,0,0,http://lab.example/t/1"));
}

static void a_mailing_is_spread(void **state)
{
    UNUSED(state);
    set("{\"delay_min_ms\": 0, \"delay_max_ms\": 0}");
    assert_string_equal(
        ask("send", AUTH "phones=79161234501,79161234502,79161234503,79161234504&mes=a&period=1&freq=30&fmt=1&id=5"),
        "5,4");
    let_pass(1000);
    assert_int_equal(event_count, 2); /* two portions of two */
    let_pass(29 * 60000);
    assert_int_equal(event_count, 2);
    let_pass(60000);
    assert_int_equal(event_count, 4);
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=b&period=721&fmt=1"), "0,-1");
}

static void end_users_have_a_limit(void **state)
{
    UNUSED(state);
    set("{\"ip_limit\": 1, \"duplicates\": 0}");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&userip=10.0.0.1&fmt=1&id=1"), "1,1");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&userip=10.0.0.2&fmt=1&id=2"), "2,1");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&userip=10.0.0.1&fmt=1&id=3"), "3,-6");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&userip=10.0.0.1&imgcode=1234&fmt=1&id=4"), "4,1");
    now_ms += 86400000;
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&userip=10.0.0.1&fmt=1&id=5"), "5,1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_are_added_changed_listed_and_deleted, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(accounts_are_strangers_to_each_other, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(accounts_share_neither_faults_nor_blocks_nor_limits, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_mailing_is_spread, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(end_users_have_a_limit, lab_setup, lab_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
