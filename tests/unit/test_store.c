/* SPDX-License-Identifier: MIT */
/* test_store.c - the contract of gateway/store.h; every test runs against both engines. */
#include "store_help.h"

#include "gateway/store/fake.h"

static int memory_desk(void **state)
{
    *state = desk_create(false);
    return 0;
}

static int sqlite_desk(void **state)
{
    *state = desk_create(true);
    return 0;
}

static int end_desk(void **state)
{
    desk_destroy(*state);
    return 0;
}

static void same_text(struct message_text want, struct message_text got)
{
    assert_int_equal(want.len, got.len);
    if (want.len > 0)
        assert_memory_equal(want.at, got.at, want.len);
    assert_int_equal(0, got.at[got.len]);
}

static void same_progress(const struct progress *want, const struct progress *got)
{
    assert_true(want->id == got->id && want->upid == got->upid && want->leader == got->leader);
    assert_int_equal(want->state, got->state);
    assert_int_equal(want->final, got->final);
    assert_int_equal(want->receipt, got->receipt);
    assert_int_equal(want->urgent, got->urgent);
    assert_int_equal(want->esme, got->esme);
    assert_int_equal(want->upstream, got->upstream);
    assert_int_equal(want->tries, got->tries);
    assert_int_equal(want->deliver_tries, got->deliver_tries);
    assert_int_equal(want->status, got->status);
    assert_int_equal(want->err, got->err);
    assert_true(want->due_ms == got->due_ms && want->done_ms == got->done_ms && want->cost_e6 == got->cost_e6);
}

static void same_message(const struct message *want, const struct message *got)
{
    assert_true(want->id == got->id && want->public_id == got->public_id);
    assert_true(want->accepted_ms == got->accepted_ms && want->expires_ms == got->expires_ms);
    assert_memory_equal(&want->kind, &got->kind, offsetof(struct message, binary) - offsetof(struct message, kind));
    assert_int_equal(want->binary, got->binary);
    assert_int_equal(want->part_number, got->part_number);
    assert_int_equal(want->part_total, got->part_total);
    assert_true(want->part_reference == got->part_reference);
    same_text(want->source, got->source);
    same_text(want->dest, got->dest);
    same_text(want->service_type, got->service_type);
    same_text(want->text, got->text);
    same_text(want->tlvs, got->tlvs);
    same_text(want->extra, got->extra);
    same_progress(&want->p, &got->p);
}

static void a_message_comes_back_whole(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567"), empty = { 0 };

    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    empty.id = empty.public_id = empty.p.id = store_next_id(d->store);
    empty.p.state = MESSAGE_SCHEDULED;
    assert_int_equal(0, store_put(d->store, &empty, STORE_PLAIN, tell(d, 2)));
    assert_int_equal(0, d->done); /* never inside the call */
    assert_int_equal(2, store_waiting(d->store));
    wait_done(d, 2);
    assert_int_equal(0, store_waiting(d->store));
    assert_int_equal(0, d->errs[0]);
    load_one(d, m.id);
    assert_int_equal(1, d->count);
    same_message(&m, d->messages[0]);
    load_one(d, empty.id);
    same_message(&empty, d->messages[0]);
    load_one(d, 12345);
    assert_int_equal(0, d->count);
}

static void arguments_are_copied(void **state)
{
    struct desk *d = *state;
    char dest[] = "79031234567", text[] = "first";
    struct message m = sample(store_next_id(d->store), dest);

    m.text = text_of(text);
    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    memset(dest, '0', 11);
    memset(text, 'x', 5);
    wait_done(d, 1);
    load_one(d, m.id);
    assert_string_equal("79031234567", d->messages[0]->dest.at);
    assert_string_equal("first", d->messages[0]->text.at);
}

static void binary_text_keeps_its_zeros(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");

    m.binary = true;
    m.text = (struct message_text){ (char *)(uintptr_t) "\x05\x00\x03\x01\x02\x01\x00\xff", 8 };
    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    wait_done(d, 1);
    load_one(d, m.id);
    same_message(&m, d->messages[0]);
}

static void a_whole_life_may_stand_in_one_batch(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");

    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    m.p.state = MESSAGE_SENDING;
    m.p.upid = store_next_id(d->store);
    m.p.tries = 2;
    assert_int_equal(0, store_move(d->store, &m.p, STORE_KEEP, tell(d, 2)));
    m.p.final = 2;
    m.p.upstream = 9;
    m.p.err = 255;
    m.p.status = 1;
    m.p.cost_e6 = 2500000;
    m.p.done_ms = m.accepted_ms + 1000;
    m.p.receipt = RECEIPT_DELIVERED;
    m.p.deliver_tries = 1;
    assert_int_equal(0, store_end(d->store, &m.p, m.p.done_ms + 5, STORE_KEEP, tell(d, 3)));
    wait_done(d, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(0, d->errs[i]);
        assert_int_equal(i + 1, d->cookies[i]);
    }
    load_one(d, m.id);
    m.p.state = MESSAGE_CLOSED;
    m.p.due_ms = 0;
    m.p.urgent = false;
    same_message(&m, d->messages[0]);
}

static void our_bugs_end_one_change_only(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");
    struct message other = sample(store_next_id(d->store), "79031234568");
    struct progress unknown = { .id = 77, .state = MESSAGE_QUEUED };
    struct store_send send = { .upid = 88 };

    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    assert_int_equal(0, store_put(d->store, &m, STORE_KEEP, tell(d, 2)));
    assert_int_equal(0, store_move(d->store, &unknown, STORE_KEEP, tell(d, 3)));
    assert_int_equal(0, store_end(d->store, &unknown, 0, STORE_KEEP, tell(d, 4)));
    assert_int_equal(0, store_send_set(d->store, &send, STORE_KEEP, tell(d, 5)));
    assert_int_equal(0, store_put(d->store, &other, STORE_PLAIN, tell(d, 6)));
    wait_done(d, 6);
    assert_int_equal(0, d->errs[0]);
    assert_int_equal(ERR_EXISTS, d->errs[1]);
    assert_int_equal(ERR_NOT_FOUND, d->errs[2]);
    assert_int_equal(ERR_NOT_FOUND, d->errs[3]);
    assert_int_equal(ERR_NOT_FOUND, d->errs[4]);
    assert_int_equal(0, d->errs[5]);
    assert_true(store_healthy(d->store));
}

static void text_can_be_rewritten_and_emptied(void **state)
{
    struct desk *d = *state;
    struct store_opts opts = { .url = d->url, .keep_text = false };
    struct message m = sample(store_next_id(d->store), "79031234567");

    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    m.text = text_of("joined");
    m.extra = text_of("a=b");
    m.binary = false;
    assert_int_equal(0, store_rewrite(d->store, &m, STORE_PLAIN, tell(d, 2)));
    wait_done(d, 2);
    load_one(d, m.id);
    same_message(&m, d->messages[0]);
    store_configure(d->store, &opts);
    assert_int_equal(0, store_end(d->store, &m.p, 0, STORE_PLAIN, tell(d, 3)));
    assert_int_equal(0, store_rewrite(d->store, &m, STORE_PLAIN, tell(d, 4)));
    wait_done(d, 4);
    assert_int_equal(ERR_NOT_FOUND, d->errs[3]);
    load_one(d, m.id);
    assert_int_equal(0, d->messages[0]->text.len);
    assert_string_equal("a=b", d->messages[0]->extra.at);
}

static void text_len_becomes(struct desk *d, uint64_t id, size_t len)
{
    do {
        load_one(d, id);
        assert_int_equal(1, d->count); /* the record stays */
    } while (d->messages[0]->text.len != len);
}

static void texts_expire_by_age_and_records_stay(void **state)
{
    struct desk *d = *state;
    struct message old, open, late, young;

    clock_fake(1, 1790000000000);
    old = sample(store_next_id(d->store), "79031234567");
    open = sample(store_next_id(d->store), "79031234568");
    late = sample(store_next_id(d->store), "79031234569");
    old.binary = true; /* emptied like any other */
    clock_fake(2, 1790003600000);
    young = sample(store_next_id(d->store), "79031234570");
    assert_int_equal(0, store_put(d->store, &old, STORE_PLAIN, tell(d, 1)));
    assert_int_equal(0, store_put(d->store, &open, STORE_PLAIN, tell(d, 2)));
    assert_int_equal(0, store_put(d->store, &young, STORE_PLAIN, tell(d, 4)));
    assert_int_equal(0, store_end(d->store, &old.p, 0, STORE_PLAIN, tell(d, 5)));
    assert_int_equal(0, store_end(d->store, &young.p, 0, STORE_PLAIN, tell(d, 6)));
    wait_done(d, 5);
    store_expire_texts(d->store, 1790001000000);
    text_len_becomes(d, old.id, 0);
    text_len_becomes(d, open.id, open.text.len); /* it is still to be sent */
    text_len_becomes(d, young.id, young.text.len);
    if (d->sqlite) { /* how far it came survives */
        desk_close(d);
        desk_open(d);
    }
    assert_int_equal(0, store_end(d->store, &open.p, 0, STORE_PLAIN, tell(d, 7)));
    wait_done(d, d->done + 1);
    text_len_becomes(d, open.id, 0);

    store_expire_texts(d->store, 0); /* texts are kept again, as soon as the store's thread comes to it */
    do {
        late.id = late.public_id = late.p.id = late.id + 1;
        assert_int_equal(0, store_put(d->store, &late, STORE_PLAIN, tell(d, 8)));
        assert_int_equal(0, store_end(d->store, &late.p, 0, STORE_PLAIN, tell(d, 9)));
        wait_done(d, d->done + 2);
        load_one(d, late.id);
    } while (d->messages[0]->text.len == 0);
    clock_fake_end();
}

static void ids_ascend_whatever_the_clock_does(void **state)
{
    struct desk *d = *state;
    uint64_t id, last;

    clock_fake(1, 1790000000000);
    last = store_next_id(d->store);
    assert_true(last == UINT64_C(1790000000000000000));
    assert_true(store_next_id(d->store) == last + 1);
    clock_fake(2, 1780000000000);
    id = store_next_id(d->store);
    assert_true(id == last + 2);
    clock_fake(2, 1790000000001);
    assert_true(store_next_id(d->store) == UINT64_C(1790000000001000000));
    clock_fake_end();
}

static void names_have_one_number_for_ever(void **state)
{
    struct desk *d = *state;
    uint16_t a = store_intern(d->store, "shop"), b = store_intern(d->store, "bank");

    assert_int_equal(1, a);
    assert_int_equal(2, b);
    assert_int_equal(a, store_intern(d->store, "shop"));
    assert_string_equal("bank", store_name(d->store, b));
    assert_null(store_name(d->store, 0));
    assert_null(store_name(d->store, 3));
    wait_quiet(d);
    if (d->sqlite) {
        desk_close(d);
        desk_open(d);
        assert_string_equal("bank", store_name(d->store, b));
        assert_int_equal(3, store_intern(d->store, "new"));
        assert_int_equal(b, store_intern(d->store, "bank"));
    }
}

static void meta_values_survive(void **state)
{
    struct desk *d = *state;
    int64_t value = 0;

    assert_false(store_meta_get(d->store, "cursor", &value));
    assert_int_equal(0, store_meta_set(d->store, "cursor", 5, STORE_PLAIN));
    assert_int_equal(0, store_meta_set(d->store, "cursor", -6, STORE_PLAIN));
    assert_true(store_meta_get(d->store, "cursor", &value));
    assert_int_equal(-6, value);
    wait_quiet(d);
    if (d->sqlite) {
        desk_close(d);
        desk_open(d);
        assert_true(store_meta_get(d->store, "cursor", &value));
        assert_int_equal(-6, value);
    }
}

static void an_event_counts_once(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");
    char longest[130];

    assert_int_equal(0, store_once(d->store, "mo:1", STORE_PLAIN, tell(d, 1)));
    assert_int_equal(0, store_put(d->store, &m, STORE_IF_NEW, tell(d, 2)));
    wait_done(d, 2);
    m.id = m.public_id = m.p.id = store_next_id(d->store);
    assert_int_equal(0, store_once(d->store, "mo:1", STORE_PLAIN, tell(d, 3)));
    assert_int_equal(0, store_put(d->store, &m, STORE_IF_NEW, tell(d, 4)));
    assert_int_equal(0, store_once(d->store, "mo:2", STORE_PLAIN, tell(d, 5)));
    m.id = m.public_id = m.p.id = store_next_id(d->store);
    assert_int_equal(0, store_put(d->store, &m, STORE_IF_NEW, tell(d, 6)));
    wait_done(d, 6);
    assert_int_equal(0, d->errs[0]);
    assert_int_equal(0, d->errs[1]);
    assert_int_equal(ERR_EXISTS, d->errs[2]);
    assert_int_equal(ERR_EXISTS, d->errs[3]);
    assert_int_equal(0, d->errs[4]);
    assert_int_equal(0, d->errs[5]);
    memset(longest, 'k', sizeof longest);
    longest[121] = '\0';
    assert_int_equal(ERR_RANGE, store_once(d->store, longest, STORE_PLAIN, tell(d, 7)));
    longest[120] = '\0';
    assert_int_equal(0, store_once(d->store, longest, STORE_PLAIN, tell(d, 7)));
    wait_done(d, 7);
    assert_int_equal(0, d->errs[6]);
}

/* The key was taken and its message refused: without both being taken back the event, repeated, would be lost. */
static void what_was_taken_back_never_happened(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");
    struct message other = sample(store_next_id(d->store), "79031234568");

    assert_int_equal(0, store_put(d->store, &other, STORE_PLAIN, tell(d, 1)));
    assert_int_equal(0, store_once(d->store, "mo:1", STORE_KEEP, tell(d, 2)));
    assert_int_equal(0, store_put(d->store, &m, STORE_KEEP | STORE_IF_NEW, tell(d, 3)));
    store_take_back(d->store, 2);
    assert_int_equal(0, store_meta_set(d->store, "after", 1, STORE_PLAIN));
    wait_done(d, 1);
    assert_int_equal(0, store_once(d->store, "mo:1", STORE_PLAIN, tell(d, 4)));
    assert_int_equal(0, store_put(d->store, &m, STORE_IF_NEW, tell(d, 5)));
    wait_done(d, 3);
    assert_int_equal(1, d->cookies[0]);
    assert_int_equal(0, d->errs[0]);
    assert_int_equal(4, d->cookies[1]);
    assert_int_equal(0, d->errs[1]);
    assert_int_equal(5, d->cookies[2]);
    assert_int_equal(0, d->errs[2]);
}

static void sends_come_back_with_their_members(void **state)
{
    struct desk *d = *state;
    const struct store_member members[] = { { 11, 79031234567 }, { UINT64_C(1790000000000000001), UINT64_MAX } };
    struct store_send send = { .upid = store_next_id(d->store),
                               .upstream = 2,
                               .state = SEND_IN_FLIGHT,
                               .tries = 1,
                               .at_ms = 1000,
                               .cost_e6 = -1,
                               .members = members,
                               .member_count = 2 };

    assert_int_equal(0, store_send_put(d->store, &send, STORE_PLAIN, tell(d, 1)));
    send.state = SEND_ACCEPTED;
    send.replied_ms = 2000;
    send.error = -7;
    send.cost_e6 = 5;
    send.members = NULL;
    send.member_count = 0;
    assert_int_equal(0, store_send_set(d->store, &send, STORE_PLAIN, tell(d, 2)));
    wait_done(d, 2);
    assert_int_equal(0, store_find_send(d->store, send.upid, on_send, d, 0));
    wait_answers(d, 1);
    assert_true(d->send_found);
    assert_int_equal(SEND_ACCEPTED, d->send.state);
    assert_int_equal(2000, d->send.replied_ms);
    assert_int_equal(-7, d->send.error);
    assert_int_equal(2, d->send.upstream);
    assert_int_equal(2, d->send.member_count);
    assert_memory_equal(members, d->members, sizeof members);
    assert_int_equal(0, store_find_send(d->store, 5, on_send, d, 0));
    wait_answers(d, 2);
    assert_false(d->send_found);
}

static void a_timeline_is_in_order(void **state)
{
    struct desk *d = *state;
    char longest[300];

    memset(longest, 'a', sizeof longest);
    longest[299] = '\0';
    assert_int_equal(0, store_note(d->store, 5, 100, "retry"));
    assert_int_equal(0, store_note(d->store, 6, 100, "not mine"));
    assert_int_equal(0, store_note(d->store, 5, 90, longest));
    assert_int_equal(0, store_timeline(d->store, 5, on_lines, d, 0));
    wait_quiet(d);
    assert_int_equal(0, store_timeline(d->store, 5, on_lines, d, 0));
    wait_answers(d, 2);
    assert_int_equal(2, d->line_count);
    assert_string_equal("100 retry", d->lines[0]);
    assert_int_equal(3 + 200, strlen(d->lines[1]));
}

static void put_some(struct desk *d, uint64_t ids[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char phone[24];
        struct message m;

        (void)snprintf(phone, sizeof phone, "7903000000%zu", i % 3);
        ids[i] = store_next_id(d->store);
        m = sample(ids[i], phone);
        m.accepted_ms = 1000 + (int64_t)i;
        m.p.esme = (uint16_t)(1 + i % 2);
        assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, i)));
    }
    wait_done(d, d->done + (unsigned)count);
}

static void queries_find_by_every_condition(void **state)
{
    struct desk *d = *state;
    uint64_t ids[12];
    struct message mo;
    struct progress p = { 0 };

    put_some(d, ids, ARRAY_LEN(ids));
    mo = sample(store_next_id(d->store), "4440");
    mo.kind = MESSAGE_MO;
    mo.source = text_of("+79030000001");
    mo.public_id = ids[0];
    mo.accepted_ms = 5000;
    assert_int_equal(0, store_put(d->store, &mo, STORE_PLAIN, tell(d, 50)));
    p.id = ids[3];
    p.esme = 2;
    p.final = 5;
    assert_int_equal(0, store_end(d->store, &p, 0, STORE_PLAIN, tell(d, 51)));
    wait_done(d, 14);

    find(d, (struct store_query){ .phone = 79030000001 });
    assert_int_equal(5, d->count);
    assert_true(d->messages[0]->id == mo.id); /* newest first */
    assert_true(d->messages[1]->id == ids[10]);
    find(d, (struct store_query){ .phone = 4440 });
    assert_int_equal(1, d->count);
    find(d, (struct store_query){ .phone = message_phone("Shop", 4) });
    assert_int_equal(0, d->count);
    find(d, (struct store_query){ .esme = 2 });
    assert_int_equal(6, d->count);
    find(d, (struct store_query){ .state = MESSAGE_QUEUED, .esme = 2 });
    assert_int_equal(5, d->count);
    find(d, (struct store_query){ .state = MESSAGE_CLOSED });
    assert_int_equal(1, d->count);
    find(d, (struct store_query){ .final = 5 });
    assert_int_equal(1, d->count);
    assert_true(d->messages[0]->id == ids[3]);
    find(d, (struct store_query){ .public_id = ids[0] });
    assert_int_equal(2, d->count);
    assert_true(d->messages[1]->id == ids[0]);
    find(d, (struct store_query){ .since_ms = 1002, .esme = 1 });
    assert_int_equal(5, d->count);
}

static void a_cursor_walks_through_all(void **state)
{
    struct desk *d = *state;
    uint64_t ids[12], after = 0;
    size_t seen = 0;

    put_some(d, ids, ARRAY_LEN(ids));
    do {
        find(d, (struct store_query){ .limit = 5, .after = after });
        for (size_t i = 0; i < d->count; i++, seen++)
            assert_true(d->messages[i]->id == ids[11 - seen]);
        after = d->next;
    } while (after != 0);
    assert_int_equal(12, seen);
}

static void many_loads_keep_their_order(void **state)
{
    struct desk *d = *state;
    uint64_t ids[12], wanted[3];

    put_some(d, ids, ARRAY_LEN(ids));
    wanted[0] = ids[7];
    wanted[1] = 4; /* unknown */
    wanted[2] = ids[2];
    assert_int_equal(0, store_load(d->store, wanted, 3, on_messages, d, 0));
    wait_answers(d, 1);
    assert_int_equal(2, d->count);
    assert_true(d->messages[0]->id == ids[7] && d->messages[1]->id == ids[2]);
}

static void open_messages_and_their_sends_resume(void **state)
{
    static const struct store_resume_ops ops = { on_resume_open, on_resume_send };
    struct desk *d = *state;
    uint64_t ids[4], upid;
    struct store_member members[3];
    struct store_send send = { .upstream = 1, .state = SEND_UNCLEAR, .members = members, .member_count = 3 };
    struct progress p = { .state = MESSAGE_SENDING, .tries = 1, .cost_e6 = -1, .status = -100 };

    put_some(d, ids, ARRAY_LEN(ids));
    send.upid = upid = store_next_id(d->store);
    for (size_t i = 0; i < 3; i++) {
        members[i] = (struct store_member){ ids[i], 79030000000 + i };
        p.id = ids[i];
        p.upid = upid;
        assert_int_equal(0, store_move(d->store, &p, STORE_KEEP, tell(d, 0)));
    }
    assert_int_equal(0, store_send_put(d->store, &send, STORE_KEEP, tell(d, 0)));
    p.id = ids[1];
    assert_int_equal(0, store_end(d->store, &p, 0, STORE_KEEP, tell(d, 0)));
    send.upid = store_next_id(d->store); /* nobody open names it */
    assert_int_equal(0, store_send_put(d->store, &send, STORE_KEEP, tell(d, 0)));
    wait_done(d, 10);
    if (d->sqlite) {
        desk_close(d);
        desk_open(d);
    }
    assert_int_equal(0, store_resume(d->store, &ops, d));
    assert_int_equal(3, d->open_count);
    assert_true(d->open[0].id == ids[0] && d->open[1].id == ids[2] && d->open[2].id == ids[3]);
    assert_int_equal(MESSAGE_SENDING, d->open[0].state);
    assert_int_equal(MESSAGE_QUEUED, d->open[2].state);
    assert_int_equal(1, d->send_count);
    assert_true(d->sends[0].upid == upid);
    assert_int_equal(SEND_UNCLEAR, d->sends[0].state);
    assert_int_equal(2, d->sends[0].member_count);
    assert_true(d->members[0].id == ids[0] && d->members[1].id == ids[2]);
    assert_true(store_next_id(d->store) > send.upid);
}

static void the_queue_has_a_ceiling(void **state)
{
    struct desk *d = *state;
    struct store_opts opts = { .url = d->url, .max_waiting = 2, .keep_text = true };
    struct message m[5];

    store_configure(d->store, &opts);
    for (size_t i = 0; i < ARRAY_LEN(m); i++)
        m[i] = sample(store_next_id(d->store), "79031234567");
    assert_int_equal(0, store_put(d->store, &m[0], STORE_PLAIN, tell(d, 0)));
    assert_int_equal(0, store_put(d->store, &m[1], STORE_PLAIN, tell(d, 1)));
    assert_int_equal(ERR_FULL, store_put(d->store, &m[2], STORE_PLAIN, tell(d, 2)));
    assert_int_equal(0, store_put(d->store, &m[2], STORE_KEEP, tell(d, 2)));
    assert_int_equal(0, store_put(d->store, &m[3], STORE_KEEP, tell(d, 3)));
    assert_int_equal(ERR_FULL, store_put(d->store, &m[4], STORE_KEEP, tell(d, 4)));
    wait_done(d, 4);
    assert_int_equal(0, store_put(d->store, &m[4], STORE_PLAIN, tell(d, 4)));
    wait_done(d, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(i, d->cookies[i]);
}

static void old_closed_messages_go_and_nothing_else(void **state)
{
    struct desk *d = *state;
    uint64_t ids[12];
    struct store_member member = { 0 };
    struct store_send send = { .at_ms = 1000, .members = &member, .member_count = 1 };
    struct progress p = { 0 };

    put_some(d, ids, ARRAY_LEN(ids)); /* accepted at 1000 .. 1011 */
    for (size_t i = 0; i < 10; i++) {
        p.id = ids[i];
        if (i != 4)
            assert_int_equal(0, store_end(d->store, &p, 0, STORE_PLAIN, tell(d, 0)));
    }
    send.upid = 900000001; /* old ids: retention goes by the time in them, too */
    member.id = ids[0];
    assert_int_equal(0, store_send_put(d->store, &send, STORE_PLAIN, tell(d, 0)));
    send.upid = 900000002;
    member.id = ids[4];
    assert_int_equal(0, store_send_put(d->store, &send, STORE_PLAIN, tell(d, 0)));
    assert_int_equal(0, store_note(d->store, ids[0], 1, "old"));
    assert_int_equal(0, store_once(d->store, "fresh", STORE_PLAIN, tell(d, 0)));
    wait_done(d, 24);
    store_expire(d->store, clock_wall_ms() + 3600000);
    do {
        find(d, (struct store_query){ .limit = 100 });
    } while (d->count > 3);
    assert_int_equal(3, d->count);
    assert_true(d->messages[2]->id == ids[4]);
    do { /* sends follow messages, keys follow sends */
        assert_int_equal(0, store_find_send(d->store, 900000001, on_send, d, 0));
        wait_answers(d, d->answers + 1);
    } while (d->send_found);
    assert_int_equal(0, store_find_send(d->store, 900000002, on_send, d, 0));
    wait_answers(d, d->answers + 1);
    assert_true(d->send_found);
    assert_int_equal(0, store_timeline(d->store, ids[0], on_lines, d, 0));
    wait_answers(d, d->answers + 1);
    assert_int_equal(0, d->line_count);
    find(d, (struct store_query){ .phone = 79030000000 });
    assert_int_equal(0, d->count);
    do {
        assert_int_equal(0, store_once(d->store, "fresh", STORE_PLAIN, tell(d, 0)));
        wait_done(d, d->done + 1);
    } while (d->errs[d->done - 1] != 0);
}

static unsigned chained;

static void put_again(void *owner, uint64_t cookie, int err)
{
    struct desk *d = owner;
    struct message m = sample(store_next_id(d->store), "79031234567");

    assert_int_equal(0, err);
    if (++chained < 20)
        assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, (struct store_done){ put_again, d, cookie + 1 }));
}

static void a_callback_may_change_more_and_keeps_the_loop_alive(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");

    chained = 0;
    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, (struct store_done){ put_again, d, 0 }));
    (void)uv_run(&d->loop, UV_RUN_DEFAULT); /* ends by itself when nothing waits */
    assert_int_equal(20, chained);
}

static void closing_commits_what_waits(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");

    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    assert_int_equal(0, store_load(d->store, &m.id, 1, on_messages, d, 0));
    desk_close(d);
    assert_int_equal(1, d->done);
    assert_int_equal(0, d->errs[0]);
    assert_int_equal(1, d->answers); /* ended, found or not */
    if (d->sqlite) {
        desk_open(d);
        load_one(d, m.id);
        assert_int_equal(1, d->count);
    }
}

static void statistics_count_commits(void **state)
{
    struct desk *d = *state;
    struct store_stats stats;
    uint64_t ids[3];

    put_some(d, ids, 3);
    store_stats(d->store, &stats);
    assert_int_equal(1, stats.commits);
    assert_int_equal(3, stats.changes);
    assert_int_equal(1, stats.recent);
    store_stats(d->store, &stats);
    assert_int_equal(0, stats.recent);
}

/* --- the fake's failures; the real ones stand in test_store_sqlite.c --- */

static void a_failed_commit_undoes_plain_and_keeps_kept(void **state)
{
    struct desk *d = *state;
    struct message a = sample(store_next_id(d->store), "79031234567"),
                   b = sample(store_next_id(d->store), "79031234567");
    struct store_stats stats;

    fake_store_fail(d->store, 1000000);
    assert_int_equal(0, store_put(d->store, &a, STORE_PLAIN, tell(d, 1)));
    assert_int_equal(0, store_put(d->store, &b, STORE_KEEP, tell(d, 2)));
    b.p.state = MESSAGE_SENDING;
    assert_int_equal(0, store_move(d->store, &b.p, STORE_KEEP, tell(d, 3)));
    wait_done(d, 1);
    assert_int_equal(1, d->cookies[0]);
    assert_int_equal(ERR_IO, d->errs[0]);
    assert_false(store_healthy(d->store));
    assert_int_equal(ERR_BUSY, store_put(d->store, &a, STORE_PLAIN, tell(d, 4)));
    b.p.state = MESSAGE_DELIVERING;
    assert_int_equal(0, store_move(d->store, &b.p, STORE_KEEP, tell(d, 5)));
    (void)uv_run(&d->loop, UV_RUN_NOWAIT);
    assert_int_equal(1, d->done);
    fake_store_fail(d->store, 0);
    wait_done(d, 4);
    assert_int_equal(2, d->cookies[1]);
    assert_int_equal(3, d->cookies[2]);
    assert_int_equal(5, d->cookies[3]);
    assert_int_equal(0, d->errs[1] | d->errs[2] | d->errs[3]);
    assert_true(store_healthy(d->store));
    load_one(d, a.id);
    assert_int_equal(0, d->count);
    load_one(d, b.id);
    assert_int_equal(MESSAGE_DELIVERING, d->messages[0]->p.state);
    store_stats(d->store, &stats);
    assert_true(stats.failures >= 1);
}

static void what_nobody_waits_for_travels_in_company(void **state)
{
    struct desk *d = *state;
    struct message m = sample(store_next_id(d->store), "79031234567");
    struct store_stats stats;

    assert_int_equal(0, store_put(d->store, &m, STORE_PLAIN, tell(d, 1)));
    wait_done(d, 1);
    store_stats(d->store, &stats);
    uint64_t before = stats.commits;
    assert_int_equal(0, store_note(d->store, m.id, 1, "alone"));
    store_flush(d->store);
    assert_int_equal(1, store_waiting(d->store)); /* kept back */
    struct message other = sample(store_next_id(d->store), "79031234568");
    assert_int_equal(0, store_put(d->store, &other, STORE_PLAIN, tell(d, 2)));
    wait_done(d, 2);
    assert_int_equal(0, store_waiting(d->store));
    store_stats(d->store, &stats);
    assert_int_equal(before + 1, stats.commits);
    /* and without company it becomes durable by itself */
    assert_int_equal(0, store_note(d->store, m.id, 2, "later"));
    while (store_waiting(d->store) > 0)
        (void)uv_run(&d->loop, UV_RUN_ONCE);
    store_stats(d->store, &stats);
    assert_int_equal(before + 2, stats.commits);
}

#define BOTH(f)                                                                                                        \
    { "memory: " #f, f, memory_desk, end_desk, NULL },                                                                 \
    {                                                                                                                  \
        "sqlite: " #f, f, sqlite_desk, end_desk, NULL                                                                  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_message_comes_back_whole),
        BOTH(arguments_are_copied),
        BOTH(binary_text_keeps_its_zeros),
        BOTH(a_whole_life_may_stand_in_one_batch),
        BOTH(our_bugs_end_one_change_only),
        BOTH(text_can_be_rewritten_and_emptied),
        BOTH(texts_expire_by_age_and_records_stay),
        BOTH(ids_ascend_whatever_the_clock_does),
        BOTH(names_have_one_number_for_ever),
        BOTH(meta_values_survive),
        BOTH(an_event_counts_once),
        BOTH(what_was_taken_back_never_happened),
        BOTH(sends_come_back_with_their_members),
        BOTH(a_timeline_is_in_order),
        BOTH(what_nobody_waits_for_travels_in_company),
        BOTH(queries_find_by_every_condition),
        BOTH(a_cursor_walks_through_all),
        BOTH(many_loads_keep_their_order),
        BOTH(open_messages_and_their_sends_resume),
        BOTH(the_queue_has_a_ceiling),
        BOTH(old_closed_messages_go_and_nothing_else),
        BOTH(a_callback_may_change_more_and_keeps_the_loop_alive),
        BOTH(closing_commits_what_waits),
        BOTH(statistics_count_commits),
        { "memory: a_failed_commit_undoes_plain_and_keeps_kept", a_failed_commit_undoes_plain_and_keeps_kept,
          memory_desk, end_desk, NULL },
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
