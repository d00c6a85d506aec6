/* SPDX-License-Identifier: MIT */
/* translate.c - the table behind translate.h. A prefix wins over service_type: it is the more deliberate of the two. */
#include "gateway/translate.h"

#include <string.h>
#include <strings.h>

#include "http/http.h"

static const struct {
    const char *prefix, *service_type; /* service_type: at most five characters [SMPP34 5.2.11] */
    enum smsc_kind kind;
} channels[] = {
    /* [smsc-api 3.1, 7] */
    { "__HLR__", "HLR", SMSC_HLR },
    { "__PING__", "PING", SMSC_PING },
    { "__CALL__", "CALL", SMSC_CALL },
    { "__VIBER__", "VIBER", SMSC_VIBER },
    { "__SOC__", "SOC", SMSC_SOC },
    { "__PUSH__", "PUSH", SMSC_PUSH },
    { "__MAIL__", "MAIL", SMSC_MAIL },
    { "__TG__", "TG", SMSC_TELEGRAM },
    { "__WHATSAPP__", "WAPP", SMSC_WHATSAPP },
    { "__FLASH__", "FLASH", SMSC_FLASH },
    { "__VOICE__", "VOICE", SMSC_CALL },
    { "__MMS__", "MMS", SMSC_MMS },
};

/* Bytes of the text that spell the prefix, 0 when it does not begin so. An underscore is 0x11 in GSM 03.38: clients that
 * mix it up with ASCII send one for the other, which arrives as a section sign or as the bare 0x11. */
static size_t spelled(const struct message *m, const char *prefix)
{
    size_t at = 0;

    for (; *prefix != '\0'; prefix++) {
        size_t left = m->text.len - at;
        const char *text = m->text.at + at;

        if (left > 0 && (*text == *prefix || (*prefix == '_' && *text == 0x11)))
            at++;
        else if (*prefix == '_' && left > 1 && memcmp(text, "\xC2\xA7", 2) == 0)
            at += 2;
        else
            return 0;
    }
    return at;
}

static void set(struct message *m, enum smsc_kind kind)
{
    m->channel = (uint8_t)kind;
    if (kind == SMSC_HLR || kind == SMSC_PING) /* have no text */
        m->text.len = 0;
}

void translate_channel(struct message *m)
{
    if (m->binary || (m->channel != SMSC_SMS && m->channel != SMSC_FLASH))
        return;
    for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
        size_t len = spelled(m, channels[i].prefix);

        if (len == 0)
            continue;
        m->text.at += len;
        m->text.len -= len;
        while (m->text.len > 0 && m->text.at[0] == ' ') {
            m->text.at++;
            m->text.len--;
        }
        set(m, channels[i].kind);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
        const char *name = channels[i].service_type;

        if (m->service_type.len == strlen(name) && strncasecmp(m->service_type.at, name, m->service_type.len) == 0) {
            set(m, channels[i].kind);
            return;
        }
    }
}
