/* SPDX-License-Identifier: MIT */
/*
 * profile.c - presets of client software as one table, and the account's own wishes over them.
 *
 * Every row says only what that software is known to need; where nothing is known it follows the default. Nothing here
 * keeps state: the numbers behind short ids are counted by shortid.c.
 */
#include "gateway/profile.h"

#include <string.h>
#include <strings.h>

#define STYLE(variant_, tlvs_, vendor_)                                                                                \
    {                                                                                                                  \
        .variant = variant_, .date_digits = 10, .with_text = true, .with_tlvs = tlvs_, .with_vendor_tlvs = vendor_     \
    }

/* clang-format off */
static const struct profile presets[] = {
    { "default", CFG_ID_AUTO, STYLE(RECEIPT_STANDARD, true, false), ALPHABET_GSM7, ALPHABET_ASCII,
      .full_status = STATUS_RBINDFAIL },
    /* Kannel gives up for ever on RINVPASWD and RINVSYSID; RBINDFAIL lets it come back once the password is right. A PDU
     * longer than its MAX_SMPP_PDU_LEN ends the connection. */
    { "kannel", CFG_ID_DECIMAL, STYLE(RECEIPT_STANDARD, true, false), ALPHABET_GSM7, ALPHABET_ASCII,
      .login_failure_status = STATUS_RBINDFAIL, .full_status = STATUS_RBINDFAIL, .pdu_max = 7424 },
    { "jasmin", CFG_ID_DECIMAL, STYLE(RECEIPT_STANDARD, true, false), ALPHABET_GSM7, ALPHABET_ASCII,
      .full_status = STATUS_RBINDFAIL },
    { "cloudhopper", CFG_ID_DECIMAL, STYLE(RECEIPT_STANDARD, true, false), ALPHABET_GSM7, ALPHABET_ASCII,
      .full_status = STATUS_RBINDFAIL },
    { "jsmpp", CFG_ID_DECIMAL, STYLE(RECEIPT_STANDARD, true, false), ALPHABET_GSM7, ALPHABET_ASCII,
      .full_status = STATUS_RBINDFAIL },
    /* php-smpp reads the text alone, in fixed order with dates of 10 to 12 digits. */
    { "php-smpp", CFG_ID_DECIMAL, STYLE(RECEIPT_STANDARD, true, false), ALPHABET_GSM7, ALPHABET_ASCII,
      .full_status = STATUS_RBINDFAIL },
    /* node-smpp calls 1 ASCII and writes the GSM alphabet there. It reads no PDU above 16384 bytes. */
    { "node-smpp", CFG_ID_DECIMAL, STYLE(RECEIPT_STANDARD, true, false), ALPHABET_GSM7, ALPHABET_GSM7,
      .full_status = STATUS_RBINDFAIL, .pdu_max = 16384 },
    { "smsc.ru", CFG_ID_DECIMAL, STYLE(RECEIPT_STANDARD, true, true), ALPHABET_GSM7, ALPHABET_ASCII,
      .four_is_text = true, .iso_system_type = true, .full_status = STATUS_RBINDFAIL },
    /* A message_id of 3.3 has room for 8 hexadecimal digits, and 3.3 has no optional parameters. */
    { "smpp33", CFG_ID_HEX8, STYLE(RECEIPT_STANDARD, false, false), ALPHABET_GSM7, ALPHABET_ASCII,
      .full_status = STATUS_RBINDFAIL },
};
/* clang-format on */

static const struct profile *preset_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    }
    return &presets[0];
}

const char *profile_name_at(size_t at)
{
    return at < ARRAY_LEN(presets) ? presets[at].name : NULL;
}

/* What a status word of the configuration is on the wire; 0 for "exact". */
static uint32_t status_of(enum cfg_status word, uint32_t preset)
{
    switch (word) {
    case CFG_STATUS_EXACT:
        return 0;
    case CFG_STATUS_RBINDFAIL:
        return STATUS_RBINDFAIL;
    case CFG_STATUS_RINVPASWD:
        return STATUS_RINVPASWD;
    case CFG_STATUS_RALYBND:
        return STATUS_RALYBND;
    case CFG_STATUS_RTHROTTLED:
        return STATUS_RTHROTTLED;
    case CFG_STATUS_RSYSERR:
        return STATUS_RSYSERR;
    case CFG_STATUS_PROFILE:
        break;
    }
    return preset;
}

static bool switched(enum cfg_switch wish, bool preset)
{
    return wish == CFG_BY_PROFILE ? preset : wish == CFG_ON;
}

static enum smpp_alphabet alphabet_or(const char *name, enum smpp_alphabet preset)
{
    enum smpp_alphabet alphabet = name == NULL ? ALPHABET_NONE : smpp_alphabet_named(name);

    return alphabet == ALPHABET_NONE ? preset : alphabet;
}

void profile_resolve(const struct cfg_esme *cfg, struct profile *out)
{
    if (cfg == NULL) {
        *out = presets[0];
        return;
    }
    *out = *preset_named(cfg->profile);
    out->zero = alphabet_or(cfg->alphabet, out->zero);
    out->one = alphabet_or(cfg->alphabet_one, out->one);
    out->four_is_text = switched(cfg->text_four, out->four_is_text);
    if (cfg->id_form != CFG_ID_PROFILE)
        out->id_form = cfg->id_form;
    switch (cfg->receipt_variant) {
    case CFG_VARIANT_STANDARD:
        out->receipt.variant = RECEIPT_STANDARD;
        break;
    case CFG_VARIANT_CAPITAL:
        out->receipt.variant = RECEIPT_CAPITAL_TEXT;
        break;
    case CFG_VARIANT_SHORT:
        out->receipt.variant = RECEIPT_SHORT;
        break;
    case CFG_VARIANT_PROFILE:
        break;
    }
    if (cfg->date_digits != 0)
        out->receipt.date_digits = (int)cfg->date_digits;
    out->receipt.with_tlvs = switched(cfg->tlvs, out->receipt.with_tlvs);
    out->receipt.with_vendor_tlvs = switched(cfg->vendor_tlvs, out->receipt.with_vendor_tlvs);
    out->login_failure_status = status_of(cfg->login_failure_status, out->login_failure_status);
    out->full_status = status_of(cfg->full_status, out->full_status);
    if (cfg->deliver_max_pdu_bytes != 0)
        out->pdu_max = (uint32_t)cfg->deliver_max_pdu_bytes;
}

/* --- text to the ESME --------------------------------------------------------------------------------------------- */

enum smpp_alphabet profile_alphabet_for(const struct profile *profile, bool iso, const char *text, size_t len,
                                        uint8_t *out_data_coding)
{
    enum smpp_alphabet zero = iso ? ALPHABET_LATIN1 : profile->zero;
    bool fits = smpp_text_fits(zero, text, len);

    *out_data_coding = fits ? 0 : 8;
    return fits ? zero : ALPHABET_UCS2;
}

bool profile_is_iso(const struct profile *profile, const char *system_type)
{
    return profile->iso_system_type && system_type != NULL && strcasecmp(system_type, "ISO") == 0;
}

/* --- ids ---------------------------------------------------------------------------------------------------------- */

enum { SHORT_DIGITS = 8, DECIMAL_LEAST = 18, DECIMAL_MOST = 20 };

bool profile_wants_short_id(const struct profile *profile, uint8_t interface_version)
{
    return profile->id_form == CFG_ID_HEX8 || (profile->id_form == CFG_ID_AUTO && interface_version < 0x34);
}

void profile_id_text(const struct profile *profile, uint64_t public_id, char out[SMPP_ID_MAX + 1])
{
    bool is_short = public_id <= UINT32_MAX;
    unsigned base = is_short || profile->id_form == CFG_ID_HEX ? 16 : 10;
    char digits[24];
    size_t at = sizeof digits;

    /* by hand: twice for each message */
    digits[--at] = '\0';
    for (uint64_t left = public_id; left > 0 || (is_short && at > sizeof digits - 9); left /= base)
        digits[--at] = "0123456789abcdef"[left % base];
    memcpy(out, digits + at, sizeof digits - at);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

bool profile_id_read(struct smpp_str text, uint64_t *out_public_id)
{
    int base = text.len >= DECIMAL_LEAST ? 10 : 16;
    uint64_t value = 0;

    if (text.len == 0 || text.len > DECIMAL_MOST)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.at[i]);

        if (digit >= base || value > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base)
            return false;
        value = value * (uint64_t)base + (uint64_t)digit;
    }
    if (text.len > SHORT_DIGITS && value <= UINT32_MAX)
        return false; /* ours never begin with zeros */
    *out_public_id = value;
    return true;
}
