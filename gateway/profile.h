/*
 * profile.h - the habits of one account's client software, resolved: presets, and what the configuration changes in them.
 *
 * Pure: a profile is a value made from the account's configuration. It says how ids are written, what receipts look like,
 * what data_coding 0, 1 and 4 mean and which status a refused bind gets. Source: interface.md 2, 6.5, 6.11; the parsers'
 * rules of smpp-compat A.1 and A.2.
 */
#ifndef GATEWAY_PROFILE_H
#define GATEWAY_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "smpp/smpp.h"

struct profile {
    const char *name;
    enum cfg_id_form id_form; /* never CFG_ID_PROFILE */
    struct smpp_receipt_style receipt;
    enum smpp_alphabet zero, one; /* of data_coding 0 and 1 */
    bool four_is_text;
    bool iso_system_type;          /* a bind with system_type ISO reads data_coding 0 as Latin-1 [API smpp] */
    uint32_t login_failure_status; /* 0: each cause its own */
    uint32_t full_status;
    uint32_t pdu_max; /* the longest PDU its software takes; 0: as long as the protocol has them */
};

/* `cfg` NULL (an account no longer configured): the default profile. */
void profile_resolve(const struct cfg_esme *cfg, struct profile *out);
/* Names of all presets, in order; NULL beyond the last. For tests and documents. */
const char *profile_name_at(size_t at);

/* The alphabet this UTF-8 goes to the account in: that of data_coding 0 (`iso`: Latin-1, as such a bind reads it) when
 * every character has a place there, else UCS2. *out_data_coding: 0 or 8. */
enum smpp_alphabet profile_alphabet_for(const struct profile *profile, bool iso, const char *text, size_t len,
                                        uint8_t *out_data_coding);
/* Is this the bind of one who takes data_coding 0 for Latin-1? `system_type` may be NULL. */
bool profile_is_iso(const struct profile *profile, const char *system_type);

/* Does a message that came by a bind of this version get a short id (8 hexadecimal digits)? */
bool profile_wants_short_id(const struct profile *profile, uint8_t interface_version);
/* The id as the ESME sees it. A short number (below 2^32) always reads as 8 digits, so that an id stays the same bytes
 * when the account's configuration changes. */
void profile_id_text(const struct profile *profile, uint64_t public_id, char out[SMPP_ID_MAX + 1]);
/* The number behind an id in any of our forms, told apart by length: 8 hexadecimal digits at most, 18 to 20 decimal
 * ones, hexadecimal between. False when it is none of ours. */
bool profile_id_read(struct smpp_str text, uint64_t *out_public_id);

#endif
