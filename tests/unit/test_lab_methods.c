/* SPDX-License-Identifier: MIT */
/* test_lab_methods.c - the other methods of the simulated service, its callbacks, its network. No sockets. */
#include "lab_help.h"

static void status_answers_in_four_formats(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("send", AUTH "id=33&phones=79000000001&mes=a&fmt=1"), "33,1");
    let_pass(300);
    now_ms = 1476794060000;
    lab_message_find(&lab->messages, "79000000001", "33")->last_ms = 1476794052000;
    assert_string_equal(
        ask("status", AUTH "phone=79000000001&id=33&fmt=3"),
        "{\n\"status\": 1,\n\"last_date\": \"18.10.2016 15:34:12\",\n\"last_timestamp\": 1476794052\n}");
    assert_int_equal(strlen(last_reply), 81); /* as recorded */
    assert_string_equal(ask("status", AUTH "phone=79000000001&id=33"),
                        "Status = 1, check_time = 18.10.2016 15:34:12, err = 0");
    assert_string_equal(ask("status", AUTH "phone=79000000001&id=33&fmt=1"), "1,1476794052,0");
    assert_string_equal(ask("status", AUTH "phone=79000000001&id=33&fmt=2"),
                        "<sms>\n<status>1</status>\n<last_date>18.10.2016 15:34:12</last_date>\n"
                        "<last_timestamp>1476794052</last_timestamp>\n</sms>");
    assert_string_equal(ask("status", AUTH "phone=79000000001&id=nobody&fmt=1"), "-3,0,0");
    set("{\"timezone_h\": 0}");
    assert_non_null(strstr(ask("status", AUTH "phone=79000000001&id=33"), "12:34:12"));
    assert_string_equal(ask("status", AUTH "phone=79000000001&id=33&fmt=1"), "0,-9"); /* the sixth within a minute */
}

static void many_statuses_at_once(void **state)
{
    UNUSED(state);
    (void)ask("send", AUTH "id=1&phones=79000000003&mes=a");
    (void)ask("send", AUTH "id=b&phones=79000001006&mes=a");
    let_pass(300);
    assert_string_equal(ask("status", AUTH "phone=79000000003,79000001006,&id=1,b,&fmt=1"),
                        "3,1476794052,0,1,79000000003\n20,1476794052,6,b,79000001006");
    now_ms += 60000;
    assert_string_equal(ask("status", AUTH "phone=79000000003,&id=1,&fmt=3"),
                        "[{\n\"status\": 3,\n\"last_date\": \"18.10.2016 15:34:12\",\n\"last_timestamp\": 1476794052,\n"
                        "\"id\": 1,\n\"phone\": \"79000000003\"\n}]");
    assert_string_equal(ask("status", AUTH "phone=79000000003,&id=1,&fmt=1"), "0,-9");
    assert_string_equal(ask("status", AUTH "phone=79000000003&id=1&del=1&fmt=3"), "OK");
    assert_string_equal(ask("status", AUTH "phone=79000000003&id=1&fmt=1"), "-3,0,0");
    assert_string_equal(ask("status", AUTH "phone=79000000003&id=1&del=1&fmt=1"), "0,-5");
}

static void five_statuses_at_once_are_too_many(void **state)
{
    const char *query = AUTH "phone=79161234567&id=1&fmt=1";

    UNUSED(state);
    assert_string_equal(ask_full("/sys/status.php", query, NULL, "", 0, 4), "0,-9");
    assert_string_equal(ask_full("/sys/status.php", query, NULL, "", 0, 3), "-3,0,0");
}

static void a_deleted_message_is_not_sent(void **state)
{
    UNUSED(state);
    (void)ask("send", AUTH "id=1&phones=79161234567&mes=a&time=%2B5");
    assert_string_equal(ask("status", AUTH "phone=79161234567&id=1&del=1"), "OK");
    let_pass(600000);
    assert_int_equal(event_count, 0);
}

static void clicks_are_counted_by_day_and_month(void **state)
{
    UNUSED(state);
    now_ms = 1477864800000; /* 31.10.2016 01:00 in Moscow */
    (void)ask("send", AUTH "phones=79161234567&mes=see http://a.example/x&tinyurl=1&id=5");
    let_pass(1000);
    for (int i = 0; i < 2; i++)
        (void)ask_full("/t/1", "", NULL, "", 0, 0);
    assert_string_equal(ask("status", AUTH "phone=79161234567&id=5&fmt=1"), "4,1477864801,0"); /* link clicked */
    let_pass(86400000);
    (void)ask_full("/t/1", "", NULL, "", 0, 0);
    /* all, this month, today, yesterday, the month before */
    assert_string_equal(ask("tinyurls", AUTH "get=1&id=1&fmt=1"), "1,3,1,1,2,2,http://lab.example/t/1");
    let_pass(86400000);
    assert_string_equal(ask("tinyurls", AUTH "get=1&link=a.example/x&fmt=1"), "1,3,1,0,1,2,http://lab.example/t/1");
    assert_string_equal(ask("tinyurls", AUTH "get=1&id=2&fmt=1"), "0,-3");
}

static void balance_has_its_limit(void **state)
{
    UNUSED(state);
    for (int i = 0; i < 10; i++)
        assert_string_equal(ask("balance", AUTH), "1000000000");
    assert_string_equal(ask("balance", AUTH "fmt=3"),
                        "{\n\"error\": \"duplicate request, wait a minute\",\n\"error_code\": 9\n}");
    now_ms += 60000;
    set("{\"balance\": \"1871.62\"}");
    assert_string_equal(ask("balance", AUTH "fmt=3"), "{\n\"balance\": \"1871.62\"\n}");
    assert_string_equal(ask("balance", AUTH "fmt=3&cur=1"), "{\n\"balance\": \"1871.62\",\n\"currency\": \"RUR\"\n}");
}

static void history_incoming_and_tariffs(void **state)
{
    UNUSED(state);
    (void)ask("send", AUTH "id=7&phones=79161234567&mes=a,b");
    assert_string_equal(
        ask("get", AUTH "get_messages=1&fmt=1&charset=utf-8&phone=79161234567"),
        "0,1476794052,0,1476794052,79161234567,Россия,МТС,Москва,1.65,SMSC.RU,Transferred to the operator,a,b,7");
    assert_string_equal(ask("get", AUTH "get_messages=1&fmt=1&phone=79160000000"), "0,-3");
    assert_int_equal(0, lab_incoming(lab, "79161234567", "79037672215", "yes, please", "7", now_ms));
    assert_string_equal(ask("get", AUTH "get_answers=1&fmt=1"),
                        "1,18.10.2016 15:34:12,79161234567,79037672215,18.10.2016 15:34:12,yes, please");
    assert_string_equal(
        ask("get", AUTH "get_answers=1&fmt=3"),
        "[{\n\"id\": 1,\n\"received\": \"18.10.2016 15:34:12\",\n\"phone\": \"79161234567\",\n"
        "\"message\": \"yes, please\",\n\"to_phone\": \"79037672215\",\n\"sent\": \"18.10.2016 15:34:12\"\n}]");
    assert_string_equal(ask("get", AUTH "get_answers=1&fmt=3&after_id=1"), "[]");
    assert_string_equal(ask("get", AUTH "get_answers=1&fmt=2&after_id=1"), "<sms_answers>\n</sms_answers>");
    assert_string_equal(ask("get", AUTH "get_stat=1&fmt=1"), "alex,1,1.65,0,RUR");
    assert_string_equal(ask("get", AUTH "get_stat=1&fmt=1&start=18.10.2016&end=18.10.2016"), "alex,1,1.65,0,RUR");
    assert_string_equal(ask("get", AUTH "get_stat=1&fmt=1&start=19.10.2016&mycur=1"), "alex,0,0,0,RUR");
    assert_string_equal(ask("get", AUTH "get_stat=1&fmt=1"), "0,-9"); /* three, identical or not */
    assert_non_null(strstr(ask("get", AUTH "get_price=1&fmt=3"),
                           "\"codes\": [{\n\"mccmnc\": \"25001\",\n\"cost\": \"1.65\"\n},\n{\n"));
    assert_non_null(strstr(last_reply, "}],\n\"mail\": \"0.3\"\n}"));
    assert_non_null(strstr(ask("get", AUTH "get_price=1&fmt=0"), "\nmccmnc = 25001, cost = 1.65\n"));
    assert_non_null(strstr(last_reply, "\nmail = 0.3"));
    assert_non_null(strstr(ask("get", AUTH "get_price=1&fmt=1"), "\n\n25001,1.65\n"));
    assert_non_null(strstr(last_reply, "\n\n0.3"));
    assert_non_null(strstr(ask("get", AUTH "get_price=1&fmt=2"), "<codes>\n<mccmnc cost=\"1.65\">25001</mccmnc>\n"));
    assert_non_null(strstr(last_reply, "</codes>\n<mail>0.3</mail>\n</price>"));
    (void)ask("send", AUTH "mail=1&phones=a@example.org&mes=x&subj=S&sender=me@example.org&id=8");
    assert_non_null(strstr(ask("get", AUTH "get_messages=1&fmt=1&format=8"), ",a@example.org,"));
    assert_non_null(strstr(ask("get", AUTH "get_messages=1&fmt=1&email=a@example.org"), ",a@example.org,"));
    assert_null(strstr(ask("get", AUTH "get_messages=1&fmt=1"), "example.org"));
    assert_string_equal(ask("get", AUTH "get_messages=1&fmt=1&format=3"), "0,-1");
    assert_non_null(strstr(ask("get", AUTH "get_mega_accounts=1&fmt=2"), "<number>1001</number>"));
    assert_string_equal(ask("get", AUTH "fmt=1"), "0,-1");
    assert_string_equal(ask("info", AUTH "get_operator=1&phone=79161234567&fmt=1&charset=utf-8"),
                        "Россия,МТС,Москва,250,01,3");
    assert_string_equal(ask("info", AUTH "get_operator=1&phone=12&fmt=1"), "0,-3");
    assert_string_equal(
        ask("wait_call", AUTH "phone=79161234560&fmt=3"),
        "{\n\"phone\": \"74950000001\",\n\"all_phones\": [\n\"74950000001\",\n\"74950000002\",\n\"74950000003\"\n]\n}");
}

static void callbacks_are_forms_with_hashes(void **state)
{
    UNUSED(state);
    set("{\"callback_url\": \"http://h/!a=1&b?charset=utf-8&md5=s1&sha1=s2&crc32=s3&own=%2B\"}");
    (void)ask("send", AUTH "id=x&phones=79000001006&mes=a&sender=SHOP");
    let_pass(300);
    assert_int_equal(event_count, 1);
    assert_string_equal(events[0].url, "http://h/?a=1&b");
    assert_string_equal(events[0].content_type, "application/x-www-form-urlencoded");
    assert_string_equal(
        events[0].body,
        "id=x&phone=79000001006&status=20&time=18.10.16%2015%3A34%3A12&ts=1476794052&err=6&cnt=1&type=0&cost=1.5&flag=0"
        "&sender=SHOP&charset=utf-8&md5=9243783083f3053e8767f796e17c2699"
        "&sha1=10e8af93af0996e0db79d1e481334b9b1f935057&crc32=1478773744&own=%2B");
}

static void a_call_tells_how_it_went(void **state)
{
    UNUSED(state);
    set("{\"callback_url\": \"http://h/\"}");
    (void)ask("send", AUTH "call=1&phones=79161234567&mes=press a key&id=5");
    let_pass(400);
    assert_non_null(strstr(events[0].body, "&cnt=17&type=7&"));
    assert_non_null(strstr(events[0].body, "&dtmf=7&calltime=17&callmenu=7&ringtime=12"));
    (void)ask("send", AUTH "call=1&phones=79000001240&mes=busy&id=6");
    let_pass(400);
    assert_non_null(strstr(events[1].body, "&err=240&cnt=1&type=7&"));
    assert_null(strstr(events[1].body, "dtmf"));
}

static void incoming_callbacks_hash_the_bytes_of_their_charset(void **state)
{
    UNUSED(state);
    set("{\"callback_url\": \"http://h/?sha1=zxc\"}");
    assert_int_equal(0, lab_incoming(lab, "123", "234", "text", "", now_ms));
    assert_string_equal(events[0].url, "http://h/");
    assert_non_null(strstr(events[0].body, "sha1=b6f768ce7614d7858cc4a6116f8ffd0dc236a3cd")); /* a client's own test */
    set("{\"callback_url\": \"http://h/?fmt=3&charset=utf-8\"}");
    assert_int_equal(0, lab_incoming(lab, "123", "234", "да \"и\" нет", "77", now_ms));
    assert_string_equal(events[1].body,
                        "{\"id\":\"2\",\"sms_id\":\"77\",\"phone\":\"123\",\"mes\":\"да \\\"и\\\" нет\",\"to\":\"234\","
                        "\"smsc\":\"79168999100\",\"sent\":\"1476794052\",\"time\":\"1476794052\",\"fmt\":\"3\","
                        "\"charset\":\"utf-8\"}");
    set("{\"callback_url\": \"http://h/?charset=koi8-r\"}");
    assert_int_equal(0, lab_incoming(lab, "123", "234", "Да", "", now_ms));
    assert_non_null(strstr(events[2].body, "&mes=%E4%C1&"));
    set("{\"callback_url\": \"http://h/?fmt=2\"}");
    assert_int_equal(0, lab_waitcall(lab, "123", now_ms));
    assert_string_equal(events[3].body,
                        "<?xml version=\"1.0\" encoding=\"windows-1251\"?>\n<request>\n<waitcall>1</waitcall>\n"
                        "<phone>123</phone>\n<ts>1476794052</ts>\n<fmt>2</fmt>\n</request>\n");
}

/* What our own gateway reads is what the simulator writes: each form and hash. */
static void callbacks_are_understood_by_the_reader(void **state)
{
    static const struct {
        const char *url;
        struct webhook_opts opts;
    } cases[] = {
        { "http://h/?sha1=k&charset=utf-8", { WEBHOOK_HASH_SHA1, "k", WEBHOOK_UTF8, WEBHOOK_FORM } },
        { "http://h/?md5=k", { WEBHOOK_HASH_MD5, "k", WEBHOOK_CP1251, WEBHOOK_FORM } },
        { "http://h/?crc32=k&charset=koi8-r", { WEBHOOK_HASH_CRC32, "k", WEBHOOK_KOI8R, WEBHOOK_FORM } },
        { "http://h/?sha1=k&fmt=2", { WEBHOOK_HASH_SHA1, "k", WEBHOOK_CP1251, WEBHOOK_XML } },
        { "http://h/?sha1=k&fmt=3&charset=utf-8", { WEBHOOK_HASH_SHA1, "k", WEBHOOK_UTF8, WEBHOOK_JSON } },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char json[256];
        struct smsc_event event;
        const char *why = "";

        (void)snprintf(json, sizeof json, "{\"callback_url\": \"%s\"}", cases[i].url);
        set(json);
        event_count = 0;
        assert_int_equal(0, lab_incoming(lab, "79161234567", "234", "Да & нет", "9", now_ms));
        assert_int_equal(WEBHOOK_OK, webhook_open(&cases[i].opts, events[0].content_type, "", events[0].body,
                                                  strlen(events[0].body), &event, &why));
        assert_int_equal(event.kind, SMSC_EVENT_INCOMING);
        assert_string_equal(event.mes, "Да & нет");
        smsc_event_finish(&event);
    }
}

static void magic_numbers_do_what_the_table_says(void **state)
{
    static const struct {
        const char *phone;
        int status, err;
    } finals[] = { { "79000000001", 1, 0 },  { "79000000003", 3, 0 },  { "79000000020", 20, 0 },
                   { "79000000022", 22, 0 }, { "79000000025", 25, 0 }, { "79000001255", 20, 255 },
                   { "79000003001", 1, 0 } };
    char form[256];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
        event_count = 0;
        (void)snprintf(form, sizeof form, AUTH "id=1&phones=%s&mes=a", finals[i].phone);
        (void)ask("send", form);
        let_pass(1000);
        assert_int_equal(event_count, 1);
        assert_int_equal(events[0].status, finals[i].status);
        assert_int_equal(events[0].err, finals[i].err);
    }
    for (int error = 1; error <= 9; error++) {
        (void)snprintf(form, sizeof form, AUTH "id=1&phones=7900000200%d&mes=a", error);
        (void)ask("send", form);
        (void)snprintf(form, sizeof form, "ERROR = %d (", error);
        assert_memory_equal(last_reply, form, strlen(form));
    }
    event_count = 0;
    (void)ask("send", AUTH "id=1&phones=79000004001,79000004002,79000000002,79000000000&mes=a");
    let_pass(1000);
    let_pass(1000);
    assert_int_equal(event_count, 4); /* none, two, delivered and read, none */
    (void)ask("send", AUTH "id=1&phones=79000006000&mes=a");
    assert_int_equal(last.fault, LAB_FAULT_DROP);
    assert_null(lab_message_find(&lab->messages, "79000006000", "1"));
    assert_string_equal(ask("send", AUTH "id=1&phones=79000006000&mes=a&fmt=1"), "1,1"); /* the next try is spared */
    assert_int_equal(last.fault, LAB_FAULT_NONE);
    (void)ask("send", AUTH "id=1&phones=79000006001&mes=a");
    assert_int_equal(last.fault, LAB_FAULT_DROP);
    assert_non_null(lab_message_find(&lab->messages, "79000006001", "1"));
    let_pass(1000);
    event_count = 0;
    (void)ask("send", AUTH "id=1&phones=79000005000&mes=ping");
    let_pass(1000);
    assert_int_equal(event_count, 2);
    assert_int_equal(events[1].kind, LAB_EVENT_INCOMING);
    assert_string_equal(events[1].text, "ping");
}

static void run_seed(uint64_t seed, int out[50])
{
    char form[128];

    lab_destroy(lab);
    lab = lab_create(seed, 1000, on_lab_event, NULL);
    set("{\"delivered\": 0.5}");
    event_count = 0;
    for (int i = 0; i < 50; i++) {
        (void)snprintf(form, sizeof form, AUTH "phones=%lld&mes=a", 79161234500LL + i);
        (void)ask("send", form);
    }
    let_pass(300);
    assert_int_equal(event_count, 50);
    for (int i = 0; i < 50; i++) {
        int at = (int)(strtoll(events[i].phone, NULL, 10) - 79161234500LL);

        out[at] = events[i].status * 1000 + events[i].err;
    }
}

static void the_same_seed_gives_the_same_outcomes(void **state)
{
    int a[50], b[50], c[50], delivered = 0;

    UNUSED(state);
    run_seed(5, a);
    run_seed(5, b);
    run_seed(6, c);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    for (int i = 0; i < 50; i++)
        delivered += a[i] == 1000;
    assert_in_range(delivered, 10, 40);
}

static void the_ring_forgets_the_oldest_but_finishes_it(void **state)
{
    char form[128];

    UNUSED(state);
    lab_destroy(lab);
    lab = lab_create(1, 10, on_lab_event, NULL);
    for (int i = 0; i < 25; i++) {
        (void)snprintf(form, sizeof form, AUTH "id=%d&phones=79000000001&mes=a", i + 1);
        (void)ask("send", form);
    }
    assert_int_equal(event_count, 15);
    assert_null(lab_message_find(&lab->messages, "79000000001", "15"));
    assert_non_null(lab_message_find(&lab->messages, "79000000001", "16"));
    let_pass(300);
    assert_int_equal(event_count, 25);
    assert_int_equal(lab->messages.unique, 25);
}

static void faults_are_drawn_and_before_means_nothing_accepted(void **state)
{
    UNUSED(state);
    set("{\"http_500\": 1}");
    (void)ask("send", AUTH "id=1&phones=79161234567&mes=a");
    assert_int_equal(last.fault, LAB_FAULT_500);
    assert_int_equal(lab->n.accepted, 0);
    set("{\"http_500\": 0, \"drop_after\": 1}");
    (void)ask("send", AUTH "id=1&phones=79161234567&mes=a");
    assert_int_equal(last.fault, LAB_FAULT_DROP);
    assert_int_equal(lab->n.accepted, 1);
    set("{\"drop_after\": 0, \"blocked\": true}");
    assert_string_equal(ask("send", AUTH "id=1&phones=79161234567&mes=a&fmt=1"), "0,-4");
    set("{\"blocked\": false, \"error_rate\": 1, \"error_code\": 9}");
    assert_string_equal(ask("send", AUTH "id=2&phones=79161234567&mes=a&fmt=1"), "0,-9");
    set("{\"error_code\": 8}");
    assert_string_equal(ask("send", AUTH "id=3&phones=79161234567&mes=a&fmt=1"), "3,-8");
    set("{\"error_rate\": 0, \"latency_min_ms\": 100, \"latency_max_ms\": 100}");
    (void)ask("balance", AUTH);
    assert_int_equal(last.latency_ms, 100);
}

static void delays_have_the_shape_asked_for(void **state)
{
    static const struct {
        const char *shape;
        int64_t mean_low, mean_high, middle_least; /* of 1000 draws; how many in the middle fifth, at least */
    } shapes[] = { { "uniform", 4700, 5300, 150 }, { "exponential", 1700, 2300, 50 }, { "normal", 4800, 5200, 380 } };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        int64_t sum = 0, middle = 0;

        for (uint64_t k = 0; k < 1000; k++) {
            int64_t v = lab_spread(shapes[i].shape, 0, 10000, lab_draw(1, k, 1), lab_draw(1, k, 2));

            assert_true(v >= 0 && v <= 10000);
            sum += v;
            middle += v >= 4000 && v < 6000;
        }
        assert_in_range((uintmax_t)sum / 1000, (uintmax_t)shapes[i].mean_low, (uintmax_t)shapes[i].mean_high);
        assert_true(middle >= shapes[i].middle_least);
    }
    assert_int_equal(lab_spread("normal", 7, 7, 0.3, 0.3), 7);
    char why[256];
    assert_int_equal(ERR_RANGE, lab_settings_write(lab, "{\"delay_shape\": \"round\"}", 24, why));
}

static void a_flood_to_one_number_is_prohibited(void **state)
{
    char form[128];

    UNUSED(state);
    for (int i = 0; i < 51; i++) {
        let_pass(29000);
        (void)snprintf(form, sizeof form, AUTH "id=%d&phones=79000000001&mes=a", i);
        (void)ask("send", form);
    }
    event_count = 0;
    let_pass(300);
    assert_int_equal(events[0].status, LAB_PROHIBITED);
    assert_int_equal(events[0].err, 251);
}

static void settings_are_all_or_nothing(void **state)
{
    char why[256];
    const char *bad[] = { "{\"delivered\": 0.1, \"nonsense\": 1}",
                          "{\"delivered\": 2}",
                          "[]",
                          "{\"delay_min_ms\": 500}",
                          "{\"price\": \"much\"}",
                          "{\"delivered\": \"x\"}",
                          "{\"delivered\": \"few\"}",
                          "{\"delivered\": \"two\"}",
                          "{\"delivered\": \"falsely\"}" };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        why[0] = '\0';
        assert_int_not_equal(0, lab_settings_write(lab, bad[i], strlen(bad[i]), why));
        assert_true(why[0] != '\0');
        assert_true(lab->b.delivered > 0.9);
    }
    assert_non_null(strstr(ask_full("/lab/behaviour", "", NULL, "", 0, 0), "\"login\": \"alex\""));
    (void)ask_full("/lab/behaviour", "", NULL, "{\"bad\": 1}", 10, 0);
    assert_int_equal(last.status, 400);
    (void)ask("send", AUTH "id=1&phones=79161234567&mes=a");
    assert_non_null(strstr(ask_full("/lab/accepted", "", NULL, "", 0, 0), "{\"accepted\": 1, "));
    assert_non_null(strstr(ask_full("/lab/messages", "phone=79161234567", NULL, "", 0, 0), "\"id\": \"1\""));
    (void)ask_full("/lab/reset", "", NULL, "{}", 2, 0);
    assert_non_null(strstr(ask_full("/lab/accepted", "", NULL, "", 0, 0), "{\"accepted\": 0, "));
}

/* What is accepted stays in memory, so nothing of it may be as large as a request. */
static void what_is_kept_is_bounded(void **state)
{
    static char form[300 << 10];
    size_t n;

    UNUSED(state);
    n = (size_t)snprintf(form, sizeof form, AUTH "phones=79161234567&tinyurl=1&fmt=1&mes=http://a/");
    memset(form + n, 'x', 5000);
    form[n + 5000] = '\0';
    assert_string_equal(ask("send", form), "0,-1");
    assert_int_equal(0, lab->link_count);
    n = (size_t)snprintf(form, sizeof form, AUTH "phones=79161234567&bin=2&fmt=1&mes=");
    memset(form + n, '0', (128 << 10) + 2);
    form[n + (128 << 10) + 2] = '\0';
    assert_string_equal(ask("send", form), "0,-1");
    form[n + (128 << 10)] = '\0';
    assert_string_equal(ask("send", form), "1,493");
    set("{\"max_lines\": 2}");
    assert_string_equal(ask("send", AUTH "fmt=1&list=:a%0A:b%0A79161234567:c"), "0,-1"); /* lines to nobody count */
    n = (size_t)snprintf(form, sizeof form, "phone=79161234567&text=");
    memset(form + n, 'x', 200 << 10);
    form[n + (200 << 10)] = '\0';
    (void)ask_full("/lab/incoming", "", NULL, form, strlen(form), 0);
    assert_int_equal(last.status, 400);
    form[n + (100 << 10)] = '\0';
    (void)ask_full("/lab/incoming", "", NULL, form, strlen(form), 0);
    assert_int_equal(last.status, 200);
}

static void addresses_of_duplicates_are_json(void **state)
{
    static const char form[] = AUTH "mail=1&phones=a%22b@c.de&subj=s&sender=x&mes=t&id=5&fmt=1";

    UNUSED(state);
    set("{\"duplicates\": 0}");
    assert_string_equal(ask("send", form), "5,1");
    assert_string_equal(ask("send", form), "5,1");
    assert_non_null(strstr(ask_full("/lab/accepted", "", NULL, "", 0, 0),
                           "{\"phone\": \"a\\\"b@c.de\", \"id\": \"5\", \"times\": 2}"));
}

static void hours_are_those_of_a_half_hour_zone(void **state)
{
    UNUSED(state);
    set("{\"timezone_h\": 5.5, \"hours\": \"18-19\"}"); /* it is 18:04 there, 12:34 UTC */
    assert_string_equal(ask("send", AUTH "phones=79161234567&mes=a&id=1&fmt=1"), "1,1");
    let_pass(400);
    assert_int_equal(events[0].status, LAB_DELIVERED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        T(status_answers_in_four_formats),
        T(many_statuses_at_once),
        T(what_is_kept_is_bounded),
        T(addresses_of_duplicates_are_json),
        T(hours_are_those_of_a_half_hour_zone),
        T(five_statuses_at_once_are_too_many),
        T(a_deleted_message_is_not_sent),
        T(clicks_are_counted_by_day_and_month),
        T(balance_has_its_limit),
        T(history_incoming_and_tariffs),
        T(callbacks_are_forms_with_hashes),
        T(a_call_tells_how_it_went),
        T(incoming_callbacks_hash_the_bytes_of_their_charset),
        T(callbacks_are_understood_by_the_reader),
        T(magic_numbers_do_what_the_table_says),
        T(the_same_seed_gives_the_same_outcomes),
        T(the_ring_forgets_the_oldest_but_finishes_it),
        T(faults_are_drawn_and_before_means_nothing_accepted),
        T(delays_have_the_shape_asked_for),
        T(a_flood_to_one_number_is_prohibited),
        T(settings_are_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
