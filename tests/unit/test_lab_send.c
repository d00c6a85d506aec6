/* SPDX-License-Identifier: MIT */
/* test_lab_send.c - send.php of the simulated service: formats byte for byte, lists, errors, rules. No sockets. */
#include "lab_help.h"

static void a_send_answers_in_four_formats(void **state)
{
    UNUSED(state);
    lab->next_id = 33;
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&fmt=3"), "{\n\"id\": 33,\n\"cnt\": 1\n}");
    assert_string_equal(last.content_type, "application/json; charset=windows-1251");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=b"), "OK - 1 SMS, ID - 34");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=c&fmt=1"), "35,1");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=d&fmt=2"),
                        "<result>\n<id>36</id>\n<cnt>1</cnt>\n</result>");
    assert_int_equal(lab->n.accepted, 4);
}

static void cost_is_added_or_only_computed(void **state)
{
    UNUSED(state);
    set("{\"price\": \"2\", \"balance\": \"100.5\"}");
    assert_string_equal(ask("send", AUTH "phones=79031234567,79051234567&mes=a&fmt=3&cost=1"),
                        "{\n\"cost\": \"4\",\n\"cnt\": 2\n}");
    assert_int_equal(lab->n.accepted, 0);
    assert_string_equal(ask("send", AUTH "phones=79031234567&mes=a&fmt=1&cost=1"), "2,1");
    assert_string_equal(ask("send", AUTH "phones=79031234567&mes=a&cost=2&id=x-1"), "OK - 1 SMS, ID - x-1, COST - 2");
    assert_string_equal(ask("send", AUTH "phones=79031234567&mes=b&cost=3&fmt=1&id=0&translit=0"), "1,1,2,96.5");
    assert_string_equal(ask("send", AUTH "phones=79031234567&mes=c&cost=3&fmt=3&id=x-2"),
                        "{\n\"id\": \"x-2\",\n\"cnt\": 1,\n\"cost\": \"2\",\n\"balance\": \"94.5\"\n}");
    assert_string_equal(ask("balance", AUTH "fmt=3"), "{\n\"balance\": \"94.5\"\n}");
}

static void errors_are_as_recorded(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("send", "login=alex&psw=no&phones=79161234567&mes=a&fmt=3"),
                        "{\n\"error\": \"authorise error\",\n\"error_code\": 2\n}");
    assert_int_equal(strlen(last_reply), 47);
    lab->next_id = 34;
    assert_string_equal(ask("send", AUTH "phones=12&mes=a&fmt=3"),
                        "{\n\"error\": \"invalid number\",\n\"error_code\": 7,\n\"id\": 34\n}");
    assert_int_equal(strlen(last_reply), 56);
    assert_string_equal(ask("send", AUTH "phones=13&mes=a&fmt=1"), "35,-7");
    assert_string_equal(ask("send", AUTH "phones=14&mes=a"), "ERROR = 7 (invalid number), ID - 36");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&fmt=1"), "37,1");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&fmt=1"), "0,-9");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=x&fmt=3"), "{\n\"id\": 38,\n\"cnt\": 1\n}");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=x&fmt=3"),
                        "{\n\"error\": \"duplicate request, wait a minute\",\n\"error_code\": 9\n}");
    assert_int_equal(strlen(last_reply), 64);
    assert_string_equal(ask("send", AUTH "phones=79161234567&fmt=1"), "0,-1");
    assert_string_equal(ask("send", AUTH "mes=a&fmt=1"), "0,-1");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&time=yesterday&fmt=1"), "0,-5");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&id=a/b&fmt=2"),
                        "<result>\n<error>parameters error</error>\n<error_code>1</error_code>\n</result>");
    /* a number that cannot be sent to is there to be asked about */
    assert_string_equal(ask("status", AUTH "phone=12&id=34&fmt=1"), "22,1476794052,249");
}

static void every_way_to_log_in(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("balance", "login=alex&psw=123"), "1000000000");
    assert_string_equal(ask("balance", "login=alex&psw=202cb962ac59075b964b07152d234b70"), "1000000000");
    assert_string_equal(ask("balance", "login=alex&psw=40bd001563085fc35165329ea1ff5c5ecbdbbeef"), "1000000000");
    assert_string_equal(ask("balance", "apikey=lab"), "1000000000");
    assert_string_equal(ask("balance", "login=&psw=lab"), "1000000000");
    assert_string_equal(ask("balance", "login=alex&psw=lab"), "ERROR = 2 (authorise error)");
    assert_string_equal(ask("balance", ""), "ERROR = 2 (authorise error)");
}

static void a_duplicate_is_welcome_after_a_minute(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&id=1&fmt=1"), "1,1");
    now_ms += 59999;
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&id=1&fmt=1"), "0,-9");
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&id=2&fmt=1"),
                        "2,1"); /* another id: another request */
    now_ms += 1;
    assert_string_equal(ask("send", AUTH "mes=a&phones=79161234567&id=1&fmt=1"), "1,1");
    assert_int_equal(lab->messages.repeats, 1);
    assert_int_equal(lab->messages.duplicates[0].times, 2);
}

static void five_costs_a_minute(void **state)
{
    UNUSED(state);
    for (int i = 0; i < 5; i++)
        assert_string_equal(ask("send", AUTH "phones=79031234567&mes=a&fmt=1&cost=1"), "1.5,1");
    assert_string_equal(ask("send", AUTH "phones=79031234567&mes=a&fmt=1&cost=1"), "0,-9");
}

static void wrong_passwords_block_the_address(void **state)
{
    UNUSED(state);
    for (int i = 0; i < 5; i++)
        assert_string_equal(ask("balance", "login=alex&psw=x&fmt=1"), "0,-2");
    assert_string_equal(ask("balance", AUTH "fmt=1"), "0,-4");
    now_ms += 30 * 60000 - 1;
    assert_string_equal(ask("balance", AUTH "fmt=0"), "ERROR = 4 (ip is blocked)");
    now_ms += 1;
    assert_string_equal(ask("balance", AUTH "fmt=1"), "1000000000");
}

static void a_hundred_bad_sends_in_a_row_block_the_address(void **state)
{
    char form[128];

    UNUSED(state);
    set("{\"time_factor\": 60}");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(form, sizeof form, AUTH "phones=%d&mes=a&fmt=1", i + 1);
        assert_non_null(strstr(ask("send", form), ",-7"));
    }
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&fmt=1"), "0,-4");
    now_ms += 10000; /* ten minutes, sixty times faster */
    assert_non_null(strstr(ask("send", AUTH "phones=79161234567&mes=b&fmt=1"), ",1"));
}

static void fifteen_at_once_are_too_many(void **state)
{
    const char *form = AUTH "phones=79161234567&mes=a&fmt=3";

    UNUSED(state);
    assert_string_equal(ask_full("/sys/send.php", form, NULL, "", 0, 14),
                        "{\n\"error\": \"too many concurrent requests\",\n\"error_code\": 9\n}");
    assert_non_null(strstr(ask_full("/sys/send.php", form, NULL, "", 0, 13), "\"cnt\": 1"));
}

static void a_list_has_many_texts_and_one_id(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("send",
                            AUTH "id=m-7&fmt=1&charset=utf-8&list="
                                 "79161234567:one%0A79161234568,79161234569;two: 2%0A79031234567:three\\nlines%0A"),
                        "m-7,4");
    assert_string_equal(ask("status", AUTH "phone=79161234567&id=m-7&all=1&fmt=1"),
                        "0,1476794052,0,1476794052,79161234567,1.65,SMSC.RU,Transferred to the operator,one,,0");
    struct lab_message *m = lab_message_find(&lab->messages, "79161234569", "m-7");
    assert_non_null(m);
    assert_string_equal(m->text, "two: 2");
    m = lab_message_find(&lab->messages, "79031234567", "m-7");
    assert_non_null(m);
    assert_string_equal(m->text, "three\nlines");
    /* a sender and a zone for one line only */
    assert_string_equal(
        ask("send", AUTH "id=m-8&fmt=1&time=18.10.16%2016:00&list=SHOP,2|79161234567:one%0A79161234568:two"), "m-8,2");
    m = lab_message_find(&lab->messages, "79161234567", "m-8");
    assert_string_equal(m->sender, "SHOP");
    assert_int_equal(m->phase, 1); /* 16:00 two hours east of Moscow is 14:00 there: past, so now */
    assert_int_equal(lab_message_find(&lab->messages, "79161234568", "m-8")->status, LAB_WAITING);
    assert_string_equal(ask("send", AUTH "fmt=1&list=no%20numbers"), "0,-1");
}

static void bad_numbers_are_listed_on_request(void **state)
{
    UNUSED(state);
    assert_string_equal(
        ask("send", AUTH "id=5&op=1&err=1&fmt=3&phones=79161234567;777&mes=a"),
        "{\n\"id\": 5,\n\"cnt\": 1,\n\"phones\": [{\n\"phone\": \"79161234567\",\n\"mccmnc\": \"25001\",\n"
        "\"cost\": \"1.65\"\n},\n{\n\"phone\": \"777\",\n\"mccmnc\": \"\",\n\"cost\": \"0\",\n\"status\": \"22\",\n"
        "\"error\": \"249\"\n}],\n\"errors\": [{\n\"phone\": \"777\",\n\"status\": \"22\"\n}]\n}");
    assert_int_equal(lab->n.accepted, 1);
}

static void numbers_are_corrected_unless_they_begin_with_plus(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("send", AUTH "id=1&phones=8%20(916)%20123-45-67&mes=a&fmt=1"), "1,1");
    assert_non_null(lab_message_find(&lab->messages, "79161234567", "1"));
    assert_string_equal(ask("send", AUTH "id=2&phones=%2B89161234567&mes=a&fmt=1"), "2,-8");
    assert_string_equal(ask("send", AUTH "id=3&phones=%2B79161234567&mes=a&fmt=1"), "3,1");
    assert_string_equal(ask("send", AUTH "id=4&phones=G1&mes=a&fmt=1"), "4,3");
}

static void money_runs_out(void **state)
{
    UNUSED(state);
    set("{\"balance\": \"3\", \"price\": \"2\"}");
    assert_string_equal(ask("send", AUTH "id=1&phones=79031234567&mes=a&fmt=1"), "1,1");
    assert_string_equal(ask("send", AUTH "id=2&phones=79031234567&mes=a&fmt=3"),
                        "{\n\"error\": \"no money\",\n\"error_code\": 3,\n\"id\": 2\n}");
    assert_string_equal(ask("status", AUTH "phone=79031234567&id=2&fmt=1"), "24,1476794052,0");
    set("{\"balance\": \"50\"}");
    assert_string_equal(ask("balance", AUTH "fmt=2"), "<balance>50</balance>");
}

static void texts_are_counted_cut_and_refused(void **state)
{
    char form[8192];
    char text[1200];

    UNUSED(state);
    memset(text, 'a', sizeof text);
    (void)snprintf(form, sizeof form, AUTH "id=1&phones=79161234567&fmt=1&mes=%.161s", text);
    assert_string_equal(ask("send", form), "1,2");
    (void)snprintf(form, sizeof form, AUTH "id=2&phones=79161234567&fmt=1&maxsms=2&mes=%.900s", text);
    assert_string_equal(ask("send", form), "2,2");
    assert_int_equal(strlen(lab_message_find(&lab->messages, "79161234567", "2")->text), 306);
    (void)snprintf(form, sizeof form, AUTH "id=3&phones=79161234567&fmt=1&mes=%.1001s", text);
    assert_string_equal(ask("send", form), "0,-1");
    set("{\"forbidden\": \"casino,loan\", \"senders\": \"SHOP\"}");
    assert_string_equal(ask("send", AUTH "id=4&phones=79161234567&fmt=1&sender=SHOP&mes=a%20loan"), "4,-6");
    assert_string_equal(ask("send", AUTH "id=5&phones=79161234567&fmt=1&sender=OTHER&mes=a"), "5,-6");
    assert_string_equal(ask("send", AUTH "id=6&phones=79161234567&fmt=1&sender=SHOP&mes=a"), "6,1");
}

static void charsets_and_comments(void **state)
{
    UNUSED(state);
    /* the same word in three encodings; without charset it is windows-1251 */
    assert_string_equal(ask("send", AUTH "id=1&phones=79161234567&fmt=1&mes=%CF%F0%E8%E2%E5%F2"), "1,1");
    assert_string_equal(ask("send", AUTH "id=2&phones=79161234567&fmt=1&charset=koi8-r&mes=%F0%D2%C9%D7%C5%D4"), "2,1");
    assert_string_equal(
        ask("send",
            AUTH "id=3&phones=79161234567&fmt=1&charset=utf-8&mes=%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82%0A~~~%0Anote"),
        "3,1");
    for (char id[2] = "1"; id[0] <= '3'; id[0]++)
        assert_string_equal(lab_message_find(&lab->messages, "79161234567", id)->text, "Привет");
    assert_string_equal(lab_message_find(&lab->messages, "79161234567", "3")->comment, "note");
    assert_non_null(
        strstr(ask("status", AUTH "phone=79161234567&id=3&all=1&charset=utf-8"), "message = Привет, comment = note"));
    assert_non_null(strstr(ask("status", AUTH "phone=79161234567&id=3&all=1"), "message = \xCF\xF0\xE8\xE2\xE5\xF2,"));
    assert_string_equal(ask("send", AUTH "id=4&phones=79161234567&fmt=1&charset=utf-8&translit=1&mes=%D0%A9%D1%91"),
                        "4,1");
    assert_string_equal(lab_message_find(&lab->messages, "79161234567", "4")->text, "Sche");
    assert_string_equal(ask("send", AUTH "id=5&phones=79161234567&fmt=1&bin=2&mes=050A03070560"), "5,1");
    assert_string_equal(ask("send", AUTH "id=6&phones=79161234567&fmt=1&bin=2&mes=050"), "0,-1");
}

static void parameters_come_in_every_way(void **state)
{
    const char *json = "{\"login\":\"alex\",\"psw\":\"123\",\"phones\":\"79161234567\",\"mes\":\"Привет\",\"cost\":3,"
                       "\"fmt\":3,\"id\":9}";
    const char *part = "--x\r\nContent-Disposition: form-data; name=\"phones\"\r\n\r\n79161234567\r\n--x\r\n"
                       "Content-Disposition: form-data; name=\"mes\"\r\n\r\nHello\r\n--x--\r\n";

    UNUSED(state);
    assert_non_null(strstr(ask_full("/rest/send/", "", "application/json", json, strlen(json), 0),
                           "\"id\": 9,\n\"cnt\": 1,\n\"cost\""));
    assert_string_equal(lab_message_find(&lab->messages, "79161234567", "9")->text, "Привет");
    assert_string_equal(
        ask_full("/sys/send.php", AUTH "id=10&fmt=1", "multipart/form-data; boundary=x", part, strlen(part), 0),
        "10,1");
    assert_string_equal(lab_message_find(&lab->messages, "79161234567", "10")->text, "Hello");
    assert_string_equal(ask_full("/sys/nothing.php", "", NULL, "", 0, 0), "404 Not Found\n");
    assert_int_equal(last.status, 404);
}

static void times_are_read_in_all_forms(void **state)
{
    UNUSED(state);
    set("{\"delay_min_ms\": 0, \"delay_max_ms\": 0}");
    assert_string_equal(ask("send", AUTH "id=1&phones=79161234567&mes=a&fmt=1&time=1810161540"), "1,1");
    assert_string_equal(ask("send", AUTH "id=2&phones=79161234567&mes=a&fmt=1&time=18.10.16%2015:40"), "2,1");
    assert_string_equal(ask("send", AUTH "id=3&phones=79161234567&mes=a&fmt=1&time=01476794400"), "3,1");
    assert_string_equal(ask("send", AUTH "id=4&phones=79161234567&mes=a&fmt=1&time=%2B6"), "4,1");
    assert_string_equal(ask("send", AUTH "id=5&phones=79161234567&mes=a&fmt=1&time=16-18"), "5,1");
    assert_string_equal(ask("send", AUTH "id=6&phones=79161234567&mes=a&fmt=1&time=9-18"), "6,1");
    let_pass(0);
    assert_int_equal(event_count, 1); /* only the one inside its window */
    let_pass(348000 - 1);             /* 15:39:59.999 */
    assert_int_equal(event_count, 1);
    let_pass(1);
    assert_int_equal(event_count, 4);
    let_pass(12000);
    assert_int_equal(event_count, 5);
    assert_string_equal(ask("send", AUTH "id=7&phones=79161234567&mes=a&fmt=1&time=3102161540"), "0,-5");
    assert_string_equal(ask("send", AUTH "id=7&phones=79161234567&mes=a&fmt=1&valid=25"), "0,-1");
}

static void special_kinds_have_their_types(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("send", AUTH "id=1&phones=79161234567&hlr=1&fmt=1"), "1,1");
    assert_int_equal(lab_message_find(&lab->messages, "79161234567", "1")->type, LAB_HLR);
    assert_string_equal(ask("send", AUTH "id=2&phones=79161234567&mes=__PING__&fmt=1"), "2,1");
    assert_int_equal(lab_message_find(&lab->messages, "79161234567", "2")->type, LAB_PING);
    assert_non_null(strstr(ask("send", AUTH "id=3&phones=79161234567&call=1&mes=code&fmt=3"), "\"code\": \""));
    assert_string_equal(ask("send", AUTH "id=4&phones=79161234567&flash=1&mes=a&fmt=1"), "4,1");
    assert_int_equal(lab_message_find(&lab->messages, "79161234567", "4")->type, LAB_FLASH);
    /* the link is shortened, followed and noticed */
    assert_string_equal(
        ask("send", AUTH "id=5&phones=79161234567&tinyurl=1&mes=see%20http://example.org/a%20now&fmt=1"), "5,1");
    struct lab_message *m = lab_message_find(&lab->messages, "79161234567", "5");
    assert_string_equal(m->text, "see http://lab.example/t/1 now");
    let_pass(1000);
    (void)ask_full("/t/1", "", NULL, "", 0, 0);
    assert_int_equal(last.status, 302);
    assert_int_equal(m->status, LAB_CLICKED);
    assert_string_equal(ask("tinyurls", AUTH "get=1&id=1&fmt=1"), "1,1,1,1,0,0,http://lab.example/t/1");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        T(a_send_answers_in_four_formats),
        T(cost_is_added_or_only_computed),
        T(errors_are_as_recorded),
        T(every_way_to_log_in),
        T(a_duplicate_is_welcome_after_a_minute),
        T(five_costs_a_minute),
        T(wrong_passwords_block_the_address),
        T(a_hundred_bad_sends_in_a_row_block_the_address),
        T(fifteen_at_once_are_too_many),
        T(a_list_has_many_texts_and_one_id),
        T(bad_numbers_are_listed_on_request),
        T(numbers_are_corrected_unless_they_begin_with_plus),
        T(money_runs_out),
        T(texts_are_counted_cut_and_refused),
        T(charsets_and_comments),
        T(parameters_come_in_every_way),
        T(times_are_read_in_all_forms),
        T(special_kinds_have_their_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
