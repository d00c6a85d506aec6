/* SPDX-License-Identifier: MIT */
/* test_read_sm.c - what a PDU says as the facts of a message: alphabets, headers, parts, times, TLVs; and query_sm's view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/extra.h"
#include "gateway/face.h"
#include "gateway/join.h"

#define NOW INT64_C(1800000000000)

static struct cfg_esme cfg;
static struct profile profile;
static struct buf text, rest;
static struct reading reading;
static struct message m;
static struct smpp_pdu pdu;

static void use(const char *name)
{
    cfg = (struct cfg_esme){ .profile = name,
                             .alphabet = "gsm7",
                             .alphabet_one = "profile",
                             .reassemble_ms = 600000,
                             .receipt_on_success = true };
    profile_resolve(&cfg, &profile);
    reading = (struct reading){ .cfg = &cfg,
                                .profile = &profile,
                                .system_type = "",
                                .interface_version = 0x34,
                                .now_ms = NOW,
                                .text = &text,
                                .rest = &rest };
}

static int setup(void **state)
{
    (void)state;
    buf_init(&text, 256 << 10);
    buf_init(&rest, 128 << 10);
    use("default");
    pdu = (struct smpp_pdu){ .command_id = CMD_SUBMIT_SM };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_finish(&text);
    buf_finish(&rest);
    return 0;
}

static uint32_t read_bytes_of(uint8_t data_coding, uint8_t esm_class, const void *bytes, size_t len)
{
    pdu.sm.source.addr = smpp_str("Shop");
    pdu.sm.dest = (struct smpp_addr){ 1, 1, smpp_str("79990000001") };
    pdu.sm.data_coding = data_coding;
    pdu.sm.esm_class = esm_class;
    pdu.sm.short_message = (struct bytes){ bytes, len };
    return read_sm(&reading, &pdu, &m);
}

static const char *text_of_bytes(uint8_t data_coding, const void *bytes, size_t len)
{
    assert_int_equal(STATUS_ROK, read_bytes_of(data_coding, 0, bytes, len));
    assert_false(m.binary);
    assert_int_equal(m.p.state, MESSAGE_QUEUED);
    return m.text.len == 0 ? "" : m.text.at;
}

static void data_coding_chooses_the_alphabet(void **state)
{
    (void)state;
    assert_string_equal(text_of_bytes(0, "\x00\x02\x1b\x65", 4), "@$€");
    assert_string_equal(text_of_bytes(1, "$", 1), "$");
    assert_string_equal(text_of_bytes(3, "\xe9", 1), "é");
    assert_string_equal(text_of_bytes(6, "\xbf", 1), "П");
    assert_string_equal(text_of_bytes(8, "\x04\x1f\xd8\x3d\xde\x00", 6), "П😀");
    assert_string_equal(text_of_bytes(8, "\x04\x1f\x04", 3), "П"); /* odd: the last octet is dropped */
    assert_int_equal(reading.replaced, 1);
    assert_int_equal(m.channel, SMSC_SMS);
    assert_string_equal(text_of_bytes(0x18, "\x04\x1f", 2), "П");
    assert_int_equal(m.channel, SMSC_FLASH);
    assert_string_equal(text_of_bytes(0xf0, "a", 1), "a");
    assert_int_equal(m.channel, SMSC_FLASH);
    cfg.alphabet = "cp1251";
    profile_resolve(&cfg, &profile);
    assert_string_equal(text_of_bytes(0, "\xcf", 1), "П");
    assert_string_equal(text_of_bytes(0, "", 0), "");
}

static void profiles_change_what_it_means(void **state)
{
    (void)state;
    use("node-smpp");
    assert_string_equal(text_of_bytes(1, "\x02", 1), "$");
    use("smsc.ru");
    assert_string_equal(text_of_bytes(4, "\xe9", 1), "é");
    assert_string_equal(text_of_bytes(0, "\x02", 1), "$");
    reading.system_type = "ISO";
    assert_string_equal(text_of_bytes(0, "\xe9$", 2), "é$");
    assert_int_equal(m.data_coding, 3); /* for whoever reads it after the bind has gone */
    use("default");
    reading.system_type = "ISO";
    assert_string_equal(text_of_bytes(0, "\x02", 1), "$");
}

static void bytes_carry_the_length_of_their_header_first(void **state)
{
    (void)state;
    assert_int_equal(STATUS_ROK, read_bytes_of(4, 0, "\x01\x02", 2));
    assert_true(m.binary);
    assert_int_equal(m.channel, SMSC_BINARY);
    assert_int_equal(m.text.len, 3);
    assert_memory_equal(m.text.at, "\x00\x01\x02", 3);
    assert_int_equal(STATUS_ROK, read_bytes_of(4, ESM_UDHI, "\x06\x05\x04\x0b\x84\x00\x00x", 8));
    assert_memory_equal(m.text.at, "\x06\x05\x04\x0b\x84\x00\x00x", 8);
    assert_int_equal(STATUS_ROK, read_bytes_of(2, 0, "", 0));
    assert_int_equal(m.text.len, 1);
}

static void a_header_of_text_elements_is_no_binary(void **state)
{
    (void)state;
    /* Turkish single shift: 0x1B 0x47 is G with breve */
    assert_int_equal(STATUS_ROK, read_bytes_of(0, ESM_UDHI, "\x03\x24\x01\x01\x1b\x47", 6));
    assert_false(m.binary);
    assert_string_equal(m.text.at, "Ğ");
    /* a header that claims more than there is: all of it is text */
    assert_int_equal(STATUS_ROK, read_bytes_of(0, ESM_UDHI, "zabc", 4));
    assert_string_equal(m.text.at, "zabc");
}

static void parts_wait_as_bytes(void **state)
{
    (void)state;
    assert_int_equal(STATUS_ROK, read_bytes_of(0, ESM_UDHI, "\x05\x00\x03\x07\x02\x01hi", 8));
    assert_int_equal(m.p.state, MESSAGE_PART);
    assert_int_equal(m.p.due_ms, NOW + 600000);
    assert_int_equal(m.part_total, 2);
    assert_int_equal(m.part_number, 1);
    assert_true(m.binary);
    assert_int_equal(m.text.len, 8);
    /* its validity ends first */
    pdu.sm.validity_period = smpp_str("000000000100000R");
    assert_int_equal(STATUS_ROK, read_bytes_of(0, ESM_UDHI, "\x05\x00\x03\x07\x02\x01hi", 8));
    assert_int_equal(m.p.due_ms, NOW + 60000);
    pdu.sm.validity_period = smpp_str("");
    /* bytes and ports are never joined */
    assert_int_equal(STATUS_ROK, read_bytes_of(4, ESM_UDHI, "\x05\x00\x03\x07\x02\x01hi", 8));
    assert_int_equal(m.p.state, MESSAGE_QUEUED);
    assert_int_equal(m.channel, SMSC_BINARY);
    cfg.reassemble_ms = 0;
    assert_int_equal(STATUS_ROK, read_bytes_of(0, ESM_UDHI, "\x05\x00\x03\x07\x02\x01hi", 8));
    assert_int_equal(m.p.state, MESSAGE_QUEUED);
    assert_int_equal(m.channel, SMSC_BINARY);
}

static void a_header_without_its_flag_counts_where_it_may(void **state)
{
    static const char part[] = "\x05\x00\x03\x07\x02\x01hi", wide[] = "\x06\x08\x04\x07\x00\x02\x02hi";

    (void)state;
    assert_int_equal(STATUS_ROK, read_bytes_of(3, 0, part, 8));
    assert_int_equal(m.p.state, MESSAGE_QUEUED); /* bytes of a text, as the PDU says */
    cfg.udh_without_flag = true;
    assert_int_equal(STATUS_ROK, read_bytes_of(3, 0, part, 8));
    assert_int_equal(m.p.state, MESSAGE_PART);
    assert_int_equal(m.esm_class & ESM_UDHI, ESM_UDHI); /* it goes out as a part where it goes out alone */
    assert_int_equal(m.part_total, 2);
    assert_int_equal(m.part_number, 1);
    assert_int_equal(STATUS_ROK, read_bytes_of(3, 0, wide, 9));
    assert_int_equal(m.p.state, MESSAGE_PART);
    assert_int_equal(m.part_number, 2);
    /* nothing but such a header: a number beyond the total, a total of one, no text behind it, another element */
    assert_string_equal(text_of_bytes(1, "\x05\x00\x03\x07\x02\x03hi", 8) + 6, "hi");
    assert_string_equal(text_of_bytes(1, "\x05\x00\x03\x07\x01\x01hi", 8) + 6, "hi");
    assert_string_equal(text_of_bytes(1, "\x05\x01\x03\x07\x02\x01hi", 8) + 6, "hi");
    assert_int_equal(STATUS_ROK, read_bytes_of(3, 0, part, 6));
    assert_int_equal(m.p.state, MESSAGE_QUEUED);
}

static void an_unknown_data_coding_is_refused_where_it_may_be(void **state)
{
    static const uint8_t unknown[] = { 5, 9, 10, 11, 13, 14, 15, 0x20, 0x80, 0xBF };
    static const uint8_t known[] = { 0, 1, 2, 3, 4, 6, 7, 8, 0x10, 0x18, 0xC0, 0xE0, 0xF0 };

    (void)state;
    for (int version = 0; version < 2; version++) {
        reading.interface_version = version == 0 ? 0x34 : 0x50;
        for (size_t i = 0; i < sizeof unknown; i++) {
            cfg.unknown_coding = CFG_CODING_VERSION;
            assert_int_equal(STATUS_ROK, read_bytes_of(unknown[i], 0, "plain ASCII", 11));
            assert_int_equal(version == 0 ? STATUS_ROK : STATUS_RINVDCS, read_bytes_of(unknown[i], 0, "\x83\x65", 2));
            cfg.unknown_coding = CFG_CODING_ACCEPT;
            assert_int_equal(STATUS_ROK, read_bytes_of(unknown[i], 0, "\x83\x65", 2));
            cfg.unknown_coding = CFG_CODING_REFUSE;
            assert_int_equal(STATUS_RINVDCS, read_bytes_of(unknown[i], 0, "plain ASCII", 11));
        }
        for (size_t i = 0; i < sizeof known; i++)
            assert_int_equal(STATUS_ROK, read_bytes_of(known[i], 0, "\x83\x65", 2));
    }
    /* a header is not text: a part is judged by what stands behind it */
    cfg.unknown_coding = CFG_CODING_VERSION;
    assert_int_equal(STATUS_ROK, read_bytes_of(5, ESM_UDHI, "\x05\x00\x03\xc7\x02\x01hi", 8));
}

static void sar_parts_get_a_header(void **state)
{
    (void)state;
    assert_true(smpp_tlv_add(&pdu, TAG_SAR_MSG_REF_NUM, "\x12\x34", 2));
    assert_true(smpp_tlv_add(&pdu, TAG_SAR_TOTAL_SEGMENTS, "\x03", 1));
    assert_true(smpp_tlv_add(&pdu, TAG_SAR_SEGMENT_SEQNUM, "\x02", 1));
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "hi", 2));
    assert_int_equal(m.p.state, MESSAGE_PART);
    assert_int_equal(m.esm_class, ESM_UDHI);
    assert_int_equal(m.text.len, 9);
    assert_memory_equal(m.text.at, "\x06\x08\x04\x12\x34\x03\x02hi", 9);
    /* beside a header of its own */
    assert_int_equal(STATUS_ROK, read_bytes_of(4, ESM_UDHI, "\x04\x04\x02\x01\x02hi", 7));
    assert_int_equal(m.text.len, 13);
    assert_memory_equal(m.text.at, "\x0a\x08\x04\x12\x34\x03\x02\x04\x02\x01\x02hi", 13);
}

static void a_character_cut_between_parts_comes_out_whole(void **state)
{
    struct message first = { .text = { (char *)(uintptr_t) "\x05\x00\x03\x07\x02\x01\x04\x1f\xd8\x3d", 10 },
                             .data_coding = 8 };
    struct message second = { .text = { (char *)(uintptr_t) "\x05\x00\x03\x07\x02\x02\xde\x00", 8 }, .data_coding = 8 };
    struct message third = { .text = { (char *)(uintptr_t) "\x05\x00\x03\x07\x02\x03@", 7 }, .data_coding = 3 };
    const struct message *parts[] = { &first, &second, &third };
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    assert_int_equal(0, join_text(&profile, parts, 3, &out));
    assert_string_equal(buf_text(&out), "П😀@");
    buf_finish(&out);
}

static void times_are_judged(void **state)
{
    (void)state;
    pdu.sm.validity_period = smpp_str("250101000000000+");
    assert_int_equal(STATUS_RINVEXPIRY, read_bytes_of(0, 0, "x", 1)); /* past */
    pdu.sm.validity_period = smpp_str("soon");
    assert_int_equal(STATUS_RINVEXPIRY, read_bytes_of(0, 0, "x", 1));
    pdu.sm.validity_period = smpp_str("000007000000000R"); /* longer than the aggregator's day: kept here */
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "x", 1));
    assert_int_equal(m.expires_ms, NOW + INT64_C(7) * 86400000);
    pdu.sm.schedule_delivery_time = smpp_str("soon");
    assert_int_equal(STATUS_RINVSCHED, read_bytes_of(0, 0, "x", 1));
    pdu.sm.schedule_delivery_time = smpp_str("250101000000000+");
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "x", 1));
    assert_int_equal(m.p.state, MESSAGE_QUEUED);
    pdu.sm.schedule_delivery_time = smpp_str("000000010000000R");
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "x", 1));
    assert_int_equal(m.p.state, MESSAGE_SCHEDULED);
    assert_int_equal(m.p.due_ms, NOW + 3600000);
    cfg.schedule = CFG_SCHEDULE_UPSTREAM;
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "x", 1));
    assert_int_equal(m.p.state, MESSAGE_QUEUED);
    assert_string_equal(m.extra.at, "time=01800003600");
    /* a part's schedule waits with it */
    cfg.schedule = CFG_SCHEDULE_HERE;
    assert_int_equal(STATUS_ROK, read_bytes_of(0, ESM_UDHI, "\x05\x00\x03\x07\x02\x01hi", 8));
    assert_int_equal(m.p.state, MESSAGE_PART);
    assert_memory_equal(m.extra.at, "time=01800003600", m.extra.len);

    pdu = (struct smpp_pdu){ .command_id = CMD_DATA_SM };
    assert_true(smpp_tlv_add(&pdu, TAG_QOS_TIME_TO_LIVE, "\x00\x00\x00\x3c", 4));
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "x", 1));
    assert_int_equal(m.expires_ms, NOW + 60000);
}

static void tlvs_are_kept_and_mapped(void **state)
{
    static const struct cfg_pair map[] = { { "0x1400", "entity_id" }, { 0 } };
    struct bytes found;

    (void)state;
    reading.tlv_map = map;
    assert_true(smpp_tlv_add(&pdu, 0x1400, "1101", 4));
    assert_true(smpp_tlv_add(&pdu, TAG_USER_MESSAGE_REFERENCE, "\x00\x07", 2));
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "x", 1));
    assert_int_equal(m.extra.len, strlen("entity_id=1101"));
    assert_memory_equal(m.extra.at, "entity_id=1101", m.extra.len);
    assert_true(extra_find_tlv(m.tlvs.at, m.tlvs.len, TAG_USER_MESSAGE_REFERENCE, &found));
    assert_int_equal(m.tlvs.len, 4 + 4 + 4 + 2);
}

static void senders_and_receipts_follow_the_account(void **state)
{
    static const char *sources[] = { "Bank", NULL };

    (void)state;
    pdu.sm.registered_delivery = REG_ON_SUCCESS;
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "x", 1));
    assert_int_equal(m.p.receipt, RECEIPT_WAITING);
    cfg.receipt_on_success = false; /* as boxes of 3.4 read it */
    assert_int_equal(STATUS_ROK, read_bytes_of(0, 0, "x", 1));
    assert_int_equal(m.p.receipt, RECEIPT_NOT_ASKED);
    assert_int_equal(m.registered_delivery, 0);
    cfg.sources = sources;
    assert_int_equal(STATUS_RINVSRCADR, read_bytes_of(0, 0, "x", 1));
}

static void query_tells_the_one_that_is_least_far(void **state)
{
    struct message a = { .kind = MESSAGE_MT, .p = { .state = MESSAGE_SCHEDULED } };
    struct message b = { .kind = MESSAGE_MT,
                         .p = { .state = MESSAGE_CLOSED, .final = SMPP_STATE_DELIVERED, .done_ms = 5 } };
    struct message c = { .kind = MESSAGE_MT,
                         .p = { .state = MESSAGE_CLOSED, .final = SMPP_STATE_EXPIRED, .done_ms = 7, .err = 253 } };
    struct message piece = { .kind = MESSAGE_PIECE, .p = { .state = MESSAGE_QUEUED } };
    struct message *const records[] = { &c, &b, &piece, &a };

    (void)state;
    assert_int_equal(manage_state_of(&records[3], 1, 0x34).message_state, SMPP_STATE_ENROUTE);
    assert_int_equal(manage_state_of(&records[3], 1, 0x50).message_state, SMPP_STATE_SCHEDULED);
    assert_int_equal(manage_state_of(records, 4, 0x34).message_state, SMPP_STATE_ENROUTE);
    assert_int_equal(manage_state_of(records, 4, 0x34).final_ms, 0);
    struct manage_state s = manage_state_of(records, 3, 0x34);
    assert_int_equal(s.message_state, SMPP_STATE_EXPIRED);
    assert_int_equal(s.error_code, 253);
    assert_int_equal(s.final_ms, 7);
    assert_int_equal(manage_state_of(&records[1], 2, 0x34).message_state, SMPP_STATE_DELIVERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(data_coding_chooses_the_alphabet, setup, teardown),
        cmocka_unit_test_setup_teardown(profiles_change_what_it_means, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_carry_the_length_of_their_header_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_header_of_text_elements_is_no_binary, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_wait_as_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_header_without_its_flag_counts_where_it_may, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_data_coding_is_refused_where_it_may_be, setup, teardown),
        cmocka_unit_test_setup_teardown(sar_parts_get_a_header, setup, teardown),
        cmocka_unit_test_setup_teardown(a_character_cut_between_parts_comes_out_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(times_are_judged, setup, teardown),
        cmocka_unit_test_setup_teardown(tlvs_are_kept_and_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(senders_and_receipts_follow_the_account, setup, teardown),
        cmocka_unit_test_setup_teardown(query_tells_the_one_that_is_least_far, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
