/* test_quota.c - what counts, when a new day or month begins, and what the store remembers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "gateway/internal.h"

static uv_loop_t loop;
static struct gateway gw;
static struct account *account;

static struct config *configured(const char *quota)
{
    struct config *config = NULL;
    struct buf text, mistakes;

    buf_init(&text, 4096);
    buf_init(&mistakes, 4096);
    buf_addf(&text,
             "{\"esmes\": [{\"system_id\": \"a\", \"password\": \"x\", \"quota\": {%s}}],"
             " \"upstreams\": [{\"login\": \"l\", \"password\": \"p\"}], \"store\": {\"url\": \"memory:\"}}",
             quota);
    if (cfg_read_text("test", buf_text(&text), text.len, &config, &mistakes) != 0)
        fail_msg("%s", buf_text(&mistakes));
    buf_finish(&text);
    buf_finish(&mistakes);
    return config;
}

/* 22 November 2026, 12:00 UTC. */
#define NOON_MS INT64_C(1795348800000)
#define HOUR_MS INT64_C(3600000)

static void begin(const char *quota)
{
    struct store_opts opts = { .url = "memory:" };
    char why[256];

    memset(&gw, 0, sizeof gw);
    uv_loop_init(&loop);
    gw.loop = &loop;
    gw.config = configured(quota);
    meters_register(&gw.meters);
    assert_int_equal(0, store_open(&loop, &opts, &gw.store, why));
    gw.account_of = calloc(65536, sizeof(struct account *));
    clock_fake(1000, NOON_MS);
    account = account_get(&gw, "a");
}

static void end(void)
{
    quota_flush(&gw);
    account_finish_all(&gw);
    store_close(gw.store);
    cfg_destroy(gw.config);
    free(gw.account_of);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    metrics_reset();
    clock_fake_end();
}

static bool admits(uint64_t sms)
{
    uint32_t status = STATUS_ROK;
    bool admitted = quota_admits(account, sms, &status);

    assert_int_equal(admitted, status == STATUS_ROK);
    return admitted;
}

static void at(int64_t wall_ms)
{
    clock_fake(1000, wall_ms);
    quota_tick(account, wall_ms);
}

static void without_a_quota_nothing_is_counted(void **state)
{
    (void)state;
    begin("");
    assert_true(admits(UINT64_C(1) << 40));
    quota_count(account, 5);
    assert_int_equal(0, account->quota.messages);
    assert_false(quota_spend(account, -1, 1500000));
    assert_null(gw.dirty_quotas);
    end();
}

static void sms_are_counted_and_given_back(void **state)
{
    uint32_t status = 0;

    (void)state;
    begin("\"messages\": 5, \"per\": \"day\", \"status\": \"RMSGQFUL\"");
    assert_true(admits(5));
    assert_false(admits(6));
    quota_count(account, 3);
    assert_true(admits(2));
    assert_false(quota_admits(account, 3, &status));
    assert_int_equal(STATUS_RMSGQFUL, status);
    quota_count(account, -1);
    assert_true(admits(3));
    quota_count(account, -10); /* never below nothing */
    assert_int_equal(0, account->quota.messages);
    end();
}

static void money_counts_what_waits_too(void **state)
{
    (void)state;
    begin("\"money\": 10");
    assert_true(quota_spend(account, -1, 3000000));
    assert_int_equal(3000000, account->quota.money_e6);
    assert_true(quota_spend(account, 3000000, 2500000)); /* told better later */
    assert_int_equal(2500000, account->quota.money_e6);
    assert_false(quota_spend(account, 2500000, 2500000));
    assert_false(quota_spend(account, 2500000, -1));
    account->queued = 2; /* at the last price: 2.5 + 2 * 2.5 + 2.5 = 10 */
    assert_true(admits(1));
    account->queued = 3;
    assert_false(admits(1));
    account->queued = 0;
    assert_true(quota_spend(account, -1, 7500000));
    assert_false(admits(0)); /* all is spent, whatever the price */
    end();
}

static void a_day_ends_at_midnight_of_its_zone(void **state)
{
    (void)state;
    begin("\"messages\": 1, \"per\": \"day\", \"timezone\": 3");
    quota_count(account, 1);
    assert_int_equal(NOON_MS + 9 * HOUR_MS, quota_ends_ms(account, NOON_MS));
    at(NOON_MS + 9 * HOUR_MS - 1);
    assert_false(admits(1));
    at(NOON_MS + 9 * HOUR_MS);
    assert_true(admits(1));
    end();
}

static void a_month_ends_on_the_first(void **state)
{
    static const struct {
        int64_t now_s, end_s;
    } cases[] = {
        { 1795348800, 1796083200 }, /* 2026-11-22 -> 2026-12-01 */
        { 1798761599, 1798761600 }, /* 2026-12-31 23:59:59 -> 2027-01-01 */
        { 1798761600, 1801440000 }, /* 2027-01-01 -> 2027-02-01 */
        { 1835308800, 1835481600 }, /* 2028-02-28, of a leap year -> 2028-03-01 */
    };

    (void)state;
    begin("\"messages\": 1, \"per\": \"month\"");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(cases[i].end_s * 1000, quota_ends_ms(account, cases[i].now_s * 1000));
    quota_count(account, 1);
    at(INT64_C(1796083199) * 1000);
    assert_false(admits(1));
    at(INT64_C(1796083200) * 1000);
    assert_true(admits(1));
    end();
}

static void a_clock_set_back_gives_nothing_for_free(void **state)
{
    (void)state;
    begin("\"messages\": 1, \"per\": \"day\"");
    quota_count(account, 1);
    at(NOON_MS - 48 * HOUR_MS);
    assert_false(admits(1));
    at(NOON_MS);
    assert_false(admits(1));
    end();
}

static void the_store_remembers(void **state)
{
    (void)state;
    begin("\"messages\": 3, \"money\": 5, \"per\": \"month\"");
    quota_count(account, 2);
    assert_true(quota_spend(account, -1, 4000000));
    quota_flush(&gw);
    account_finish_all(&gw); /* as after a start */
    memset(gw.account_of, 0, 65536 * sizeof(struct account *));
    account = account_get(&gw, "a");
    assert_int_equal(2, account->quota.messages);
    assert_int_equal(4000000, account->quota.money_e6);
    assert_true(admits(1));
    assert_false(admits(2));
    /* a month later the same counts are nobody's */
    account_finish_all(&gw);
    memset(gw.account_of, 0, 65536 * sizeof(struct account *));
    clock_fake(1000, NOON_MS + 40 * 24 * HOUR_MS);
    account = account_get(&gw, "a");
    assert_int_equal(0, account->quota.messages);
    assert_int_equal(0, account->quota.money_e6);
    end();
}

static void a_reload_changes_the_limit_and_keeps_the_counts(void **state)
{
    (void)state;
    begin("\"messages\": 2, \"per\": \"day\"");
    quota_count(account, 2);
    assert_false(admits(1));
    struct config *before = gw.config;
    gw.config = configured("\"messages\": 4, \"per\": \"day\"");
    account_configure(account, &gw.config->esmes[0]);
    cfg_destroy(before);
    assert_true(admits(2));
    assert_false(admits(3));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_quota_nothing_is_counted),
        cmocka_unit_test(sms_are_counted_and_given_back),
        cmocka_unit_test(money_counts_what_waits_too),
        cmocka_unit_test(a_day_ends_at_midnight_of_its_zone),
        cmocka_unit_test(a_month_ends_on_the_first),
        cmocka_unit_test(a_clock_set_back_gives_nothing_for_free),
        cmocka_unit_test(the_store_remembers),
        cmocka_unit_test(a_reload_changes_the_limit_and_keeps_the_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
