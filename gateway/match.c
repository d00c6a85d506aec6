/* SPDX-License-Identifier: MIT */
/* match.c - patterns of numbers and keywords [see match.h]. */
#include "gateway/match.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

bool match_number(const char *pattern, const char *number)
{
    size_t len = strlen(pattern);

    if (*number == '+')
        number++;
    if (*pattern == '+') {
        pattern++;
        len--;
    }
    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, number, len - 1) == 0;
    return len == 0 || strcmp(pattern, number) == 0;
}

/* One character of UTF-8 and its lower case, as far as keywords go: ASCII, Latin-1, Cyrillic. */
static uint32_t fold_next(const char **at)
{
    const unsigned char *s = (const unsigned char *)*at;
    size_t len = buf_utf8_len(*at, strlen(*at));
    uint32_t c = len == 2 ? ((s[0] & 0x1Fu) << 6) | (s[1] & 0x3Fu) : s[0];

    if (len == 0)
        len = 1;
    *at += len;
    if (len > 2) { /* compared as it is */
        for (size_t i = 1; i < len; i++)
            c = (c << 8) | s[i];
        return c;
    }
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x410 && c <= 0x42F))
        return c + 32;
    return c >= 0x400 && c <= 0x40F ? c + 80 : c;
}

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\r\n,.:;!?", c) != NULL;
}

bool match_keyword(const char *keyword, const char *text)
{
    text += strspn(text, " \t\r\n");
    while (*keyword != '\0') {
        if (*text == '\0' || fold_next(&keyword) != fold_next(&text))
            return false;
    }
    return ends_word(*text);
}
