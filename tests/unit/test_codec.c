/* SPDX-License-Identifier: MIT */
/* test_codec.c - PDUs decoded and encoded through the airlock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "smpp/pdu.h"

static void the_airlock_tests_itself(void **state)
{
    (void)state;
    assert_int_equal(0, smpp_codec_selftest());
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_airlock_tests_itself) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
