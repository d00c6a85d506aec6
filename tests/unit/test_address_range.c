/* SPDX-License-Identifier: MIT */
/* test_address_range.c - the ranges ESMEs name in a bind: addresses, prefixes, expressions, and nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "gateway/address_range.h"

static void each_form_is_read(void **state)
{
    static const struct {
        const char *range, *has[4], *has_not[4];
    } rows[] = {
        { "", { "79031234567", "SHOP", "" }, { NULL } },
        { "79031234567", { "79031234567", "+79031234567", "" }, { "790312345678", "9031234567", "7" } },
        { "+79031234567", { "79031234567", "+79031234567" }, { "790312345678" } },
        { "7903*", { "7903", "79031234567", "+79031" }, { "790", "179031" } },
        { "*", { "7903", "SHOP" }, { NULL } },
        { "SHOP", { "SHOP" }, { "shop", "SHOPS" } },
        /* [SMPP34 Appendix A] */
        { "^1234", { "1234", "12345" }, { "01234", "123" } },
        { "5678$", { "5678", "15678" }, { "56789" } },
        { "[13579]", { "1", "246824681" }, { "2468", "0" } },
        { "[13579]$", { "1", "21" }, { "12", "2468" } },
        { "^[13579]", { "12" }, { "21" } },
        { "^(13569|13568)", { "13569", "135681" }, { "13567", "113569" } },
        { "^1234|5678$", { "12349", "95678" }, { "912349", "56789" } },
        { "^+7903", { "79031", "+79031" }, { "89031" } },
        { "^\\+7903", { "79031", "+79031" }, { "89031" } },
        { "^(\\+7|8)903", { "7903", "+7903", "8903" }, { "9903" } },
        { "^7903[0-9]{7}$", { "79031234567" }, { "7903123456", "790312345678", "7903123456x" } },
        { "^7\\d{2,3}$", { "712", "7123" }, { "71", "71234", "7a2" } },
        { "^7\\d{2,}$", { "712", "7123456" }, { "71" } },
        { "^12?3+4*$", { "13", "1233", "12344" }, { "12", "1223" } },
        { "^79.5$", { "7905", "79x5" }, { "795", "79055" } },
        { "^[^0-6]+$", { "789" }, { "7890" } },
        { "^[]a-c-]$", { "]", "b", "-" }, { "d", "e" } },
        { "^(7(90)+3|8)$", { "7903", "790903", "8" }, { "73", "790" } },
        { "^$|^7$", { "7" }, { "77" } },
        { "^()*7$", { "7" }, { "8" } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(address_range_is_sound(rows[i].range));
        for (size_t k = 0; k < 4 && rows[i].has[k] != NULL; k++)
            if (!address_range_has(rows[i].range, rows[i].has[k]))
                fail_msg("%s has %s", rows[i].range, rows[i].has[k]);
        for (size_t k = 0; k < 4 && rows[i].has_not[k] != NULL; k++)
            if (address_range_has(rows[i].range, rows[i].has_not[k]))
                fail_msg("%s has not %s", rows[i].range, rows[i].has_not[k]);
    }
}

static void what_cannot_be_read_has_every_address(void **state)
{
    static const char *const ranges[] = {
        "(",
        ")",
        "[",
        "[]",
        "^(79",
        "79[",
        "7{",
        "7{x}",
        "7{2",
        "7{3,2}",
        "7{256}",
        "?",
        "7|*",
        "\\",
        "(7\\",
        "7**",
        "7*?",
        "((((7{99}){99}){99}){99})",
        "(((){255}){255}){255}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (address_range_is_sound(ranges[i]))
            fail_msg("%s is sound", ranges[i]);
        assert_true(address_range_has(ranges[i], "79031234567"));
    }
}

/* What backtracking takes for ever over. */
static void no_range_takes_long(void **state)
{
    static const char address[] = "1111111111111111111111111111111111111111111111111111111111111112";
    static const char *const ranges[] = { "^(1*)*$", "^(1|1)*$", "^(11*)*3$", "^((1*)*)*$", "^(1?){60}1{60}$" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        assert_false(address_range_has(ranges[i], address));
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* The library's own judgement over expressions without what the two read differently (a leading plus, braces). */
static void expressions_agree_with_the_library(void **state)
{
    static const char *const atoms[] = { "1", "2", ".", "[12]", "[^1]", "(1|22)", "(2)", "^", "$", "(12|)", "[0-1]" };
    static const char *const signs[] = { "", "", "", "*", "+", "?", "{2}", "{0,2}" };
    uint32_t seed = 20261122;
    unsigned compared = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char range[64] = "", address[16];
        regex_t library;
        size_t count = 1 + next_random(&seed) % 4, len = 1 + next_random(&seed) % 6;

        for (size_t i = 0; i < count; i++) {
            const char *atom = atoms[next_random(&seed) % ARRAY_LEN(atoms)];
            const char *sign = atom[0] == '^' || atom[0] == '$' ? "" : signs[next_random(&seed) % ARRAY_LEN(signs)];

            snprintf(range + strlen(range), sizeof range - strlen(range), "%s%s", atom, sign);
        }
        for (size_t i = 0; i < len; i++)
            address[i] = (char)('0' + next_random(&seed) % 3);
        address[len] = '\0';
        if (strpbrk(range, ".[]()|^$?+{}") == NULL || regcomp(&library, range, REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        bool theirs = regexec(&library, address, 0, NULL, 0) == 0;
        regfree(&library);
        if (address_range_has(range, address) != theirs)
            fail_msg("%s over %s: the library says %d", range, address, theirs);
        compared++;
    }
    assert_in_range(compared, 10000, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(what_cannot_be_read_has_every_address),
        cmocka_unit_test(no_range_takes_long),
        cmocka_unit_test(expressions_agree_with_the_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
