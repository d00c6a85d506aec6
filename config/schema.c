/* SPDX-License-Identifier: MIT */
/*
 * schema.c - one row per setting: key, type, place in the struct, default, range, what a reload does, whether it works.
 *
 * A feature that is not built yet keeps its row as NOT_YET (or its word, in the lists of words): the key is then refused
 * unless it has the value that is in force, so no file can promise what the program does not do. When the feature lands,
 * the row becomes WORKS and its default takes over from `off`.
 * Columns: key, type, place, default, min, max, change, works; then what only some rows have.
 */
#include "config/schema.h"

#include <stdint.h>

#include "base/log.h"

#define SMPP(m)      offsetof(struct cfg_smpp, m)
#define ESME(m)      offsetof(struct cfg_esme, m)
#define UPSTREAM(m)  offsetof(struct cfg_upstream, m)
#define CALLBACKS(m) offsetof(struct cfg_callbacks, m)
#define ROUTE(m)     offsetof(struct cfg_route, m)
#define OPERATOR(m)  offsetof(struct cfg_operator, m)
#define INCOMING(m)  offsetof(struct cfg_incoming, m)
#define ADMIN(m)     offsetof(struct cfg_admin, m)
#define STORE(m)     offsetof(struct cfg_store, m)
#define LOG(m)       offsetof(struct cfg_log, m)

#define SECOND 1000.0
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    1024.0

static const struct cfg_word when_full[] = {
    { "refuse", CFG_REFUSE, WORKS },
    { "replace-oldest", CFG_REPLACE_OLDEST, WORKS },
    { 0 },
};
static const struct cfg_word acknowledge[] = {
    { "stored", CFG_STORED, WORKS },
    { "sent", CFG_SENT, WORKS },
    { 0 },
};
static const struct cfg_word when_down[] = {
    { "hold", CFG_DOWN_HOLD, WORKS },
    { "refuse", CFG_DOWN_REFUSE, WORKS },
    { 0 },
};
static const struct cfg_word profiles[] = {
    { "default", 0, WORKS },   { "kannel", 0, WORKS },
    { "jasmin", 0, WORKS },    { "cloudhopper", 0, WORKS },
    { "jsmpp", 0, WORKS },     { "php-smpp", 0, WORKS },
    { "node-smpp", 0, WORKS }, { "smsc.ru", 0, WORKS },
    { "smpp33", 0, WORKS },    { 0 },
};
static const struct cfg_word alphabets[] = {
    { "gsm7", 0, WORKS }, { "latin1", 0, WORKS }, { "ascii", 0, WORKS },
    { "utf8", 0, WORKS }, { "cp1251", 0, WORKS }, { 0 },
};
static const struct cfg_word alphabets_one[] = {
    { "profile", 0, WORKS },
    { "gsm7", 0, WORKS },
    { "latin1", 0, WORKS },
    { "ascii", 0, WORKS },
    { "utf8", 0, WORKS },
    { "cp1251", 0, WORKS },
    { 0 },
};
static const struct cfg_word text_four[] = {
    { "profile", CFG_BY_PROFILE, WORKS },
    { "text", CFG_ON, WORKS },
    { "binary", CFG_OFF, WORKS },
    { 0 },
};
static const struct cfg_word id_forms[] = {
    { "profile", CFG_ID_PROFILE, WORKS }, { "auto", CFG_ID_AUTO, WORKS }, { "decimal", CFG_ID_DECIMAL, WORKS },
    { "hex", CFG_ID_HEX, WORKS },         { "hex8", CFG_ID_HEX8, WORKS }, { 0 },
};
static const struct cfg_word variants[] = {
    { "profile", CFG_VARIANT_PROFILE, WORKS },
    { "standard", CFG_VARIANT_STANDARD, WORKS },
    { "capital-text", CFG_VARIANT_CAPITAL, WORKS },
    { "short", CFG_VARIANT_SHORT, WORKS },
    { 0 },
};
static const struct cfg_word date_digits[] = {
    { "profile", 0, WORKS },
    { "10", 10, WORKS },
    { "12", 12, WORKS },
    { 0 },
};
static const struct cfg_word switches[] = {
    { "profile", CFG_BY_PROFILE, WORKS },
    { "on", CFG_ON, WORKS },
    { "off", CFG_OFF, WORKS },
    { 0 },
};
static const struct cfg_word login_statuses[] = {
    { "profile", CFG_STATUS_PROFILE, WORKS },
    { "exact", CFG_STATUS_EXACT, WORKS },
    { "RBINDFAIL", CFG_STATUS_RBINDFAIL, WORKS },
    { "RINVPASWD", CFG_STATUS_RINVPASWD, WORKS },
    { 0 },
};
static const struct cfg_word full_statuses[] = {
    { "profile", CFG_STATUS_PROFILE, WORKS }, { "RBINDFAIL", CFG_STATUS_RBINDFAIL, WORKS },
    { "RALYBND", CFG_STATUS_RALYBND, WORKS }, { "RTHROTTLED", CFG_STATUS_RTHROTTLED, WORKS },
    { "RSYSERR", CFG_STATUS_RSYSERR, WORKS }, { 0 },
};
static const struct cfg_word receipts[] = {
    { "each", CFG_RECEIPTS_EACH, WORKS },
    { "last", CFG_RECEIPTS_LAST, WORKS },
    { 0 },
};
static const struct cfg_word incompletes[] = {
    { "send", CFG_INCOMPLETE_SEND, WORKS },
    { "fail", CFG_INCOMPLETE_FAIL, WORKS },
    { 0 },
};
static const struct cfg_word schedules[] = {
    { "here", CFG_SCHEDULE_HERE, WORKS },
    { "upstream", CFG_SCHEDULE_UPSTREAM, WORKS },
    { 0 },
};
static const struct cfg_word numbers[] = {
    { "keep", CFG_NUMBERS_KEEP, WORKS },
    { "digits", CFG_NUMBERS_DIGITS, WORKS },
    { 0 },
};
static const struct cfg_word modes[] = {
    { "live", CFG_LIVE, WORKS },
    { "lab", CFG_LAB, WORKS },
    { 0 },
};
static const struct cfg_word no_moneys[] = {
    { "hold", CFG_MONEY_HOLD, WORKS },
    { "refuse", CFG_MONEY_REFUSE, WORKS },
    { 0 },
};
static const struct cfg_word quota_pers[] = {
    { "day", CFG_PER_DAY, WORKS },
    { "month", CFG_PER_MONTH, WORKS },
    { 0 },
};
static const struct cfg_word quota_statuses[] = {
    { "RSUBMITFAIL", CFG_QUOTA_RSUBMITFAIL, WORKS },
    { "RTHROTTLED", CFG_QUOTA_RTHROTTLED, WORKS },
    { "RMSGQFUL", CFG_QUOTA_RMSGQFUL, WORKS },
    { 0 },
};
static const struct cfg_word kinds[] = {
    { "smsc-http", CFG_SMSC_HTTP, WORKS },
    { "smsc-soap", CFG_SMSC_SOAP, WORKS },
    { 0 },
};
static const struct cfg_word hashes[] = {
    { "sha1", CFG_HASH_SHA1, WORKS },
    { "md5", CFG_HASH_MD5, WORKS },
    { "crc32", CFG_HASH_CRC32, WORKS },
    { "none", CFG_HASH_NONE, WORKS },
    { 0 },
};
static const struct cfg_word charsets[] = {
    { "utf-8", CFG_UTF8, WORKS },
    { "windows-1251", CFG_CP1251, WORKS },
    { "koi8-r", CFG_KOI8R, WORKS },
    { 0 },
};
static const struct cfg_word formats[] = {
    { "form", CFG_FORM, WORKS },
    { "xml", CFG_XML, WORKS },
    { "json", CFG_JSON, WORKS },
    { 0 },
};
static const struct cfg_word receipt_pdus[] = {
    { "deliver_sm", CFG_DELIVER_SM, WORKS },
    { "data_sm", CFG_DATA_SM, WORKS },
    { 0 },
};
static const struct cfg_word receipt_binds[] = {
    { "any", CFG_ANY_BIND, WORKS },
    { "same", CFG_SAME_BIND, WORKS },
    { 0 },
};
static const struct cfg_word incoming_longs[] = {
    { "payload", CFG_PAYLOAD, WORKS },
    { "udh", CFG_UDH, WORKS },
    { 0 },
};
static const struct cfg_word address_ranges[] = {
    { "ignore", CFG_RANGE_IGNORE, WORKS },
    { "incoming", CFG_RANGE_INCOMING, WORKS },
    { 0 },
};
static const struct cfg_word interface_versions[] = {
    { "bind", 0, WORKS },
    { "3.4", 0x34, WORKS },
    { "5.0", 0x50, WORKS },
    { 0 },
};
static const struct cfg_word unknown_codings[] = {
    { "version", CFG_CODING_VERSION, WORKS },
    { "accept", CFG_CODING_ACCEPT, WORKS },
    { "refuse", CFG_CODING_REFUSE, WORKS },
    { 0 },
};
static const struct cfg_word losts[] = {
    { "expired", CFG_LOST_EXPIRED, WORKS },
    { "unknown", CFG_LOST_UNKNOWN, WORKS },
    { 0 },
};
static const struct cfg_word levels[] = {
    { "error", LOG_ERROR, WORKS },
    { "warn", LOG_WARN, WORKS },
    { "info", LOG_INFO, WORKS },
    { "debug", LOG_DEBUG, WORKS },
    { 0 },
};
static const struct cfg_word log_formats[] = {
    { "text", LOG_TEXT, WORKS },
    { "json", LOG_JSON, WORKS },
    { 0 },
};

/* clang-format off */
static const struct cfg_row smpp_rows[] = {
    { "listen", CFG_LISTEN, SMPP(listen), "[\"0.0.0.0:2775\"]", 0, 16, RESTART, WORKS,
      .help = "Addresses for ESMEs to connect to, without encryption." },
    { "tls.listen", CFG_LISTEN, SMPP(tls.listen), "[]", 0, 16, RESTART, WORKS,
      .help = "Addresses for ESMEs to connect to with TLS, as [\"0.0.0.0:3550\"]. Empty: none." },
    { "tls.certificate_file", CFG_FILE, SMPP(tls.certificate_file), "null", 0, 0, RELOAD, WORKS,
      .help = "PEM file with our certificate and the chain behind it. A reload reads the files again; sessions stay." },
    { "tls.key_file", CFG_FILE, SMPP(tls.key_file), "null", 0, 0, RELOAD, WORKS,
      .help = "PEM file with the certificate's private key." },
    { "tls.client_ca_file", CFG_FILE, SMPP(tls.client_ca_file), "null", 0, 0, RELOAD, WORKS,
      .help = "When given, ESMEs must show a certificate of this authority." },
    { "system_id", CFG_NAME, SMPP(system_id), "\"smppbridge\"", 1, 15, RELOAD, WORKS,
      .help = "Our own name in the answer to a bind." },
    { "bind_timeout", CFG_DURATION, SMPP(bind_timeout_ms), "\"10s\"", 10, HOUR, RELOAD, WORKS,
      .help = "A connection that has not bound by then is closed." },
    { "enquire_link_interval", CFG_DURATION, SMPP(enquire_link_interval_ms), "\"30s\"", 0, DAY, RELOAD, WORKS,
      .may_be_off = true,
      .help = "After this long without a PDU from the ESME we ask with enquire_link." },
    { "inactivity_timeout", CFG_DURATION, SMPP(inactivity_timeout_ms), "\"2m\"", 0, DAY, RELOAD, WORKS,
      .may_be_off = true,
      .help = "A session without any PDU for this long is closed." },
    { "response_timeout", CFG_DURATION, SMPP(response_timeout_ms), "\"30s\"", 10, HOUR, RELOAD, WORKS,
      .help = "How long an ESME may take to answer our deliver_sm." },
    { "max_sessions", CFG_UINT32, SMPP(max_sessions), "10000", 1, 1000000, RELOAD, WORKS, .unit = "connections",
      .help = "Above it new connections are refused." },
    { "max_sessions_per_address", CFG_UINT32, SMPP(max_sessions_per_address), "1000", 1, 1000000, RELOAD, WORKS,
      .unit = "connections",
      .help = "The same for one client address." },
    { "max_pdu", CFG_SIZE, SMPP(max_pdu_bytes), "\"128KiB\"", 1 * KIB, 1024 * KIB, RELOAD, WORKS,
      .help = "A longer PDU closes the session: after it nobody knows where the next one starts." },
    { "login_failures", CFG_UINT32, SMPP(login_failures), "5", 0, 1000, RELOAD, WORKS, .unit = "failures",
      .help = "So many wrong binds of one account or address in a row lock it out. 0: never." },
    { "lockout", CFG_DURATION, SMPP(lockout_ms), "\"5m\"", 0, 30 * DAY, RELOAD, WORKS,
      .help = "How long a lock-out lasts." },
    { "proxy_protocol", CFG_BOOL, SMPP(proxy_protocol), "false", 0, 0, RELOAD, WORKS,
      .help = "Connections start with a PROXY protocol header (v1 or v2) that names the real client." },
};

static const struct cfg_row esme_rows[] = {
    { "system_id", CFG_NAME, ESME(system_id), NULL, 1, 64, RELOAD, WORKS, .sample = "\"shop\"",
      .help = "The account's name, as in its bind." },
    { "password", CFG_SECRET, ESME(password), NULL, 1, 128, RELOAD, WORKS, .sample = "\"change-me\"",
      .help = "The account's password." },
    { "allow_from", CFG_RANGES, ESME(allow_from), "[]", 0, 1000, RELOAD, WORKS,
      .sample = "[\"127.0.0.0/8\", \"10.0.0.0/8\"]",
      .help = "Client addresses that may bind, one by one or as prefixes. Empty: everywhere." },
    { "enabled", CFG_BOOL, ESME(enabled), "true", 0, 0, RELOAD, WORKS,
      .help = "false refuses the account's binds." },
    { "max_binds", CFG_UINT32, ESME(max_binds), "10", 1, 100000, RELOAD, WORKS, .unit = "sessions",
      .help = "Sessions of this account at once." },
    { "when_full", CFG_ENUM, ESME(when_full), "\"refuse\"", 0, 0, RELOAD, WORKS, .words = when_full,
      .help = "What a bind above max_binds gets: refused, or the place of the oldest session." },
    { "rate", CFG_NUMBER, ESME(rate), "0", 0, 1000000, RELOAD, WORKS, .unit = "messages/s",
      .help = "Messages the account may submit. 0: no limit." },
    { "burst", CFG_NUMBER, ESME(burst), "100", 0, 1000000, RELOAD, WORKS, .unit = "messages",
      .help = "Messages above the rate that are taken at once after a pause." },
    { "delay_budget", CFG_DURATION, ESME(delay_budget_ms), "\"1s\"", 0, MINUTE, RELOAD, WORKS,
      .help = "Above the rate the answer is held back up to this long before ESME_RTHROTTLED." },
    { "window", CFG_UINT32, ESME(window), "1000", 1, 100000, RELOAD, WORKS, .unit = "requests",
      .help = "Requests of one session that may wait for our answer at once." },
    { "deliver_window", CFG_UINT32, ESME(deliver_window), "10", 1, 10000, RELOAD, WORKS, .unit = "deliver_sm",
      .help = "Our deliver_sm that may wait for one session's answer at once." },
    { "max_queued", CFG_UINT64, ESME(max_queued), "1000000", 1, 1e9, RELOAD, WORKS, .unit = "messages",
      .help = "The account's messages waiting here; above it ESME_RMSGQFUL." },
    { "quota.messages", CFG_UINT64, ESME(quota_messages), "0", 0, 1e11, RELOAD, WORKS, .unit = "SMS",
      .help = "What the account may submit in a period, each part of a long text and each destination counted. 0: no "
              "limit." },
    { "quota.money", CFG_NUMBER, ESME(quota_money), "0", 0, 1e9, RELOAD, WORKS,
      .unit = "the upstream account's currency",
      .help = "What its messages may cost in a period, those still waiting reckoned at the last price. 0: no limit." },
    { "quota.per", CFG_ENUM, ESME(quota_per), "\"month\"", 0, 0, RELOAD, WORKS, .words = quota_pers,
      .help = "The period: from midnight, or from the first of the month." },
    { "quota.timezone", CFG_NUMBER, ESME(quota_timezone_h), "0", -12, 14, RELOAD, WORKS, .unit = "hours from UTC",
      .help = "The zone of that midnight; 0 is UTC, 3 is Moscow." },
    { "quota.status", CFG_ENUM, ESME(quota_status), "\"RSUBMITFAIL\"", 0, 0, RELOAD, WORKS, .words = quota_statuses,
      .help = "What a submit above the quota is answered. Clients take RSUBMITFAIL for final and try the others again." },
    { "upstream", CFG_STRING, ESME(upstream), "\"\"", 0, 64, RELOAD, WORKS,
      .help = "Name of the upstream its messages go to. Empty: the first of the list." },
    { "acknowledge", CFG_ENUM, ESME(acknowledge), "\"stored\"", 0, 0, RELOAD, WORKS, .words = acknowledge,
      .help = "When submit_sm is answered: \"stored\" on stable storage, \"sent\" after the upstream's answer." },
    { "acknowledge_within", CFG_DURATION, ESME(acknowledge_within_ms), "\"10s\"", 100, 5 * MINUTE, RELOAD, WORKS,
      .help = "With \"sent\", and for a submit_sm in forward mode: after this long it is answered as stored." },
    { "when_down", CFG_ENUM, ESME(when_down), "\"hold\"", 0, 0, RELOAD, WORKS, .words = when_down,
      .help = "While no upstream its routes lead to works: what is submitted is held, or refused with ESME_RSYSERR "
              "(ESME_RSUBMITFAIL for want of money)." },
    { "interface_version", CFG_ENUM, ESME(interface_version), "\"bind\"", 0, 0, RELOAD, WORKS,
      .words = interface_versions,
      .help = "The sc_interface_version binds of 3.4 and above are told: their own, or always this one." },
    { "profile", CFG_WORD, ESME(profile), "\"default\"", 0, 0, RELOAD, WORKS, .words = profiles,
      .help = "Habits of the client software to follow. The keys that name \"profile\" as their value can change one "
              "habit each." },
    { "alphabet", CFG_WORD, ESME(alphabet), "\"gsm7\"", 0, 0, RELOAD, WORKS, .words = alphabets,
      .help = "The alphabet of data_coding 0." },
    { "alphabet_one", CFG_WORD, ESME(alphabet_one), "\"profile\"", 0, 0, RELOAD, WORKS, .words = alphabets_one,
      .help = "The alphabet of data_coding 1." },
    { "data_coding_4", CFG_ENUM, ESME(text_four), "\"profile\"", 0, 0, RELOAD, WORKS, .words = text_four,
      .help = "What data_coding 4 carries: Latin-1 text or bytes." },
    { "unknown_data_coding", CFG_ENUM, ESME(unknown_coding), "\"version\"", 0, 0, RELOAD, WORKS,
      .words = unknown_codings,
      .help = "A data_coding without an alphabet here (5, 9, 10, 13, 14, reserved): read as 0, or refused with RINVDCS. "
              "\"version\": refused where the bind is 5.0 and the text is not plain ASCII." },
    { "udh_without_flag", CFG_BOOL, ESME(udh_without_flag), "false", 0, 0, RELOAD, WORKS,
      .help = "true: a text that begins with a whole concatenation header is a part, although esm_class does not say so." },
    { "id_form", CFG_ENUM, ESME(id_form), "\"profile\"", 0, 0, RELOAD, WORKS, .words = id_forms,
      .help = "How message ids are written: 18 or 19 decimal digits, the same number in hexadecimal, or 8 hexadecimal "
              "digits (a number of its own, for software with no room for more). \"auto\": decimal, and 8 hexadecimal "
              "digits for binds of version 3.3." },
    { "receipt_variant", CFG_ENUM, ESME(receipt_variant), "\"profile\"", 0, 0, RELOAD, WORKS, .words = variants,
      .help = "The text of receipts: all fields; the same with \"Text:\"; id and stat only." },
    { "date_digits", CFG_ENUM, ESME(date_digits), "\"profile\"", 0, 0, RELOAD, WORKS, .words = date_digits,
      .help = "Digits of the dates in receipts: without or with seconds." },
    { "tlvs", CFG_ENUM, ESME(tlvs), "\"profile\"", 0, 0, RELOAD, WORKS, .words = switches,
      .help = "receipted_message_id, message_state and network_error_code in receipts to binds of 3.4 and above." },
    { "vendor_tlvs", CFG_ENUM, ESME(vendor_tlvs), "\"profile\"", 0, 0, RELOAD, WORKS, .words = switches,
      .help = "The aggregator's own 0x2000 (cost) and 0x2001 (flag) in receipts." },
    { "login_failure_status", CFG_ENUM, ESME(login_failure_status), "\"profile\"", 0, 0, RELOAD, WORKS,
      .words = login_statuses,
      .help = "The answer to a wrong password: \"exact\" (RINVPASWD), or one that tells less." },
    { "full_status", CFG_ENUM, ESME(full_status), "\"profile\"", 0, 0, RELOAD, WORKS, .words = full_statuses,
      .help = "The answer to a bind above max_binds. Kannel takes RALYBND for success." },
    { "receipts", CFG_ENUM, ESME(receipts), "\"each\"", 0, 0, RELOAD, WORKS, .words = receipts,
      .help = "Which parts of a long message get a receipt: each one that asked, or the last part only." },
    { "receipt_on_success", CFG_BOOL, ESME(receipt_on_success), "true", 0, 0, RELOAD, WORKS,
      .help = "registered_delivery 3 asks for a receipt on success. false: for none, as SMPP 3.4 boxes read it." },
    { "reassemble", CFG_DURATION, ESME(reassemble_ms), "\"10m\"", 0, DAY, RELOAD, WORKS,
      .may_be_off = true,
      .help = "How long the parts of one long message wait for each other to be sent as one." },
    { "reassemble_policy", CFG_ENUM, ESME(reassemble_policy), "\"send\"", 0, 0, RELOAD, WORKS, .words = incompletes,
      .help = "What becomes of parts whose companions did not come: sent as they are, or failed." },
    { "schedule", CFG_ENUM, ESME(schedule), "\"here\"", 0, 0, RELOAD, WORKS, .words = schedules,
      .help = "Where scheduled messages wait: here, where cancel_sm and replace_sm reach them, or at the aggregator." },
    { "sources", CFG_STRINGS, ESME(sources), "[]", 0, 1000, RELOAD, WORKS,
      .help = "Sender names the account may use; * at the end stands for any further characters. Empty: any." },
    { "numbers", CFG_ENUM, ESME(numbers), "\"keep\"", 0, 0, RELOAD, WORKS, .words = numbers,
      .help = "Destination numbers go out as given (00 becomes +), or as digits without +." },
    { "national_prefix", CFG_PAIRS, ESME(national_prefix), "{}", 0, 64, RELOAD, WORKS,
      .sample = "{ \"8xxxxxxxxxx\": \"7\" }",
      .help = "National forms of numbers and the prefix that replaces theirs; each x stands for one more digit." },
    { "receipt_hold", CFG_DURATION, ESME(receipt_hold_ms), "\"72h\"", SECOND, 30 * DAY, RELOAD, WORKS,
      .help = "How long receipts and incoming messages wait for the account to bind." },
    { "receipt_max", CFG_UINT64, ESME(receipt_max), "1000000", 1, 1e9, RELOAD, WORKS, .unit = "deliver_sm",
      .help = "How many of them wait; above it the oldest is dropped." },
    { "receipt_pdu", CFG_ENUM, ESME(receipt_pdu), "\"deliver_sm\"", 0, 0, RELOAD, WORKS, .words = receipt_pdus,
      .help = "The PDU receipts travel in." },
    { "receipt_bind", CFG_ENUM, ESME(receipt_bind), "\"any\"", 0, 0, RELOAD, WORKS, .words = receipt_binds,
      .help = "Receipts go to the account's receivers in turn, or first to the bind that submitted (\"same\")." },
    { "incoming_long", CFG_ENUM, ESME(incoming_long), "\"payload\"", 0, 0, RELOAD, WORKS, .words = incoming_longs,
      .help = "A long incoming message comes whole in message_payload, or in parts with a user data header." },
    { "address_range", CFG_ENUM, ESME(address_range), "\"ignore\"", 0, 0, RELOAD, WORKS, .words = address_ranges,
      .help = "\"incoming\": an incoming message goes only to binds whose address_range has the number it came to; it "
              "waits while none has." },
    { "deliver_max_pdu", CFG_SIZE, ESME(deliver_max_pdu_bytes), "\"0B\"", 0, 128 * KIB, RELOAD, WORKS,
      .help = "The longest PDU its software takes: a longer incoming message comes in parts. 0B: as the profile says "
              "(kannel 7424B, node-smpp 16KiB), 512B at least." },
    { "deliver_rate", CFG_NUMBER, ESME(deliver_rate), "1000", 0, 1000000, RELOAD, WORKS, .unit = "deliver_sm/s",
      .help = "After a bind, the pace of what has waited for it. 0: as fast as it answers." },
    { "deliver_retry", CFG_DURATION, ESME(deliver_retry_ms), "\"5s\"", 10, HOUR, RELOAD, WORKS,
      .help = "The pause after a deliver_sm refused for now; each further one is twice as long, up to 5 minutes." },
    { "extra", CFG_PAIRS, ESME(extra), "{}", 0, 64, RELOAD, WORKS,
      .help = "Any further parameter of the aggregator's send method for this account's messages; wins over the "
              "upstream's, a message's own TLV (tlv_map) wins over it." },
    { "mode", CFG_ENUM, ESME(mode), "\"live\"", 0, 0, RELOAD, WORKS, .words = modes,
      .help = "\"lab\": nothing is sent, outcomes are simulated inside." },
};

static const struct cfg_row upstream_rows[] = {
    { "name", CFG_NAME, UPSTREAM(name), "\"smsc\"", 1, 64, RELOAD, WORKS,
      .help = "Its name in this file, in metrics and in the administration API." },
    { "kind", CFG_ENUM, UPSTREAM(kind), "\"smsc-http\"", 0, 0, RELOAD, WORKS, .words = kinds,
      .help = "The interface to use." },
    { "urls", CFG_URLS, UPSTREAM(urls), "[\"https://smsc.ru\", \"https://www2.smsc.ru\"]", 1, 8, RELOAD, WORKS,
      .help = "Where it is: tried in order; one that works is kept until it fails." },
    { "login", CFG_STRING, UPSTREAM(login), "\"\"", 0, 128, RELOAD, WORKS, .sample = "\"alex\"",
      .help = "The aggregator account. Needed with password." },
    { "password", CFG_SECRET, UPSTREAM(password), "\"\"", 0, 256, RELOAD, WORKS, .sample = "\"change-me\"",
      .help = "Its password. Either this or api_key." },
    { "api_key", CFG_SECRET, UPSTREAM(api_key), "\"\"", 0, 256, RELOAD, WORKS,
      .help = "Its API key, used instead of login and password." },
    { "proxy", CFG_SECRET, UPSTREAM(proxy), "\"\"", 0, 512, RELOAD, WORKS,
      .help = "An HTTP proxy on the way to it: http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with special "
              "characters as %XX. Empty: none." },
    { "ca_file", CFG_FILE, UPSTREAM(ca_file), "null", 0, 0, RELOAD, WORKS,
      .help = "PEM file with the authorities its certificate may come from. null: those of the system." },
    { "rate", CFG_NUMBER, UPSTREAM(rate), "0", 0, 1000000, RELOAD, WORKS, .unit = "messages/s",
      .help = "Messages of all ESMEs together. 0: no limit." },
    { "burst", CFG_NUMBER, UPSTREAM(burst), "0", 0, 1000000, RELOAD, WORKS, .unit = "messages",
      .help = "Messages above the rate that leave at once after a pause." },
    { "connections", CFG_UINT32, UPSTREAM(connections), "14", 1, 1000, RELOAD, WORKS, .unit = "connections",
      .help = "Send requests under way at once." },
    { "status_connections", CFG_UINT32, UPSTREAM(status_connections), "4", 1, 1000, RELOAD, WORKS,
      .unit = "connections",
      .help = "Other requests under way at once." },
    { "batch.max", CFG_UINT32, UPSTREAM(batch_max), "100", 1, 500, RELOAD, WORKS, .unit = "messages",
      .help = "Messages in one request. 1 turns list= off." },
    { "batch.linger", CFG_DURATION, UPSTREAM(batch_linger_ms), "\"5ms\"", 0, SECOND, RELOAD, WORKS,
      .help = "How long a message waits for company." },
    { "connect_timeout", CFG_DURATION, UPSTREAM(connect_timeout_ms), "\"5s\"", 10, 5 * MINUTE, RELOAD, WORKS,
      .help = "For TCP and TLS to be set up." },
    { "timeout", CFG_DURATION, UPSTREAM(timeout_ms), "\"30s\"", 10, 10 * MINUTE, RELOAD, WORKS,
      .help = "For a whole request. After it the outcome is unknown and is asked for." },
    { "retry.first", CFG_DURATION, UPSTREAM(retry_first_ms), "\"1s\"", 10, HOUR, RELOAD, WORKS,
      .help = "The pause before the second try of a message." },
    { "retry.factor", CFG_NUMBER, UPSTREAM(retry_factor), "2", 1, 10, RELOAD, WORKS,
      .help = "Each further pause is longer by this factor." },
    { "retry.max", CFG_DURATION, UPSTREAM(retry_max_ms), "\"5m\"", 10, DAY, RELOAD, WORKS,
      .help = "The longest pause." },
    { "retry.give_up", CFG_DURATION, UPSTREAM(retry_give_up_ms), "\"24h\"", SECOND, 30 * DAY, RELOAD, WORKS,
      .help = "A message not taken by then is given up and its receipt says so." },
    { "poll.incoming", CFG_DURATION, UPSTREAM(poll_incoming_ms), "\"off\"", SECOND, DAY, RELOAD, WORKS,
      .may_be_off = true,
      .help = "How often to ask for incoming messages, where callbacks cannot reach us. \"25s\" is within its limits." },
    { "poll.status_after", CFG_DURATION, UPSTREAM(poll_status_after_ms), "\"10m\"", SECOND, 7 * DAY, RELOAD, WORKS,
      .may_be_off = true,
      .help = "A message without a final status for this long is asked for: repair of lost callbacks." },
    { "poll.every", CFG_DURATION, UPSTREAM(poll_every_ms), "\"61s\"", SECOND, DAY, RELOAD, WORKS,
      .help = "Least time between two such requests. The aggregator takes one for several messages a minute." },
    { "poll.lost_after", CFG_DURATION, UPSTREAM(poll_lost_after_ms), "\"1h\"", 0, 30 * DAY, RELOAD, WORKS,
      .help = "A message is given up this long after the end of its validity (24 hours unless it says less)." },
    { "lost_status", CFG_ENUM, UPSTREAM(lost_status), "\"expired\"", 0, 0, RELOAD, WORKS, .words = losts,
      .help = "The receipt of a message whose status nobody could tell." },
    { "timezone", CFG_NUMBER, UPSTREAM(timezone_h), "3", -12, 14, RELOAD, WORKS, .unit = "hours from UTC",
      .help = "The zone of dates in the aggregator's account settings; 3 is Moscow." },
    /* The account method answers at most so often; a shorter interval would only earn errors. */
    { "balance_every", CFG_DURATION, UPSTREAM(balance_every_ms), "\"1m\"", 6 * SECOND, DAY, RELOAD, WORKS,
      .help = "How often the balance is asked for." },
    { "low_balance", CFG_NUMBER, UPSTREAM(low_balance), "0", 0, 1e12, RELOAD, WORKS, .unit = "the account's currency",
      .help = "A balance below it is a warning in the log. 0: none." },
    { "no_money", CFG_ENUM, UPSTREAM(no_money), "\"hold\"", 0, 0, RELOAD, WORKS, .words = no_moneys,
      .help = "When the account has not enough money: messages wait until it has, or are refused with a receipt." },
    { "limits.window", CFG_DURATION, UPSTREAM(limits.window_ms), "\"61s\"", 100, HOUR, RELOAD, WORKS,
      .help = "The aggregator's minute, with a margin for the way: the limits below are counted over it." },
    { "limits.repeat", CFG_DURATION, UPSTREAM(limits.repeat_ms), "\"5s\"", 0, HOUR, RELOAD, WORKS,
      .help = "A request that was not answered and that the aggregator does not know is sent again under the same id "
              "after this long; after a time-out, and after error 9, when the window is over." },
    { "limits.status", CFG_UINT32, UPSTREAM(limits.status), "5", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Questions about one message within the window. 0: no limit." },
    { "limits.status_mass", CFG_UINT32, UPSTREAM(limits.status_mass), "1", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Questions about several messages at once within the window." },
    { "limits.balance", CFG_UINT32, UPSTREAM(limits.balance), "10", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Questions for the balance within the window." },
    { "limits.get", CFG_UINT32, UPSTREAM(limits.get), "3", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Equal questions for history, incoming messages, prices within the window." },
    { "limits.operator", CFG_UINT32, UPSTREAM(limits.info), "99", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Questions for operators within the window." },
    { "limits.operator_same", CFG_UINT32, UPSTREAM(limits.info_same), "3", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Equal ones of those." },
    { "limits.cost", CFG_UINT32, UPSTREAM(limits.cost), "5", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Equal questions for the cost of a message within the window." },
    { "limits.stat", CFG_UINT32, UPSTREAM(limits.stat), "3", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Questions for the account's statistics within the window." },
    { "limits.tinyurl", CFG_UINT32, UPSTREAM(limits.tinyurl), "3", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Equal questions about short links within the window." },
    { "limits.wait_call", CFG_UINT32, UPSTREAM(limits.wait_call), "50", 0, 100, RELOAD, WORKS, .unit = "requests",
      .help = "Equal requests for a confirming call within the window." },
    { "limits.flood_messages", CFG_UINT32, UPSTREAM(limits.flood_messages), "50", 0, 1000000, RELOAD, WORKS,
      .unit = "messages",
      .help = "After so many messages to one subscriber, each within flood_gap of the one before, the next waits until "
              "the gap has passed: the aggregator would block it. 0: never." },
    { "limits.flood_gap", CFG_DURATION, UPSTREAM(limits.flood_gap_ms), "\"30s\"", 100, HOUR, RELOAD, WORKS,
      .help = "See flood_messages." },
    { "limits.bad_sends", CFG_UINT32, UPSTREAM(limits.bad_sends), "80", 0, 1000, RELOAD, WORKS, .unit = "requests",
      .help = "After so many refused sends in a row a pause until the first of them is bad_sends_window old: at a "
              "hundred the aggregator blocks our address. 0: never." },
    { "limits.bad_sends_window", CFG_DURATION, UPSTREAM(limits.bad_sends_window_ms), "\"601s\"", 100, DAY, RELOAD, WORKS,
      .help = "See bad_sends." },
    { "limits.block", CFG_DURATION, UPSTREAM(limits.block_ms), "\"10m\"", 100, DAY, RELOAD, WORKS,
      .help = "How long nothing is sent after error 4, a blocked address: ten minutes after many bad sends, thirty after "
              "wrong logins. Still blocked then, it begins anew." },
    { "extra", CFG_PAIRS, UPSTREAM(extra), "{}", 0, 64, RELOAD, WORKS, .sample = "{ \"translit\": \"0\" }",
      .help = "Any further parameter of the aggregator's send method." },
    { "tlv_map", CFG_PAIRS, UPSTREAM(tlv_map), "{}", 0, 64, RELOAD, WORKS, .sample = "{ \"0x1400\": \"entity_id\" }",
      .help = "TLVs of a submit_sm that become parameters of the send method, by tag; they come back on its receipts." },
};

static const struct cfg_row callbacks_rows[] = {
    { "listen", CFG_LISTEN, CALLBACKS(listen), "[\"0.0.0.0:8080\"]", 1, 16, RESTART, WORKS,
      .help = "Addresses the aggregator's callbacks come to." },
    { "tls.certificate_file", CFG_FILE, CALLBACKS(certificate_file), "null", 0, 0, RELOAD, WORKS,
      .help = "PEM file with our certificate and the chain behind it." },
    { "tls.key_file", CFG_FILE, CALLBACKS(key_file), "null", 0, 0, RELOAD, WORKS,
      .help = "PEM file with the certificate's private key." },
    { "path", CFG_URL_PATH, CALLBACKS(path), "\"/smsc/callback\"", 1, 256, RELOAD, WORKS,
      .help = "The path of the address given to the aggregator." },
    { "upstream", CFG_STRING, CALLBACKS(upstream), "\"\"", 0, 64, RELOAD, WORKS,
      .help = "Name of the upstream that calls here. Empty: the first of the list." },
    { "hash", CFG_ENUM, CALLBACKS(hash), "\"sha1\"", 0, 0, RELOAD, WORKS, .words = hashes,
      .help = "How callbacks are signed, as set in the aggregator's account." },
    { "secret", CFG_SECRET, CALLBACKS(secret), "\"\"", 0, 256, RELOAD, WORKS, .sample = "\"change-me\"",
      .help = "The secret of that signature. Needed unless hash is \"none\"." },
    { "charset", CFG_ENUM, CALLBACKS(charset), "\"utf-8\"", 0, 0, RELOAD, WORKS, .words = charsets,
      .help = "The charset of callbacks, as set in the account." },
    { "format", CFG_ENUM, CALLBACKS(format), "\"form\"", 0, 0, RELOAD, WORKS, .words = formats,
      .help = "The form of callbacks, as set in the account." },
    { "allow_from", CFG_RANGES, CALLBACKS(allow_from), "[]", 0, 1000, RELOAD, WORKS,
      .help = "Addresses that may call. Empty: everywhere." },
    { "max_body", CFG_SIZE, CALLBACKS(max_body_bytes), "\"64KiB\"", 1 * KIB, 16 * 1024 * KIB, RELOAD, WORKS,
      .help = "A longer body is answered 413." },
};

static const struct cfg_row route_rows[] = {
    { "system_id", CFG_STRING, ROUTE(system_id), "\"\"", 0, 64, RELOAD, WORKS,
      .help = "The account the message comes from. Empty: any." },
    { "to", CFG_STRING, ROUTE(to), "\"*\"", 0, 64, RELOAD, WORKS, .sample = "\"7903*\"",
      .help = "The destination; * at the end stands for any further digits." },
    { "from", CFG_STRING, ROUTE(from), "\"*\"", 0, 64, RELOAD, WORKS,
      .help = "The sender, in the same way." },
    { "operator", CFG_STRING, ROUTE(operator_name), "\"\"", 0, 64, RELOAD, WORKS,
      .help = "The destination's operator, a name of `operators`. Empty: any." },
    { "upstream", CFG_STRING, ROUTE(upstream), "\"\"", 0, 64, RELOAD, WORKS, .sample = "\"smsc\"",
      .help = "Name of the upstream that carries it. Empty: the first of the list." },
    { "weight", CFG_UINT32, ROUTE(weight), "1", 0, 1000, RELOAD, WORKS,
      .help = "Its share among the routes of the same system_id, to, from and operator. 0: only while the others fail." },
};

static const struct cfg_row operator_rows[] = {
    { "name", CFG_STRING, OPERATOR(name), NULL, 1, 64, RELOAD, WORKS, .sample = "\"megafon\"",
      .help = "As routes name it." },
    { "prefixes", CFG_STRINGS, OPERATOR(prefixes), "[]", 0, 100000, RELOAD, WORKS,
      .sample = "[\"7920\", \"7921\", \"79101234567\"]",
      .help = "What its numbers begin with, digits only. Of all operators the longest prefix decides, so a ported "
              "number may stand here whole." },
};

static const struct cfg_row incoming_rows[] = {
    { "to", CFG_STRING, INCOMING(to), "\"*\"", 0, 64, RELOAD, WORKS, .sample = "\"7903*\"",
      .help = "The number the message came to; * at the end stands for any further digits." },
    { "keyword", CFG_STRING, INCOMING(keyword), "\"\"", 0, 64, RELOAD, WORKS,
      .help = "The first word of the text, in any case. Empty: any text." },
    { "system_id", CFG_STRING, INCOMING(system_id), NULL, 1, 64, RELOAD, WORKS, .sample = "\"shop\"",
      .help = "The account that gets it." },
};

static const struct cfg_row admin_rows[] = {
    { "listen", CFG_LISTEN, ADMIN(listen), "[\"127.0.0.1:8081\"]", 0, 16, RESTART, WORKS,
      .help = "Addresses of the administration API, the metrics and the dashboard." },
    { "token", CFG_SECRET, ADMIN(token), "\"\"", 0, 256, RELOAD, WORKS, .sample = "\"change-me\"",
      .help = "What a request shows as its bearer token." },
    { "allow_from", CFG_RANGES, ADMIN(allow_from), "[\"127.0.0.0/8\"]", 0, 1000, RELOAD, WORKS,
      .help = "Client addresses that are let in. Empty: everywhere." },
};

static const struct cfg_row store_rows[] = {
    { "url", CFG_STORE, STORE(url), "\"sqlite:/var/lib/smppbridge/smppbridge.db\"", 0, 0, RESTART, WORKS,
      .help = "Where messages are kept: \"sqlite:FILE\", or \"memory:\" for trials (nothing outlives the process)." },
    { "keep", CFG_DURATION, STORE(keep_ms), "\"30d\"", MINUTE, 3650 * DAY, RELOAD, WORKS,
      .help = "Finished messages are forgotten after this long." },
    { "keep_text", CFG_LASTING, STORE(keep_text_ms), "true", MINUTE, 3650 * DAY, RELOAD, WORKS,
      .help = "How long a finished message keeps its text: a time, true (as long as itself) or false (not at all)." },
    { "messages_in_memory", CFG_UINT32, STORE(messages_in_memory), "100000", 10, 10000000, RELOAD, WORKS,
      .unit = "messages", .help = "Open messages that are also kept in memory (64 MB at most); the others are read again when needed." },
    { "sends_in_memory", CFG_UINT32, STORE(sends_in_memory), "200000", 10, 10000000, RELOAD, WORKS,
      .unit = "requests", .help = "The same for requests upstream whose messages wait for their status." },
};

static const struct cfg_row log_rows[] = {
    { "level", CFG_ENUM, LOG(level), "\"info\"", 0, 0, RELOAD, WORKS, .words = levels,
      .help = "What is written to stderr." },
    { "format", CFG_ENUM, LOG(format), "\"text\"", 0, 0, RELOAD, WORKS, .words = log_formats,
      .help = "key=value lines or one JSON object a line." },
    { "content", CFG_BOOL, LOG(content), "false", 0, 0, RELOAD, WORKS,
      .help = "true lets message texts into the log." },
};

static const struct cfg_row root_rows[] = {
    { "drain_timeout", CFG_DURATION, offsetof(struct config, drain_timeout_ms), "\"30s\"", 0, HOUR, RELOAD, WORKS,
      .help = "How long a stop waits for what is in flight." },
};

#define ROWS(r)      .rows = r, .row_count = ARRAY_LEN(r)
#define LIST(p, n)   .offset = offsetof(struct config, p), .count_offset = offsetof(struct config, n), \
                     .size = sizeof *((struct config *)0)->p

const struct cfg_section cfg_sections[] = {
    { "smpp", CFG_OBJECT, .offset = offsetof(struct config, smpp), ROWS(smpp_rows),
      .help = "The side the ESMEs see." },
    { "esmes", CFG_LIST, LIST(esmes, esme_count), ROWS(esme_rows),
      .help = "The accounts that may bind, one object each." },
    { "upstreams", CFG_LIST, LIST(upstreams, upstream_count), ROWS(upstream_rows),
      .help = "The aggregator accounts messages go out through, one object each." },
    { "routes", CFG_LIST, LIST(routes, route_count), ROWS(route_rows),
      .help = "Which upstream carries which messages: the first match wins, or the next while it fails; "
              "What matches none goes to its account's upstream." },
    { "operators", CFG_LIST, LIST(operators, operator_count), ROWS(operator_rows),
      .help = "Whose numbers are whose, for routes by operator." },
    { "callbacks", CFG_EITHER, LIST(callbacks, callback_count), ROWS(callbacks_rows),
      .help = "Where the aggregator reports statuses and incoming messages; one object, or a list of them." },
    { "incoming", CFG_LIST, LIST(incoming, incoming_count), ROWS(incoming_rows),
      .help = "Who gets incoming messages; the first match wins, replies go to the asker." },
    { "admin", CFG_OBJECT, .offset = offsetof(struct config, admin), .off_when_absent = true, ROWS(admin_rows),
      .help = "Administration; without this section there is none." },
    { "store", CFG_OBJECT, .offset = offsetof(struct config, store), ROWS(store_rows),
      .help = "Stable storage." },
    { "log", CFG_OBJECT, .offset = offsetof(struct config, log), ROWS(log_rows),
      .help = "The log." },
    { "", CFG_ROOT, .offset = 0, ROWS(root_rows), .help = "" },
};
/* clang-format on */
const size_t cfg_section_count = ARRAY_LEN(cfg_sections);

_Static_assert(ARRAY_LEN(upstream_rows) <= CFG_ROWS_MAX, "load.c marks given rows in an array");
_Static_assert(ARRAY_LEN(esme_rows) <= CFG_ROWS_MAX, "load.c marks given rows in an array");

const char *cfg_row_default(const struct cfg_row *row)
{
    return row->works == NOT_YET && row->off != NULL ? row->off : row->fallback;
}
