/* SPDX-License-Identifier: MIT */
/*
 * smsc_send.c - one send.php request from messages [smsc-api 3, 4, 6, 7].
 *
 * Texts arrive as they were written, with one exception. LF, three tildes, LF starts a comment that the aggregator cuts
 * off [smsc-api 3.6], so such a mark inside a user's text goes out as LF, three tildes, space, LF: every character
 * arrives, one invisible space is added, nothing is lost. A list line has no escape for CR or for a backslash followed
 * by "n", hence smsc_line_can_list; a builder handed such a line all the same writes what comes closest.
 */
#include "http/smsc_request.h"

#include <string.h>

static const struct {
    const char *flag;
    bool has_text;
} kinds[SMSC_KIND_COUNT] = {
    [SMSC_SMS] = { NULL, true },      [SMSC_FLASH] = { "flash", true },
    [SMSC_BINARY] = { NULL, true }, /* bin=2 */
    [SMSC_PUSH] = { "push", true },   [SMSC_HLR] = { "hlr", false },
    [SMSC_PING] = { "ping", false },  [SMSC_MMS] = { "mms", true },
    [SMSC_CALL] = { "call", true },   [SMSC_MAIL] = { "mail", true },
    [SMSC_VIBER] = { "viber", true }, [SMSC_SOC] = { "soc", true },
    [SMSC_TELEGRAM] = { "tg", true }, [SMSC_WHATSAPP] = { "whatsapp", true },
};

enum { VALID_MAX_MINUTES = 24 * 60 };

static const char *sender_of(const struct smsc_line *line)
{
    return line->sender == NULL ? "" : line->sender;
}

bool smsc_has_text(enum smsc_kind kind)
{
    return kinds[kind].has_text;
}

static bool same_text(const struct smsc_line *a, const struct smsc_line *b)
{
    return a->text_len == b->text_len && (a->text_len == 0 || memcmp(a->text, b->text, a->text_len) == 0) &&
           strcmp(sender_of(a), sender_of(b)) == 0;
}

enum smsc_form smsc_form_of(const struct smsc_send *send)
{
    if (!smsc_has_text(send->kind)) /* nothing but numbers */
        return SMSC_FORM_PHONES;
    for (size_t i = 1; i < send->line_count; i++) {
        if (!same_text(&send->lines[0], &send->lines[i]))
            return SMSC_FORM_LIST;
    }
    return SMSC_FORM_PHONES;
}

/* Is the LF at text[at] the start of a comment mark? CR before the second LF counts too: servers trim line ends. */
static bool is_mark(const char *text, size_t len, size_t at)
{
    return len - at >= 5 && memcmp(text + at, "\n~~~", 4) == 0 &&
           (text[at + 4] == '\n' || (len - at >= 6 && text[at + 4] == '\r' && text[at + 5] == '\n'));
}

static bool is_phone(const char *phone)
{
    size_t digits = 0;

    for (const char *p = phone + (*phone == '+'); *p != '\0'; p++, digits++) {
        if (*p < '0' || *p > '9')
            return false;
    }
    return digits > 0 && digits <= 20;
}

bool smsc_line_can_list(const struct smsc_line *line)
{
    const char *sender = sender_of(line);

    if (line->text_len == 0 || !is_phone(line->phone))
        return false;
    if (strpbrk(sender, ",|:;\r\n") != NULL) /* would end the sender too early */
        return false;
    for (size_t i = 0; i < line->text_len; i++) {
        switch (line->text[i]) {
        case '\0':
        case '\r':
            return false;
        case '\\': /* before n it is read as LF; before LF our escape would put one there */
            if (i + 1 < line->text_len && (line->text[i + 1] == 'n' || line->text[i + 1] == '\n'))
                return false;
            break;
        case '\n':
            if (is_mark(line->text, line->text_len, i))
                return false;
            break;
        case '|': /* without a sender in front it could be taken for the end of one */
            if (sender[0] == '\0')
                return false;
            break;
        default:
            break;
        }
    }
    return true;
}

static void add_hex(const char *bytes, size_t len, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    char *to = buf_reserve(out, len * 2);

    if (to == NULL)
        return;
    for (size_t i = 0; i < len; i++) {
        *to++ = hex[(unsigned char)bytes[i] >> 4];
        *to++ = hex[bytes[i] & 15];
    }
    out->len += len * 2;
    out->data[out->len] = '\0';
}

/* The parameter "comment" is none of the aggregator's: it travels behind the text [smsc-api 3.6]. */
static void add_comment(const struct smsc_send *send, struct buf *out)
{
    for (size_t i = 0; i < send->extra_count; i++) {
        if (strcmp(send->extra[i].name, "comment") != 0)
            continue;
        if (send->extra[i].value != NULL && send->extra[i].value[0] != '\0')
            buf_addf(out, "\n~~~\n%s", send->extra[i].value);
        return; /* the first one wins, as with all parameters */
    }
}

void smsc_add_text(const struct smsc_send *send, const struct smsc_line *line, struct buf *out)
{
    if (send->kind == SMSC_BINARY) {
        add_hex(line->text, line->text_len, out);
        if (send->has_pid_dcs) /* spacing as documented, decimal [smsc-api 6] */
            buf_addf(out, "\n~~~\npid: %u, dcs: %u", send->pid, send->dcs);
        return;
    }
    size_t from = 0;
    for (size_t i = 0; i < line->text_len; i++) {
        const char *lf = memchr(line->text + i, '\n', line->text_len - i);

        if (lf == NULL)
            break;
        i = (size_t)(lf - line->text);
        if (is_mark(line->text, line->text_len, i)) {
            buf_add(out, line->text + from, i + 4 - from);
            buf_addc(out, ' ');
            from = i + 4;
        }
    }
    if (line->text_len > from)
        buf_add(out, line->text + from, line->text_len - from);
    add_comment(send, out);
}

/* LF becomes backslash and n [smsc-api 3.2]; so do CR LF and a lone CR, for which a list has no sign. */
static void add_escaped(const char *text, size_t len, struct buf *out)
{
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n' && text[i] != '\r')
            continue;
        buf_add(out, text + from, i - from);
        from = i + 1;
        if (text[i] == '\r' && from < len && text[from] == '\n')
            continue; /* the LF writes it */
        buf_add(out, "\\n", 2);
    }
    buf_add(out, text + from, len - from);
}

void smsc_add_list(const struct smsc_send *send, struct buf *out)
{
    struct buf text;

    buf_init(&text, out->max);
    for (size_t i = 0; i < send->line_count; i++) {
        const struct smsc_line *line = &send->lines[i];

        if (i > 0)
            buf_addc(out, '\n');
        if (sender_of(line)[0] != '\0') {
            buf_adds(out, line->sender);
            buf_addc(out, '|');
        }
        buf_adds(out, line->phone);
        buf_addc(out, ':');
        buf_clear(&text);
        smsc_add_text(send, line, &text);
        add_escaped(buf_text(&text), text.len, out);
        out->failed = out->failed || text.failed;
    }
    buf_finish(&text);
}

void smsc_add_time(int64_t at_s, struct buf *out)
{
    buf_addc(out, '0'); /* the digit zero in front marks a Unix time [smsc-api 4]; alone it means now */
    if (at_s > 0)
        buf_add_u64(out, (uint64_t)at_s);
}

/* tg=1 asks Telegram for its own confirmation message; a text through a bot is bot= without it [smsc-api 3.1]. */
static bool has_bot(const struct smsc_send *send)
{
    for (size_t i = 0; i < send->extra_count; i++) {
        if (strcmp(send->extra[i].name, "bot") == 0)
            return true;
    }
    return false;
}

void smsc_put_options(struct smsc_put *put, const struct smsc_send *send)
{
    if (send->kind == SMSC_BINARY)
        smsc_puts(put, "bin", "2");
    else if (kinds[send->kind].flag != NULL && !(send->kind == SMSC_TELEGRAM && has_bot(send)))
        smsc_puts(put, kinds[send->kind].flag, "1");
    if (send->valid_minutes > 0) {
        unsigned minutes = send->valid_minutes > VALID_MAX_MINUTES ? VALID_MAX_MINUTES : send->valid_minutes;

        smsc_put_name(put, "valid");
        buf_addf(put->out, "%02u%%3A%02u", minutes / 60, minutes % 60);
    }
    smsc_put_extra(put, send->extra, send->extra_count);
}

void smsc_build_send(const struct smsc_login *login, const struct smsc_send *send, struct buf *out)
{
    struct smsc_put put;
    struct buf value;

    smsc_put_login(&put, login, out);
    smsc_puts(&put, "cost", "3");
    if (send->line_count > 1) /* one line has its cost and its error in the reply itself */
        smsc_puts(&put, "op", "1");
    if (send->id != NULL && send->id[0] != '\0')
        smsc_puts(&put, "id", send->id);

    buf_init(&value, out->max);
    if (smsc_form_of(send) == SMSC_FORM_LIST) {
        smsc_add_list(send, &value);
        smsc_put(&put, "list", buf_text(&value), value.len);
    } else {
        smsc_put_name(&put, "phones");
        for (size_t i = 0; i < send->line_count; i++) {
            if (i > 0)
                buf_add_url(out, ",", 1);
            buf_add_url(out, send->lines[i].phone, strlen(send->lines[i].phone));
        }
        if (send->line_count > 0 && smsc_has_text(send->kind)) {
            smsc_add_text(send, &send->lines[0], &value);
            smsc_put(&put, "mes", buf_text(&value), value.len);
        }
        if (send->line_count > 0 && sender_of(&send->lines[0])[0] != '\0')
            smsc_puts(&put, "sender", send->lines[0].sender);
    }
    out->failed = out->failed || value.failed;
    buf_clear(&value);
    if (send->at_s > 0) {
        smsc_add_time(send->at_s, &value);
        smsc_put(&put, "time", buf_text(&value), value.len);
    }
    smsc_put_options(&put, send);
    buf_finish(&value);
}
