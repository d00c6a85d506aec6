/* SPDX-License-Identifier: MIT */
/* test_join.c - parts of long messages wait, join, follow their leader, expire; texts too long for one send divide. */
#include "face_help.h"

static int setup(void **state)
{
    (void)state;
    face_open("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    face_close();
    return 0;
}

static void parts_in_any_order_become_one_text(void **state)
{
    (void)state;
    uint64_t second = face_part("79990000001", 7, 3, 2, "two ");
    assert_int_equal(face_message(second)->p.state, MESSAGE_PART);
    assert_int_equal(join_waiting(gw), 1);
    uint64_t third = face_part("79990000001", 7, 3, 3, "three");
    uint64_t first = face_part("79990000001", 7, 3, 1, "one ");
    assert_int_equal(join_waiting(gw), 0);

    const struct message *leader = face_message(first);
    assert_int_equal(leader->p.state, MESSAGE_QUEUED);
    assert_string_equal(leader->text.at, "one two three");
    assert_false(leader->binary);
    assert_int_equal(face_message(second)->p.state, MESSAGE_FOLLOWING);
    assert_int_equal(face_message(second)->p.leader, first);
    assert_int_equal(face_message(third)->p.leader, first);
    assert_int_equal(shop->queued, 1);

    face_end(first, SMPP_STATE_UNDELIVERABLE);
    for (size_t i = 0; i < 3; i++) { /* each part has asked: each has its receipt */
        const struct message *m = face_message(i == 0 ? first : i == 1 ? second : third);

        assert_int_equal(m->p.state, MESSAGE_DELIVERING);
        assert_int_equal(m->p.final, SMPP_STATE_UNDELIVERABLE);
        assert_int_equal(m->p.receipt, RECEIPT_WAITING);
    }
    assert_int_equal(shop->queued, 0);
    assert_int_equal(shop->deliveries.count, 3);
}

static void sets_differ_by_reference_total_and_number(void **state)
{
    (void)state;
    face_part("79990000001", 1, 2, 1, "a");
    face_part("79990000001", 2, 2, 2, "b"); /* another reference */
    face_part("79990000001", 1, 3, 2, "c"); /* another total */
    face_part("79990000002", 1, 2, 2, "d"); /* another destination */
    assert_int_equal(join_waiting(gw), 4);
    assert_int_equal(shop->queued, 4);
}

static void a_repeated_part_follows(void **state)
{
    (void)state;
    uint64_t first = face_part("79990000001", 1, 2, 1, "a");
    uint64_t again = face_part("79990000001", 1, 2, 1, "a");
    uint64_t second = face_part("79990000001", 1, 2, 2, "b");
    assert_string_equal(face_message(first)->text.at, "ab");
    assert_int_equal(face_message(again)->p.leader, first);
    assert_int_equal(face_message(second)->p.leader, first);
    uint64_t late = face_part("79990000001", 1, 2, 2, "b");
    assert_int_equal(face_message(late)->p.state, MESSAGE_FOLLOWING);
    assert_int_equal(face_message(late)->p.leader, first);
    face_end(first, SMPP_STATE_DELIVERED);
    assert_int_equal(face_message(late)->p.final, SMPP_STATE_DELIVERED);
    uint64_t latest = face_part("79990000001", 1, 2, 1, "a"); /* its leader has ended already */
    assert_int_equal(face_message(latest)->p.final, SMPP_STATE_DELIVERED);
    assert_int_equal(shop->queued, 0);
    assert_int_equal(shop->deliveries.count, 5);
}

static void another_text_under_the_same_reference_is_another_message(void **state)
{
    (void)state;
    face_part("79990000001", 0, 2, 1, "a");
    face_part("79990000001", 0, 2, 2, "b");
    uint64_t first = face_part("79990000001", 0, 2, 1, "c");
    assert_int_equal(face_message(first)->p.state, MESSAGE_PART);
    face_part("79990000001", 0, 2, 2, "d");
    assert_string_equal(face_message(first)->text.at, "cd");
    assert_int_equal(shop->queued, 2);
}

struct waiting_for {
    uint64_t id;
    enum message_state state;
};

static bool has_state(void *arg)
{
    struct waiting_for *w = arg;

    return face_message(w->id)->p.state == w->state;
}

static void what_stays_incomplete_goes_as_it_is(void **state)
{
    (void)state;
    face_close();
    face_open(", \"reassemble\": \"50ms\"");
    uint64_t first = face_part("79990000001", 9, 3, 1, "alone");
    uint64_t again = face_part("79990000001", 9, 3, 1, "alone");
    struct waiting_for w = { first, MESSAGE_QUEUED };
    face_until("the part is sent alone", has_state, &w);
    face_settle();
    assert_true(face_message(first)->binary);
    assert_int_equal(face_message(first)->text.len, 11);
    assert_memory_equal(face_message(first)->text.at,
                        "\x05\x00\x03\x09\x03\x01"
                        "alone",
                        11);
    if (face_message(again)->p.state == MESSAGE_FOLLOWING)
        assert_int_equal(face_message(again)->p.leader, first);
    assert_int_equal(join_waiting(gw), 0);
}

static void or_fails_where_the_account_wants_that(void **state)
{
    (void)state;
    face_close();
    face_open(", \"reassemble\": \"50ms\", \"reassemble_policy\": \"fail\"");
    uint64_t first = face_part("79990000001", 9, 3, 1, "alone");
    struct waiting_for w = { first, MESSAGE_DELIVERING };
    face_until("the part fails", has_state, &w);
    assert_int_equal(face_message(first)->p.final, SMPP_STATE_UNDELIVERABLE);
    assert_int_equal(face_message(first)->p.receipt, RECEIPT_WAITING);
    face_settle();
    assert_int_equal(shop->queued, 0);
}

static void only_the_last_part_speaks_where_the_account_wants_that(void **state)
{
    (void)state;
    face_close();
    face_open(", \"receipts\": \"last\"");
    uint64_t second = face_part("79990000001", 3, 2, 2, "b");
    uint64_t first = face_part("79990000001", 3, 2, 1, "a");
    face_end(first, SMPP_STATE_DELIVERED);
    assert_int_equal(face_message(second)->p.state, MESSAGE_DELIVERING);
    assert_int_equal(shop->deliveries.count, 1);
}

/* --- division ----------------------------------------------------------------------------------------------------- */

enum { PIECES_MAX = 8 };

struct pieces {
    uint64_t ids[PIECES_MAX];
    char text[8192];
    size_t count;
    bool done;
};

static void on_records(void *owner, int err, struct message **records, size_t count)
{
    struct pieces *p = owner;

    assert_int_equal(err, 0);
    for (size_t i = 0; i < count; i++) {
        if (records[i]->kind != MESSAGE_PIECE)
            continue;
        assert_int_equal(records[i]->part_number, p->count + 1);
        assert_true(smpp_text_units(ALPHABET_UCS2, records[i]->text.at, records[i]->text.len) <= READ_TEXT_UNITS);
        p->ids[p->count++] = records[i]->id;
        memcpy(p->text + strlen(p->text), records[i]->text.at, records[i]->text.len + 1);
    }
    p->done = true;
}

static bool pieces_read(void *arg)
{
    return ((struct pieces *)arg)->done;
}

static struct pieces pieces_of(uint64_t id)
{
    struct pieces p = { .count = 0 };

    assert_int_equal(0, group_records(gw, id, on_records, &p));
    face_until("the pieces are read", pieces_read, &p);
    return p;
}

static uint64_t take_long(const char *text)
{
    struct smpp_pdu pdu = face_submit("79990000001", NULL, 0);

    assert_true(smpp_tlv_add(&pdu, TAG_MESSAGE_PAYLOAD, text, (uint16_t)strlen(text)));
    return face_take(&pdu);
}

static void a_text_too_long_for_one_send_divides(void **state)
{
    char text[2501];

    (void)state;
    for (size_t i = 0; i < 2500; i++)
        text[i] = (char)('a' + i % 26);
    text[2500] = '\0';
    uint64_t id = take_long(text);
    assert_int_equal(face_message(id)->p.state, MESSAGE_DIVIDED);
    struct pieces p = pieces_of(id);
    assert_int_equal(p.count, 3);
    assert_string_equal(p.text, text);
    assert_int_equal(shop->queued, 3);

    face_end(p.ids[1], SMPP_STATE_DELIVERED);
    face_end(p.ids[0], SMPP_STATE_EXPIRED);
    assert_int_equal(face_message(id)->p.state, MESSAGE_DIVIDED);
    assert_int_equal(shop->deliveries.count, 0); /* pieces never speak */
    face_end(p.ids[2], SMPP_STATE_DELIVERED);
    assert_int_equal(face_message(id)->p.state, MESSAGE_DELIVERING);
    assert_int_equal(face_message(id)->p.final, SMPP_STATE_EXPIRED); /* the worst of them */
    assert_int_equal(face_message(id)->p.cost_e6, 3000000);
    assert_int_equal(shop->deliveries.count, 1);
    assert_int_equal(shop->queued, 0);
}

static void a_thousand_characters_need_no_division(void **state)
{
    char text[1002];

    (void)state;
    memset(text, 'x', sizeof text);
    text[1000] = '\0';
    assert_int_equal(face_message(take_long(text))->p.state, MESSAGE_QUEUED);
    text[1000] = 'x';
    text[1001] = '\0';
    assert_int_equal(face_message(take_long(text))->p.state, MESSAGE_DIVIDED);
}

static bool deliveries_are(void *arg)
{
    return shop->deliveries.count == *(size_t *)arg;
}

static void a_joined_text_divides_too(void **state)
{
    char text[151];
    uint64_t first = 0;

    (void)state;
    memset(text, 'y', 150);
    text[150] = '\0';
    for (uint8_t n = 1; n <= 7; n++) {
        uint64_t id = face_part("79990000001", 5, 7, n, text);

        first = n == 1 ? id : first;
    }
    assert_int_equal(face_message(first)->p.state, MESSAGE_DIVIDED);
    struct pieces p = pieces_of(first);
    assert_int_equal(p.count, 2);
    face_end(p.ids[0], SMPP_STATE_DELIVERED);
    face_end(p.ids[1], SMPP_STATE_DELIVERED);
    size_t parts = 7;
    face_until("a receipt for each part", deliveries_are, &parts);
    assert_int_equal(shop->queued, 0);
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

struct cancelling {
    size_t cancelled, kept;
    bool done;
};

static void on_cancelled(void *owner, size_t cancelled, size_t kept)
{
    *(struct cancelling *)owner = (struct cancelling){ cancelled, kept, true };
}

static bool cancel_has_ended(void *arg)
{
    return ((struct cancelling *)arg)->done;
}

static struct cancelling cancel(uint64_t public_id)
{
    struct cancelling c = { 0 };

    assert_int_equal(0, cancel_public(gw, shop->number, public_id, on_cancelled, &c));
    face_until("cancelled", cancel_has_ended, &c);
    face_settle();
    return c;
}

static void whatever_waits_here_can_be_cancelled(void **state)
{
    char text[2001];

    (void)state;
    struct smpp_pdu pdu = face_submit("79990000003", "x", 1);
    uint64_t queued = face_take(&pdu);
    assert_int_equal(cancel(queued).cancelled, 1);
    assert_int_equal(face_message(queued)->p.final, SMPP_STATE_DELETED);
    assert_int_equal(cancel(queued).cancelled, 0);

    pdu.sm.schedule_delivery_time = smpp_str("000000010000000R");
    uint64_t scheduled = face_take(&pdu);
    assert_int_equal(face_message(scheduled)->p.state, MESSAGE_SCHEDULED);
    assert_int_equal(cancel(scheduled).cancelled, 1);

    uint64_t part = face_part("79990000001", 1, 2, 1, "a");
    assert_int_equal(cancel(part).cancelled, 1);
    assert_int_equal(join_waiting(gw), 0);

    uint64_t first = face_part("79990000001", 2, 2, 1, "a"), second = face_part("79990000001", 2, 2, 2, "b");
    assert_int_equal(cancel(second).cancelled, 1); /* the whole message */
    assert_int_equal(face_message(first)->p.final, SMPP_STATE_DELETED);
    assert_int_equal(face_message(second)->p.final, SMPP_STATE_DELETED);

    memset(text, 'x', 2000);
    text[2000] = '\0';
    uint64_t divided = take_long(text);
    assert_int_equal(cancel(divided).cancelled, 2);
    assert_int_equal(face_message(divided)->p.final, SMPP_STATE_DELETED);

    assert_int_equal(cancel(12345).cancelled, 0);
    assert_int_equal(shop->queued, 0);
    assert_int_equal(shop->deliveries.count, 6);
}

static void a_set_has_one_id_and_a_record_for_each(void **state)
{
    struct smpp_dest dests[] = { { 1, { 1, 1, smpp_str("79990000001") }, 0 },
                                 { 2, { 0, 0, smpp_str("friends") }, 0 },
                                 { 1, { 1, 1, smpp_str("79990000002") }, 0 } };
    struct smpp_pdu pdu = face_submit("", "x", 1);

    (void)state;
    pdu.command_id = CMD_SUBMIT_MULTI;
    pdu.dests = dests;
    pdu.dest_count = ARRAY_LEN(dests);
    assert_int_equal(SMPP_LATER, face_request(&pdu, 0x34));
    assert_int_equal(gw->fresh_count, 2);
    uint64_t a = gw->fresh[0]->m->id, b = gw->fresh[1]->m->id;
    assert_int_equal(gw->fresh[0]->m->public_id, a);
    assert_int_equal(gw->fresh[1]->m->public_id, a);
    face_settle();
    assert_null(gw->multis);
    assert_string_equal(face_message(b)->dest.at, "79990000002");
    assert_int_equal(shop->queued, 2);
    assert_int_equal(cancel(a).cancelled, 2);

    pdu.dests = &dests[1];
    pdu.dest_count = 1;
    assert_int_equal(STATUS_RINVDLNAME, face_request(&pdu, 0x34));
    pdu.dest_count = 0;
    assert_int_equal(STATUS_RINVNUMDESTS, face_request(&pdu, 0x34));
    assert_int_equal(gw->fresh_count, 0);
    assert_int_equal(shop->queued, 0);
}

static void short_ids_are_counted_up(void **state)
{
    struct smpp_pdu pdu = face_submit("79990000001", "x", 1);
    uint64_t last = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SMPP_LATER, face_request(&pdu, 0x33));
        uint64_t public_id = gw->fresh[gw->fresh_count - 1]->m->public_id;

        assert_true(public_id >= 0x10000000 && public_id <= UINT32_MAX);
        assert_true(public_id > last);
        last = public_id;
    }
    face_settle();
    for (int i = 0; i < 5000; i++) { /* into the next block */
        uint64_t id = shortid_next(gw);

        assert_int_equal(id, last + 1);
        last = id;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_in_any_order_become_one_text, setup, teardown),
        cmocka_unit_test_setup_teardown(sets_differ_by_reference_total_and_number, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repeated_part_follows, setup, teardown),
        cmocka_unit_test_setup_teardown(another_text_under_the_same_reference_is_another_message, setup, teardown),
        cmocka_unit_test_setup_teardown(what_stays_incomplete_goes_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(or_fails_where_the_account_wants_that, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_last_part_speaks_where_the_account_wants_that, setup, teardown),
        cmocka_unit_test_setup_teardown(a_text_too_long_for_one_send_divides, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thousand_characters_need_no_division, setup, teardown),
        cmocka_unit_test_setup_teardown(a_joined_text_divides_too, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_waits_here_can_be_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(a_set_has_one_id_and_a_record_for_each, setup, teardown),
        cmocka_unit_test_setup_teardown(short_ids_are_counted_up, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
