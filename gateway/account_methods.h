/*
 * account_methods.h - what an upstream account can be asked beside sending: balance, cost, history, a number to call ...
 *
 * One table of methods: path, parameters, the aggregator's limit, the SOAP operation where there is one, errors in
 * words. Pure: builds requests and reads replies; account_ask.h asks from a running gateway, cmd_smsc.c from the shell.
 * Spec: smsc-api 3 (cost), 8, 11-14, 16.
 */
#ifndef GATEWAY_ACCOUNT_METHODS_H
#define GATEWAY_ACCOUNT_METHODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/rules.h"
#include "http/http.h"

enum account_param_kind {
    PARAM_TEXT,
    PARAM_PHONES, /* digits, '+', commas between several */
    PARAM_NUMBER, /* low..high */
    PARAM_DATE    /* dd.mm.yyyy */
};

enum { ACCOUNT_PARAMS_MAX = 8 };

struct account_param {
    const char *name;
    enum account_param_kind kind;
    bool needed;
    uint32_t low, high; /* PARAM_NUMBER */
    const char *help;
};

struct account_method {
    const char *name; /* as in the command and in the URL */
    const char *help;
    const char *path;
    const char *fixed;     /* "name=value", NULL none */
    const char *otherwise; /* "name=value" unless given, NULL none */
    enum rule_method rule;
    struct account_param params[ACCOUNT_PARAMS_MAX]; /* ends with name NULL */
    bool any_param;                                  /* further parameters are passed on */
    const char *either;                              /* of these two one is needed: "a or b" */
    const char *soap, *soap_result;                  /* wrapper and result element; NULL: HTTP only */
    const char *errors[10];                          /* in words, where they differ from the usual ones */
};

/* NULL: there is none of this name. */
const struct account_method *account_method_named(const char *name);
const struct account_method *account_method_all(size_t *out_count);

/* The most specific rule for these parameters: several ids make a mass request of `status`. */
enum rule_method account_method_rule(const struct account_method *method, const struct smsc_param *given, size_t count);

/* Does this request go over SOAP when the upstream's kind is SOAP? Methods without an operation go over HTTP then. */
bool account_method_over_soap(const struct account_method *method, const struct smsc_param *given, size_t count);

/* Appends the request's body. Returns 0, ERR_SYNTAX with a sentence in `why`, ERR_UNSUPPORTED (no such method over
 * SOAP), ERR_FULL. */
int account_method_build(const struct account_method *method, bool soap, const struct smsc_login *login,
                         const struct smsc_param *given, size_t count, struct buf *out, char why[200]) MUST_CHECK;

struct account_answer {
    enum smsc_reply_kind kind;
    int error;       /* the aggregator's, when kind is ERROR */
    char words[200]; /* a sentence unless OK */
    struct buf json; /* the reply when OK; {"result": "OK"} for the bare word */
};
/* End with account_answer_finish. */
void account_method_read(const struct account_method *method, bool soap, int http_status, const char *body, size_t len,
                         struct account_answer *out);
/* The same for a request that was not answered. */
void account_method_failed(const char *why, struct account_answer *out);
void account_answer_finish(struct account_answer *answer);

#endif
