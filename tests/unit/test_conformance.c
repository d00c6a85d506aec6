/* SPDX-License-Identifier: MIT */
/* test_conformance.c - each finding of the conformance report, by the PDUs that cause it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/conformance.h"
#include "smpp/smpp.h"

enum { IN = 0, OUT = 1 };
static struct conformance *c;
static struct buf report;
static int64_t now_ms = 1700000000000;

static int setup(void **state)
{
    UNUSED(state);
    c = conformance_create(2);
    buf_init(&report, 1 << 16);
    return c == NULL;
}

static int teardown(void **state)
{
    UNUSED(state);
    conformance_destroy(c);
    buf_finish(&report);
    return 0;
}

static void pdu_of(uint64_t n, bool outgoing, uint32_t command_id, uint32_t status, uint32_t sequence_number)
{
    uint8_t frame[16] = { [3] = 16 };

    for (int i = 0; i < 4; i++) {
        frame[4 + i] = (uint8_t)(command_id >> (24 - 8 * i));
        frame[8 + i] = (uint8_t)(status >> (24 - 8 * i));
        frame[12 + i] = (uint8_t)(sequence_number >> (24 - 8 * i));
    }
    conformance_add(c, n, "shop", outgoing, frame, sizeof frame, now_ms);
}

static void pdu(bool outgoing, uint32_t command_id, uint32_t sequence_number)
{
    pdu_of(1, outgoing, command_id, 0, sequence_number);
}

static void submit(uint32_t sequence_number, uint8_t esm_class, const char *text, size_t len)
{
    struct smpp_pdu sm = { .command_id = CMD_SUBMIT_SM, .sequence_number = sequence_number, .has_body = true };
    struct buf frame;

    sm.sm.dest.addr = smpp_str("79991234567");
    sm.sm.esm_class = esm_class;
    sm.sm.short_message = (struct bytes){ (const uint8_t *)text, len };
    buf_init(&frame, 4096);
    assert_int_equal(0, smpp_pdu_write(&sm, &frame));
    conformance_add(c, 1, "shop", IN, (const uint8_t *)frame.data, frame.len, now_ms);
    buf_finish(&frame);
}

static bool says(const char *part)
{
    buf_clear(&report);
    assert_int_equal(0, conformance_write(c, 1, now_ms, &report));
    return strstr(buf_text(&report), part) != NULL;
}

static void a_good_client_conforms(void **state)
{
    UNUSED(state);
    pdu(IN, CMD_BIND_TRANSCEIVER, 1);
    for (uint32_t i = 2; i < 3000; i++)
        submit(i, 0, "Hello", 5);
    submit(3000, 0x40, "\x05\x00\x03\x01\x02\x01part", 10);
    pdu(OUT, CMD_DELIVER_SM, 1);
    pdu(IN, CMD_DELIVER_SM | CMD_RESPONSE, 1);
    pdu(OUT, CMD_ENQUIRE_LINK, 2);
    pdu(IN, CMD_ENQUIRE_LINK | CMD_RESPONSE, 2);
    pdu(IN, CMD_UNBIND | CMD_RESPONSE, 3);
    assert_true(says("\"conforms\": true"));
    assert_true(says("\"system_id\": \"shop\""));
    assert_true(says("\"deliveries\": 1, \"deliveries_answered\": 1"));
}

static void answers_that_are_late_missing_or_to_nothing(void **state)
{
    UNUSED(state);
    pdu(OUT, CMD_DELIVER_SM, 1);
    pdu(OUT, CMD_DELIVER_SM, 2);
    pdu(OUT, CMD_ENQUIRE_LINK, 3);
    now_ms += 5001;
    pdu(IN, CMD_DELIVER_SM | CMD_RESPONSE, 1);
    assert_true(says("\"finding\": \"late_deliver_sm_resp\", \"count\": 1"));
    assert_true(says("\"slowest_answer_ms\": 5001"));
    assert_false(says("unanswered"));
    now_ms += 30000;
    assert_true(says("\"finding\": \"unanswered_deliver_sm\", \"count\": 1"));
    assert_true(says("\"finding\": \"unanswered_enquire_link\", \"count\": 1"));
    assert_true(says("\"finding\": \"unanswered_enquire_link\", \"count\": 1")); /* asking does not count again */
    pdu(OUT, CMD_DELIVER_SM, 2 + 256);
    assert_true(says("\"finding\": \"unanswered_deliver_sm\", \"count\": 1"));
    pdu(IN, CMD_DELIVER_SM | CMD_RESPONSE, 77);
    assert_true(says("\"finding\": \"answer_to_nothing\", \"count\": 1"));
}

static void windows_follow_the_response_timeout(void **state)
{
    UNUSED(state);
    conformance_configure(c, 600);
    pdu(OUT, CMD_DELIVER_SM, 1);
    now_ms += 101; /* a sixth of it */
    pdu(IN, CMD_DELIVER_SM | CMD_RESPONSE, 1);
    assert_true(says("deliver_sm_resp after more than 0.1 s: answer at once"));
    pdu(OUT, CMD_ENQUIRE_LINK, 2);
    now_ms += 600;
    assert_false(says("unanswered"));
    now_ms += 1;
    assert_true(says("no enquire_link_resp within 0.6 s"));
    conformance_configure(c, 0); /* off: as by default */
    assert_false(says("unanswered"));
}

static void sequence_numbers_and_headers(void **state)
{
    UNUSED(state);
    submit(7, 0, "a", 1);
    submit(7, 0, "b", 1);
    assert_true(says("\"finding\": \"reused_sequence_number\", \"count\": 1"));
    pdu(IN, CMD_ENQUIRE_LINK, 0);
    pdu(IN, CMD_ENQUIRE_LINK, 0x80000000);
    assert_true(says("\"finding\": \"sequence_number_range\", \"count\": 2"));
    pdu_of(1, IN, CMD_ENQUIRE_LINK, 5, 8);
    assert_true(says("\"finding\": \"status_in_request\", \"count\": 1, "));
    pdu(OUT, CMD_GENERIC_NACK, 9);
    assert_true(says("\"finding\": \"not_understood\", \"count\": 1, "));
}

static void esm_class_and_user_data_headers(void **state)
{
    UNUSED(state);
    submit(1, 0x04, "id:1", 4);
    assert_true(says("\"finding\": \"wrong_esm_class\", \"count\": 1"));
    submit(2, 0x08, "ack", 3);
    submit(3, 0x03, "mode", 4);
    assert_true(says("\"finding\": \"wrong_esm_class\", \"count\": 1"));
    submit(4, 0, "\x05\x00\x03\x01\x02\x01part", 10);
    submit(5, 0, "\x06\x08\x04\x01\x01\x02\x02part", 11);
    assert_true(says("\"finding\": \"udh_without_flag\", \"count\": 2"));
    submit(6, 0x40, "Hello", 5);
    assert_true(says("\"finding\": \"flag_without_udh\", \"count\": 1"));
}

static void memory_is_bounded(void **state)
{
    UNUSED(state);
    for (uint64_t n = 1; n <= 3; n++)
        pdu_of(n, IN, CMD_ENQUIRE_LINK, 0, 1);
    assert_int_equal(ERR_NOT_FOUND, conformance_write(c, 1, now_ms, &report));
    assert_int_equal(0, conformance_write(c, 3, now_ms, &report));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_client_conforms, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_that_are_late_missing_or_to_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(windows_follow_the_response_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(sequence_numbers_and_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(esm_class_and_user_data_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
