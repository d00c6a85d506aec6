/* SPDX-License-Identifier: MIT */
/* test_framer.c - PDU boundaries [SMPP34 3.2]. No sockets, no sleeps, any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "smpp/framer.h"

static const uint8_t enquire_link[16] = { [3] = 16, [7] = 0x15, [15] = 7 };

static void any_split_gives_the_same_pdu(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof enquire_link; cut++) {
        struct smpp_framer f;
        struct smpp_frame pdu;
        size_t used;

        smpp_framer_init(&f, SMPP_UNBOUND_MAX);
        assert_int_equal(0, smpp_framer_push(&f, enquire_link, cut, &used, &pdu));
        assert_int_equal(cut, used);
        assert_int_equal(1, smpp_framer_push(&f, enquire_link + cut, sizeof enquire_link - cut, &used, &pdu));
        assert_int_equal(sizeof enquire_link - cut, used);
        assert_int_equal(sizeof enquire_link, pdu.len);
        assert_memory_equal(enquire_link, pdu.pdu, pdu.len);
        if (cut == 0)
            assert_ptr_equal(enquire_link, pdu.pdu); /* nothing to copy */
        smpp_framer_finish(&f);
    }
}

static void one_byte_at_a_time(void **state)
{
    uint8_t stream[3 * 40];
    struct smpp_framer f;
    int pdus = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(stream + 40 * i, 0xA0 + i, 40);
        memcpy(stream + 40 * i, "\0\0\0\50", 4);
    }
    smpp_framer_init(&f, SMPP_UNBOUND_MAX);
    for (size_t i = 0; i < sizeof stream; i++) {
        struct smpp_frame pdu;
        size_t used;
        int rc = smpp_framer_push(&f, stream + i, 1, &used, &pdu);

        assert_int_equal(1, used);
        assert_int_equal((i + 1) % 40 == 0, rc);
        if (rc == 1)
            assert_memory_equal(stream + 40 * pdus++, pdu.pdu, 40);
    }
    assert_int_equal(3, pdus);
    smpp_framer_finish(&f);
}

static void many_in_one_read_are_views(void **state)
{
    uint8_t stream[20 * sizeof enquire_link + 5];
    struct smpp_framer f;
    struct smpp_frame pdu;
    size_t at = 0, used;
    int rc, pdus = 0;

    (void)state;
    for (size_t i = 0; i < 20; i++)
        memcpy(stream + i * sizeof enquire_link, enquire_link, sizeof enquire_link);
    memcpy(stream + 20 * sizeof enquire_link, enquire_link, 5);
    smpp_framer_init(&f, SMPP_UNBOUND_MAX);
    while ((rc = smpp_framer_push(&f, stream + at, sizeof stream - at, &used, &pdu)) == 1) {
        assert_ptr_equal(stream + at, pdu.pdu);
        assert_null(f.held);
        at += used;
        pdus++;
    }
    assert_int_equal(0, rc);
    assert_int_equal(20, pdus);
    assert_int_equal(5, used);
    assert_int_equal(1, smpp_framer_push(&f, enquire_link + 5, 11, &used, &pdu));
    assert_memory_equal(enquire_link, pdu.pdu, pdu.len);
    assert_int_equal(0, smpp_framer_push(&f, stream, 0, &used, &pdu));
    assert_null(f.held); /* idle costs nothing */
    smpp_framer_finish(&f);
}

static void bad_length_is_final(void **state)
{
    static const uint32_t bad[] = { 0, 1, 15, SMPP_UNBOUND_MAX + 1, 0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu, 0x47455420 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        for (size_t cut = 0; cut <= 16; cut++) {
            uint8_t in[16] = { (uint8_t)(bad[i] >> 24),
                               (uint8_t)(bad[i] >> 16),
                               (uint8_t)(bad[i] >> 8),
                               (uint8_t)bad[i],
                               0,
                               0,
                               0,
                               4,
                               0,
                               0,
                               0,
                               0,
                               0x11,
                               0x22,
                               0x33,
                               0x44 };
            struct smpp_framer f;
            struct smpp_frame pdu;
            size_t used;
            int rc;

            smpp_framer_init(&f, SMPP_UNBOUND_MAX);
            rc = smpp_framer_push(&f, in, cut, &used, &pdu);
            if (rc == 0)
                rc = smpp_framer_push(&f, in + used, sizeof in - used, &used, &pdu);
            assert_int_equal(ERR_RANGE, rc);
            assert_int_equal(bad[i], f.bad_length);
            assert_int_equal(cut >= 4 && cut < 16 ? 0 : 0x11223344, f.bad_sequence);
            assert_null(f.held);
            assert_int_equal(ERR_RANGE, smpp_framer_push(&f, enquire_link, sizeof enquire_link, &used, &pdu));
            smpp_framer_finish(&f);
        }
    }
}

static void memory_follows_what_arrived(void **state)
{
    uint8_t *big = calloc(1, SMPP_PDU_MAX);
    struct smpp_framer f;
    struct smpp_frame pdu;
    size_t used, at = 0;
    int rc = 0;

    (void)state;
    assert_non_null(big);
    big[1] = (uint8_t)(SMPP_PDU_MAX >> 16);
    big[2] = (uint8_t)(SMPP_PDU_MAX >> 8);
    big[SMPP_PDU_MAX - 1] = 0x5A;
    smpp_framer_init(&f, SMPP_UNBOUND_MAX);
    smpp_framer_limit(&f, SMPP_PDU_MAX);
    while (rc == 0) {
        size_t n = SMPP_PDU_MAX - at < 100 ? SMPP_PDU_MAX - at : 100;

        rc = smpp_framer_push(&f, big + at, n, &used, &pdu);
        at += used;
        assert_int_equal(n, used);
        assert_true(f.held_size <= 2 * at + 64);
    }
    assert_int_equal(1, rc);
    assert_int_equal(SMPP_PDU_MAX, pdu.len);
    assert_memory_equal(big, pdu.pdu, pdu.len);
    smpp_framer_finish(&f);
    smpp_framer_finish(&f); /* twice is harmless */
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split_gives_the_same_pdu), cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(many_in_one_read_are_views),   cmocka_unit_test(bad_length_is_final),
        cmocka_unit_test(memory_follows_what_arrived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
