/* SPDX-License-Identifier: MIT */
/* wire.c - builders and parsers by kind of upstream [smsc-api 3, 8, 16]. */
#include "gateway/wire.h"

#include "http/http.h"

static void build_status(const struct smsc_login *login, const char *phone, const char *id, struct buf *out)
{
    struct smsc_status_query query = {
        .ids = (const char *const[]){ id }, .phones = (const char *const[]){ phone }, .count = 1, .all = 1
    }; /* its cost as well */

    smsc_build_status(login, &query, out);
}

static const char *const soap_headers[] = { "SOAPAction: " SMSC_SOAP_ACTION, NULL };

static const struct wire wires[] = {
    [CFG_SMSC_HTTP] = { SMSC_PATH_SEND, SMSC_PATH_STATUS, SMSC_PATH_BALANCE, NULL, NULL, smsc_build_send,
                        smsc_parse_send, build_status, smsc_parse_status, smsc_build_balance, smsc_parse_balance },
    [CFG_SMSC_SOAP] = { SMSC_PATH_SOAP, SMSC_PATH_SOAP, SMSC_PATH_SOAP, "text/xml; charset=utf-8", soap_headers,
                        smsc_soap_build_send, smsc_soap_parse_send, smsc_soap_build_status, smsc_soap_parse_status,
                        smsc_soap_build_balance, smsc_soap_parse_balance },
};

const struct wire *wire_of(const struct cfg_upstream *cfg)
{
    return &wires[cfg == NULL ? CFG_SMSC_HTTP : cfg->kind];
}

struct http_request_out wire_request(const struct wire *wire, const char *url, const struct buf *body)
{
    return (struct http_request_out){ .method = "POST",
                                      .url = url,
                                      .content_type = wire->content_type,
                                      .headers = wire->headers,
                                      .body = buf_text(body),
                                      .body_len = body->len };
}
