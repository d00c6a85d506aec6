/* SPDX-License-Identifier: MIT */
/*
 * test_api_lab.c - our requests read by the simulated aggregator, its replies and callbacks read by us. No sockets.
 *
 * Two sides written by different people from the same documents: where they disagree, one of them is wrong.
 */
#include "lab_help.h"

#include "http/http.h"

static const struct smsc_login alex = { "alex", "123", "" };
static struct buf body;

#define LINE(p, s, t)                                                                                                  \
    {                                                                                                                  \
        .phone = (p), .sender = (s), .text = (t), .text_len = sizeof(t) - 1                                            \
    }

static const char *post(const char *path)
{
    const char *text = ask_full(path, "", "application/x-www-form-urlencoded", buf_text(&body), body.len, 0);

    buf_clear(&body);
    return text;
}

static void send_lines(struct smsc_send *send, struct smsc_send_reply *out)
{
    smsc_build_send(&alex, send, &body);
    const char *text = post(SMSC_PATH_SEND);
    smsc_parse_send(last.status, text, strlen(text), out);
}

static const struct lab_message *message_of(const char *phone)
{
    for (size_t i = 0; i < lab->messages.max; i++) {
        const struct lab_message *m = &lab->messages.ring[i];

        if (m->serial != 0 && strcmp(m->phone, phone) == 0)
            return m;
    }
    return NULL;
}

static void every_text_arrives_as_written(void **state)
{
    static const char *const texts[] = { "plain",
                                         "Привет, «мир»! 😀 №1",
                                         "a+b=c & 100% ? # ; : , |",
                                         "two\nlines",
                                         "crlf\r\nline",
                                         "back\\slash \\n and \\",
                                         " spaces at both ends ",
                                         "\n",
                                         "79990000001:text",
                                         "\"quoted\" <tag> 'x'" };
    static const struct smsc_line other = LINE("79169999999", "", "another text, to make it a list");

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char phone[16], id[16];
        struct smsc_send_reply r;

        snprintf(phone, sizeof phone, "7916000%04zu", i);
        snprintf(id, sizeof id, "single-%zu", i);
        struct smsc_line lines[2] = { { phone, "", texts[i], strlen(texts[i]) }, other };
        struct smsc_send send = { .id = id, .lines = lines, .line_count = 1 };
        send_lines(&send, &r);
        if (r.kind != SMSC_REPLY_OK)
            fail_msg("%s: %d %s", texts[i], r.error_code, r.error_text);
        assert_string_equal(id, r.id);
        assert_true(r.cost_e6 > 0 && r.has_balance);
        assert_string_equal(texts[i], message_of(phone)->text);
        smsc_send_reply_finish(&r);

        snprintf(phone, sizeof phone, "7916001%04zu", i);
        snprintf(id, sizeof id, "list-%zu", i);
        if (!smsc_line_can_list(&lines[0]))
            continue;
        send.line_count = 2;
        send_lines(&send, &r);
        assert_int_equal(SMSC_REPLY_OK, r.kind);
        assert_int_equal(2, r.line_count);
        assert_string_equal(phone, r.lines[0].phone);
        assert_true(r.lines[0].cost_e6 > 0);
        assert_string_equal(texts[i], message_of(phone)->text);
        smsc_send_reply_finish(&r);
    }
}

static void a_comment_mark_cuts_nothing_off(void **state)
{
    struct smsc_line line = LINE("79160000001", "", "before\n~~~\nafter");
    struct smsc_send send = { .id = "1", .lines = &line, .line_count = 1 };
    struct smsc_send_reply r;

    UNUSED(state);
    send_lines(&send, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_string_equal("before\n~~~ \nafter", message_of(line.phone)->text);
    assert_string_equal("", message_of(line.phone)->comment);
    smsc_send_reply_finish(&r);
}

static void one_bad_number_in_a_batch_is_told_apart(void **state)
{
    struct smsc_line lines[] = { LINE("79160000001", "", "one"), LINE("12", "", "two"),
                                 LINE("79160000003", "", "three") };
    struct smsc_send send = { .id = "b-1", .lines = lines, .line_count = 3 };
    struct smsc_send_reply r;

    UNUSED(state);
    send_lines(&send, &r);
    assert_int_equal(SMSC_REPLY_OK, r.kind);
    assert_int_equal(3, r.line_count);
    for (size_t i = 0; i < 3; i++) {
        bool bad = strcmp(r.lines[i].phone, "12") == 0;

        assert_int_equal(bad ? 22 : -100, r.lines[i].status);
        assert_int_equal(bad ? 249 : 0, r.lines[i].error);
    }
    smsc_send_reply_finish(&r);
}

static void kinds_are_understood(void **state)
{
    static const struct {
        enum smsc_kind kind;
        int type;
        const char *text;
        size_t len;
    } kinds[] = {
        { SMSC_SMS, LAB_SMS, "x", 1 },
        { SMSC_FLASH, LAB_FLASH, "x", 1 },
        { SMSC_BINARY, LAB_BINARY, "\0\x01\xFF", 3 },
        { SMSC_PUSH, LAB_PUSH, "http://example.com\ntitle", 24 },
        { SMSC_HLR, LAB_HLR, "", 0 },
        { SMSC_PING, LAB_PING, "", 0 },
        { SMSC_CALL, LAB_CALL, "x", 1 },
        { SMSC_VIBER, LAB_VIBER, "x", 1 },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char phone[16];
        struct smsc_send_reply r;

        snprintf(phone, sizeof phone, "7916000%04zu", i);
        struct smsc_line line = { phone, "", kinds[i].text, kinds[i].len };
        struct smsc_send send = {
            .id = phone, .kind = kinds[i].kind, .lines = &line, .line_count = 1, .valid_minutes = 90
        };
        send_lines(&send, &r);
        if (r.kind != SMSC_REPLY_OK)
            fail_msg("kind %d: %s", (int)kinds[i].kind, r.error_text);
        assert_int_equal(kinds[i].type, message_of(phone)->type);
        smsc_send_reply_finish(&r);
    }
}

static void statuses_balance_and_deletion(void **state)
{
    static const char *const ids[] = { "s-1", "s-2", "s-1" };
    static const char *const phones[] = { "79160000001", "79160000002", "79160000009" };
    struct smsc_line lines[] = { LINE("79160000001", "", "one"), LINE("79160000002", "", "two") };
    struct smsc_status_query query = { .ids = ids, .phones = phones, .count = 1 };
    struct smsc_status_reply s;
    struct smsc_balance_reply b;

    UNUSED(state);
    for (size_t i = 0; i < 2; i++) {
        struct smsc_send send = {
            .id = ids[i], .lines = &lines[i], .line_count = 1, .at_s = i == 1 ? now_ms / 1000 + 3600 : 0
        };
        struct smsc_send_reply r;

        send_lines(&send, &r);
        assert_int_equal(SMSC_REPLY_OK, r.kind);
        smsc_send_reply_finish(&r);
    }
    smsc_build_status(&alex, &query, &body);
    const char *text = post(SMSC_PATH_STATUS);
    smsc_parse_status(last.status, text, strlen(text), &s);
    assert_int_equal(SMSC_REPLY_OK, s.kind);
    assert_int_equal(1, s.count);
    smsc_status_reply_finish(&s);

    query.count = 3;
    smsc_build_status(&alex, &query, &body);
    text = post(SMSC_PATH_STATUS);
    smsc_parse_status(last.status, text, strlen(text), &s);
    assert_int_equal(SMSC_REPLY_OK, s.kind);
    assert_int_equal(3, s.count);
    assert_string_equal("s-2", s.items[1].id);
    assert_string_equal("79160000002", s.items[1].phone);
    assert_int_equal(-1, s.items[1].status);
    assert_int_equal(-3, s.items[2].status);
    smsc_status_reply_finish(&s);

    now_ms += 61 * 1000; /* one mass request a minute */
    query.count = 2;
    query.all = 2;
    smsc_build_status(&alex, &query, &body);
    text = post(SMSC_PATH_STATUS);
    smsc_parse_status(last.status, text, strlen(text), &s);
    assert_int_equal(SMSC_REPLY_OK, s.kind);
    assert_int_equal(2, s.count);
    assert_true(s.items[0].cost_e6 > 0);
    smsc_status_reply_finish(&s);

    query = (struct smsc_status_query){ .ids = ids + 1, .phones = phones + 1, .count = 1, .del = true };
    smsc_build_status(&alex, &query, &body);
    text = post(SMSC_PATH_STATUS);
    smsc_parse_status(last.status, text, strlen(text), &s);
    assert_int_equal(SMSC_REPLY_OK, s.kind);
    smsc_status_reply_finish(&s);

    smsc_build_balance(&alex, &body);
    text = post(SMSC_PATH_BALANCE);
    smsc_parse_balance(last.status, text, strlen(text), &b);
    assert_int_equal(SMSC_REPLY_OK, b.kind);
    assert_true(b.balance_e6 > 0);
}

/* Whatever address the operator entered, what is posted there is genuine and readable for us. */
static void callbacks_in_every_dress(void **state)
{
    static const struct {
        const char *query;
        struct webhook_opts opts;
    } cases[] = {
        { "charset=utf-8&sha1=s3cret", { WEBHOOK_HASH_SHA1, "s3cret", WEBHOOK_UTF8, WEBHOOK_FORM } },
        { "charset=utf-8&md5=s3cret", { WEBHOOK_HASH_MD5, "s3cret", WEBHOOK_UTF8, WEBHOOK_FORM } },
        { "sha1=s3cret", { WEBHOOK_HASH_SHA1, "s3cret", WEBHOOK_CP1251, WEBHOOK_FORM } },
        { "charset=koi8-r&crc32=s3cret", { WEBHOOK_HASH_CRC32, "s3cret", WEBHOOK_KOI8R, WEBHOOK_FORM } },
        { "charset=utf-8&fmt=2&sha1=s3cret", { WEBHOOK_HASH_SHA1, "s3cret", WEBHOOK_UTF8, WEBHOOK_XML } },
        { "fmt=2&sha1=s3cret", { WEBHOOK_HASH_SHA1, "s3cret", WEBHOOK_CP1251, WEBHOOK_XML } },
        { "charset=utf-8&fmt=3&sha1=s3cret", { WEBHOOK_HASH_SHA1, "s3cret", WEBHOOK_UTF8, WEBHOOK_JSON } },
        { "fmt=3&md5=s3cret", { WEBHOOK_HASH_MD5, "s3cret", WEBHOOK_CP1251, WEBHOOK_JSON } },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct smsc_event e;
        struct smsc_send_reply r;
        char setting[128], id[16];
        const char *why;

        snprintf(setting, sizeof setting, "{\"callback_url\": \"http://127.0.0.1:1/cb?%s\"}", cases[i].query);
        set(setting);
        event_count = 0;
        snprintf(id, sizeof id, "c-%zu", i);
        struct smsc_line line = LINE("79161234567", "", "x");
        struct smsc_send send = { .id = id, .lines = &line, .line_count = 1 };
        send_lines(&send, &r);
        assert_int_equal(SMSC_REPLY_OK, r.kind);
        smsc_send_reply_finish(&r);
        let_pass(86400 * 1000);
        assert_true(event_count > 0);
        struct seen_event *got = &events[event_count - 1];
        if (webhook_open(&cases[i].opts, got->content_type, "", got->body, strlen(got->body), &e, &why) != WEBHOOK_OK)
            fail_msg("%s: %s: %s", cases[i].query, why, got->body);
        assert_int_equal(SMSC_EVENT_STATUS, e.kind);
        assert_string_equal(id, e.id);
        assert_string_equal(line.phone, e.phone);
        assert_int_equal(got->status, e.status);
        assert_int_equal(got->err, e.err);
        assert_true(e.ts > 0);
        smsc_event_finish(&e);

        event_count = 0;
        assert_int_equal(0, lab_incoming(lab, "79161234567", "79037672215", "Да & \"нет\" <1>\n2", "", now_ms));
        assert_int_equal(1, event_count);
        if (webhook_open(&cases[i].opts, events[0].content_type, "", events[0].body, strlen(events[0].body), &e,
                         &why) != WEBHOOK_OK)
            fail_msg("%s: %s: %s", cases[i].query, why, events[0].body);
        assert_int_equal(SMSC_EVENT_INCOMING, e.kind);
        assert_string_equal("Да & \"нет\" <1>\n2", e.mes);
        assert_string_equal("79037672215", e.to);
        assert_true(e.received > 0);
        smsc_event_finish(&e);

        event_count = 0;
        assert_int_equal(0, lab_waitcall(lab, "79161234567", now_ms));
        assert_int_equal(1, event_count);
        if (webhook_open(&cases[i].opts, events[0].content_type, "", events[0].body, strlen(events[0].body), &e,
                         &why) != WEBHOOK_OK)
            fail_msg("%s: %s: %s", cases[i].query, why, events[0].body);
        assert_int_equal(SMSC_EVENT_WAITCALL, e.kind);
        smsc_event_finish(&e);
    }
}

static void missed_messages_are_fetched(void **state)
{
    struct smsc_answers_reply a;

    UNUSED(state);
    assert_int_equal(0, lab_incoming(lab, "79161234567", "79037672215", "Привет\n\"1\"", "", now_ms));
    smsc_build_answers(&alex, "", 1, &body);
    const char *text = post(SMSC_PATH_GET);
    smsc_parse_answers(last.status, text, strlen(text), &a);
    assert_int_equal(SMSC_REPLY_OK, a.kind);
    assert_int_equal(1, a.count);
    assert_string_equal("Привет\n\"1\"", a.items[0].message);
    assert_string_equal("79161234567", a.items[0].phone);
    assert_string_equal("79037672215", a.items[0].to_phone);
    smsc_build_answers(&alex, a.items[0].id, 0, &body);
    smsc_answers_reply_finish(&a);
    text = post(SMSC_PATH_GET);
    smsc_parse_answers(last.status, text, strlen(text), &a);
    assert_int_equal(SMSC_REPLY_OK, a.kind);
    assert_int_equal(0, a.count);
    smsc_answers_reply_finish(&a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        T(every_text_arrives_as_written),
        T(a_comment_mark_cuts_nothing_off),
        T(one_bad_number_in_a_batch_is_told_apart),
        T(kinds_are_understood),
        T(statuses_balance_and_deletion),
        T(callbacks_in_every_dress),
        T(missed_messages_are_fetched),
    };
    buf_init(&body, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_finish(&body);
    return failed;
}
