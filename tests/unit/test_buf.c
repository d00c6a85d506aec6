/* SPDX-License-Identifier: MIT */
/* test_buf.c - growth up to the ceiling and not beyond, and the three ways of escaping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void grows_to_the_ceiling_and_no_further(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_string_equal("", buf_text(&b));
    for (int i = 0; i < 100; i++)
        buf_adds(&b, "0123456789");
    assert_false(b.failed);
    assert_int_equal(1000, b.len);
    buf_addc(&b, 'x');
    assert_true(b.failed);
    assert_int_equal(1000, b.len);
    assert_int_equal('\0', b.data[1000]);
    buf_clear(&b);
    assert_false(b.failed);
    buf_adds(&b, "again");
    assert_string_equal("again", buf_text(&b));
    buf_finish(&b);
    assert_int_equal(1000, b.max);
}

static void a_failure_is_sticky(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4);
    buf_adds(&b, "abc");
    buf_adds(&b, "de"); /* does not fit: nothing of it is kept */
    buf_adds(&b, "f");  /* would fit */
    assert_true(b.failed);
    assert_string_equal("abc", buf_text(&b));
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_finish(&b);
}

static void formats_short_and_long(void **state)
{
    struct buf b;
    char big[600];

    (void)state;
    memset(big, 'y', sizeof big);
    big[sizeof big - 1] = '\0';
    buf_init(&b, 2000);
    buf_addf(&b, "%d-%s|", 7, "x");
    buf_addf(&b, "%s", big);
    assert_int_equal(4 + 599, b.len);
    assert_memory_equal("7-x|yyyy", b.data, 8);
    assert_int_equal('y', b.data[b.len - 1]);
    buf_finish(&b);
}

static void numbers(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 200);
    buf_add_u64(&b, 0);
    buf_addc(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_addc(&b, ' ');
    buf_add_i64(&b, INT64_MIN);
    assert_string_equal("0 18446744073709551615 -9223372036854775808", buf_text(&b));
    buf_finish(&b);
}

static void shifting_keeps_the_rest(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_adds(&b, "abcdef");
    buf_shift(&b, 2);
    assert_string_equal("cdef", buf_text(&b));
    buf_shift(&b, 99);
    assert_string_equal("", buf_text(&b));
    buf_finish(&b);
}

static void json_strings(void **state)
{
    static const struct {
        const char *in, *out;
        size_t len;
    } cases[] = {
        { "a\"b\\c\n", "\"a\\\"b\\\\c\\n\"", 6 },
        { "\x01\x7F", "\"\\u0001\\u007f\"", 2 },
        { "nul\0!", "\"nul\\u0000!\"", 5 },
        { "\xD0\xB6\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xD0\xB6\xE2\x82\xAC\xF0\x9F\x98\x80\"", 9 },
        { "\xC0\x80", "\"\\ufffd\\ufffd\"", 2 },            /* overlong */
        { "\xED\xA0\x80", "\"\\ufffd\\ufffd\\ufffd\"", 3 }, /* surrogate */
        { "\xF4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", 4 },
        { "x\xE2\x82", "\"x\\ufffd\\ufffd\"", 3 }, /* cut off */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;

        buf_init(&b, 100);
        buf_add_json(&b, cases[i].in, cases[i].len);
        assert_string_equal(cases[i].out, buf_text(&b));
        buf_finish(&b);
    }
}

static void url_encoding(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_add_url(&b, "aZ09-_. +&=\xD0\0~", 14);
    assert_string_equal("aZ09-_.%20%2B%26%3D%D0%00%7E", buf_text(&b));
    buf_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_the_ceiling_and_no_further),
        cmocka_unit_test(a_failure_is_sticky),
        cmocka_unit_test(formats_short_and_long),
        cmocka_unit_test(numbers),
        cmocka_unit_test(shifting_keeps_the_rest),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(url_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
