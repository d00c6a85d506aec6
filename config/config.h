/*
 * config.h - THE DOOR of the configuration room: one JSON file as one struct, or every mistake in it.
 *
 * schema.c holds one row per setting (type, range, default, unit, reloadable, one line of help); reading, checking, the
 * commented example file and the report of `smppbridge check` are all made from those rows. Strings and lists belong to
 * the struct config and live until cfg_destroy. Source: interface.md section 2 of the project.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Lists of strings end with NULL. */
enum cfg_when_full { CFG_REFUSE, CFG_REPLACE_OLDEST };
enum cfg_acknowledge { CFG_STORED, CFG_SENT };
enum cfg_mode { CFG_LIVE, CFG_LAB };
enum cfg_hash { CFG_HASH_NONE, CFG_HASH_MD5, CFG_HASH_SHA1, CFG_HASH_CRC32 };
enum cfg_format { CFG_FORM, CFG_XML, CFG_JSON };
enum cfg_charset { CFG_UTF8, CFG_CP1251, CFG_KOI8R };
enum cfg_receipt_pdu { CFG_DELIVER_SM, CFG_DATA_SM };
enum cfg_receipt_bind { CFG_ANY_BIND, CFG_SAME_BIND };
enum cfg_incoming_long { CFG_PAYLOAD, CFG_UDH };
enum cfg_address_range { CFG_RANGE_IGNORE, CFG_RANGE_INCOMING };
enum cfg_unknown_coding { CFG_CODING_VERSION, CFG_CODING_ACCEPT, CFG_CODING_REFUSE };
enum cfg_lost { CFG_LOST_EXPIRED, CFG_LOST_UNKNOWN };
enum cfg_when_down { CFG_DOWN_HOLD, CFG_DOWN_REFUSE };
enum cfg_no_money { CFG_MONEY_HOLD, CFG_MONEY_REFUSE };
enum cfg_quota_per { CFG_PER_DAY, CFG_PER_MONTH };
enum cfg_quota_status { CFG_QUOTA_RSUBMITFAIL, CFG_QUOTA_RTHROTTLED, CFG_QUOTA_RMSGQFUL };
enum cfg_kind { CFG_SMSC_HTTP, CFG_SMSC_SOAP };
/* Habits of an account: 0 leaves the choice to its profile (gateway/profile.c). */
enum cfg_id_form { CFG_ID_PROFILE, CFG_ID_AUTO, CFG_ID_DECIMAL, CFG_ID_HEX, CFG_ID_HEX8 };
enum cfg_receipt_variant { CFG_VARIANT_PROFILE, CFG_VARIANT_STANDARD, CFG_VARIANT_CAPITAL, CFG_VARIANT_SHORT };
enum cfg_switch { CFG_BY_PROFILE, CFG_ON, CFG_OFF };
enum cfg_status {
    CFG_STATUS_PROFILE,
    CFG_STATUS_EXACT, /* each cause its own */
    CFG_STATUS_RBINDFAIL,
    CFG_STATUS_RINVPASWD,
    CFG_STATUS_RALYBND,
    CFG_STATUS_RTHROTTLED,
    CFG_STATUS_RSYSERR
};
enum cfg_receipts { CFG_RECEIPTS_EACH, CFG_RECEIPTS_LAST };
enum cfg_incomplete { CFG_INCOMPLETE_SEND, CFG_INCOMPLETE_FAIL };
enum cfg_schedule { CFG_SCHEDULE_HERE, CFG_SCHEDULE_UPSTREAM };
enum cfg_numbers { CFG_NUMBERS_KEEP, CFG_NUMBERS_DIGITS };

struct cfg_tls {
    const char **listen;
    const char *certificate_file, *key_file, *client_ca_file; /* NULL: not given */
};

struct cfg_smpp {
    const char **listen;
    struct cfg_tls tls; /* tls.listen empty: off */
    const char *system_id;
    uint64_t bind_timeout_ms, enquire_link_interval_ms, inactivity_timeout_ms, response_timeout_ms;
    uint32_t max_sessions, max_sessions_per_address;
    uint64_t max_pdu_bytes;
    uint32_t login_failures;
    uint64_t lockout_ms;
    bool proxy_protocol;
};

struct cfg_pair {
    const char *name, *value;
};

struct cfg_esme {
    const char *system_id, *password;
    const char **allow_from;
    bool enabled;
    uint32_t max_binds;
    enum cfg_when_full when_full;
    double rate, burst; /* messages/s; 0 = no limit */
    uint64_t delay_budget_ms;
    uint32_t window, deliver_window;
    uint64_t max_queued;
    uint64_t quota_messages; /* SMS in a period; 0 = no limit */
    double quota_money;      /* the same for money */
    enum cfg_quota_per quota_per;
    double quota_timezone_h;
    enum cfg_quota_status quota_status;
    const char *upstream; /* name; "" = the first */
    enum cfg_acknowledge acknowledge;
    uint64_t acknowledge_within_ms;
    enum cfg_when_down when_down;
    uint32_t interface_version; /* announced in bind_resp; 0: the bind's own */
    const char *profile, *alphabet;
    const char *alphabet_one;  /* "profile" or an alphabet */
    enum cfg_switch text_four; /* on: data_coding 4 is text */
    enum cfg_unknown_coding unknown_coding;
    bool udh_without_flag; /* a concatenation header counts although esm_class does not announce it */
    enum cfg_id_form id_form;
    enum cfg_receipt_variant receipt_variant;
    uint32_t date_digits; /* 0 by profile, 10, 12 */
    enum cfg_switch tlvs, vendor_tlvs;
    enum cfg_status login_failure_status, full_status;
    enum cfg_receipts receipts;
    bool receipt_on_success; /* what registered_delivery 3 asks for; false: nothing */
    uint64_t reassemble_ms;
    enum cfg_incomplete reassemble_policy;
    enum cfg_schedule schedule;
    const char **sources;
    enum cfg_numbers numbers;
    struct cfg_pair *national_prefix; /* ends with name NULL */
    uint64_t receipt_hold_ms, receipt_max;
    enum cfg_receipt_pdu receipt_pdu;
    enum cfg_receipt_bind receipt_bind;
    enum cfg_incoming_long incoming_long;
    enum cfg_address_range address_range;
    uint64_t deliver_max_pdu_bytes; /* 0 by profile */
    double deliver_rate;            /* of what waited for a bind; 0 = no limit */
    uint64_t deliver_retry_ms;
    struct cfg_pair *extra; /* ends with name NULL */
    enum cfg_mode mode;
};

struct cfg_limits { /* the aggregator's rules, see gateway/rules.h */
    uint64_t window_ms, repeat_ms;
    uint64_t block_ms;
    uint32_t status, status_mass, balance, get, info, info_same, wait_call, cost, stat, tinyurl;
    uint32_t flood_messages;
    uint64_t flood_gap_ms;
    uint32_t bad_sends;
    uint64_t bad_sends_window_ms;
};

struct cfg_upstream {
    const char *name;
    enum cfg_kind kind;
    const char **urls;
    const char *login, *password, *api_key;
    const char *proxy;   /* "http://user:password@host:port"; "" = none */
    const char *ca_file; /* NULL: the system's authorities */
    double rate, burst;
    uint32_t connections, status_connections;
    uint32_t batch_max;
    uint64_t batch_linger_ms;
    uint64_t connect_timeout_ms, timeout_ms;
    uint64_t retry_first_ms, retry_max_ms, retry_give_up_ms;
    double retry_factor;
    uint64_t poll_incoming_ms;     /* 0 = off */
    uint64_t poll_status_after_ms; /* 0 = off */
    uint64_t poll_every_ms, poll_lost_after_ms;
    enum cfg_lost lost_status;
    double timezone_h;
    uint64_t balance_every_ms;
    double low_balance;
    enum cfg_no_money no_money;
    struct cfg_limits limits;
    struct cfg_pair *extra;   /* ends with name NULL */
    struct cfg_pair *tlv_map; /* tag -> parameter; ends with name NULL */
};

struct cfg_callbacks {
    const char **listen;
    const char *certificate_file, *key_file; /* callbacks.tls; NULL = plain */
    const char *path;
    const char *upstream;
    enum cfg_hash hash;
    const char *secret;
    enum cfg_charset charset;
    enum cfg_format format;
    const char **allow_from;
    uint64_t max_body_bytes;
};

struct cfg_route {                     /* which upstream carries what; empty conditions match all */
    const char *system_id, *to, *from; /* to, from: * at the end stands for any rest */
    const char *operator_name;         /* of `operators`; "" = any */
    const char *upstream;
    uint32_t weight; /* among routes of equal conditions; 0: only when the others fail */
};

enum { CFG_PREFIX_MAX = 20 };

struct cfg_operator { /* whose numbers begin so; the longest prefix decides */
    const char *name;
    const char **prefixes;
};

struct cfg_prefix { /* all prefixes of all operators, sorted by strcmp; made by check.c */
    const char *digits;
    const char *operator_name;
};

struct cfg_incoming {
    const char *to, *keyword, *system_id;
};

struct cfg_admin {
    const char **listen;
    const char *token;
    const char **allow_from;
};

#define CFG_ALWAYS UINT64_MAX

struct cfg_store {
    const char *url;
    uint64_t keep_ms;
    uint64_t keep_text_ms; /* CFG_ALWAYS: as long as the message; 0: until it is finished */
    uint32_t messages_in_memory, sends_in_memory;
};

struct cfg_log {
    int level;  /* enum log_level */
    int format; /* enum log_format */
    bool content;
};

struct config {
    struct cfg_smpp smpp;
    struct cfg_esme *esmes;
    size_t esme_count;
    struct cfg_upstream *upstreams;
    size_t upstream_count;
    struct cfg_callbacks *callbacks; /* the file may hold one object or a list of them */
    size_t callback_count;
    struct cfg_route *routes;
    size_t route_count;
    struct cfg_operator *operators;
    size_t operator_count;
    struct cfg_prefix *prefixes;
    size_t prefix_count;
    struct cfg_incoming *incoming;
    size_t incoming_count;
    struct cfg_admin admin;
    struct cfg_store store;
    struct cfg_log log;
    uint64_t drain_timeout_ms;
    void *memory; /* arena of everything above */
};

/* Reads a file (or, cfg_read_text, a text whose name is used in reports). All mistakes are appended to `mistakes`, one
 * line each: "file: key.path: what is wrong; what would be right". Returns 0, or ERR_CONFIG with at least one line. */
int cfg_read_file(const char *path, struct config **out, struct buf *mistakes) MUST_CHECK;
int cfg_read_text(const char *name, const char *text, size_t len, struct config **out, struct buf *mistakes) MUST_CHECK;
void cfg_destroy(struct config *config);

/* The commented example file, every setting with help, unit, range, default and whether a reload changes it. */
void cfg_write_example(struct buf *out);
/* What this configuration would do, in words, for `smppbridge check`. Secrets masked. */
void cfg_write_report(const struct config *config, struct buf *out);
/* Key paths whose value differs and which need a restart; one per line. Empty: a reload takes everything. */
void cfg_restart_needed(const struct config *now, const struct config *then, struct buf *out);

#endif
