/* SPDX-License-Identifier: MIT */
/* test_scan.c - the outer door alone: places inside the frame, one layout per command, the status by field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "smpp/scan.h"
#include "tests/unit/pdu_vectors.h"

static uint32_t command_of(const struct vector *v)
{
    struct reader r = reader_over(v->pdu, v->len);

    read_u32(&r);
    return read_u32(&r);
}

static void places_are_inside(const struct vector *v)
{
    struct smpp_dest dests[SMPP_DESTS_MAX];
    struct smpp_pdu pdu = { .command_id = command_of(v) };
    struct scan s;

    if (v->len < SMPP_HEADER_BYTES || scan_body(v->pdu, v->len, dests, &pdu, &s) != STATUS_ROK)
        return;

    const struct scan_layout *layout = scan_layout(s.layout);
    size_t end = s.at[layout->count];

    assert_int_equal(SMPP_HEADER_BYTES, s.at[0]);
    assert_in_range(end, SMPP_HEADER_BYTES, v->len);
    for (size_t i = 0; i < layout->count; i++) {
        assert_true(s.at[i] < s.at[i + 1]);
        if (layout->fields[i].kind == FIELD_STRING) {
            assert_int_equal(0, v->pdu[s.at[i + 1] - 1]);
            assert_true(s.at[i + 1] - s.at[i] <= layout->fields[i].longest);
        }
    }
    for (size_t i = 0; i < pdu.tlv_count; i++) {
        assert_ptr_equal(v->pdu + end + 4, pdu.tlvs[i].value);
        end += 4 + (size_t)pdu.tlvs[i].len;
    }
    assert_true(pdu.tlvs_damaged ? end < v->len : end == v->len);
}

static void every_place_found_is_inside_the_frame(void **state)
{
    (void)state;
    assert_true(vectors_each(places_are_inside) > 100);
}

static void every_command_has_a_layout(void **state)
{
    static const uint32_t both[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x15, 0x21, 0x103, 0x111, 0x112, 0x113 };
    static const uint32_t none[] = { 0, 0xA, 0xC, 0x100, 0x101, 0x104, 0x10200, 0x8000000Bu, 0x80000102u, 0xFFFFFFFFu };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        assert_true(scan_layout_of(both[i]) >= 0);
        assert_true(scan_layout_of(both[i] | CMD_RESPONSE) >= 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_int_equal(-1, scan_layout_of(none[i]));
    assert_true(scan_layout_of(CMD_GENERIC_NACK) >= 0);
    assert_true(scan_layout_of(CMD_OUTBIND) >= 0);
    assert_true(scan_layout_of(CMD_ALERT_NOTIFICATION) >= 0);
}

/* Too long and too short of the same field differ: the string's own status against RINVCMDLEN. */
static void the_status_names_the_field(void **state)
{
    uint8_t frame[16 + 64];
    struct smpp_pdu pdu = { .command_id = CMD_QUERY_SM };
    struct scan s;

    (void)state;
    memset(frame, 'x', sizeof frame);
    assert_int_equal(STATUS_RINVCMDLEN, scan_body(frame, sizeof frame, NULL, &pdu, &s));
    pdu.command_id = CMD_SUBMIT_SM;
    assert_int_equal(STATUS_RINVSERTYP, scan_body(frame, sizeof frame, NULL, &pdu, &s));
    frame[16] = 0;
    assert_int_equal(STATUS_RINVSRCADR, scan_body(frame, sizeof frame, NULL, &pdu, &s));
    assert_int_equal(STATUS_RINVCMDLEN, scan_body(frame, 16 + 3 + 20, NULL, &pdu, &s));
    frame[19] = 0;
    assert_int_equal(STATUS_RINVDSTADR, scan_body(frame, sizeof frame, NULL, &pdu, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_found_is_inside_the_frame),
        cmocka_unit_test(every_command_has_a_layout),
        cmocka_unit_test(the_status_names_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
