/*
 * smsc_api.h - the aggregator's HTTP methods: requests as form bodies, replies as structs [smsc-api 3, 8, 11-14].
 *
 * Pure: builds and parses text, opens no socket. Requests are POST bodies with charset=utf-8 and fmt=3. Replies are
 * parsed whatever the Content-Type says; the text form "ERROR = N (..)" is accepted under every format; an empty,
 * cut or foreign body is SMSC_REPLY_UNCLEAR, which for a send means: the outcome is unknown.
 */
#ifndef HTTP_SMSC_API_H
#define HTTP_SMSC_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/form.h"

struct smsc_login { /* api_key, or login and password */
    const char *login, *password, *api_key;
};

/* Kinds of send [smsc-api 3.1, 7]. */
enum smsc_kind {
    SMSC_SMS,
    SMSC_FLASH,
    SMSC_BINARY, /* text is raw bytes, UDH first when there is one; sent as bin=2 */
    SMSC_PUSH,
    SMSC_HLR,
    SMSC_PING,
    SMSC_MMS,
    SMSC_CALL,
    SMSC_MAIL,
    SMSC_VIBER,
    SMSC_SOC,
    SMSC_TELEGRAM,
    SMSC_WHATSAPP,
    SMSC_KIND_COUNT
};

struct smsc_line {      /* one message of a send */
    const char *phone;  /* digits, or what the channel takes; '+' kept as given */
    const char *sender; /* "" or NULL: the request's default */
    const char *text;   /* UTF-8; SMSC_BINARY: bytes with the UDH first, or a zero octet when there is none */
    size_t text_len;
};

struct smsc_param {
    const char *name, *value;
};

/* One send.php request. With one line: phones, mes, sender. With several of equal text and sender: phones=a,b,c and mes.
 * Otherwise list=. */
struct smsc_send {
    const char *id; /* ours */
    enum smsc_kind kind;
    const struct smsc_line *lines;
    size_t line_count;
    uint32_t valid_minutes; /* 1..1440, 0 = not given */
    int64_t at_s;           /* Unix seconds for time=0ts, 0 = now */
    uint8_t pid, dcs;       /* SMSC_BINARY: the "pid: n, dcs: n" trailer when has_pid_dcs */
    bool has_pid_dcs;
    const struct smsc_param *extra; /* further parameters, after all others; may not repeat the ones above */
    size_t extra_count;
};

/* Can this line share a list= request with others without being misread (no CR or NUL, no backslash-n,
 * no LF~~~LF, no empty text, a plain digit phone, no separator in the sender)? */
bool smsc_line_can_list(const struct smsc_line *line);
/* Appends the POST body. A comment mark inside a text (LF ~~~ LF) is broken by one space, see smsc_send.c; callers need
 * not care. Extra parameters that would repeat ours are left out. On failure `out->failed` is set. */
void smsc_build_send(const struct smsc_login *login, const struct smsc_send *send, struct buf *out);

enum smsc_reply_kind {
    SMSC_REPLY_OK,
    SMSC_REPLY_ERROR,  /* error_code is set */
    SMSC_REPLY_UNCLEAR /* empty, cut, HTML, not what was asked */
};

struct smsc_line_result { /* op=1 */
    char phone[48];
    char mccmnc[8];
    int64_t cost_e6; /* -1 when absent */
    int status;      /* of a problem number; -100 when absent */
    int error;       /* 0 when absent */
};

struct smsc_send_reply {
    enum smsc_reply_kind kind;
    int error_code; /* 1..9.. only if ERROR */
    char error_text[96];
    char id[48]; /* "" when absent */
    unsigned cnt;
    int64_t cost_e6;    /* millionths; -1 when absent */
    int64_t balance_e6; /* -1 when absent; may be lower than 0: see has_balance */
    bool has_balance;
    struct smsc_line_result *lines; /* owned; NULL when there is none */
    size_t line_count;
};

/* Never fails: what cannot be read is UNCLEAR. End with smsc_send_reply_finish. */
void smsc_parse_send(int http_status, const char *body, size_t len, struct smsc_send_reply *out);
void smsc_send_reply_finish(struct smsc_send_reply *reply);

/* status.php. One pair gives the single form, several (or `mass`) the multi form. */
struct smsc_status_query {
    const char *const *ids;
    const char *const *phones;
    size_t count;
    bool mass; /* trailing comma: multi form for one pair */
    int all;   /* 0, 1, 2 */
    bool del;  /* delete instead */
};
void smsc_build_status(const struct smsc_login *login, const struct smsc_status_query *query, struct buf *out);

struct smsc_status {
    char id[48]; /* "" in the single form */
    char phone[48];
    int status; /* -3..25 */
    int err;
    int64_t last_ts; /* Unix seconds, 0 when absent */
    int64_t cost_e6; /* -1 when absent */
    unsigned flag;
    bool has_hlr;
    char imsi[24], msc[24], mcc[8], mnc[8], cn[64], net[64], rcn[64], rnet[64];
};
struct smsc_status_reply {
    enum smsc_reply_kind kind;
    int error_code;
    char error_text[96];
    struct smsc_status *items; /* owned */
    size_t count;
};
void smsc_parse_status(int http_status, const char *body, size_t len, struct smsc_status_reply *out);
void smsc_status_reply_finish(struct smsc_status_reply *reply);

/* balance.php */
void smsc_build_balance(const struct smsc_login *login, struct buf *out);
struct smsc_balance_reply {
    enum smsc_reply_kind kind;
    int error_code;
    char error_text[96];
    int64_t balance_e6;
};
void smsc_parse_balance(int http_status, const char *body, size_t len, struct smsc_balance_reply *out);

/* get.php get_answers=1 with after_id ("" = none) or hours back (0 = today). */
void smsc_build_answers(const struct smsc_login *login, const char *after_id, unsigned hours, struct buf *out);
struct smsc_answer {
    char id[24];
    char phone[48], to_phone[48];
    char *message; /* UTF-8, owned by the reply */
    char received[24], sent[24];
};
struct smsc_answers_reply {
    enum smsc_reply_kind kind;
    int error_code;
    char error_text[96];
    struct smsc_answer *items; /* owned */
    size_t count;
};
void smsc_parse_answers(int http_status, const char *body, size_t len, struct smsc_answers_reply *out);
void smsc_answers_reply_finish(struct smsc_answers_reply *reply);

/* Any other method: authorisation, charset, fmt=3 and the given parameters. */
void smsc_build_any(const struct smsc_login *login, const struct smsc_param *params, size_t count, struct buf *out);
/* The error in any reply: SMSC_REPLY_OK when it is a JSON value without "error_code" or the word OK. */
enum smsc_reply_kind smsc_parse_any(int http_status, const char *body, size_t len, int *out_error, char out_text[96]);

/* The aggregator's status and delivery error codes in words; NULL for one we do not know. [smsc-api 9, 10] */
const char *smsc_status_words(int status);
const char *smsc_err_words(int err);

/* Decimal text <-> millionths. Parse: ERR_SYNTAX when it is no number. Write: "3.3", at most 4 decimals when exact. */
int smsc_money_read(const char *text, int64_t *out_e6) MUST_CHECK;
void smsc_money_write(int64_t e6, char out[32]);

/* Method paths: "/sys/send.php" ... */
#define SMSC_PATH_SEND     "/sys/send.php"
#define SMSC_PATH_STATUS   "/sys/status.php"
#define SMSC_PATH_BALANCE  "/sys/balance.php"
#define SMSC_PATH_GET      "/sys/get.php"
#define SMSC_PATH_INFO     "/sys/info.php"
#define SMSC_PATH_TINYURLS "/sys/tinyurls.php"
#define SMSC_PATH_WAITCALL "/sys/wait_call.php"
#define SMSC_PATH_SOAP     "/sys/soap.php"

#endif
