/* test_form.c - parameters read from every kind of body and written as a form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include "http/form.h"

static struct http_params p;

static int setup(void **state)
{
    (void)state;
    http_params_init(&p);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_params_finish(&p);
    return 0;
}

static void read_form(const char *text)
{
    assert_int_equal(0, http_params_read_form(&p, text, strlen(text)));
}

static void a_form_is_decoded_and_keeps_order(void **state)
{
    (void)state;
    read_form("a=1&b=x+y%2Bz&&c&=nameless&d=%zz%4&a=2&%D1%84=%00end");
    assert_int_equal(7, p.count);
    assert_string_equal("1", http_params_get(&p, "a"));
    assert_string_equal("x y+z", http_params_get(&p, "b"));
    assert_string_equal("", http_params_get(&p, "c"));
    assert_string_equal("%zz%4", http_params_get(&p, "d"));
    assert_int_equal(4, http_params_find(&p, "ф")->len);
    assert_memory_equal("\0end", http_params_get(&p, "ф"), 4);
    assert_null(http_params_get(&p, "absent"));
}

static void the_number_of_parameters_is_bounded(void **state)
{
    char text[4 * HTTP_PARAMS_MAX + 8];
    size_t len = 0;

    (void)state;
    for (int i = 0; i <= HTTP_PARAMS_MAX; i++) {
        memcpy(text + len, "a=1&", 4);
        len += 4;
    }
    assert_int_equal(ERR_FULL, http_params_read_form(&p, text, len));
    assert_int_equal(HTTP_PARAMS_MAX, p.count);
}

static int read_multipart(const char *type, const char *body)
{
    return http_params_read_multipart(&p, type, body, strlen(body));
}

static void multipart_parts_are_taken_with_files(void **state)
{
    (void)state;
    assert_int_equal(
        0, read_multipart("multipart/form-data; boundary=\"xy z\"",
                          "preamble\r\n--xy z\r\nContent-Disposition: form-data; name=\"login\"\r\n\r\nalex"
                          "\r\n--xy z\r\ncontent-disposition: form-data; filename=\"a.txt\"; name=\"file0\"\r\n"
                          "Content-Type: text/plain\r\n\r\nline 1\r\nline 2\r\n--xy z\r\n"
                          "Content-Disposition: form-data; name=empty\r\n\r\n\r\n--xy z--\r\n"));
    assert_int_equal(3, p.count);
    assert_string_equal("alex", http_params_get(&p, "login"));
    assert_string_equal("line 1\r\nline 2", http_params_get(&p, "file0"));
    assert_string_equal("", http_params_get(&p, "empty"));
}

static void a_multipart_body_cut_anywhere_is_refused(void **state)
{
    static const char body[] = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--";

    (void)state;
    for (size_t len = 0; len < sizeof body - 1; len++) {
        struct http_params cut;

        http_params_init(&cut);
        assert_int_equal(ERR_SYNTAX, http_params_read_multipart(&cut, "multipart/form-data; boundary=b", body, len));
        http_params_finish(&cut);
    }
    assert_int_equal(0, http_params_read_multipart(&p, "multipart/form-data; boundary=b", body, sizeof body - 1));
    assert_string_equal("1", http_params_get(&p, "a"));
    assert_int_equal(ERR_SYNTAX, read_multipart("multipart/form-data", body));
}

static void flat_json_becomes_text(void **state)
{
    static const char text[] = "{\"a\": \"x\", \"n\": 33, \"f\": 1.5, \"t\": true, \"z\": null}";
    static const char nested[] = "{\"a\": [1]}";

    (void)state;
    assert_int_equal(0, http_params_read_json(&p, text, sizeof text - 1));
    assert_string_equal("x", http_params_get(&p, "a"));
    assert_string_equal("33", http_params_get(&p, "n"));
    assert_string_equal("1.5", http_params_get(&p, "f"));
    assert_string_equal("1", http_params_get(&p, "t"));
    assert_string_equal("", http_params_get(&p, "z"));
    assert_int_equal(ERR_SYNTAX, http_params_read_json(&p, nested, sizeof nested - 1));
    assert_int_equal(ERR_SYNTAX, http_params_read_json(&p, "[]", 2));
    assert_int_equal(ERR_SYNTAX, http_params_read_json(&p, "{", 1));
}

static void what_is_written_reads_back(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    http_form_add(&out, "mes", "a&b=c +%\n\xD0\xB9", 11);
    http_form_add(&out, "x", "", 0);
    assert_string_equal("mes=a%26b%3Dc%20%2B%25%0A%D0%B9&x=", buf_text(&out));
    read_form(buf_text(&out));
    assert_string_equal("a&b=c +%\n\xD0\xB9", http_params_get(&p, "mes"));
    buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_form_is_decoded_and_keeps_order, setup, teardown),
        cmocka_unit_test_setup_teardown(the_number_of_parameters_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(multipart_parts_are_taken_with_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_multipart_body_cut_anywhere_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(flat_json_becomes_text, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_reads_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
