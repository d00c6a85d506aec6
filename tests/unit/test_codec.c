/* SPDX-License-Identifier: MIT */
/* test_codec.c - PDUs decoded and encoded through the airlock: every vector, every cut, what may not be encoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "smpp/codec_shim.h"
#include "smpp/pdu.h"
#include "tests/unit/pdu_vectors.h"

static struct smpp_dest dests[SMPP_DESTS_MAX];

/* Counts every allocation of the program, the library's included. A sanitizer needs its own malloc: not counted there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef COUNTS_ALLOCATIONS
#define COUNTS_ALLOCATIONS 1
#endif

static size_t allocations;

#if COUNTS_ALLOCATIONS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    allocations++;
    return __libc_realloc(p, size);
}
#endif

static enum smpp_open open_copy(const uint8_t *frame, size_t len, struct smpp_pdu *pdu, uint32_t *status)
{
    memset(pdu, 0xAA, sizeof *pdu); /* nothing may depend on what stood there */
    memset(dests, 0xAA, sizeof dests);
    *status = 0;
    return smpp_pdu_open(frame, len, dests, pdu, status);
}

static void assert_writes_back(const char *name, const struct smpp_pdu *pdu, const uint8_t *frame, size_t len)
{
    struct buf out;

    buf_init(&out, 100000);
    assert_int_equal(0, smpp_pdu_write(pdu, &out));
    if (out.len != len || memcmp(out.data, frame, len) != 0)
        fail_msg("%s does not encode to itself (%zu bytes, was %zu)", name, out.len, len);
    buf_finish(&out);
}

static void check_vector(const struct vector *v)
{
    struct smpp_pdu pdu;
    uint32_t status;
    char got[64];
    enum smpp_open how = open_copy(v->pdu, v->len, &pdu, &status);

    if (how == SMPP_OPEN_FATAL)
        snprintf(got, sizeof got, "fatal");
    else if (how == SMPP_OPEN_REJECT)
        snprintf(got, sizeof got, "reject %s", smpp_status_name(status) + strlen("ESME_"));
    else
        snprintf(got, sizeof got, pdu.tlvs_damaged ? "ok damaged" : "ok");
    if (strcmp(got, v->expect) != 0)
        fail_msg("%s: expected %s, got %s", v->name, v->expect, got);
    if (strcmp(got, "ok") == 0)
        assert_writes_back(v->name, &pdu, v->pdu, v->len);
    if (how != SMPP_OPEN_FATAL) {
        struct reader r = reader_over(v->pdu, v->len);
        assert_int_equal(read_u32(&r), pdu.command_length);
        assert_int_equal(read_u32(&r), pdu.command_id);
        assert_int_equal(read_u32(&r), pdu.command_status);
        assert_int_equal(read_u32(&r), pdu.sequence_number);
    }
}

static void every_vector_is_as_it_says(void **state)
{
    (void)state;
    assert_true(vectors_each(check_vector) > 100);
    assert_int_equal(0, smpp_codec_refusals());
}

static struct vector read_vector(const char *name)
{
    struct vector v;

    assert_int_equal(0, vector_read(name, &v));
    return v;
}

static void open_and_write_counted(const struct vector *v)
{
    static struct buf out;
    struct smpp_pdu pdu;
    uint32_t status;

    buf_init(&out, 100000);
    assert_non_null(buf_reserve(&out, 100000));
    size_t before = allocations;
    if (smpp_pdu_open(v->pdu, v->len, dests, &pdu, &status) == SMPP_OPEN_OK)
        assert_int_equal(0, smpp_pdu_write(&pdu, &out));
    assert_int_equal(before, allocations);
    buf_finish(&out);
    assert_true(!COUNTS_ALLOCATIONS || before > 0);
}

static void nothing_is_allocated(void **state)
{
    (void)state;
    assert_true(vectors_each(open_and_write_counted) > 100);
}

static void the_trace_keeps_no_password(void **state)
{
    (void)state;
#ifdef SMPP34_QUIET
    struct vector v = read_vector("bind_transmitter.hex");
    struct smpp_pdu pdu;
    uint32_t status;

    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_true(shim_trace_is_empty());
    assert_writes_back(v.name, &pdu, v.pdu, v.len);
    assert_true(shim_trace_is_empty());
    free(v.pdu);
#else
    skip(); /* the shared library: forget() in codec.c clears it, and it is not ours to look at */
#endif
}

static void set_length(uint8_t *frame, size_t len)
{
    frame[2] = (uint8_t)(len >> 8);
    frame[3] = (uint8_t)len;
}

/* Cut anywhere (with an honest command_length) and with any one byte changed: an answer, never a fault; what is
 * accepted encodes to itself. The copies are of exact size, so a sanitizer sees reads behind the end. */
static void cut_and_bend(const struct vector *v)
{
    static const uint8_t bend[] = { 0x00, 0x01, 0x20, 0x7F, 0x80, 0xFF };
    struct smpp_pdu pdu;
    uint32_t status;

    if (v->len < 16 || v->len > 400)
        return;
    for (size_t len = 16; len <= v->len; len++) {
        uint8_t *copy = malloc(len);

        assert_non_null(copy);
        memcpy(copy, v->pdu, len);
        copy[0] = copy[1] = 0;
        set_length(copy, len);
        if (open_copy(copy, len, &pdu, &status) == SMPP_OPEN_OK && !pdu.tlvs_damaged)
            assert_writes_back(v->name, &pdu, copy, len);
        free(copy);
    }
    for (size_t i = 4; i < v->len; i++) {
        for (size_t b = 0; b < ARRAY_LEN(bend); b++) {
            uint8_t was = v->pdu[i];

            v->pdu[i] = bend[b];
            if (open_copy(v->pdu, v->len, &pdu, &status) == SMPP_OPEN_OK && !pdu.tlvs_damaged)
                assert_writes_back(v->name, &pdu, v->pdu, v->len);
            v->pdu[i] = was;
        }
    }
}

static void no_cut_or_bent_pdu_does_harm(void **state)
{
    (void)state;
    assert_true(vectors_each(cut_and_bend) > 100);
    assert_int_equal(0, smpp_codec_refusals());
}

#define ASSERT_STR(text, view) assert_true(smpp_str_is(view, text))

static void fields_land_where_they_belong(void **state)
{
    struct vector v = read_vector("submit_sm_times.hex");
    struct smpp_pdu pdu;
    uint32_t status, value;

    (void)state;
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    ASSERT_STR("261122013000000+", pdu.sm.schedule_delivery_time);
    ASSERT_STR("000001000000000R", pdu.sm.validity_period);
    ASSERT_STR("447700900001", pdu.sm.source.addr);
    ASSERT_STR("447700900002", pdu.sm.dest.addr);
    assert_int_equal(1, pdu.sm.source.ton);
    assert_int_equal(1, pdu.sm.dest.npi);
    assert_int_equal(0x7f, pdu.sm.protocol_id);
    assert_int_equal(3, pdu.sm.priority_flag);
    assert_int_equal(1, pdu.sm.replace_if_present_flag);
    assert_int_equal(3, pdu.sm.sm_default_msg_id);
    assert_int_equal(5, pdu.sm.short_message.len);
    assert_memory_equal("later", pdu.sm.short_message.at, 5);
    assert_ptr_equal(v.pdu + v.len - 5, pdu.sm.short_message.at); /* a view, no copy */
    free(v.pdu);

    v = read_vector("bind_transmitter.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    ASSERT_STR("SMPP3TEST", pdu.bind.system_id);
    ASSERT_STR("secret08", pdu.bind.password);
    ASSERT_STR("SUBMIT1", pdu.bind.system_type);
    assert_int_equal(0x34, pdu.bind.interface_version);
    assert_int_equal(1, pdu.bind.addr_ton);
    free(v.pdu);

    v = read_vector("bind_version_50.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_int_equal(0x50, pdu.bind.interface_version);
    free(v.pdu);

    v = read_vector("bind_long_names.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_int_equal(64, pdu.bind.system_id.len);
    assert_int_equal(64, pdu.bind.password.len);
    ASSERT_STR("SYSTEMTYPE12", pdu.bind.system_type);
    free(v.pdu);

    v = read_vector("submit_ton_npi_any.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_int_equal(7, pdu.sm.source.ton);
    assert_int_equal(2, pdu.sm.source.npi);
    assert_int_equal(255, pdu.sm.dest.ton);
    assert_int_equal(19, pdu.sm.dest.npi);
    free(v.pdu);

    v = read_vector("query_sm_resp.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    ASSERT_STR("1234567890", pdu.message_id);
    ASSERT_STR("261122013000000+", pdu.final_date);
    assert_int_equal(SMPP_STATE_DELIVERED, pdu.message_state);
    free(v.pdu);

    v = read_vector("alert_notification.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    ASSERT_STR("client", pdu.esme.addr);
    assert_true(smpp_tlv_uint(&pdu, TAG_MS_AVAILABILITY_STATUS, &value));
    free(v.pdu);

    v = read_vector("submit_sm_payload.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_int_equal(26, smpp_sm_text(&pdu).len);
    free(v.pdu);

    v = read_vector("broadcast_sm.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    ASSERT_STR("447700900001", pdu.sm.source.addr);
    assert_int_equal(5, pdu.tlv_count);
    free(v.pdu);
}

static void lists_keep_wire_order(void **state)
{
    struct vector v = read_vector("submit_multi.hex");
    struct smpp_pdu pdu;
    uint32_t status;

    (void)state;
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_int_equal(3, pdu.dest_count);
    ASSERT_STR("447700900001", pdu.dests[0].address.addr);
    assert_int_equal(2, pdu.dests[1].dest_flag);
    ASSERT_STR("staff", pdu.dests[1].address.addr);
    ASSERT_STR("1234", pdu.dests[2].address.addr);
    ASSERT_STR("Sender", pdu.sm.source.addr);
    assert_int_equal(1, pdu.sm.registered_delivery);
    assert_int_equal(5, pdu.sm.short_message.len);
    assert_int_equal(SMPP_OPEN_REJECT, smpp_pdu_open(v.pdu, v.len, NULL, &pdu, &status));
    assert_int_equal(STATUS_RINVNUMDESTS, status);
    free(v.pdu);

    v = read_vector("submit_multi_254.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_int_equal(254, pdu.dest_count);
    ASSERT_STR("447700900253", pdu.dests[253].address.addr);
    free(v.pdu);

    v = read_vector("submit_multi_resp.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_int_equal(2, pdu.dest_count);
    assert_int_equal(0x455, pdu.dests[1].status);
    assert_int_equal(SMPP_OPEN_OK, smpp_pdu_open(v.pdu, v.len, NULL, &pdu, &status));
    assert_int_equal(0, pdu.dest_count);
    ASSERT_STR("77", pdu.message_id);
    free(v.pdu);
}

static void header_only_is_seen(void **state)
{
    struct vector v = read_vector("deliver_sm_resp_header_only.hex");
    struct smpp_pdu pdu;
    uint32_t status;

    (void)state;
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_false(pdu.has_body);
    assert_int_equal(0, pdu.message_id.len);
    assert_int_equal(0, pdu.tlv_count);
    assert_int_equal(0, pdu.dest_count);
    free(v.pdu);
    v = read_vector("deliver_sm_resp_with_id.hex");
    assert_int_equal(SMPP_OPEN_OK, open_copy(v.pdu, v.len, &pdu, &status));
    assert_true(pdu.has_body);
    ASSERT_STR("1234567890", pdu.message_id);
    free(v.pdu);
}

static const struct smpp_pdu plain = { .command_id = CMD_SUBMIT_SM, .sequence_number = 5 };

static void assert_out_of_range(const struct smpp_pdu *pdu)
{
    struct buf out;

    buf_init(&out, 1000);
    assert_int_equal(ERR_RANGE, smpp_pdu_write(pdu, &out));
    assert_int_equal(0, out.len);
    buf_finish(&out);
}

static void what_does_not_fit_is_not_written(void **state)
{
    static const char long_text[300];
    struct smpp_dest two[2] = { { .dest_flag = 1 }, { .dest_flag = 3 } };
    struct smpp_pdu pdu;

    (void)state;
    pdu = plain;
    pdu.sm.service_type = smpp_str("SIXSIX");
    assert_out_of_range(&pdu);
    pdu = plain;
    pdu.sm.dest.addr = smpp_str("123456789012345678901");
    assert_out_of_range(&pdu);
    pdu = plain;
    pdu.sm.dest.addr = (struct smpp_str){ "12\0", 3 }; /* a NUL inside would end the field early */
    assert_out_of_range(&pdu);
    pdu = plain;
    pdu.sm.short_message = (struct bytes){ (const uint8_t *)long_text, 255 };
    assert_out_of_range(&pdu);
    pdu = plain;
    pdu.command_id = 0x1234;
    assert_out_of_range(&pdu);
    pdu.command_id = CMD_ALERT_NOTIFICATION | CMD_RESPONSE;
    assert_out_of_range(&pdu);
    pdu = plain;
    pdu.command_id = CMD_ENQUIRE_LINK;
    assert_true(smpp_tlv_add(&pdu, 0x1400, "x", 1));
    assert_out_of_range(&pdu);
    pdu = plain;
    pdu.command_id = CMD_SUBMIT_MULTI;
    pdu.dests = two;
    pdu.dest_count = 2;
    assert_out_of_range(&pdu);
    pdu.dest_count = 256;
    assert_out_of_range(&pdu);
}

static void a_full_buffer_keeps_what_it_had(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 60);
    assert_int_equal(0, smpp_pdu_write(&plain, &out));
    size_t one = out.len;
    assert_int_equal(ERR_FULL, smpp_pdu_write(&plain, &out));
    assert_int_equal(one, out.len);
    assert_false(out.failed);
    struct smpp_pdu small = { .command_id = CMD_GENERIC_NACK, .command_status = 0x400 };
    assert_int_equal(0, smpp_pdu_write(&small, &out));
    assert_int_equal(one + 16, out.len);
    assert_memory_equal("\0\0\0\20\x80\0\0\0\0\0\4\0\0\0\0\0", out.data + one, 16);
    buf_finish(&out);
}

static void names_are_known(void **state)
{
    (void)state;
    assert_string_equal("submit_sm", smpp_command_name(CMD_SUBMIT_SM));
    assert_string_equal("submit_sm_resp", smpp_command_name(CMD_SUBMIT_SM | CMD_RESPONSE));
    assert_string_equal("generic_nack", smpp_command_name(CMD_GENERIC_NACK));
    assert_string_equal("unknown", smpp_command_name(0));
    assert_string_equal("unknown", smpp_command_name(CMD_OUTBIND | CMD_RESPONSE));
    assert_string_equal("ESME_RTHROTTLED", smpp_status_name(STATUS_RTHROTTLED));
    assert_string_equal("", smpp_status_name(0x400));
}

static void the_airlock_tests_itself(void **state)
{
    (void)state;
    assert_int_equal(0, smpp_codec_selftest());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_airlock_tests_itself),
        cmocka_unit_test(every_vector_is_as_it_says),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(the_trace_keeps_no_password),
        cmocka_unit_test(no_cut_or_bent_pdu_does_harm),
        cmocka_unit_test(fields_land_where_they_belong),
        cmocka_unit_test(lists_keep_wire_order),
        cmocka_unit_test(header_only_is_seen),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(a_full_buffer_keeps_what_it_had),
        cmocka_unit_test(names_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
