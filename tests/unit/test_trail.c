/* SPDX-License-Identifier: MIT */
/* test_trail.c - what operators see: events of a message among others, and captures without secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/capture.h"
#include "gateway/trail.h"
#include "smpp/smpp.h"

static void events_of_one_message_come_in_order_until_overwritten(void **state)
{
    struct trail *trail = trail_create(16);
    struct trail_event found[16];

    (void)state;
    for (int i = 0; i < 5; i++) {
        trail_add(trail, 7, TRAIL_SENT, (uint64_t)i, i);
        trail_add(trail, 8, TRAIL_REPLY, 0, 0);
    }
    assert_int_equal(5, trail_find(trail, 7, found, 16));
    for (int i = 0; i < 5; i++)
        assert_int_equal(i, found[i].b);
    assert_int_equal(2, trail_find(trail, 7, found, 2)); /* the last ones */
    assert_int_equal(3, found[0].b);
    assert_int_equal(4, found[1].b);
    for (int i = 0; i < 15; i++)
        trail_add(trail, 9, TRAIL_STORED, 0, 0);
    assert_int_equal(0, trail_find(trail, 7, found, 16));
    assert_int_equal(5, trail->counts[TRAIL_SENT]);
    trail_destroy(trail);
}

static void add_pdu(struct capture *capture, uint64_t n, struct smpp_pdu *pdu)
{
    struct buf frame;

    buf_init(&frame, 1 << 17);
    assert_int_equal(0, smpp_pdu_write(pdu, &frame));
    capture_add(capture, n, "10.1.2.3:40001", false, (const uint8_t *)frame.data, frame.len);
    buf_finish(&frame);
}

static bool holds(const struct buf *b, const char *text)
{
    return b->len > 0 && memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static void passwords_never_get_in_and_texts_come_out_only_when_asked_for(void **state)
{
    struct capture *capture = capture_create(4096, 4);
    static struct smpp_pdu bind, submit, receipt;
    static const char text[] = "the secret text", report[] = "id:123 sub:001 stat:DELIVRD err:000 text:the secret";
    struct buf out;

    (void)state;
    bind = (struct smpp_pdu){ .command_id = CMD_BIND_TRANSCEIVER, .sequence_number = 1, .has_body = true };
    bind.bind.system_id = smpp_str("shop");
    bind.bind.password = smpp_str("hunter22");
    submit = (struct smpp_pdu){ .command_id = CMD_SUBMIT_SM, .sequence_number = 2, .has_body = true };
    submit.sm.dest.addr = smpp_str("79991234567");
    submit.sm.short_message = (struct bytes){ (const uint8_t *)text, strlen(text) };
    receipt = (struct smpp_pdu){ .command_id = CMD_DELIVER_SM, .sequence_number = 3, .has_body = true };
    receipt.sm.esm_class = ESM_RECEIPT;
    receipt.sm.short_message = (struct bytes){ (const uint8_t *)report, strlen(report) };
    add_pdu(capture, 1, &bind);
    add_pdu(capture, 1, &submit);
    add_pdu(capture, 1, &receipt);

    buf_init(&out, 1 << 20);
    assert_int_equal(0, capture_write(capture, 1, true, &out));
    assert_true(holds(&out, "shop"));
    assert_false(holds(&out, "hunter22"));
    assert_true(holds(&out, "********"));
    assert_true(holds(&out, text));
    buf_clear(&out);
    assert_int_equal(0, capture_write(capture, 1, false, &out));
    assert_true(holds(&out, "79991234567"));
    assert_false(holds(&out, "secret"));
    assert_true(holds(&out, "stat:DELIVRD err:000 text:***"));
    assert_int_equal(ERR_NOT_FOUND, capture_write(capture, 2, false, &out));
    buf_finish(&out);
    capture_destroy(capture);
}

static void a_full_ring_keeps_the_last_and_ended_sessions_make_room_first(void **state)
{
    struct capture *capture = capture_create(256, 2);
    static struct smpp_pdu link;
    struct buf out;

    (void)state;
    for (uint32_t i = 1; i <= 100; i++) {
        link = (struct smpp_pdu){ .command_id = CMD_ENQUIRE_LINK, .sequence_number = 0x41414100 + i };
        add_pdu(capture, 1, &link);
    }
    buf_init(&out, 1 << 20);
    assert_int_equal(0, capture_write(capture, 1, false, &out));
    assert_true(holds(&out, "AAA\x64"));  /* the hundredth */
    assert_false(holds(&out, "AAA\x30")); /* the 48th */
    add_pdu(capture, 2, &link);
    capture_ended(capture, 2);
    add_pdu(capture, 3, &link);
    assert_int_equal(ERR_NOT_FOUND, capture_write(capture, 2, false, &out));
    assert_int_equal(0, capture_write(capture, 1, false, &out));
    buf_finish(&out);
    capture_destroy(capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_one_message_come_in_order_until_overwritten),
        cmocka_unit_test(passwords_never_get_in_and_texts_come_out_only_when_asked_for),
        cmocka_unit_test(a_full_ring_keeps_the_last_and_ended_sessions_make_room_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
