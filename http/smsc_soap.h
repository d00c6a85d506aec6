/*
 * smsc_soap.h - the same methods over SOAP [smsc-api 16]: send_sms2, get_status2, get_balance, get_sms_cost2.
 *
 * Same structs as smsc_api.h, so the gateway chooses a builder and a parser and nothing else. libxml2 without network
 * and without external entities.
 */
#ifndef HTTP_SMSC_SOAP_H
#define HTTP_SMSC_SOAP_H

#include "http/smsc_api.h"

#define SMSC_SOAP_ACTION "\"http://smsc.ru/sys/soap.php\""

void smsc_soap_build_send(const struct smsc_login *login, const struct smsc_send *send, struct buf *out);
void smsc_soap_parse_send(int http_status, const char *body, size_t len, struct smsc_send_reply *out);
/* One pair per request: the SOAP method has no multi form. */
void smsc_soap_build_status(const struct smsc_login *login, const char *phone, const char *id, struct buf *out);
void smsc_soap_parse_status(int http_status, const char *body, size_t len, struct smsc_status_reply *out);
void smsc_soap_build_balance(const struct smsc_login *login, struct buf *out);
void smsc_soap_parse_balance(int http_status, const char *body, size_t len, struct smsc_balance_reply *out);

/* A method of which only the words matter: `elements` go into the wrapper (account_methods.c knows their order), `query`
 * percent-encoded into <query> when `has_query`. */
void smsc_soap_build_any(const struct smsc_login *login, const char *wrapper, const struct smsc_param *elements,
                         size_t count, const struct smsc_param *query, size_t query_count, bool has_query,
                         struct buf *out);
/* What stands in `result` as one flat JSON object, appended to `out` when the reply is SMSC_REPLY_OK. */
enum smsc_reply_kind smsc_soap_parse_any(int http_status, const char *body, size_t len, const char *result,
                                         int *out_error, char out_text[96], struct buf *out);

#endif
