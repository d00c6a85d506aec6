/* SPDX-License-Identifier: MIT */
/* test_match.c - numbers and keywords of routes, as configurations write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/match.h"

static void a_number_fits_whole_or_by_its_beginning(void **state)
{
    static const struct {
        const char *pattern, *number;
        bool fits;
    } rows[] = {
        { "79030000001", "79030000001", true },
        { "79030000001", "790300000011", false },
        { "79030000001", "7903000000", false },
        { "7903*", "79030000001", true },
        { "7903*", "7903", true },
        { "7903*", "790", false },
        { "7903*", "89030000001", false },
        { "+7903*", "79030000001", true },
        { "7903*", "+79030000001", true },
        { "+79030000001", "+79030000001", true },
        { "*", "79030000001", true },
        { "*", "", true }, /* a confirming call has no number it came to */
        { "", "79030000001", true },
        { "7903*", "", false },
        { "7903", "", false },
        { "MyShop", "MyShop", true },
        { "My*", "MyShop", true },
        { "79*3", "79*3", true }, /* only the last character is special */
        { "79*3", "7903", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (match_number(rows[i].pattern, rows[i].number) != rows[i].fits)
            fail_msg("\"%s\" and \"%s\"", rows[i].pattern, rows[i].number);
    }
}

static void a_keyword_is_the_first_word_in_any_case(void **state)
{
    static const struct {
        const char *keyword, *text;
        bool fits;
    } rows[] = {
        { "stop", "stop", true },
        { "stop", "STOP", true },
        { "STOP", "sToP now", true },
        { "stop", "  \t\r\nstop", true },
        { "stop", "stop.", true },
        { "stop", "stop!now", true },
        { "stop", "stop,", true },
        { "stop", "stop\nnow", true },
        { "stop", "stopp", false },
        { "stop", "stop2", false },
        { "stop", "stop-it", false },
        { "stop", "please stop", false },
        { "stop", "sto", false },
        { "stop", "", false },
        { "stop", "   ", false },
        { "заказ", "ЗАКАЗ 5 роз", true },
        { "Заказ", "заказ", true },
        { "Заказ", "Заказать", false },
        { "ЁЛКА", "ёлка", true },
        { "елка", "ёлка", false }, /* other letters */
        { "Їжак", "їжак", true },
        { "öl", "ÖL?", true },
        { "\xC3\x97", "\xC3\xB7", false }, /* the signs of multiplication and division are no pair of letters */
        { "A", "А", false },               /* Latin and Cyrillic */
        { "order roses", "Order ROSES today", true },
        { "order roses", "order  roses", false },
        { "[waitcall]", "[waitcall]", true },
        { "€", "€ 5", true },
        { "€", "₽ 5", false },
        { "😀", "😀", true },
        { "😀", "😁", false },
        { "ab", "a\xFF", false }, /* broken UTF-8 is compared as it stands */
        { "a\xD0", "a\xD0", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (match_keyword(rows[i].keyword, rows[i].text) != rows[i].fits)
            fail_msg("\"%s\" and \"%s\"", rows[i].keyword, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_fits_whole_or_by_its_beginning),
        cmocka_unit_test(a_keyword_is_the_first_word_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
