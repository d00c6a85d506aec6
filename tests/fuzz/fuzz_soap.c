/* SPDX-License-Identifier: MIT */
/* fuzz_soap.c - any bytes as a SOAP reply, and as the text of a SOAP request, which must come out as well-formed XML. */
#include <stdlib.h>

#include "http/smsc_soap.h"
#include "http/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct smsc_login login = { "alex", "123", "" };
    struct smsc_line line = { .phone = "79990000001", .text = (const char *)data, .text_len = size };
    struct smsc_send request = { .id = "1", .lines = &line, .line_count = 1 };
    struct smsc_send_reply send;
    struct smsc_status_reply status;
    struct smsc_balance_reply balance;
    struct buf out;

    for (int http_status = 200; http_status <= 500; http_status += 300) {
        smsc_soap_parse_send(http_status, (const char *)data, size, &send);
        smsc_send_reply_finish(&send);
        smsc_soap_parse_status(http_status, (const char *)data, size, &status);
        smsc_status_reply_finish(&status);
        smsc_soap_parse_balance(http_status, (const char *)data, size, &balance);
    }
    buf_init(&out, 1 << 20);
    smsc_soap_build_send(&login, &request, &out);
    if (!out.failed) {
        xmlDoc *doc = xml_open(out.data, out.len, NULL);

        if (doc == NULL)
            abort();
        xmlFreeDoc(doc);
    }
    buf_finish(&out);
    return 0;
}
