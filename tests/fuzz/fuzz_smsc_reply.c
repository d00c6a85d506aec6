/* SPDX-License-Identifier: MIT */
/* fuzz_smsc_reply.c - any bytes as any reply of the aggregator; whatever is made of them can be freed and makes sense. */
#include <stdlib.h>
#include <string.h>

#include "http/smsc_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smsc_send_reply send;
    struct smsc_status_reply status;
    struct smsc_balance_reply balance;
    struct smsc_answers_reply answers;
    char *body = malloc(size + 1), text[96];
    int code;

    if (body == NULL)
        return 0;
    if (size > 0)
        memcpy(body, data, size);
    body[size] = '\0';
    smsc_parse_send(200, body, size, &send);
    if ((send.kind == SMSC_REPLY_ERROR) != (send.error_code > 0) || (send.kind == SMSC_REPLY_OK && send.id[0] == '\0'))
        abort();
    smsc_send_reply_finish(&send);
    smsc_parse_status(200, body, size, &status);
    if ((status.kind == SMSC_REPLY_ERROR) != (status.error_code > 0))
        abort();
    smsc_status_reply_finish(&status);
    smsc_parse_balance(200, body, size, &balance);
    smsc_parse_answers(200, body, size, &answers);
    smsc_answers_reply_finish(&answers);
    if ((smsc_parse_any(200, body, size, &code, text) == SMSC_REPLY_ERROR) != (code > 0))
        abort();
    free(body);
    return 0;
}
