/* SPDX-License-Identifier: MIT */
/* test_translate.c - prefixes and service types choose the channel; other texts stay as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/translate.h"
#include "http/smsc_api.h"

static struct message make(const char *text, const char *service_type)
{
    return (struct message){ .text = { (char *)(uintptr_t)text, strlen(text) },
                             .service_type = { (char *)(uintptr_t)service_type, strlen(service_type) } };
}

static void each_channel_is_reached(void **state)
{
    static const struct {
        const char *text, *service_type;
        enum smsc_kind kind;
        const char *left;
    } table[] = {
        { "__HLR__", "", SMSC_HLR, "" },
        { "__PING__", "", SMSC_PING, "" },
        { "__CALL__ your code", "", SMSC_CALL, "your code" },
        { "__VIBER__hello", "", SMSC_VIBER, "hello" },
        { "__SOC__hello", "", SMSC_SOC, "hello" },
        { "\x11\x11HLR\x11\x11", "", SMSC_HLR, "" },
        { "\xC2\xA7\xC2\xA7PING\xC2\xA7\xC2\xA7", "", SMSC_PING, "" },
        { "hello", "viber", SMSC_VIBER, "hello" },
        { "whatever", "HLR", SMSC_HLR, "" },
        { "1234", "TG", SMSC_TELEGRAM, "1234" },
        { "hello", "WAPP", SMSC_WHATSAPP, "hello" },
        { "__HLR__", "VIBER", SMSC_HLR, "" },
        { "__PUSH__http://a\nb", "", SMSC_PUSH, "http://a\nb" },
        { "__MAIL__hello", "", SMSC_MAIL, "hello" },
        { "__TG__1234", "", SMSC_TELEGRAM, "1234" },
        { "__WHATSAPP__hello", "", SMSC_WHATSAPP, "hello" },
        { "__FLASH__hello", "", SMSC_FLASH, "hello" },
        { "__VOICE__hello", "", SMSC_CALL, "hello" },
        { "__MMS__hello", "", SMSC_MMS, "hello" },
        { "", "PING", SMSC_PING, "" },
        { "hello", "CALL", SMSC_CALL, "hello" },
        { "hello", "VOICE", SMSC_CALL, "hello" },
        { "hello", "SOC", SMSC_SOC, "hello" },
        { "hello", "PUSH", SMSC_PUSH, "hello" },
        { "hello", "MAIL", SMSC_MAIL, "hello" },
        { "hello", "FLASH", SMSC_FLASH, "hello" },
        { "hello", "MMS", SMSC_MMS, "hello" },
        { "hello", "CMT", SMSC_SMS, "hello" },
        { "hello __HLR__", "", SMSC_SMS, "hello __HLR__" },
        { "__hlr__", "", SMSC_SMS, "__hlr__" },
        { "", "", SMSC_SMS, "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct message m = make(table[i].text, table[i].service_type);

        translate_channel(&m);
        assert_int_equal(table[i].kind, m.channel);
        assert_int_equal(strlen(table[i].left), m.text.len);
        assert_memory_equal(table[i].left, m.text.at, m.text.len);
    }
}

static void binary_messages_are_left_alone(void **state)
{
    struct message m = make("__HLR__", "HLR");

    (void)state;
    m.binary = true;
    m.channel = SMSC_BINARY;
    translate_channel(&m);
    assert_int_equal(SMSC_BINARY, m.channel);
    assert_int_equal(7, m.text.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_channel_is_reached),
        cmocka_unit_test(binary_messages_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
