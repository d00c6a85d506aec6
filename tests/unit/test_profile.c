/* SPDX-License-Identifier: MIT */
/* test_profile.c - presets and what the configuration changes in them; the forms of ids and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/profile.h"

static struct cfg_esme esme(const char *profile)
{
    return (struct cfg_esme){ .profile = profile, .alphabet = "gsm7", .alphabet_one = "profile" };
}

static struct profile resolved(struct cfg_esme cfg)
{
    struct profile p;

    profile_resolve(&cfg, &p);
    return p;
}

static uint64_t number_of(const char *text)
{
    uint64_t id = 0;

    return profile_id_read(smpp_str(text), &id) ? id : 0;
}

static void every_preset_of_the_configuration_exists(void **state)
{
    static const char *const names[] = { "default",  "kannel",    "jasmin",  "cloudhopper", "jsmpp",
                                         "php-smpp", "node-smpp", "smsc.ru", "smpp33" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct profile p = resolved(esme(names[i]));

        assert_string_equal(p.name, names[i]);
        assert_string_equal(profile_name_at(i), names[i]);
        assert_int_not_equal(p.id_form, CFG_ID_PROFILE);
        assert_int_equal(p.receipt.date_digits, 10);
        assert_true(p.receipt.with_text);
        assert_int_not_equal(p.full_status, STATUS_RALYBND); /* Kannel takes it for success */
        assert_int_not_equal(p.full_status, STATUS_ROK);
    }
    assert_null(profile_name_at(ARRAY_LEN(names)));
}

static void presets_differ_where_the_software_does(void **state)
{
    (void)state;
    assert_int_equal(resolved(esme("default")).one, ALPHABET_ASCII);
    assert_int_equal(resolved(esme("node-smpp")).one, ALPHABET_GSM7);
    assert_int_equal(resolved(esme("kannel")).login_failure_status, STATUS_RBINDFAIL);
    assert_int_equal(resolved(esme("default")).login_failure_status, 0);
    assert_true(resolved(esme("smsc.ru")).four_is_text);
    assert_true(resolved(esme("smsc.ru")).iso_system_type);
    assert_true(resolved(esme("smsc.ru")).receipt.with_vendor_tlvs);
    assert_false(resolved(esme("default")).four_is_text);
    assert_false(resolved(esme("default")).iso_system_type);
    assert_false(resolved(esme("smpp33")).receipt.with_tlvs);
    assert_true(resolved(esme("default")).receipt.with_tlvs);
}

static void each_habit_can_be_changed_alone(void **state)
{
    struct cfg_esme cfg = esme("smpp33");

    (void)state;
    cfg.alphabet = "cp1251";
    cfg.alphabet_one = "latin1";
    cfg.text_four = CFG_ON;
    cfg.id_form = CFG_ID_HEX;
    cfg.receipt_variant = CFG_VARIANT_CAPITAL;
    cfg.date_digits = 12;
    cfg.tlvs = CFG_ON;
    cfg.vendor_tlvs = CFG_ON;
    cfg.login_failure_status = CFG_STATUS_RINVPASWD;
    cfg.full_status = CFG_STATUS_RTHROTTLED;
    struct profile p = resolved(cfg);
    assert_int_equal(p.zero, ALPHABET_CP1251);
    assert_int_equal(p.one, ALPHABET_LATIN1);
    assert_true(p.four_is_text);
    assert_int_equal(p.id_form, CFG_ID_HEX);
    assert_int_equal(p.receipt.variant, RECEIPT_CAPITAL_TEXT);
    assert_int_equal(p.receipt.date_digits, 12);
    assert_true(p.receipt.with_tlvs);
    assert_true(p.receipt.with_vendor_tlvs);
    assert_int_equal(p.login_failure_status, STATUS_RINVPASWD);
    assert_int_equal(p.full_status, STATUS_RTHROTTLED);

    cfg = esme("kannel");
    cfg.login_failure_status = CFG_STATUS_EXACT;
    assert_int_equal(resolved(cfg).login_failure_status, 0);
    cfg = esme("smsc.ru");
    cfg.text_four = CFG_OFF;
    cfg.vendor_tlvs = CFG_OFF;
    assert_false(resolved(cfg).four_is_text);
    assert_false(resolved(cfg).receipt.with_vendor_tlvs);
    profile_resolve(NULL, &p);
    assert_string_equal(p.name, "default");
}

static void ids_are_short_where_there_is_no_room(void **state)
{
    struct profile by_default = resolved(esme("default")), smpp33 = resolved(esme("smpp33")),
                   kannel = resolved(esme("kannel"));

    (void)state;
    assert_true(profile_wants_short_id(&by_default, 0x33)); /* message_id of 3.3: 8 digits */
    assert_false(profile_wants_short_id(&by_default, 0x34));
    assert_true(profile_wants_short_id(&smpp33, 0x34));
    assert_false(profile_wants_short_id(&kannel, 0x33));
}

static void an_id_is_read_back_in_every_form(void **state)
{
    static const uint64_t ids[] = { UINT64_C(1795312345678901234), UINT64_C(9123456789012345678), 0x10000000,
                                    0xffffffff };
    static const enum cfg_id_form forms[] = { CFG_ID_AUTO, CFG_ID_DECIMAL, CFG_ID_HEX, CFG_ID_HEX8 };
    char text[SMPP_ID_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
            struct cfg_esme cfg = esme("default");

            cfg.id_form = forms[k];
            struct profile p = resolved(cfg);
            profile_id_text(&p, ids[i], text);
            assert_true(text[0] != '0');
            assert_int_equal(number_of(text), ids[i]);
        }
    }
    struct profile p = resolved(esme("default"));
    profile_id_text(&p, UINT64_C(1795312345678901234), text);
    assert_string_equal(text, "1795312345678901234");
    profile_id_text(&p, 0x1000002a, text);
    assert_string_equal(text, "1000002a");
    assert_int_equal(number_of("1000002A"), 0x1000002a); /* software that changes the case */
    p.id_form = CFG_ID_HEX;
    profile_id_text(&p, UINT64_C(0x18ea3b2c4d5e6f70), text);
    assert_string_equal(text, "18ea3b2c4d5e6f70");
}

/* "alphabet/data_coding" of a text for an account with this alphabet. */
static const char *chosen(const char *alphabet, bool iso, const char *text)
{
    static char out[40];
    struct cfg_esme cfg = esme("default");
    uint8_t data_coding;

    cfg.alphabet = alphabet;
    struct profile p = resolved(cfg);
    enum smpp_alphabet got = profile_alphabet_for(&p, iso, text, strlen(text), &data_coding);

    snprintf(out, sizeof out, "%s/%u", smpp_alphabet_name(got), data_coding);
    return out;
}

static void text_to_the_esme_has_its_alphabet(void **state)
{
    (void)state;
    assert_string_equal(chosen("gsm7", false, "a@$\xc3\xa9 \xe2\x82\xac"), "gsm7/0");
    assert_string_equal(chosen("gsm7", false, "\xd0\x9f"), "ucs2/8");
    assert_string_equal(chosen("gsm7", false, "\xc3\xa7"), "ucs2/8"); /* small c with cedilla: Latin-1 has it */
    assert_string_equal(chosen("gsm7", true, "\xc3\xa7"), "latin1/0");
    assert_string_equal(chosen("gsm7", true, "\xe2\x82\xac"), "ucs2/8"); /* the euro sign: GSM has it */
    assert_string_equal(chosen("latin1", false, "a@b \xc3\xa9"), "latin1/0");
    assert_string_equal(chosen("latin1", false, "\xd0\x9f"), "ucs2/8");
    assert_string_equal(chosen("ascii", false, "a@b_[\\]"), "ascii/0");
    assert_string_equal(chosen("ascii", false, "\xc3\xa9"), "ucs2/8");
    assert_string_equal(chosen("cp1251", false, "\xd0\x9f\xd1\x80"), "cp1251/0");
    assert_string_equal(chosen("cp1251", false, "\xe4\xb8\xad"), "ucs2/8");
    assert_string_equal(chosen("utf8", false, "\xd0\x9f \xe4\xb8\xad \xf0\x9f\x98\x80"), "utf8/0");
}

static void a_bind_is_iso_by_its_system_type(void **state)
{
    struct profile service = resolved(esme("smsc.ru")), other = resolved(esme("default"));

    (void)state;
    assert_true(profile_is_iso(&service, "ISO"));
    assert_true(profile_is_iso(&service, "iso"));
    assert_false(profile_is_iso(&service, ""));
    assert_false(profile_is_iso(&service, NULL));
    assert_false(profile_is_iso(&other, "ISO"));
}

static void the_longest_pdu_is_the_clients(void **state)
{
    struct cfg_esme cfg = esme("kannel");

    (void)state;
    assert_int_equal(resolved(esme("default")).pdu_max, 0);
    assert_int_equal(resolved(esme("kannel")).pdu_max, 7424);
    assert_int_equal(resolved(esme("node-smpp")).pdu_max, 16384);
    cfg.deliver_max_pdu_bytes = 1000;
    assert_int_equal(resolved(cfg).pdu_max, 1000);
}

static void what_is_no_id_of_ours_is_refused(void **state)
{
    (void)state;
    assert_int_equal(number_of(""), 0);
    assert_int_equal(number_of("hello"), 0);
    assert_int_equal(number_of("17953123456789012ab"), 0);
    assert_int_equal(number_of("99999999999999999999"), 0); /* above 64 bits */
    assert_int_equal(number_of("179531234567890123456"), 0);
    assert_int_equal(number_of("0000000000001234"), 0);
    assert_int_equal(number_of("1795-3123"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_preset_of_the_configuration_exists),
        cmocka_unit_test(presets_differ_where_the_software_does),
        cmocka_unit_test(each_habit_can_be_changed_alone),
        cmocka_unit_test(ids_are_short_where_there_is_no_room),
        cmocka_unit_test(an_id_is_read_back_in_every_form),
        cmocka_unit_test(text_to_the_esme_has_its_alphabet),
        cmocka_unit_test(a_bind_is_iso_by_its_system_type),
        cmocka_unit_test(the_longest_pdu_is_the_clients),
        cmocka_unit_test(what_is_no_id_of_ours_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
