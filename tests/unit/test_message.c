/* SPDX-License-Identifier: MIT */
/* test_message.c - a message as one block, and what counts as a phone number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/message.h"

static struct message_text text(const char *s)
{
    return (struct message_text){ (char *)(uintptr_t)s, strlen(s) };
}

static void a_copy_owns_all_its_strings(void **state)
{
    char dest[] = "79031234567";
    struct message from = { .id = 7, .public_id = 7, .dest = text(dest), .text = text("hi"), .data_coding = 8 };
    struct message *m;

    (void)state;
    from.tlvs = (struct message_text){ (char[]){ 0, 5, 0, 1 }, 4 };
    m = message_create(&from);
    assert_non_null(m);
    memset(dest, 'x', sizeof dest - 1);
    assert_string_equal("79031234567", m->dest.at);
    assert_int_equal(11, m->dest.len);
    assert_string_equal("hi", m->text.at);
    assert_int_equal(4, m->tlvs.len);
    assert_int_equal(0, m->tlvs.at[4]);
    assert_int_equal(0, m->source.len);
    assert_string_equal("", m->source.at);
    assert_string_equal("", m->extra.at);
    assert_int_equal(8, m->data_coding);
    assert_true(message_bytes(m) >= sizeof *m + 11 + 2 + 4);
    message_destroy(m);
    message_destroy(NULL);
}

static void phones_are_numbers_and_the_rest_is_hashed(void **state)
{
    static const struct {
        const char *text;
        uint64_t number; /* 0: hashed */
    } rows[] = {
        { "79031234567", 79031234567 },
        { "+79031234567", 79031234567 },
        { "1", 1 },
        { "999999999999999999", 999999999999999999 },
        { "1000000000000000000", 0 }, /* 19 digits */
        { "+", 0 },
        { "", 0 },
        { "++7", 0 },
        { "7903 1234", 0 },
        { "Bank", 0 },
    };
    const uint64_t hashed = UINT64_C(1) << 63;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t phone = message_phone(rows[i].text, strlen(rows[i].text));

        if (rows[i].number != 0)
            assert_true(phone == rows[i].number);
        else
            assert_true((phone & hashed) != 0);
        assert_true(phone == message_phone(rows[i].text, strlen(rows[i].text)));
    }
    assert_true(message_phone("Bank", 4) != message_phone("bank", 4));
    assert_true(message_phone("79031234567xyz", 11) == 79031234567); /* the length counts, not a NUL */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_owns_all_its_strings),
        cmocka_unit_test(phones_are_numbers_and_the_rest_is_hashed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
