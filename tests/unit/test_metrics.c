/* SPDX-License-Identifier: MIT */
/* test_metrics.c - the Prometheus text, label escaping, the ceiling of cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/metrics.h"

static struct buf text;

static int forget(void **state)
{
    (void)state;
    metrics_reset();
    buf_finish(&text);
    buf_init(&text, 8 << 20);
    return 0;
}

static const char *shown(void)
{
    buf_clear(&text);
    metrics_write(&text);
    assert_false(text.failed);
    return buf_text(&text);
}

static void counters_and_gauges(void **state)
{
    (void)state;
    struct metric *plain = metric_register(METRIC_COUNTER, "a_total", "All a.", "");
    struct metric *labelled = metric_register(METRIC_GAUGE, "b", "Back\\slash\nline.", "sys,type");

    metric_cell(plain, NULL)->value += 3;
    metric_cell(labelled, METRIC_VALUES("shop", "trx"))->value = 0.5;
    metric_cell(labelled, METRIC_VALUES("q\"\\\n\xFF\xD0\xB6", ""))->value = -2;
    assert_string_equal("# HELP a_total All a.\n# TYPE a_total counter\na_total 3\n"
                        "# HELP b Back\\\\slash\\nline.\n# TYPE b gauge\n"
                        "b{sys=\"shop\",type=\"trx\"} 0.5\n"
                        "b{sys=\"q\\\"\\\\\\n?\xD0\xB6\",type=\"\"} -2\n",
                        shown());
}

static void the_same_cell_is_found_again(void **state)
{
    (void)state;
    struct metric *m = metric_register(METRIC_COUNTER, "a", "", "x,y");

    assert_ptr_equal(m, metric_register(METRIC_COUNTER, "a", "", "x,y"));
    assert_ptr_equal(metric_cell(m, METRIC_VALUES("1", "2")), metric_cell(m, METRIC_VALUES("1", "2")));
    assert_ptr_not_equal(metric_cell(m, METRIC_VALUES("1", "2")), metric_cell(m, METRIC_VALUES("2", "1")));
    /* what looks alike when glued together is still two */
    assert_ptr_not_equal(metric_cell(m, METRIC_VALUES("a\",y=\"b", "c")),
                         metric_cell(m, METRIC_VALUES("a", "b\",y=\"c")));
}

static void histograms_are_cumulative(void **state)
{
    static const double bounds[] = { 0.1, 1 };

    (void)state;
    struct metric *m = metric_register(METRIC_HISTOGRAM, "h", "H.", "u");
    metric_buckets(m, bounds, 2);
    struct metric_cell *c = metric_cell(m, METRIC_VALUES("x"));
    metric_observe(c, 0.1); /* le: the bound belongs to its bucket */
    metric_observe(c, 0.5);
    metric_observe(c, 7);
    assert_string_equal(
        "# HELP h H.\n# TYPE h histogram\n"
        "h_bucket{u=\"x\",le=\"0.1\"} 1\nh_bucket{u=\"x\",le=\"1\"} 2\nh_bucket{u=\"x\",le=\"+Inf\"} 3\n"
        "h_sum{u=\"x\"} 7.6\nh_count{u=\"x\"} 3\n",
        shown());
}

static void a_histogram_without_labels(void **state)
{
    static const double bounds[] = { 1 };

    (void)state;
    struct metric *m = metric_register(METRIC_HISTOGRAM, "h", "", "");
    metric_buckets(m, bounds, 1);
    metric_observe(metric_cell(m, NULL), 2);
    assert_non_null(strstr(shown(), "h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n"));
}

static void forgotten_gauges_are_gone_counters_stay(void **state)
{
    (void)state;
    struct metric *g = metric_register(METRIC_GAUGE, "g", "", "n");
    struct metric *c = metric_register(METRIC_COUNTER, "c", "", "n");

    for (int i = 0; i < 3; i++) {
        char n[16];
        snprintf(n, sizeof n, "%d", i);
        metric_cell(g, METRIC_VALUES(n))->value = i;
        metric_cell(c, METRIC_VALUES(n))->value = i;
    }
    metric_forget(g, METRIC_VALUES("1"));
    metric_forget(g, METRIC_VALUES("never seen"));
    metric_forget(c, METRIC_VALUES("1"));
    assert_null(strstr(shown(), "g{n=\"1\"}"));
    assert_non_null(strstr(shown(), "g{n=\"0\"} 0\ng{n=\"2\"} 2\n"));
    assert_non_null(strstr(shown(), "c{n=\"1\"} 1\n"));
    metric_forget(g, METRIC_VALUES("0"));
    metric_forget(g, METRIC_VALUES("2"));
    metric_cell(g, METRIC_VALUES("9"))->value = 9;
    assert_non_null(strstr(shown(), "# TYPE g gauge\ng{n=\"9\"} 9\n"));
}

static void too_many_cells_share_other(void **state)
{
    char n[16];

    (void)state;
    struct metric *m = metric_register(METRIC_COUNTER, "m", "", "n");
    for (unsigned i = 0; i < METRIC_CELLS_MAX; i++) {
        snprintf(n, sizeof n, "%u", i);
        metric_cell(m, METRIC_VALUES(n))->value = 1;
    }
    assert_null(strstr(shown(), "other"));
    metric_cell(m, METRIC_VALUES("x"))->value += 1;
    metric_cell(m, METRIC_VALUES("y"))->value += 1;
    assert_non_null(strstr(shown(), "m{n=\"other\"} 2\n"));
    assert_true(metric_cell(m, METRIC_VALUES("77"))->value > 0.5);
}

static void an_endless_label_shares_other(void **state)
{
    char big[5000];

    (void)state;
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    metric_cell(metric_register(METRIC_COUNTER, "m", "", "n"), METRIC_VALUES(big))->value = 1;
    assert_non_null(strstr(shown(), "m{n=\"other\"} 1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(counters_and_gauges, forget),
        cmocka_unit_test_setup(the_same_cell_is_found_again, forget),
        cmocka_unit_test_setup(histograms_are_cumulative, forget),
        cmocka_unit_test_setup(a_histogram_without_labels, forget),
        cmocka_unit_test_setup(forgotten_gauges_are_gone_counters_stay, forget),
        cmocka_unit_test_setup(too_many_cells_share_other, forget),
        cmocka_unit_test_setup_teardown(an_endless_label_shares_other, forget, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
