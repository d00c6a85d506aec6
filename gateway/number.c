/* SPDX-License-Identifier: MIT */
/* number.c - addresses as ESMEs write them [see number.h]. */
#include "gateway/number.h"

#include <string.h>

enum { TON_INTERNATIONAL = 1 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits of a number without what people put between them; 0 when it is no number. */
static size_t digits_of(struct smpp_str s, char out[NUMBER_MAX + 1], bool *out_plus)
{
    size_t len = 0, at = 0;

    *out_plus = s.len > 0 && s.at[0] == '+';
    if (*out_plus)
        at++;
    for (; at < s.len; at++) {
        if (is_digit(s.at[at])) {
            if (len == NUMBER_MAX - 1) /* a + may come in front */
                return 0;
            out[len++] = s.at[at];
        } else if (strchr(" -.()", s.at[at]) == NULL || s.at[at] == '\0') {
            return 0;
        }
    }
    out[len] = '\0';
    return len;
}

/* Does the number fit this form ("8", "8xxxxxxxxxx")? *out_skip: how many of its digits the new prefix replaces. */
static bool fits_form(const char *form, const char *digits, size_t len, size_t *out_skip)
{
    size_t fixed = strspn(form, "0123456789"), more = strspn(form + fixed, "xX");

    if (fixed == 0 || form[fixed + more] != '\0' || len < fixed || strncmp(form, digits, fixed) != 0)
        return false;
    if (more > 0 && len != fixed + more)
        return false;
    *out_skip = fixed;
    return true;
}

/* Returns the new length; what does not fit is cut. */
static size_t append(char out[NUMBER_MAX + 1], size_t len, const char *text, size_t text_len)
{
    if (text_len > NUMBER_MAX - len)
        text_len = NUMBER_MAX - len;
    memcpy(out + len, text, text_len);
    out[len + text_len] = '\0';
    return len + text_len;
}

size_t number_normalise(const struct smpp_addr *address, enum cfg_numbers form, const struct cfg_pair *prefixes,
                        char out[NUMBER_MAX + 1])
{
    char digits[NUMBER_MAX + 1];
    bool plus;
    size_t len = digits_of(address->addr, digits, &plus), skip = 0;
    const char *prefix = "";

    if (len == 0) { /* a name */
        len = address->addr.len < NUMBER_MAX ? address->addr.len : NUMBER_MAX;
        if (len > 0)
            memcpy(out, address->addr.at, len);
        out[len] = '\0';
        return len;
    }
    if (!plus && len > 2 && digits[0] == '0' && digits[1] == '0') {
        plus = true;
        skip = 2;
    }
    for (size_t i = 0; !plus && address->ton != TON_INTERNATIONAL && prefixes != NULL && prefixes[i].name != NULL;
         i++) {
        if (fits_form(prefixes[i].name, digits, len, &skip)) {
            prefix = prefixes[i].value[0] == '+' ? prefixes[i].value + 1 : prefixes[i].value;
            break;
        }
    }
    size_t end = append(out, 0, "+", plus && form == CFG_NUMBERS_KEEP ? 1 : 0);
    end = append(out, end, prefix, strlen(prefix));
    return append(out, end, digits + skip, len - skip);
}

bool number_source_allowed(const char *const *sources, struct smpp_str source)
{
    if (sources == NULL || sources[0] == NULL)
        return true;
    if (source.len > 0 && source.at[0] == '+')
        source = (struct smpp_str){ source.at + 1, source.len - 1 };
    for (; *sources != NULL; sources++) {
        const char *entry = **sources == '+' ? *sources + 1 : *sources;
        size_t len = strlen(entry);

        if (len > 0 && entry[len - 1] == '*') {
            if (source.len >= len - 1 && (len == 1 || memcmp(entry, source.at, len - 1) == 0))
                return true;
        } else if (source.len == len && (len == 0 || memcmp(entry, source.at, len) == 0)) {
            return true;
        }
    }
    return false;
}
