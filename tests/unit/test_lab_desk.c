/* SPDX-License-Identifier: MIT */
/* test_lab_desk.c - several accounts, contacts and their kin, jobs, spread mailings, limits. No sockets. */
#include "lab_help.h"

static void records_are_added_changed_listed_and_deleted(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("phones", AUTH "add=1&phone=89161234567&name=Ivan&fmt=3"), "{\n\"id\": 1\n}");
    assert_string_equal(ask("phones", AUTH "add=1&phone=9161234567&fmt=1"), "0,-5"); /* he is there */
    assert_string_equal(ask("phones", AUTH "add=1&fmt=1"), "0,-1");
    assert_string_equal(ask("phones", AUTH "chg=1&phone=79161234567&cmt=friend"), "OK");
    assert_string_equal(ask("phones", AUTH "get=1&fmt=1"), "1,79161234567,,Ivan,,,,,,friend,,");
    assert_string_equal(ask("phones", AUTH "chg=1&id=1&new_phone=79161234568&new_mail=i@example.org"), "OK");
    assert_string_equal(ask("phones", AUTH "get=1&fmt=1&search=Ivan"),
                        "1,79161234568,i@example.org,Ivan,,,,,,friend,,");
    assert_string_equal(ask("phones", AUTH "get=1&fmt=3&search=Olga"), "[]");
    assert_string_equal(ask("phones", AUTH "get=1&fmt=3&after_id=1"), "[]");
    assert_string_equal(ask("phones", AUTH "get=1&fmt=3&phone=79160000000"), "[]");
    assert_string_equal(ask("phones", AUTH "del=1&id=1"), "OK");
    assert_string_equal(ask("phones", AUTH "get=1&fmt=3"), "[]");
    assert_string_equal(ask("phones", AUTH "del=1&id=1&fmt=1"), "0,-3");
    assert_string_equal(ask("templates", AUTH "add=1&name=Hi&msg=Hello&fl[1]=0&fmt=1"), "2");
    assert_string_equal(ask("templates", AUTH "get=1&fmt=1"), "2,Hi,Hello,,,0");
    assert_non_null(strstr(ask("templates", AUTH "get=1&fmt=3"), "\"message\": \"Hello\""));
    assert_string_equal(ask("templates", AUTH "del=1&id=9&fmt=3"), "ERROR = 3 (record not found)"); /* text: recorded */
    assert_string_equal(ask("op_templates", AUTH "add=1&sender=SHOP&msg=Code&mts_srv=1&fmt=1"), "3");
    assert_string_equal(ask("op_templates", AUTH "get=1&fmt=1"), "3,SHOP,Code,1,,,,,,,");
}

static void groups_are_sent_to(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("send", AUTH "phones=G1&mes=a&fmt=1&id=1"), "1,3"); /* group1 of the settings */
    assert_string_equal(ask("phones", AUTH "add_group=1&name=Friends&fmt=1"), "1");
    assert_string_equal(ask("phones", AUTH "add_group=1&name=Work&fmt=1"), "2");
    assert_string_equal(ask("phones", AUTH "add=1&phone=79161234501&grp=Friends&fmt=1"), "3");
    assert_string_equal(ask("phones", AUTH "add=1&phone=79161234502&grp=1&fmt=1"), "4");
    assert_string_equal(ask("phones", AUTH "get_group=1&fmt=1"), "1,Friends,2,\n2,Work,0,");
    assert_string_equal(ask("send", AUTH "phones=G1,79161234509&mes=b&fmt=1&id=2"), "2,3");
    assert_string_equal(ask("send", AUTH "phones=G2&mes=b&fmt=1&id=3"), "0,-1"); /* empty */
    assert_string_equal(ask("send", AUTH "phones=G9&mes=b&fmt=1&id=3"), "0,-1");
    assert_string_equal(ask("phones", AUTH "move_group=2&grp=2&phone=79161234501,79161234502"), "OK");
    assert_string_equal(ask("phones", AUTH "move_group=3&grp=1&id=4"), "OK");
    assert_string_equal(ask("phones", AUTH "get_group=1&fmt=1"), "1,Friends,1,\n2,Work,2,");
    assert_string_equal(ask("phones", AUTH "move_group=1&grp=Work&id=3"), "OK");
    assert_string_equal(ask("phones", AUTH "get_group=1&fmt=1"), "1,Friends,0,\n2,Work,2,");
    assert_string_equal(ask("phones", AUTH "move_group=1&grp=Work&id=99&fmt=1"), "0,-3");
    assert_string_equal(ask("send", AUTH "phones=G2&mes=c&fmt=1&id=4"), "4,2");
}

static void the_black_list_is_kept(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("phones", AUTH "add_black=1&phone=+79161234501&fmt=1"), "1");
    assert_string_equal(ask("phones", AUTH "add_black=1&phone=79161234502&type=1&fmt=1"), "2");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&fmt=1&id=1"), "1,-8");
    assert_string_equal(ask("status", AUTH "phone=79161234501&id=1&fmt=1"), "23,1476794052,250");
    assert_string_equal(ask("send", AUTH "phones=79161234502&mes=a&fmt=1&id=2"), "2,1"); /* mailings only */
    assert_string_equal(ask("send", AUTH "phones=79161234502,79161234503&mes=b&fmt=1&id=3"), "3,1");
    assert_string_equal(ask("wait_call", AUTH "phone=79161234501&fmt=1"), "0,-5");
    assert_string_equal(ask("wait_call", AUTH "phone=61412345678&fmt=1"), "0,-6"); /* no price there */
    assert_string_equal(ask("phones", AUTH "del_black=1&phone=79161234501"), "OK");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=c&fmt=1&id=4"), "4,1");
    set("{\"balance\": \"1\"}");
    assert_string_equal(ask("wait_call", AUTH "phone=79161234501&fmt=1"), "0,-3");
}

static void senders_are_registered_and_numbers_confirmed(void **state)
{
    char form[128];

    UNUSED(state);
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&sender=ANY&fmt=1&id=1"),
                        "1,1"); /* none registered */
    assert_string_equal(ask("senders", AUTH "add=1&sender=SHOP&cmt=ours&mts=1&fmt=1"), "1");
    assert_string_equal(ask("senders", AUTH "add=1&sender=SHOP&fmt=1"), "0,-5");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&sender=ANY&fmt=1&id=2"), "2,-6");
    assert_string_equal(ask("status", AUTH "phone=79161234501&id=2&fmt=1"), "23,1476794052,254");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&sender=SHOP&fmt=1&id=3"), "3,1");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&fmt=1&id=4"), "4,1"); /* the account's own */
    assert_string_equal(ask("senders", AUTH "add=1&sender=79161112233&fmt=1"), "2");
    assert_string_equal(ask("senders", AUTH "get=1&fmt=1"), "1,SHOP,ours,,,");
    assert_string_equal(ask("senders", AUTH "get=1&all=1&cnt=1&prev_id=2&operators=1&fmt=1"),
                        "1,SHOP,ours,,,,,,1,,,,,,,"); /* mega, mega_step, mts ... */
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&sender=79161112233&fmt=1&id=5"), "5,-6");
    assert_string_equal(ask("senders", AUTH "send_code=1&sender=79161112233"), "OK");
    assert_string_equal(ask("senders", AUTH "check_code=1&sender=79161112233&code=x&fmt=1"), "0,-5");
    const struct lab_message *message = lab_message_by_serial(&lab->messages, lab->messages.next_serial - 1);
    assert_string_equal(message->phone, "79161112233");
    assert_memory_equal(message->text, "Code: ", 6);
    (void)snprintf(form, sizeof form, AUTH "check_code=1&sender=79161112233&code=%s", message->text + 6);
    assert_string_equal(ask("senders", form), "OK");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&sender=79161112233&fmt=1&id=6"), "6,1");
    assert_string_equal(ask("senders", AUTH "del=1&sender=79161112233"), "OK");
    assert_string_equal(ask("send", AUTH "phones=79161234501&mes=a&sender=79161112233&fmt=1&id=7"), "7,-6");
}

static void subclients_send_for_their_own_money(void **state)
{
    UNUSED(state);
    set("{\"balance\": \"10\", \"price\": \"2\"}");
    assert_string_equal(ask("users", AUTH "get_stat_all=1&fmt=1"), "0,-3");
    assert_string_equal(ask("users", AUTH "pay=1&user=bob&sum=5&fmt=1"), "0,-6");
    assert_string_equal(ask("users", AUTH "add=1&user=alex&password=x&fmt=1"), "0,-8"); /* taken */
    assert_string_equal(ask("users", AUTH "add=1&user=bob&password=x&url=http://bob/&fl[10]=1&plim=1&fmt=1"), "1");
    assert_string_equal(ask("balance", "login=bob&psw=x"), "0");
    assert_string_equal(ask("send", "login=bob&psw=x&phones=79031234501&mes=a&fmt=1&id=1"), "1,-3");
    assert_string_equal(ask("users", AUTH "pay=1&user=bob&sum=11&fmt=1"), "0,-10");
    assert_string_equal(ask("users", AUTH "pay=1&user=bob&sum=5"), "OK");
    assert_string_equal(ask("balance", AUTH), "5");
    assert_string_equal(ask("send", "login=bob&psw=x&phones=79031234501&mes=b&fmt=1&id=2"), "2,1");
    assert_string_equal(ask("send", "login=bob&psw=x&phones=79031234501&mes=c&fmt=1&id=3"), "3,1"); /* plim */
    let_pass(400);
    assert_int_equal(event_count, 2);
    assert_string_equal(events[0].id, "3");
    assert_int_equal(events[0].err, 251);
    assert_int_equal(events[1].status, LAB_DELIVERED);
    assert_string_equal(ask("users", AUTH "get_stat=1&user=bob&fmt=1"), "bob,2,4,5,RUR");
    assert_non_null(strstr(ask("users", AUTH "get_stat_all=1&fmt=3"), "\"debit\": \"5\""));
    assert_string_equal(ask("users", AUTH "chg=1&user=bob&password=y&fl[10]=0&fl2[27]=1&plim=0"), "OK");
    assert_string_equal(ask("balance", "login=bob&psw=x&fmt=1"), "0,-2");
    assert_string_equal(ask("send", "login=bob&psw=y&phones=79031234502&mes=d&fmt=1&id=4"), "4,1"); /* virtual, free */
    let_pass(400);
    assert_int_equal(event_count, 2); /* his handler is told nothing now */
    assert_string_equal(ask("status", "login=bob&psw=y&phone=79031234502&id=4&fmt=1"), "1,1476794052,200");
    assert_string_equal(ask("users", AUTH "chg=1&user=bob&ilim=x&fmt=1"), "0,-8");
    assert_string_equal(ask("users", AUTH "chg=1&user=bob&cmt=x&fmt=1"), "OK");
    assert_string_equal(ask("users", AUTH "chg=1&user=bob&cmt=y&fmt=1"), "0,-9"); /* the fourth in a minute */
}

static void the_account_has_limits_of_its_own(void **state)
{
    UNUSED(state);
    set("{\"hours\": \"9-15\"}"); /* it is 15:34 */
    (void)ask("send", AUTH "phones=79161234501&mes=a&id=1");
    set("{\"hours\": \"\", \"day_limit\": 1}");
    (void)ask("send", AUTH "phones=79161234502&mes=a&id=2");
    (void)ask("send", AUTH "phones=79161234503&mes=a&id=3");
    let_pass(400);
    assert_int_equal(event_count, 3);
    for (size_t i = 0; i < 3; i++) {
        bool first = strcmp(events[i].id, "1") == 0, second = strcmp(events[i].id, "2") == 0;

        assert_int_equal(events[i].status, second ? LAB_DELIVERED : LAB_PROHIBITED);
        assert_int_equal(events[i].err, first ? 246 : second ? 0 : 247);
    }
    char why[256];
    assert_int_equal(ERR_RANGE, lab_settings_write(lab, "{\"hours\": \"9\"}", 14, why));
}

static void jobs_send_at_their_time(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("jobs", AUTH "add=1&name=News&mes=a&fmt=1"), "0,-1"); /* to whom? */
    assert_string_equal(ask("jobs", AUTH "add=1&name=News&phones=79161234501&mes=a&time=x&fmt=1"), "0,-5");
    assert_string_equal(ask("jobs", AUTH "add=1&name=News&phones=79161234501&mes=a&rpt=8&fmt=1"), "0,-1");
    assert_string_equal(
        ask("jobs", AUTH "add=1&name=News&phones=79161234501,79161234502&mes=Hi&time=%2B60&sender=NEWS&fmt=3"),
        "{\n\"id\": 1\n}");
    let_pass(59 * 60000);
    assert_int_equal(lab->n.accepted, 0);
    assert_string_equal(ask("jobs", AUTH "get=1&id=1&fmt=1"),
                        "1,News,79161234501,79161234502,,Hi,NEWS,+60,,,,,18.10.2016 16:34:12,0,,0");
    let_pass(2 * 60000);
    assert_int_equal(lab->n.accepted, 2);
    let_pass(1000);
    assert_int_equal(event_count, 2);
    assert_string_equal(ask("jobs", AUTH "get=1&id=1&fmt=1"), "1,News,79161234501,79161234502,,Hi,NEWS,+60,,,,,,1,1,0");
    assert_non_null(strstr(ask("get", AUTH "get_messages=1&phone=79161234501&fmt=1"), ",NEWS,Delivered,Hi,1"));
    let_pass((int64_t)86400000 * 40);
    assert_int_equal(lab->n.accepted, 2); /* no repeat was asked for */
}

static void jobs_repeat_until_they_are_cancelled(void **state)
{
    static const struct {
        const char *rpt;
        unsigned in_eight_days; /* from a Tuesday, 15:34 */
    } repeats[] = { { "1", 193 }, { "2", 9 }, { "3", 7 }, { "4", 3 }, { "5", 2 }, { "6", 1 }, { "7", 1 } };
    char form[160];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(repeats); i++) {
        uint64_t before = lab->n.accepted;

        (void)snprintf(form, sizeof form, AUTH "add=1&name=J&phones=79161234501&mes=%zu&rpt=%s&fmt=1", i,
                       repeats[i].rpt);
        uint32_t id = (uint32_t)strtoul(ask("jobs", form), NULL, 10);
        assert_int_equal(id, i + 1);
        for (int hour = 0; hour < 8 * 24; hour++)
            let_pass(3600000);
        assert_int_equal(lab->n.accepted - before, repeats[i].in_eight_days);
        (void)snprintf(form, sizeof form, AUTH "cancel=1&id=%u", id);
        assert_string_equal(ask("jobs", form), "OK");
        let_pass((int64_t)86400000 * 369);
        assert_int_equal(lab->n.accepted - before, repeats[i].in_eight_days);
        now_ms -= (int64_t)86400000 * 377; /* back to the Tuesday */
    }
    (void)ask("jobs", AUTH "add=1&name=M&phones=79161234501&mes=m&time=3110161000&rpt=6&rptn=2&fmt=1");
    uint64_t before = lab->n.accepted;
    let_pass((int64_t)86400000 * 200);
    assert_int_equal(lab->n.accepted - before, 1); /* what was missed meanwhile is not made up for */
    for (int day = 0; day < 70; day++)
        let_pass(86400000);
    assert_int_equal(lab->n.accepted - before, 3); /* the first and two repeats */
    assert_string_equal(ask("jobs", AUTH "del=1&id=8"), "OK");
    assert_string_equal(ask("jobs", AUTH "get=1&id=8&fmt=1"), "0,-3");
    assert_non_null(strstr(ask("jobs", AUTH "get_all=1&start=18.10.2016&end=18.10.2016&fmt=3"), "\"cancel\": \"1\""));
    assert_string_equal(ask("jobs", AUTH "get_all=1&start=19.10.2016&fmt=3"), "[]");
}

static void a_cancelled_job_stops_what_has_not_left(void **state)
{
    UNUSED(state);
    (void)ask("jobs",
              AUTH "add=1&name=S&phones=79161234501,79161234502,79161234503,79161234504&mes=a&period=1&freq=30");
    let_pass(1000);
    assert_int_equal(event_count, 2);
    assert_string_equal(ask("jobs", AUTH "cancel=1&id=1"), "OK");
    assert_int_equal(event_count, 4);
    assert_int_equal(events[3].status, LAB_STOPPED);
    let_pass((int64_t)86400000);
    assert_int_equal(event_count, 4);
    assert_memory_equal(ask("status", AUTH "phone=79161234504&id=1&fmt=1"), "-2,", 3);
}

static void jobs_use_templates_groups_and_a_second_text(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("templates", AUTH "add=1&name=T&msg=From the template&fmt=1"), "1");
    assert_string_equal(ask("jobs", AUTH "add=1&name=J&phones=G1&mes=&tpl=1&fmt=1"), "2"); /* leaves at once */
    assert_string_equal(ask("jobs", AUTH "add=1&name=J&phones=G1&tpl=7&fmt=1"), "0,-3");
    assert_int_equal(lab->n.accepted, 3);
    assert_string_equal(lab_message_by_serial(&lab->messages, 1)->text, "From the template");
    event_count = 0;
    let_pass(1000);
    event_count = 0;
    assert_string_equal(
        ask("jobs",
            AUTH "add=1&name=V&phones=79000001006,79161234501&mes=first&viber=1&mes2=second&sender2=PLAN-B&fmt=1"),
        "3");
    let_pass(1000);
    let_pass(1000);
    let_pass(1000);
    assert_int_equal(event_count, 3); /* delivered; failed, and failed again: never a third time */
    const struct lab_message *again = lab_message_by_serial(&lab->messages, lab->messages.next_serial - 1);
    assert_string_equal(again->phone, "79000001006");
    assert_string_equal(again->text, "second");
    assert_string_equal(again->sender, "PLAN-B");
    assert_int_equal(lab->messages.next_serial - 1, 6);
    /* a job whose account has no money says so */
    set("{\"balance\": \"0\"}");
    assert_string_equal(ask("jobs", AUTH "add=1&name=P&phones=79161234501&mes=a&fmt=1"), "4");
    assert_string_equal(ask("jobs", AUTH "get=1&id=4&fmt=1") + strlen(last_reply) - 2, ",3");
    /* and a template may stand under every text */
    set("{\"balance\": \"100\"}");
    assert_string_equal(ask("templates", AUTH "add=1&name=S&msg=Your shop&fl[1]=1&fmt=1"), "5");
    (void)ask("send", AUTH "phones=79161234501&mes=Hello&fmt=1&id=9");
    assert_string_equal(lab_message_find(&lab->messages, "79161234501", "9")->text, "Hello\nYour shop");
}

static void kinds_have_parameters_of_their_own(void **state)
{
    static const struct {
        const char *form, *reply, *extras;
    } cases[] = {
        { "mail=1&phones=a@example.org&mes=x&subj=S&sender=me@example.org", "1,1", "{\"subj\": \"S\"}" },
        { "mail=1&phones=a@example.org&mes=x&sender=me@example.org", "0,-1", NULL }, /* all three are mandatory */
        { "mail=1&phones=nobody&mes=x&subj=S&sender=me@example.org", "2,-7", NULL },
        { "mms=1&phones=79161234501&sender=ME&file0=abc&file1=de&mes=x", "3,1",
          "{\"subj\": \"ME\", \"files\": \"2 (5 bytes)\"}" },
        { "mms=1&phones=79161234501&sender=ME", "0,-1", NULL },
        { "call=1&phones=79161234501&mes=x", "4,1", "{\"voice\": \"m3\", \"param\": \"25,3-14,8\"}" },
        { "call=1&phones=79161234501&mes=y&voice=w2,de&param=99,5,0", "5,1",
          "{\"voice\": \"w2,de\", \"param\": \"35,10,1\"}" },
        { "call=1&phones=79161234501&mes=z&voice=q", "0,-1", NULL },
        { "tg=1&phones=79161234501&mes=1234&bot=@shop_bot&smsreq=30&pp=7", "6,1",
          "{\"bot\": \"@shop_bot\", \"smsreq\": \"30\", \"pp\": \"7\"}" },
        { "tg=1&phones=79161234501&mes=1234&smsreq=5", "0,-1", NULL },
        { "viber=1&phones=79161234501&fileurl=https://example.org/a.png", "7,1",
          "{\"fileurl\": \"https://example.org/a.png\"}" },
        { "viber=1&phones=79161234501&fileurl=ftp://example.org/a.png", "0,-1", NULL },
    };
    char form[512];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(form, sizeof form, AUTH "fmt=1&%s", cases[i].form);
        assert_string_equal(ask("send", form), cases[i].reply);
        if (cases[i].extras != NULL)
            assert_non_null(strstr(ask_full("/lab/messages", "limit=1", NULL, "", 0, 0), cases[i].extras));
    }
}

static void accounts_are_strangers_to_each_other(void **state)
{
    const char *second = "{\"login\": \"bob\", \"password\": \"p\", \"api_key\": \"k2\", \"balance\": \"7\","
                         " \"callback_url\": \"http://bob/\"}";
    char why[256] = "";

    UNUSED(state);
    assert_int_equal(0, lab_add_account(lab, second, strlen(second), why));
    assert_int_equal(ERR_EXISTS, lab_add_account(lab, second, strlen(second), why));
    assert_int_equal(ERR_EXISTS, lab_add_account(lab, "{}", 2, why)); /* the first one's login */
    assert_int_equal(ERR_EXISTS, lab_settings_write(lab, "{\"login\": \"BOB\"}", 16, why));
    assert_non_null(strstr(why, "another account's"));
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

static void a_reset_forgets_subclients(void **state)
{
    char form[128];

    UNUSED(state);
    set("{\"balance\": \"10\", \"limits\": 0}");
    for (unsigned round = 0; round < 3; round++) { /* more in all than there are places */
        for (unsigned i = 0; i < 6; i++) {
            (void)snprintf(form, sizeof form, AUTH "add=1&user=u%u-%u&password=x&fmt=1", round, i);
            assert_string_not_equal(ask("users", form), "0,-8");
        }
        (void)snprintf(form, sizeof form, AUTH "pay=1&user=u%u-0&sum=1", round);
        assert_string_equal(ask("users", form), "OK");
        (void)snprintf(form, sizeof form, "login=u%u-0&psw=x&fmt=1", round);
        assert_string_equal(ask("balance", form), "1");
        (void)ask_full("/lab/reset", "", NULL, "{}", 2, 0);
        assert_string_equal(ask("balance", form), "0,-2");
        (void)snprintf(form, sizeof form, "apikey=key-of-u%u-0&fmt=1", round);
        assert_string_equal(ask("balance", form), "0,-2");
        (void)snprintf(form, sizeof form, "account=u%u-0", round);
        (void)ask_full("/lab/accepted", form, NULL, "", 0, 0);
        assert_int_equal(last.status, 404);
    }
    assert_string_equal(ask("users", AUTH "add=1&user=u0-0&password=y&fmt=1"), "1");
    assert_string_equal(ask("balance", "login=u0-0&psw=y"), "0");                       /* nothing of the one before */
    assert_string_equal(ask("users", AUTH "add=1&user=U0-0&password=z&fmt=1"), "0,-8"); /* logins know no case */
    assert_string_equal(ask("balance", "login=u0-0&psw=y"), "0");
}

static void a_group_may_not_name_groups(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("phones", AUTH "add_group=1&name=ring&fmt=1"), "1");
    assert_string_equal(ask("phones", AUTH "add=1&phone=G1&grp=1&fmt=1"), "2"); /* itself */
    assert_string_equal(ask("send", AUTH "phones=G1&mes=a&id=1&fmt=1"), "1,-7");
    assert_string_equal(ask("phones", AUTH "add=1&phone=79161234501&grp=1&fmt=1"), "3");
    assert_string_equal(ask("send", AUTH "phones=G1&mes=a&id=2&fmt=1"), "2,1");
}

static void money_has_its_bounds(void **state)
{
    static const char *const bad[] = { "{\"price\": \"-1\"}", "{\"price\": \"1000001\"}",
                                       "{\"balance\": \"1000000000001\"}", "{\"balance\": \"-1000000000001\"}" };
    char why[256];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(ERR_RANGE, lab_settings_write(lab, bad[i], strlen(bad[i]), why));
    set("{\"balance\": \"1000000000000\", \"price\": \"1000000\"}");
    assert_string_equal(ask("users", AUTH "add=1&user=bob&password=x&fmt=1"), "1");
    assert_string_equal(ask("users", AUTH "pay=1&user=bob&sum=1000000000000"), "OK");
    set("{\"balance\": \"1000000000000\"}");
    assert_string_equal(ask("users", AUTH "pay=1&user=bob&sum=1&fmt=1"), "0,-1"); /* he can hold no more */
    assert_non_null(strstr(ask("get", AUTH "get_price=1&fmt=3"), "\"zones\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_are_added_changed_listed_and_deleted, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(groups_are_sent_to, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(the_black_list_is_kept, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(senders_are_registered_and_numbers_confirmed, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(subclients_send_for_their_own_money, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(the_account_has_limits_of_its_own, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(jobs_send_at_their_time, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(jobs_repeat_until_they_are_cancelled, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_job_stops_what_has_not_left, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(jobs_use_templates_groups_and_a_second_text, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(kinds_have_parameters_of_their_own, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(accounts_are_strangers_to_each_other, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(accounts_share_neither_faults_nor_blocks_nor_limits, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_mailing_is_spread, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(end_users_have_a_limit, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_reset_forgets_subclients, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_group_may_not_name_groups, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(money_has_its_bounds, lab_setup, lab_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
