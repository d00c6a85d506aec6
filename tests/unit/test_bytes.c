/* SPDX-License-Identifier: MIT */
/* test_bytes.c - no length from the wire moves a reader or writer out of its view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"

static void reads_big_endian(void **state)
{
    static const uint8_t wire[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    struct reader r = reader_over(wire, sizeof wire);

    (void)state;
    assert_int_equal(0x01, read_u8(&r));
    assert_int_equal(0x0203, read_u16(&r));
    assert_int_equal(0x04050607, read_u32(&r));
    assert_int_equal(1, reader_left(&r));
    assert_false(r.failed);
}

static void a_short_view_fails_for_good(void **state)
{
    static const uint8_t wire[] = { 0xFF, 0xFF, 0xFF };

    (void)state;
    for (size_t len = 0; len < 4; len++) {
        struct reader r = reader_over(wire, len);
        assert_int_equal(0, read_u32(&r));
        assert_true(r.failed);
        assert_int_equal(0, reader_left(&r));
        assert_int_equal(0, read_u8(&r)); /* would fit, but the error is sticky */
        assert_int_equal(0, read_bytes(&r, 1).len);
    }
}

static void a_huge_length_is_refused(void **state)
{
    static const uint8_t wire[] = { 1 };
    struct reader r = reader_over(wire, 1);

    (void)state;
    assert_int_equal(0, read_bytes(&r, SIZE_MAX).len);
    assert_true(r.failed);
}

static void an_empty_view_may_be_null(void **state)
{
    struct reader r = reader_over(NULL, 0);

    (void)state;
    assert_int_equal(0, read_bytes(&r, 0).len);
    assert_false(r.failed);
    read_u8(&r);
    assert_true(r.failed);
}

static void writes_big_endian_within_its_room(void **state)
{
    uint8_t room[9] = { [7] = 0xEE, [8] = 0xEE };
    struct writer w = writer_over(room, 7);

    (void)state;
    write_u8(&w, 1);
    write_u16(&w, 0x0203);
    write_u32(&w, 0x04050607);
    assert_false(w.failed);
    assert_int_equal(7, writer_len(&w));
    write_u8(&w, 9);
    assert_true(w.failed);
    assert_int_equal(7, writer_len(&w));
    for (uint8_t i = 0; i < 7; i++)
        assert_int_equal(i + 1, room[i]);
    assert_int_equal(0xEE, room[7]);
}

static void a_failed_writer_writes_nothing_more(void **state)
{
    uint8_t room[4] = { 0 };
    struct writer w = writer_over(room, 3);

    (void)state;
    write_u32(&w, 0xFFFFFFFF);
    write_u8(&w, 0xFF);
    assert_true(w.failed);
    assert_int_equal(0, writer_len(&w));
    assert_int_equal(0, room[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_big_endian),
        cmocka_unit_test(a_short_view_fails_for_good),
        cmocka_unit_test(a_huge_length_is_refused),
        cmocka_unit_test(an_empty_view_may_be_null),
        cmocka_unit_test(writes_big_endian_within_its_room),
        cmocka_unit_test(a_failed_writer_writes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
