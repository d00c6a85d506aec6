/* SPDX-License-Identifier: MIT */
/*
 * test_receipt.c - receipts as other people's parsers read them.
 *
 * Each row of `parsers` is the rule by which one ESME library is known to read a receipt, written as a POSIX expression;
 * every receipt we can write must pass the rules of its style and give back the id and the state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smpp/receipt.h"

#define SUBMITTED INT64_C(1706700896789) /* 2024-01-31 11:34:56.789 UTC */
#define DONE      INT64_C(1709251199000) /* 2024-02-29 23:59:59 UTC */

enum {
    STANDARD = 1 << RECEIPT_STANDARD,
    CAPITAL = 1 << RECEIPT_CAPITAL_TEXT,
    SHORT = 1 << RECEIPT_SHORT,
    GROUPS_MAX = 16
};

#define DATES_10_12 "([0-9]{10}|[0-9]{12})"

static const struct parser {
    const char *name;
    int variants; /* it reads these */
    int flags;
    const char *rules[8];     /* all must match */
    int id_group, stat_group; /* of the first rule, and of the second where the first holds only one */
} parsers[] = {
    { "kannel",
      STANDARD | CAPITAL,
      0,
      { "^id:([^ s]{1,64}) sub:([^ d]+) dlvrd:([^ s]+) submit date:([0-9]{1,14}) done date:([0-9]{1,14}) "
        "stat:([^ ]{1,10}) err:([^ ]{1,3}) [tT]ext:" },
      1,
      6 },
    { "jasmin", STANDARD | CAPITAL | SHORT, 0, { "id:([0-9A-Za-z_-]+)", "stat:([A-Za-z]{7})" }, 1, 1 },
    { "jasmin, all fields",
      STANDARD | CAPITAL,
      0,
      { "id:([0-9A-Za-z_-]+)", "stat:([A-Za-z]{7})", "sub:([0-9]{3})", "dlvrd:([0-9]{3})", "submit date:([0-9]+)",
        "done date:([0-9]+)", "err:([0-9A-Za-z]{1,3})", "[tT]ext:(.*)" },
      1,
      1 },
    { "cloudhopper",
      STANDARD | CAPITAL,
      REG_ICASE,
      { "(^| )id:([^ ]+)( |$)", "(^| )stat:(delivrd|expired|deleted|undeliv|acceptd|unknown|rejectd|enroute)( |$)",
        "(^| )sub:[0-9]{1,3} ", "(^| )dlvrd:[0-9]{1,3} ", "(^| )submit date:([0-9]{10}|[0-9]{12}|[0-9]{14}) ",
        "(^| )done date:([0-9]{10}|[0-9]{12}|[0-9]{14}) ", "(^| )err:[^ ]{1,3} " },
      2,
      2 },
    { "jsmpp",
      STANDARD,
      0,
      { "^id:([^ ]+) sub:([0-9]{1,3}) dlvrd:([0-9]{1,3}) submit date:" DATES_10_12 " done date:" DATES_10_12
        " stat:([A-Z]{7}) err:([^ ]{1,3}) text:.{0,20}$" },
      1,
      6 },
    { "php-smpp",
      STANDARD | CAPITAL,
      REG_ICASE,
      { "^id:([^ ]+) sub:([0-9]{1,3}) dlvrd:([0-9]{3}) submit date:([0-9]{10,12}) done date:([0-9]{10,12}) "
        "stat:([A-Z ]{7}) err:([0-9]{2,3}) text:(.*)$" },
      1,
      6 },
    { "smscsim's readers",
      CAPITAL,
      0,
      { "^id:([^ ]+) sub:[0-9]{3} dlvrd:[0-9]{3} submit date:" DATES_10_12 " done date:" DATES_10_12
        " stat:([A-Z]{7}) err:[0-9]{3} Text:" },
      1,
      4 },
    { "Appendix B",
      STANDARD,
      0,
      { "^id:([^ ]{1,64}) sub:[0-9]{3} dlvrd:[0-9]{3} submit date:" DATES_10_12 " done date:" DATES_10_12
        " stat:([A-Z]{7}) err:[0-9]{3} text:[ -~]{0,20}$" },
      1,
      4 },
};

static void group_is(const char *text, const regmatch_t *m, const char *want, const char *name)
{
    if ((size_t)(m->rm_eo - m->rm_so) != strlen(want) || memcmp(text + m->rm_so, want, strlen(want)) != 0)
        fail_msg("%s reads \"%.*s\" instead of \"%s\" in: %s", name, (int)(m->rm_eo - m->rm_so), text + m->rm_so, want,
                 text);
}

static void read_by(const struct parser *p, const char *text, const char *id, const char *stat)
{
    for (size_t i = 0; i < ARRAY_LEN(p->rules) && p->rules[i] != NULL; i++) {
        regmatch_t m[GROUPS_MAX];
        regex_t re;

        assert_int_equal(0, regcomp(&re, p->rules[i], REG_EXTENDED | p->flags));
        if (regexec(&re, text, GROUPS_MAX, m, 0) != 0)
            fail_msg("%s cannot read: %s", p->name, text);
        regfree(&re);
        if (i == 0)
            group_is(text, &m[p->id_group], id, p->name);
        if (i == (p->rules[1] == NULL ? 0 : 1))
            group_is(text, &m[p->stat_group], stat, p->name);
    }
}

/* Kannel's way with the scanf family, too: the expression above cannot show how that one stops. */
static void read_by_scanf(const char *text, const char *id, const char *stat)
{
    char got_id[65], submit[15], done[15], got_stat[11], err[4];

    assert_int_equal(5, sscanf(text,
                               "id:%64[^s] sub:%*s dlvrd:%*s submit date:%14[0-9] done date:%14[0-9] stat:%10s err:%3s",
                               got_id, submit, done, got_stat, err));
    got_id[strcspn(got_id, " ")] = '\0';
    assert_string_equal(id, got_id);
    assert_string_equal(stat, got_stat);
    assert_int_equal(3, strlen(err));
}

static struct smpp_receipt plain(void)
{
    return (struct smpp_receipt){ .message_id = "1234567890123456789",
                                  .state = SMPP_STATE_DELIVERED,
                                  .submitted_ms = SUBMITTED,
                                  .done_ms = DONE,
                                  .submitted_parts = 1,
                                  .delivered_parts = 1,
                                  .text = "The quick brown fox jumps",
                                  .text_len = 25 };
}

static void text_is(const struct smpp_receipt *r, const struct smpp_receipt_style *style, const char *want)
{
    struct buf out;

    buf_init(&out, 4096);
    smpp_receipt_text(r, style, &out);
    assert_string_equal(want, buf_text(&out));
    buf_finish(&out);
}

static void the_default_text(void **state)
{
    struct smpp_receipt r = plain();
    struct smpp_receipt_style style = { .variant = RECEIPT_STANDARD, .date_digits = 10, .with_text = true };

    (void)state;
    text_is(&r, &style,
            "id:1234567890123456789 sub:001 dlvrd:001 submit date:2401311134 done date:2402292359 stat:DELIVRD err:000 "
            "text:The quick brown fox ");
    style.with_text = false;
    text_is(&r, &style,
            "id:1234567890123456789 sub:001 dlvrd:001 submit date:2401311134 done date:2402292359 stat:DELIVRD err:000 "
            "text:");
    style.variant = RECEIPT_CAPITAL_TEXT;
    style.date_digits = 12;
    style.utc_offset_minutes = 180;
    style.with_text = true;
    r.state = SMPP_STATE_UNDELIVERABLE;
    r.err = 12;
    r.delivered_parts = 0;
    r.submitted_parts = 12;
    text_is(&r, &style,
            "id:1234567890123456789 sub:012 dlvrd:000 submit date:240131143456 done date:240301025959 stat:UNDELIV "
            "err:012 Text:The quick brown fox ");
    style.variant = RECEIPT_SHORT;
    text_is(&r, &style, "id:1234567890123456789 stat:UNDELIV");
}

static void odd_values_keep_the_form(void **state)
{
    struct smpp_receipt r = plain();
    const struct smpp_receipt_style style = { .variant = RECEIPT_STANDARD, .date_digits = 10, .with_text = true };
#define HEAD "id:007aF-x_ sub:999 dlvrd:999 submit date:2401311134 done date:2402292359 stat:UNKNOWN err:999 text:"

    (void)state;
    r.message_id = "007aF-x_"; /* verbatim: neither case nor zeros change */
    r.submitted_parts = 1000;
    r.delivered_parts = 4000000000u;
    r.err = 1006;
    r.state = (enum smpp_message_state)42;
    r.text = "one\r\ntwo\tthree\x7F";
    r.text_len = strlen(r.text);
    text_is(&r, &style, HEAD "one  two three ");
    r.text = "Привет";
    r.text_len = strlen(r.text);
    text_is(&r, &style, HEAD);
    r.text = "ASCII for twenty-one char\xC3\xA9"; /* not ASCII further on */
    r.text_len = strlen(r.text);
    text_is(&r, &style, HEAD);
    r.text = NULL;
    text_is(&r, &style, HEAD);
    r.text = "";
    r.text_len = 0;
    text_is(&r, &style, HEAD);
#undef HEAD
}

static void states_have_eight_words(void **state)
{
    static const char *const want[] = { "ENROUTE", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED",
                                        "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD", "UNKNOWN" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(want[i], smpp_state_stat((enum smpp_message_state)i));
}

/* Every style, state, id, error and text against every parser that claims to read it, and against our own. */
static void every_parser_reads_every_receipt(void **state)
{
    static const char *const ids[] = { "1", "1234567890123456789", "9f8e7d6c", "4f9d0c1e-9b1f-4e8a-9c3e-0123456789ab",
                                       "1111111111222222222233333333334444444444555555555566666666667777" };
    static const char *const texts[] = { "Hello",       "",    "stat:FAILED id:1 err:7",
                                         "line\nbreak", "жжж", "a text a good deal longer than twenty",
                                         NULL };
    static const unsigned errs[] = { 0, 7, 45, 255, 999, 1001, 70000 };
    int read_count = 0;

    (void)state;
    for (unsigned n = 0; n < 2 * RECEIPT_COUNT * 9 * ARRAY_LEN(ids) * ARRAY_LEN(texts); n++) {
        unsigned k = n;
        struct smpp_receipt r = plain();
        struct smpp_receipt_style style = { .with_text = n % 5 != 0, .utc_offset_minutes = (int)(n % 1500) - 720 };
        struct smpp_receipt_parsed parsed;
        struct buf out;

        style.date_digits = k % 2 == 0 ? 10 : 12;
        k /= 2;
        style.variant = (enum smpp_receipt_variant)(k % RECEIPT_COUNT);
        k /= RECEIPT_COUNT;
        r.state = (enum smpp_message_state)(k % 9);
        k /= 9;
        r.message_id = ids[k % ARRAY_LEN(ids)];
        k /= ARRAY_LEN(ids);
        r.text = texts[k % ARRAY_LEN(texts)];
        r.text_len = r.text == NULL ? 0 : strlen(r.text);
        r.err = errs[n % ARRAY_LEN(errs)];
        r.submitted_parts = n % 20;

        buf_init(&out, 4096);
        smpp_receipt_text(&r, &style, &out);
        assert_true(out.len > 0 && out.len <= SMPP_SHORT_MESSAGE_MAX);
        for (size_t i = 0; i < out.len; i++)
            assert_in_range(out.data[i], ' ', '~');
        for (size_t i = 0; i < ARRAY_LEN(parsers); i++) {
            if ((parsers[i].variants & 1 << style.variant) == 0)
                continue;
            read_by(&parsers[i], out.data, r.message_id, smpp_state_stat(r.state));
            read_count++;
        }
        if (style.variant != RECEIPT_SHORT)
            read_by_scanf(out.data, r.message_id, smpp_state_stat(r.state));
        assert_int_equal(0, smpp_receipt_parse((struct bytes){ (uint8_t *)out.data, out.len }, &parsed));
        assert_true(smpp_str_is(parsed.id, r.message_id));
        assert_true(smpp_str_is(parsed.stat, smpp_state_stat(r.state)));
        assert_int_equal(style.variant == RECEIPT_SHORT ? 0 : 3, parsed.err.len);
        assert_int_equal(style.variant == RECEIPT_SHORT ? 0 : style.date_digits, parsed.done_date.len);
        buf_finish(&out);
    }
    assert_true(read_count > 5000);
}

/* The expression of the aggregator's documentation, \d and \w spelled out [API smpp/send/hlr]. */
static void hlr_form(void **state)
{
    static const char rule[] = "^id:([0-9]+) stat:([0-9A-Za-z_]+) err:([0-9]+) imsi:([0-9]*) msc:([0-9]*) mcc:([0-9]*) "
                               "mnc:([0-9]*) cn:([^ ]*) net:([^ ]*) rcn:([^ ]*) rnet:([^ ]*)";
    struct smpp_receipt r = plain();
    const struct smpp_receipt_style style = { .variant = RECEIPT_CAPITAL_TEXT, .date_digits = 12, .with_text = true };
    regmatch_t m[GROUPS_MAX];
    regex_t re;

    (void)state;
    r.message_id = "855469";
    r.hlr = " imsi:250023012345678 msc: mcc:250 mnc:02 cn:Russia net:%D0%9C rcn: rnet:";
    text_is(&r, &style,
            "id:855469 stat:DELIVRD err:000 imsi:250023012345678 msc: mcc:250 mnc:02 cn:Russia net:%D0%9C rcn: rnet:");
    r.hlr++; /* the space in front is ours to care for */
    r.err = 6;
    r.state = SMPP_STATE_UNDELIVERABLE;
    struct buf out;
    buf_init(&out, 4096);
    smpp_receipt_text(&r, &style, &out);
    assert_int_equal(0, regcomp(&re, rule, REG_EXTENDED));
    assert_int_equal(0, regexec(&re, out.data, GROUPS_MAX, m, 0));
    group_is(out.data, &m[1], "855469", "the documentation");
    group_is(out.data, &m[2], "UNDELIV", "the documentation");
    group_is(out.data, &m[3], "006", "the documentation");
    group_is(out.data, &m[4], "250023012345678", "the documentation");
    group_is(out.data, &m[8], "Russia", "the documentation");
    group_is(out.data, &m[11], "", "the documentation");
    regfree(&re);
    buf_finish(&out);
}

/* ---- TLVs ---- */

static struct smpp_pdu pdu;
static struct smpp_receipt_tlvs storage;

static void add_tlvs(const struct smpp_receipt *r, bool standard, bool vendor, uint8_t version)
{
    const struct smpp_receipt_style style = { .with_tlvs = standard, .with_vendor_tlvs = vendor };

    memset(&pdu, 0, sizeof pdu);
    memset(&storage, 0xA5, sizeof storage);
    smpp_receipt_add_tlvs(r, &style, version, &storage, &pdu);
}

static void tlv_is(uint16_t tag, const void *value, size_t len)
{
    const struct smpp_tlv *tlv = smpp_tlv_find(&pdu, tag);

    assert_non_null(tlv);
    assert_int_equal(len, tlv->len);
    assert_memory_equal(value, tlv->value, len);
}

static void tlvs_by_version_and_style(void **state)
{
    struct smpp_receipt r = plain();

    (void)state;
    r.message_id = "12345";
    r.err = 0x123;
    r.cost = "0.2500";
    r.flag = 0x8102;
    add_tlvs(&r, true, true, 0x33);
    assert_int_equal(0, pdu.tlv_count);
    add_tlvs(&r, false, false, 0x34);
    assert_int_equal(0, pdu.tlv_count);
    add_tlvs(&r, true, false, 0x34);
    assert_int_equal(3, pdu.tlv_count);
    tlv_is(TAG_RECEIPTED_MESSAGE_ID, "12345", 6); /* with its NUL */
    tlv_is(TAG_MESSAGE_STATE, "\x02", 1);
    tlv_is(TAG_NETWORK_ERROR_CODE, "\x03\x01\x23", 3);
    add_tlvs(&r, false, true, 0x50);
    assert_int_equal(2, pdu.tlv_count);
    tlv_is(TAG_SMSC_COST, "0.2500", 6);
    tlv_is(TAG_SMSC_FLAG, "\x81\x02", 2);
    add_tlvs(&r, true, true, 0x34);
    assert_int_equal(5, pdu.tlv_count);

    r.err = 1006; /* too long for the text, not for the TLV */
    r.state = SMPP_STATE_SCHEDULED;
    add_tlvs(&r, true, false, 0x34);
    tlv_is(TAG_NETWORK_ERROR_CODE, "\x03\x03\xEE", 3);
    tlv_is(TAG_MESSAGE_STATE, "\x01", 1); /* agrees with the word ENROUTE */
}

static void cost_has_six_characters(void **state)
{
    static const struct {
        const char *cost, *want;
    } rows[] = {
        { "0", "0" },        { "1.5", "1.5" }, { "12.3456", "12.345" }, { "12345.6", "12345" }, { "123456", "123456" },
        { "1234567", NULL }, { "", NULL },     { NULL, NULL },          { ".5", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smpp_receipt r = plain();

        r.cost = rows[i].cost;
        add_tlvs(&r, false, true, 0x34);
        if (rows[i].want == NULL)
            assert_null(smpp_tlv_find(&pdu, TAG_SMSC_COST));
        else
            tlv_is(TAG_SMSC_COST, rows[i].want, strlen(rows[i].want));
    }
}

static void the_longest_id_is_the_same_twice(void **state)
{
    char id[SMPP_ID_MAX + 10];
    struct smpp_receipt r = plain();
    const struct smpp_receipt_style style = { .variant = RECEIPT_SHORT };
    struct buf out;

    (void)state;
    memset(id, '7', sizeof id);
    id[sizeof id - 1] = '\0';
    r.message_id = id;
    add_tlvs(&r, true, false, 0x34);
    const struct smpp_tlv *tlv = smpp_tlv_find(&pdu, TAG_RECEIPTED_MESSAGE_ID);
    assert_int_equal(SMPP_ID_MAX + 1, tlv->len);
    assert_int_equal(0, tlv->value[SMPP_ID_MAX]);
    buf_init(&out, 4096);
    smpp_receipt_text(&r, &style, &out);
    assert_memory_equal(out.data + 3, tlv->value, SMPP_ID_MAX);
    assert_int_equal(' ', out.data[3 + SMPP_ID_MAX]);
    buf_finish(&out);
}

/* ---- reading ---- */

static void foreign_receipts_are_read(void **state)
{
    static const struct {
        const char *in, *id, *stat, *err, *done, *text;
    } rows[] = {
        { "id:1 sub:001 dlvrd:001 submit date:2401311134 done date:2402292359 stat:DELIVRD err:000 text:Hello you", "1",
          "DELIVRD", "000", "2402292359", "Hello you" },
        { "ID:ab-1 SUB:1 DLVRD:1 Submit Date:240131113456 DONE DATE:240229235959 STAT:delivrd ERR:1 Text:x", "ab-1",
          "delivrd", "1", "240229235959", "x" },
        { "stat:EXPIRED err:45 id:77", "77", "EXPIRED", "45", "", "" },
        { "id:77 stat:UNDELIV", "77", "UNDELIV", "", "", "" },
        { "id: 77 stat: UNDELIV err: text:", "77", "UNDELIV", "", "", "" },
        { "  id:77\r\nstat:UNDELIV\terr:006,done date:240229235959;x:y", "77", "UNDELIV", "006", "240229235959", "" },
        { "id:77 submit_date:1 done_date:2 stat:ACCEPTD foo:bar cost:1.5 err:1", "77", "ACCEPTD", "1", "2", "" },
        { "id:77 stat:DELIVRD text:id:5 stat:EXPIRED err:9", "77", "DELIVRD", "", "", "id:5 stat:EXPIRED err:9" },
        { "text:hi there id:77 stat:DELIVRD", "77", "DELIVRD", "", "", "hi there" },
        { "id:77 id:78 stat:DELIVRD stat:EXPIRED", "77", "DELIVRD", "", "", "" },
        { "msgid:5 id:77 substat:1 stat:DELIVRD", "77", "DELIVRD", "", "", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smpp_receipt_parsed p;

        assert_int_equal(0, smpp_receipt_parse((struct bytes){ (const uint8_t *)rows[i].in, strlen(rows[i].in) }, &p));
        if (!smpp_str_is(p.id, rows[i].id) || !smpp_str_is(p.stat, rows[i].stat) || !smpp_str_is(p.err, rows[i].err) ||
            !smpp_str_is(p.done_date, rows[i].done) || !smpp_str_is(p.text, rows[i].text))
            fail_msg("wrongly read: %s", rows[i].in);
    }
    struct smpp_receipt_parsed p; /* some count the NUL */
    assert_int_equal(0, smpp_receipt_parse((struct bytes){ (const uint8_t *)"id:1 stat:DELIVRD text:a", 25 }, &p));
    assert_true(smpp_str_is(p.text, "a"));
}

static void no_receipts_are_refused(void **state)
{
    static const char *const rows[] = {
        "", " ", "Hello", "id:1", "stat:DELIVRD", "id: stat:DELIVRD", "id:1 stat:", "myid:1 stat:DELIVRD"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smpp_receipt_parsed p;

        assert_int_equal(ERR_SYNTAX,
                         smpp_receipt_parse((struct bytes){ (const uint8_t *)rows[i], strlen(rows[i]) }, &p));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_text),
        cmocka_unit_test(odd_values_keep_the_form),
        cmocka_unit_test(states_have_eight_words),
        cmocka_unit_test(every_parser_reads_every_receipt),
        cmocka_unit_test(hlr_form),
        cmocka_unit_test(tlvs_by_version_and_style),
        cmocka_unit_test(cost_has_six_characters),
        cmocka_unit_test(the_longest_id_is_the_same_twice),
        cmocka_unit_test(foreign_receipts_are_read),
        cmocka_unit_test(no_receipts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
