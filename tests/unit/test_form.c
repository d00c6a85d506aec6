/* SPDX-License-Identifier: MIT */
/* test_form.c - parameters from query strings, form bodies, multipart and JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/form.h"

static struct http_params p;

static int set_up(void **state)
{
    UNUSED(state);
    http_params_init(&p);
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    http_params_finish(&p);
    return 0;
}

static void holds(size_t i, const char *name, const char *value)
{
    assert_true(i < p.count);
    assert_string_equal(name, p.at[i].name);
    assert_string_equal(value, p.at[i].value);
    assert_int_equal(strlen(value), p.at[i].len);
}

static int form(const char *text)
{
    /* a copy without NUL behind it: the sanitizer sees a byte too many */
    size_t len = strlen(text);
    char *exact = malloc(len + (len == 0));
    int err;

    memcpy(exact, text, len);
    err = http_params_read_form(&p, exact, len);
    free(exact);
    return err;
}

static void pairs_are_decoded_in_order(void **state)
{
    UNUSED(state);
    assert_int_equal(0, form("phone=%2B79991234567&mes=a+b%20c%3D%26&empty=&bare&=noname&&phone=2"));
    assert_int_equal(6, p.count);
    holds(0, "phone", "+79991234567");
    holds(1, "mes", "a b c=&");
    holds(2, "empty", "");
    holds(3, "bare", "");
    holds(4, "", "noname");
    holds(5, "phone", "2");
    assert_string_equal("+79991234567", http_params_get(&p, "phone")); /* the first wins */
    assert_null(http_params_get(&p, "Phone"));
    assert_ptr_equal(&p.at[1], http_params_find(&p, "mes"));
}

static void bad_escapes_stay_as_they_stand(void **state)
{
    UNUSED(state);
    assert_int_equal(0, form("a=100%&b=%4&c=%zz&d=%4x%41&e=%%41&%66=1"));
    holds(0, "a", "100%");
    holds(1, "b", "%4");
    holds(2, "c", "%zz");
    holds(3, "d", "%4xA");
    holds(4, "e", "%A");
    holds(5, "f", "1");
}

static void values_may_hold_any_byte(void **state)
{
    UNUSED(state);
    assert_int_equal(0, form("a=x%00y&b=%ff%FE"));
    assert_int_equal(3, p.at[0].len);
    assert_memory_equal("x\0y", p.at[0].value, 4);
    assert_memory_equal("\xff\xfe", p.at[1].value, 3);
    assert_int_equal(0, form(""));
    assert_int_equal(2, p.count);
}

static void too_many_parameters_are_refused(void **state)
{
    char text[2 * (HTTP_PARAMS_MAX + 1) + 1];

    UNUSED(state);
    for (size_t i = 0; i <= HTTP_PARAMS_MAX; i++)
        memcpy(text + 2 * i, "a&", 3);
    assert_int_equal(ERR_FULL, form(text));
    assert_int_equal(HTTP_PARAMS_MAX, p.count);
    assert_int_equal(ERR_FULL, http_params_add(&p, "b", "", 0));
}

static void writing_and_reading_agree(void **state)
{
    struct buf out;
    char every[256];

    UNUSED(state);
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof every; i++)
        every[i] = (char)i;
    http_form_add(&out, "mes", "a b&c=d+\xd0\xb9", 10);
    http_form_add(&out, "na=me", every, sizeof every);
    assert_int_equal(0, strncmp(buf_text(&out), "mes=a%20b%26c%3Dd%2B%D0%B9&na%3Dme=%00%01", 40));
    assert_int_equal(0, http_params_read_form(&p, out.data, out.len));
    assert_int_equal(2, p.count);
    holds(0, "mes", "a b&c=d+\xd0\xb9");
    assert_string_equal("na=me", p.at[1].name);
    assert_int_equal(sizeof every, p.at[1].len);
    assert_memory_equal(every, p.at[1].value, sizeof every);
    buf_finish(&out);
}

static int multipart(const char *type, const char *body)
{
    size_t len = strlen(body);
    char *exact = malloc(len + (len == 0));
    int err;

    memcpy(exact, body, len);
    err = http_params_read_multipart(&p, type, exact, len);
    free(exact);
    return err;
}

static void multipart_gives_fields_and_files(void **state)
{
    UNUSED(state);
    assert_int_equal(
        0, multipart("multipart/form-data; charset=utf-8; Boundary=\"x y\"",
                     "preamble\r\n--x y\r\n"
                     "Content-Disposition: form-data; name=\"phone\"\r\n\r\n+7999\r\n"
                     "--x y  \r\n"
                     "X-Other: 1\r\ncontent-disposition:form-data;filename=\"name=a;.txt\"; name=\"fi\\\"le\"\r\n"
                     "Content-Type: text/plain\r\n\r\nline 1\r\n--x\r\n\r\nline 2\r\n"
                     "--x y\r\nContent-Disposition: form-data; name=bare\r\n\r\n\r\n"
                     "--x y\r\nContent-Disposition: form-data; name=\"none\"\r\n\r\n"
                     "\r\n--x y\r\n\r\nno headers\r\n"
                     "--x y--\r\nepilogue"));
    assert_int_equal(4, p.count);
    holds(0, "phone", "+7999");
    holds(1, "fi\"le", "line 1\r\n--x\r\n\r\nline 2");
    holds(2, "bare", "");
    holds(3, "none", "");
}

static void broken_multipart_is_refused(void **state)
{
    static const char type[] = "multipart/form-data; boundary=B";
    static const char part[] = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B--";

    UNUSED(state);
    assert_int_equal(ERR_SYNTAX, multipart("multipart/form-data", part));
    assert_int_equal(ERR_SYNTAX, multipart("multipart/form-data; boundary=", part));
    assert_int_equal(ERR_SYNTAX, multipart("multipart/form-data; boundary=\"B", part));
    assert_int_equal(ERR_SYNTAX, multipart("multipart/form-data; boundary=C", part));
    assert_int_equal(ERR_SYNTAX, multipart(type, "--B\r\nContent-Disposition: form-data; name=\"a\r\n\r\nv\r\n--B--"));
    assert_int_equal(ERR_SYNTAX, multipart(type, "--Bother\r\n\r\nv\r\n--B--"));
    for (size_t cut = 0; cut < sizeof part - 1; cut++) { /* whatever is missing, it is noticed */
        char *body = strndup(part, cut);

        http_params_finish(&p);
        assert_int_equal(ERR_SYNTAX, multipart(type, body));
        free(body);
    }
    http_params_finish(&p);
    assert_int_equal(0, multipart(type, part));
    holds(0, "a", "value");
}

static void a_flat_object_is_read(void **state)
{
    static const char text[] = "{\"id\": 12345678901234567890, \"cost\":1.10,\"ok\":true,\"no\":false,\"nil\":null,"
                               "\"mes\":\"\\u041f\\n\\\"\"} ";

    UNUSED(state);
    assert_int_equal(0, http_params_read_json(&p, text, sizeof text - 1));
    assert_int_equal(6, p.count);
    holds(0, "id", "12345678901234567890"); /* every digit */
    holds(1, "cost", "1.10");
    holds(2, "ok", "1");
    holds(3, "no", "0");
    holds(4, "nil", "");
    holds(5, "mes", "\xd0\x9f\n\"");
}

static void other_json_is_refused(void **state)
{
    static const char *const bad[] = { "",          "[]",     "1",          "{\"a\":1",   "{\"a\":{}}",  "{\"a\":[1]}",
                                       "{\"a\"}",   "{a:1}",  "{\"a\":1}x", "{\"a\":1,}", "{\"a\":\"x}", "null",
                                       "{\"a\":1 ", "{'a':1}" };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        http_params_finish(&p);
        assert_int_equal(ERR_SYNTAX, http_params_read_json(&p, bad[i], strlen(bad[i])));
    }
    http_params_finish(&p);
    assert_int_equal(0, http_params_read_json(&p, "{}", 2));
    assert_int_equal(0, p.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pairs_are_decoded_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_escapes_stay_as_they_stand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_may_hold_any_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_parameters_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writing_and_reading_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(multipart_gives_fields_and_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_multipart_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flat_object_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_json_is_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
