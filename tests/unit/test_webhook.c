/* SPDX-License-Identifier: MIT */
/* test_webhook.c - callbacks in every form, charset and hash; forged, damaged and odd ones [API seed 003, smsc-api 17]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "http/charset.h"
#include "http/webhook.h"
#include "tests/vectors/vector.h"

#define SECRET "s3cret-key_1"

static struct vector v;
static const char *why;

static struct webhook_opts with(enum webhook_hash hash, enum webhook_charset charset)
{
    return (struct webhook_opts){ .hash = hash, .secret = SECRET, .charset = charset };
}

static enum webhook_result open_text(const struct webhook_opts *opts, const char *body, struct smsc_event *e)
{
    return webhook_open(opts, NULL, "", body, strlen(body), e, &why);
}

static void open_vector(const char *name, const struct webhook_opts *opts, struct smsc_event *e)
{
    vector_read(name, &v);
    enum webhook_result result = webhook_open(opts, NULL, "", v.bytes, v.len, e, &why);
    if (result != WEBHOOK_OK)
        fail_msg("%s: %d %s", name, (int)result, why);
}

static void the_known_example(void **state)
{
    struct webhook_opts opts = { .hash = WEBHOOK_HASH_SHA1, .secret = "zxc", .charset = WEBHOOK_CP1251 };
    struct smsc_event e;
    char text[41];

    UNUSED(state);
    webhook_hash_text(WEBHOOK_HASH_SHA1, "123:text:234:zxc", 16, text);
    assert_string_equal("b6f768ce7614d7858cc4a6116f8ffd0dc236a3cd", text);
    webhook_hash_text(WEBHOOK_HASH_MD5, "", 0, text);
    assert_string_equal("d41d8cd98f00b204e9800998ecf8427e", text);
    webhook_hash_text(WEBHOOK_HASH_CRC32, "123456789", 9, text);
    assert_string_equal("3421780262", text);

    open_vector("webhook/incoming_known_sha1.txt", &opts, &e);
    assert_int_equal(SMSC_EVENT_INCOMING, e.kind);
    assert_string_equal("77", e.id);
    assert_string_equal("123", e.phone);
    assert_string_equal("text", e.mes);
    assert_string_equal("234", e.to);
    assert_string_equal("", e.sms_id);
    assert_true(e.sent == 1476794050 && e.received == 1476794052);
    smsc_event_finish(&e);
}

static void status_fields(void **state)
{
    struct webhook_opts opts = with(WEBHOOK_HASH_SHA1, WEBHOOK_UTF8);
    struct smsc_event e;

    UNUSED(state);
    open_vector("webhook/status_sha1_form.txt", &opts, &e);
    assert_int_equal(SMSC_EVENT_STATUS, e.kind);
    assert_string_equal("gw-1", e.id);
    assert_string_equal("79990000001", e.phone);
    assert_int_equal(1, e.status);
    assert_int_equal(0, e.err);
    assert_true(e.ts == 1476794052);
    assert_int_equal(2, e.cnt);
    assert_int_equal(0, e.type);
    assert_int_equal(1056, e.flag);
    assert_string_equal("3.30", e.cost);
    assert_string_equal("My Shop", e.sender);
    assert_string_equal("заказ", e.cmt);
    assert_false(e.has_hlr);
    assert_string_equal("", e.mes);
    assert_string_equal("18.10.16 15:34:12", http_params_get(&e.params, "time"));
    smsc_event_finish(&e);

    opts.hash = WEBHOOK_HASH_MD5; /* upper-case hex, and a wrong sha1 beside it that is not asked for */
    open_vector("webhook/status_md5_err_form.txt", &opts, &e);
    assert_int_equal(20, e.status);
    assert_int_equal(255, e.err);
    assert_string_equal("17", e.syserr);
    smsc_event_finish(&e);
    opts.hash = WEBHOOK_HASH_SHA1;
    assert_int_equal(WEBHOOK_BAD_HASH, webhook_open(&opts, NULL, "", v.bytes, v.len, &e, &why));
}

static void xml_and_json(void **state)
{
    struct webhook_opts opts = with(WEBHOOK_HASH_SHA1, WEBHOOK_UTF8);
    struct smsc_event e;

    UNUSED(state);
    open_vector("webhook/status_hlr_xml.txt", &opts, &e); /* configured as a form: told by its first character */
    assert_int_equal(SMSC_EVENT_STATUS, e.kind);
    assert_int_equal(4, e.type);
    assert_true(e.has_hlr);
    assert_string_equal("250023012345678", e.imsi);
    assert_string_equal("02", e.mnc);
    assert_string_equal("Россия", e.cn);
    assert_string_equal("A & B", e.net);
    assert_string_equal("", e.rcn);
    smsc_event_finish(&e);

    opts.format = WEBHOOK_XML;
    open_vector("webhook/status_json.txt", &opts, &e);
    assert_string_equal("9007199254740993", e.id); /* no double ever touched it */
    assert_int_equal(-1, e.status);
    assert_string_equal("1.5", e.cost);
    assert_null(http_params_get(&e.params, "extra"));
    smsc_event_finish(&e);
}

static void charsets(void **state)
{
    static const struct {
        const char *name;
        enum webhook_charset charset;
        const char *mes;
    } cases[] = {
        { "webhook/incoming_utf8_form.txt", WEBHOOK_UTF8, "Привет, «мир» & 1+1=2\nвторая" },
        { "webhook/incoming_cp1251_form.txt", WEBHOOK_CP1251, "Привет, «мир» & 1+1=2\nвторая" },
        { "webhook/incoming_koi8r_form.txt", WEBHOOK_KOI8R, "Привет, мир & 1+1=2\nвторая" },
        { "webhook/incoming_cp1251_xml.txt", WEBHOOK_CP1251, "Привет <3" },
        { "webhook/incoming_cp1251_json.txt", WEBHOOK_CP1251, "Привет \"3\"" },
    };
    struct smsc_event e;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct webhook_opts opts = with(WEBHOOK_HASH_SHA1, cases[i].charset);

        open_vector(cases[i].name, &opts, &e);
        assert_int_equal(SMSC_EVENT_INCOMING, e.kind);
        assert_string_equal(cases[i].mes, e.mes);
        assert_string_equal("79037672215", e.to);
        smsc_event_finish(&e);
    }
}

static void confirming_call(void **state)
{
    struct webhook_opts opts = with(WEBHOOK_HASH_MD5, WEBHOOK_CP1251);
    struct smsc_event e;

    UNUSED(state);
    open_vector("webhook/waitcall_md5_form.txt", &opts, &e);
    assert_int_equal(SMSC_EVENT_WAITCALL, e.kind);
    assert_string_equal("79990000001", e.phone);
    assert_true(e.ts == 1476794052);
    smsc_event_finish(&e);
}

static void crc32_in_three_writings(void **state)
{
    struct webhook_opts opts = with(WEBHOOK_HASH_CRC32, WEBHOOK_UTF8);
    char joined[] = "12:79990000001:1:" SECRET, text[41], body[160];
    struct smsc_event e;

    UNUSED(state);
    webhook_hash_text(WEBHOOK_HASH_CRC32, joined, sizeof joined - 1, text);
    uint32_t crc = (uint32_t)strtoul(text, NULL, 10);
    const char *const formats[] = { "%u", "%d", "%08x", "%08X" };
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        char crc_text[16];

        switch (i) {
        case 0:
            snprintf(crc_text, sizeof crc_text, "%u", crc);
            break;
        case 1:
            snprintf(crc_text, sizeof crc_text, "%d", (int32_t)crc);
            break;
        case 2:
            snprintf(crc_text, sizeof crc_text, "%08x", crc);
            break;
        default:
            snprintf(crc_text, sizeof crc_text, "%08X", crc);
        }
        snprintf(body, sizeof body, "id=12&phone=79990000001&status=1&crc32=%s", crc_text);
        assert_int_equal(WEBHOOK_OK, open_text(&opts, body, &e));
        smsc_event_finish(&e);
        body[strlen(body) - 1] ^= 1;
        assert_int_equal(WEBHOOK_BAD_HASH, open_text(&opts, body, &e));
    }
}

static void forged_callbacks_are_refused(void **state)
{
    static const char *const bodies[] = {
        "id=gw-1&phone=79990000001&status=1",
        "id=gw-1&phone=79990000001&status=1&sha1=",
        "id=gw-1&phone=79990000001&status=1&sha1=0000000000000000000000000000000000000000",
        "id=gw-1&phone=79990000001&status=1&sha1=00000000000000000000000000000000000000000000000000000000",
        "id=gw-1&phone=79990000001&status=1&sha1=s3cret-key_1",
        "status=1&sha1=x",
        "id=1&phone=2&status=nonsense&sha1=x", /* a stranger is not told what else is wrong */
        "mes=&sha1=",
        "waitcall=1&sha1=1",
    };
    struct webhook_opts opts = with(WEBHOOK_HASH_SHA1, WEBHOOK_UTF8);
    struct smsc_event e;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        assert_int_equal(WEBHOOK_BAD_HASH, open_text(&opts, bodies[i], &e));

    vector_read("webhook/status_sha1_form.txt", &v); /* genuine; any change of what is hashed breaks it */
    for (size_t i = 0; i < strlen("id=gw-1&phone=79990000001&status=1"); i++) {
        char body[sizeof v.bytes];

        memcpy(body, v.bytes, v.len);
        body[i] = body[i] == '7' ? '8' : '7';
        assert_int_not_equal(WEBHOOK_OK, webhook_open(&opts, NULL, "", body, v.len, &e, &why));
    }
}

static void a_cut_body_is_never_genuine(void **state)
{
    static const char *const names[] = { "webhook/status_sha1_form.txt", "webhook/status_hlr_xml.txt",
                                         "webhook/status_json.txt", "webhook/incoming_utf8_form.txt" };
    struct webhook_opts opts = with(WEBHOOK_HASH_SHA1, WEBHOOK_UTF8);
    struct smsc_event e;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        vector_read(names[i], &v);
        for (size_t len = 0; len < v.len; len++)
            assert_int_not_equal(WEBHOOK_OK, webhook_open(&opts, NULL, "", v.bytes, len, &e, &why));
    }
}

static void what_makes_no_sense_is_not_understood(void **state)
{
    static const char *const bodies[] = {
        "",
        " ",
        "id=1&phone=2",
        "id=1&status=1",
        "phone=2&status=1",
        "id=&phone=2&status=1",
        "id=1&phone=2&status=",
        "id=1&phone=2&status=nonsense",
        "id=1&phone=2&status=1.5",
        "id=1&phone=2&status=1x",
        "id=1&phone=2&status=0x1",
        "id=1&phone=2&status=-4",
        "id=1&phone=2&status=999",
        "id=1&phone=2&status=18446744073709551617",
        "mes=hello&phone=2&to=3",
        "mes=hello&id=2&to=3",
        "waitcall=1&ts=5",
        "{",
        "[]",
        "{\"id\":1,\"phone\":2,\"status\":1",
        "{\"id\":1,\"phone\":2,\"status\":1} x",
        "{\"id\":1,\"phone\":2,\"status\":{\"x\":1}}",
        "<x>",
        "<x/>",
        "<x><id>1</id><phone>2</phone><status>1</status>",
        "<!DOCTYPE x [<!ENTITY a \"1\">]><x><id>1</id><phone>2</phone><status>&a;</status></x>",
        "<x><id>1</id><phone>2</phone><status>&a;</status></x>",
        "just words",
    };
    struct webhook_opts opts = { .charset = WEBHOOK_UTF8 };
    struct smsc_event e;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        if (open_text(&opts, bodies[i], &e) != WEBHOOK_NOT_UNDERSTOOD)
            fail_msg("understood: %s", bodies[i]);
        assert_true(strlen(why) > 0);
    }
    assert_int_equal(WEBHOOK_NOT_UNDERSTOOD, webhook_open(&opts, NULL, NULL, NULL, 0, &e, &why));
}

static void entities_are_never_followed(void **state)
{
    struct webhook_opts opts = { .charset = WEBHOOK_UTF8 };
    struct smsc_event e;
    char deep[4096] = "";
    size_t n = 0;

    UNUSED(state);
    assert_int_equal(WEBHOOK_NOT_UNDERSTOOD,
                     open_text(&opts,
                               "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
                               "<r><id>1</id><phone>2</phone><mes>&x;</mes></r>",
                               &e));
    for (int i = 0; i < 500; i++)
        n += (size_t)snprintf(deep + n, sizeof deep - n, "<a>");
    assert_int_equal(WEBHOOK_NOT_UNDERSTOOD, open_text(&opts, deep, &e));
}

static void every_known_status_is_understood(void **state)
{
    static const int known[] = { -3, -2, -1, 0, 1, 2, 3, 4, 20, 22, 23, 24, 25, 26 /* of tomorrow */ };
    struct webhook_opts opts = { .charset = WEBHOOK_UTF8 };
    struct smsc_event e;
    char body[64];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        snprintf(body, sizeof body, "id=1&phone=2&status=%d&err=abc&ts=-1", known[i]);
        assert_int_equal(WEBHOOK_OK, open_text(&opts, body, &e));
        assert_int_equal(known[i], e.status);
        assert_int_equal(0, e.err);
        assert_true(e.ts == 0);
        smsc_event_finish(&e);
    }
}

static void the_query_adds_but_never_replaces(void **state)
{
    struct webhook_opts opts = { .charset = WEBHOOK_UTF8 };
    struct smsc_event e;
    const char *body = "id=1&phone=2&status=1";

    UNUSED(state);
    assert_int_equal(WEBHOOK_OK, webhook_open(&opts, NULL, "status=20&site=7&id=9", body, strlen(body), &e, &why));
    assert_int_equal(1, e.status);
    assert_string_equal("1", e.id);
    assert_string_equal("7", http_params_get(&e.params, "site"));
    smsc_event_finish(&e);
    assert_int_equal(WEBHOOK_OK, webhook_open(&opts, NULL, body, "", 0, &e, &why));
    assert_int_equal(1, e.status);
    smsc_event_finish(&e);
}

static void the_charset_of_the_address_wins(void **state)
{
    struct webhook_opts opts = { .charset = WEBHOOK_CP1251 };
    struct smsc_event e;

    UNUSED(state);
    assert_int_equal(WEBHOOK_OK, open_text(&opts, "id=1&phone=2&to=3&mes=%D0%B6%00x&charset=UTF-8", &e));
    assert_string_equal("ж x", e.mes);
    smsc_event_finish(&e);
    assert_int_equal(WEBHOOK_OK, open_text(&opts, "id=1&phone=2&to=3&mes=%E6&charset=martian", &e));
    assert_string_equal("ж", e.mes);
    smsc_event_finish(&e);
    const char *json = "{\"id\":1,\"phone\":2}"; /* a value from the query beside a JSON body */
    assert_int_equal(WEBHOOK_OK, webhook_open(&opts, NULL, "mes=%E6", json, strlen(json), &e, &why));
    assert_string_equal("ж", e.mes);
    smsc_event_finish(&e);
}

static void the_charsets_lose_nothing(void **state)
{
    static const enum webhook_charset all[] = { WEBHOOK_UTF8, WEBHOOK_CP1251, WEBHOOK_KOI8R };
    static const char text[] = "Ёлка — ёж №1 \xD1\x8A";
    struct buf there, back;

    UNUSED(state);
    buf_init(&there, 5000);
    buf_init(&back, 5000);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const char *sent = all[i] == WEBHOOK_KOI8R ? "Ёлка ёж 1" : text; /* koi8-r has neither dash nor number sign */

        buf_clear(&there);
        buf_clear(&back);
        charset_from_utf8(all[i], sent, strlen(sent), &there);
        charset_to_utf8(all[i], there.data, there.len, &back);
        assert_string_equal(sent, back.data);
    }
    buf_clear(&there);
    charset_from_utf8(WEBHOOK_CP1251, "a😀б\xFF", 8, &there); /* what is missing or broken becomes '?' */
    assert_string_equal("a?\xE1?", there.data);
    buf_clear(&back);
    charset_to_utf8(WEBHOOK_CP1251, "a\x98\xE1", 3, &back); /* 0x98 is unassigned */
    assert_string_equal("a\xEF\xBF\xBDб", back.data);
    buf_clear(&back);
    charset_to_utf8(WEBHOOK_UTF8, "a\xC0\x80\xED\xA0\x80\xF4\x90\x80\x80я", 12, &back);
    assert_true(charset_is_utf8(back.data, back.len));
    assert_memory_equal("a\xEF\xBF\xBD", back.data, 4);

    char long_text[2000];
    memset(long_text, 0xE1, sizeof long_text);
    buf_clear(&back);
    charset_to_utf8(WEBHOOK_CP1251, long_text, sizeof long_text, &back);
    assert_int_equal(sizeof long_text * 2, back.len);
    buf_finish(&there);
    buf_finish(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_example),
        cmocka_unit_test(status_fields),
        cmocka_unit_test(xml_and_json),
        cmocka_unit_test(charsets),
        cmocka_unit_test(confirming_call),
        cmocka_unit_test(crc32_in_three_writings),
        cmocka_unit_test(forged_callbacks_are_refused),
        cmocka_unit_test(a_cut_body_is_never_genuine),
        cmocka_unit_test(what_makes_no_sense_is_not_understood),
        cmocka_unit_test(entities_are_never_followed),
        cmocka_unit_test(every_known_status_is_understood),
        cmocka_unit_test(the_query_adds_but_never_replaces),
        cmocka_unit_test(the_charset_of_the_address_wins),
        cmocka_unit_test(the_charsets_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
