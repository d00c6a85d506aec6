/* SPDX-License-Identifier: MIT */
/* test_smsc_send.c - requests to the aggregator, parameter by parameter [smsc-api 3, 4, 6, 8, 12]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "http/smsc_api.h"

static const struct smsc_login alex = { "alex", "1 2&3", "" };
static const struct smsc_login key = { "alex", "123", "k/1" };
static struct buf out;

#define START "login=alex&psw=1%202%263&charset=utf-8&fmt=3"
#define LINE(p, s, t)                                                                                                  \
    {                                                                                                                  \
        .phone = (p), .sender = (s), .text = (t), .text_len = sizeof(t) - 1                                            \
    }

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

static const char *built(const struct smsc_send *send)
{
    buf_clear(&out);
    smsc_build_send(&alex, send, &out);
    assert_false(out.failed);
    assert_memory_equal(START "&cost=3", out.data, strlen(START "&cost=3"));
    return out.data + strlen(START "&cost=3");
}

static void one_message_has_phones_mes_and_sender(void **state)
{
    struct smsc_line line = LINE("+79999999999", "My Shop", "Привет, a+b=c & 100%");
    struct smsc_send send = { .id = "gw-1", .lines = &line, .line_count = 1 };

    UNUSED(state);
    assert_string_equal("&id=gw-1&phones=%2B79999999999&mes=%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82%2C%20a%2Bb%3Dc%20%26%"
                        "20100%25&sender=My%20Shop",
                        built(&send));
    line = (struct smsc_line)LINE("79999999999", NULL, "a\r\nb\\n");
    assert_string_equal("&id=gw-1&phones=79999999999&mes=a%0D%0Ab%5Cn", built(&send));
}

static void an_api_key_replaces_login_and_password(void **state)
{
    struct smsc_line line = LINE("7999", "", "x");
    struct smsc_send send = { .lines = &line, .line_count = 1 };

    UNUSED(state);
    smsc_build_send(&key, &send, &out);
    assert_string_equal("apikey=k%2F1&charset=utf-8&fmt=3&cost=3&phones=7999&mes=x", out.data);
}

static void equal_texts_share_phones(void **state)
{
    struct smsc_line lines[] = { LINE("7001", "S", "x"), LINE("7002", "S", "x"), LINE("7003", "S", "x") };
    struct smsc_send send = { .id = "1", .lines = lines, .line_count = 3 };

    UNUSED(state);
    assert_string_equal("&op=1&id=1&phones=7001%2C7002%2C7003&mes=x&sender=S", built(&send));
    lines[2].sender = "T";
    assert_non_null(strstr(built(&send), "&list="));
}

static void different_texts_share_a_list(void **state)
{
    struct smsc_line lines[] = { LINE("7001", "", "one: 1"), LINE("7002", "S", "two\nlines"),
                                 LINE("7003", NULL, "a\\b") };
    struct smsc_send send = { .id = "1", .lines = lines, .line_count = 3 };

    UNUSED(state);
    assert_string_equal("&op=1&id=1&list=7001%3Aone%3A%201%0A"
                        "S%7C7002%3Atwo%5Cnlines%0A"
                        "7003%3Aa%5Cb",
                        built(&send));
}

static void a_comment_mark_is_broken_by_a_space(void **state)
{
    struct smsc_line line = LINE("7001", "", "a\n~~~\n~~~\nb\n~~~");
    struct smsc_send send = { .lines = &line, .line_count = 1 };
    struct smsc_line two[] = { LINE("7001", "", "a\n~~~\nb"), LINE("7002", "", "x") };

    UNUSED(state);
    assert_string_equal("&phones=7001&mes=a%0A%7E%7E%7E%20%0A%7E%7E%7E%20%0Ab%0A%7E%7E%7E", built(&send));
    line = (struct smsc_line)LINE("7001", "", "a\r\n~~~\r\nb");
    assert_string_equal("&phones=7001&mes=a%0D%0A%7E%7E%7E%20%0D%0Ab", built(&send));
    line = (struct smsc_line)LINE("7001", "", "~~~\n\n~~~ \n\n~~~");
    assert_string_equal("&phones=7001&mes=%7E%7E%7E%0A%0A%7E%7E%7E%20%0A%0A%7E%7E%7E", built(&send));
    send.lines = two;
    send.line_count = 2;
    assert_string_equal("&op=1&list=7001%3Aa%5Cn%7E%7E%7E%20%5Cnb%0A7002%3Ax", built(&send));
}

static void what_a_list_cannot_carry_is_told(void **state)
{
    static const struct {
        struct smsc_line line;
        bool can;
    } cases[] = {
        { LINE("79990001122", "", "hello\nworld: 1; 2"), true },
        { LINE("+79990001122", "Shop 24", "a|b\\x"), true },
        { LINE("7999", "", ""), false },
        { LINE("7999", "", "C:\\new"), false },
        { LINE("7999", "", "a\\\nb"), false },
        { LINE("7999", "", "a\r\nb"), false },
        { LINE("7999", "", "a\n~~~\nb"), false },
        { LINE("7999", "", "a\n~~~ \nb"), true },
        { LINE("7999", "", "a\0b"), false },
        { LINE("7999", "", "a|b"), false },
        { LINE("7999", "a|b", "x"), false },
        { LINE("7999", "a,3", "x"), false },
        { LINE("7999", "a:b", "x"), false },
        { LINE("nick", "", "x"), false },
        { LINE("", "", "x"), false },
        { LINE("+", "", "x"), false },
        { LINE("7999,7998", "", "x"), false },
        { LINE("a@b.c", "", "x"), false },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (smsc_line_can_list(&cases[i].line) != cases[i].can)
            fail_msg("case %zu", i);
    }
}

/* The reader's side of list=: what the aggregator makes of a line, to prove that listing changes no text. */
static void unlist(const char *line, size_t len, struct buf *text)
{
    const char *colon = memchr(line, ':', len);

    assert_non_null(colon);
    for (const char *p = colon + 1; p < line + len; p++) {
        if (*p == '\\' && p + 1 < line + len && p[1] == 'n') {
            buf_addc(text, '\n');
            p++;
        } else {
            buf_addc(text, *p);
        }
    }
}

static void listing_changes_no_text(void **state)
{
    static const char letters[] = "an\\\n~|:\r";
    struct buf text, body;
    unsigned seed = 1;

    UNUSED(state);
    buf_init(&text, 1000);
    buf_init(&body, 1000);
    for (int round = 0; round < 20000; round++) {
        char a[8];
        size_t len = 1 + (size_t)round % sizeof a;

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245 + 12345;
            a[i] = letters[seed >> 16 & 7];
        }
        struct smsc_line lines[] = { { "7001", "", a, len }, LINE("7002", "", "other") };
        struct smsc_send send = { .lines = lines, .line_count = 2 };
        if (!smsc_line_can_list(&lines[0]))
            continue;

        const char *at = strstr(built(&send), "&list=") + 6;
        buf_clear(&body);
        for (; *at != '\0'; at++) {
            unsigned c = (unsigned char)*at;

            if (c == '%') {
                assert_int_equal(1, sscanf(at + 1, "%2x", &c));
                at += 2;
            }
            buf_addc(&body, (char)c);
        }
        const char *end = memchr(body.data, '\n', body.len);
        assert_non_null(end);
        buf_clear(&text);
        unlist(body.data, (size_t)(end - body.data), &text);
        assert_int_equal(len, text.len);
        assert_memory_equal(a, text.data, len);
    }
    buf_finish(&text);
    buf_finish(&body);
}

static void binary_travels_as_hex_with_its_trailer(void **state)
{
    struct smsc_line line = LINE("7001", "", "\x05\x0A\x03\x07\x60\x56\xFF");
    struct smsc_send send = { .kind = SMSC_BINARY, .lines = &line, .line_count = 1 };

    UNUSED(state);
    assert_string_equal("&phones=7001&mes=050A03076056FF&bin=2", built(&send));
    send.has_pid_dcs = true;
    send.pid = 64;
    send.dcs = 245;
    assert_string_equal("&phones=7001&mes=050A03076056FF%0A%7E%7E%7E%0Apid%3A%2064%2C%20dcs%3A%20245&bin=2",
                        built(&send));
}

static void every_kind_has_its_flag(void **state)
{
    static const struct {
        enum smsc_kind kind;
        const char *tail;
    } kinds[] = {
        { SMSC_SMS, "&phones=7001&mes=x" },           { SMSC_FLASH, "&phones=7001&mes=x&flash=1" },
        { SMSC_PUSH, "&phones=7001&mes=x&push=1" },   { SMSC_HLR, "&phones=7001&hlr=1" },
        { SMSC_PING, "&phones=7001&ping=1" },         { SMSC_MMS, "&phones=7001&mes=x&mms=1" },
        { SMSC_CALL, "&phones=7001&mes=x&call=1" },   { SMSC_MAIL, "&phones=7001&mes=x&mail=1" },
        { SMSC_VIBER, "&phones=7001&mes=x&viber=1" }, { SMSC_SOC, "&phones=7001&mes=x&soc=1" },
        { SMSC_TELEGRAM, "&phones=7001&mes=x&tg=1" }, { SMSC_WHATSAPP, "&phones=7001&mes=x&whatsapp=1" },
    };
    struct smsc_line line = LINE("7001", "", "x");
    struct smsc_param bot = { "bot", "@my_bot" };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct smsc_send send = { .kind = kinds[i].kind, .lines = &line, .line_count = 1 };

        assert_string_equal(kinds[i].tail, built(&send));
    }
    struct smsc_send telegram = {
        .kind = SMSC_TELEGRAM, .lines = &line, .line_count = 1, .extra = &bot, .extra_count = 1
    };
    assert_string_equal("&phones=7001&mes=x&bot=%40my_bot", built(&telegram));

    struct smsc_line numbers[] = { LINE("7001", "", "__HLR__"), LINE("7002", "", "") };
    struct smsc_send hlr = { .kind = SMSC_HLR, .lines = numbers, .line_count = 2 };
    assert_string_equal("&op=1&phones=7001%2C7002&hlr=1", built(&hlr));
}

static void time_and_validity(void **state)
{
    struct smsc_line line = LINE("7001", "", "x");
    struct smsc_send send = { .lines = &line, .line_count = 1, .at_s = 1476794052, .valid_minutes = 61 };

    UNUSED(state);
    assert_string_equal("&phones=7001&mes=x&time=01476794052&valid=01%3A01", built(&send));
    send = (struct smsc_send){ .lines = &line, .line_count = 1, .valid_minutes = 1 };
    assert_string_equal("&phones=7001&mes=x&valid=00%3A01", built(&send));
    send.valid_minutes = 5000; /* the aggregator keeps nothing longer than a day */
    assert_string_equal("&phones=7001&mes=x&valid=24%3A00", built(&send));
}

static void extra_parameters_cannot_replace_ours(void **state)
{
    static const struct smsc_param extra[] = {
        { "maxsms", "2" }, { "cost", "1" },   { "fmt", "0" },   { "psw", "p" }, { "apikey", "k" }, { "sender", "B" },
        { "list", "z" },   { "maxsms", "9" }, { "valid", "1" }, { "", "x" },    { "tz", NULL },    { "sub j", "ж" }
    };
    struct smsc_line line = LINE("7001", "A", "x");
    struct smsc_send send = {
        .lines = &line, .line_count = 1, .extra = extra, .extra_count = ARRAY_LEN(extra), .valid_minutes = 60
    };

    UNUSED(state);
    assert_string_equal("&phones=7001&mes=x&sender=A&valid=01%3A00&maxsms=2&tz=&sub%20j=%D0%B6", built(&send));
    line.sender = ""; /* nothing given by the message: the operator's default */
    assert_non_null(strstr(built(&send), "&sender=B"));
}

static void a_comment_goes_behind_the_text(void **state)
{
    static const struct smsc_param extra[] = { { "maxsms", "2" }, { "comment", "order 7" }, { "comment", "other" } };
    struct smsc_line lines[] = { LINE("7001", "", "x\n~~~\ny"), LINE("7002", "", "z") };
    struct smsc_send send = { .lines = lines, .line_count = 1, .extra = extra, .extra_count = ARRAY_LEN(extra) };

    UNUSED(state);
    assert_string_equal("&phones=7001&mes=x%0A%7E%7E%7E%20%0Ay%0A%7E%7E%7E%0Aorder%207&maxsms=2", built(&send));
    send.line_count = 2;
    assert_non_null(strstr(built(&send), "%0A7002%3Az%5Cn%7E%7E%7E%5Cnorder%207"));
}

static void a_full_buffer_fails_and_keeps_failing(void **state)
{
    struct smsc_line line = LINE("7001", "A", "a long text that does not fit in so little room at all, not even half");
    struct smsc_send send = { .lines = &line, .line_count = 1 };

    UNUSED(state);
    for (size_t max = 0; max < 150; max++) {
        struct buf small;

        buf_init(&small, max);
        smsc_build_send(&alex, &send, &small);
        assert_true(small.failed);
        buf_finish(&small);
    }
}

static void status_queries(void **state)
{
    static const char *const ids[] = { "gw-1", "2" }, *const phones[] = { "7001", "+7002" };
    struct smsc_status_query query = { .ids = ids, .phones = phones, .count = 1 };

    UNUSED(state);
    smsc_build_status(&alex, &query, &out);
    assert_string_equal(START "&phone=7001&id=gw-1", out.data);
    buf_clear(&out);
    query.mass = true;
    query.all = 2;
    smsc_build_status(&alex, &query, &out);
    assert_string_equal(START "&phone=7001%2C&id=gw-1%2C&all=2", out.data);
    buf_clear(&out);
    query.count = 2;
    query.all = 1;
    smsc_build_status(&alex, &query, &out);
    assert_string_equal(START "&phone=7001%2C%2B7002&id=gw-1%2C2&all=1", out.data);
    buf_clear(&out);
    query = (struct smsc_status_query){ .ids = ids, .phones = phones, .count = 1, .del = true, .all = 1 };
    smsc_build_status(&alex, &query, &out);
    assert_string_equal(START "&phone=7001&id=gw-1&del=1", out.data);
}

static void the_other_methods(void **state)
{
    static const struct smsc_param any[] = {
        { "get_operator", "1" }, { "phone", "+7" }, { "fmt", "1" }, { "apikey", "z" }
    };

    UNUSED(state);
    smsc_build_balance(&alex, &out);
    assert_string_equal(START, out.data);
    buf_clear(&out);
    smsc_build_answers(&alex, "12", 0, &out);
    assert_string_equal(START "&get_answers=1&after_id=12", out.data);
    buf_clear(&out);
    smsc_build_answers(&alex, "", 1000, &out);
    assert_string_equal(START "&get_answers=1&hour=168", out.data);
    buf_clear(&out);
    smsc_build_any(&alex, any, ARRAY_LEN(any), &out);
    assert_string_equal(START "&get_operator=1&phone=%2B7", out.data);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_message_has_phones_mes_and_sender),
        T(an_api_key_replaces_login_and_password),
        T(equal_texts_share_phones),
        T(different_texts_share_a_list),
        T(a_comment_mark_is_broken_by_a_space),
        T(what_a_list_cannot_carry_is_told),
        T(listing_changes_no_text),
        T(binary_travels_as_hex_with_its_trailer),
        T(every_kind_has_its_flag),
        T(time_and_validity),
        T(extra_parameters_cannot_replace_ours),
        T(a_comment_goes_behind_the_text),
        T(a_full_buffer_fails_and_keeps_failing),
        T(status_queries),
        T(the_other_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
