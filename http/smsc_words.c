/* SPDX-License-Identifier: MIT */
/*
 * smsc_words.c - the aggregator's status and delivery error codes in words, for people who read a message's story.
 *
 * Decides nothing: what is final and which receipt it makes stands in gateway/outcome.c. Unknown codes are no mistake, the
 * aggregator adds new ones. [smsc-api 9, 10]
 */
#include "http/smsc_api.h"

struct word {
    int code;
    const char *text;
};

static const char *find(const struct word *words, size_t count, int code)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].code == code)
            return words[i].text;
    }
    return NULL;
}

const char *smsc_status_words(int status)
{
    static const struct word words[] = {
        { -3, "message not found" },
        { -2, "stopped" },
        { -1, "waiting to be sent" },
        { 0, "transferred to the operator" },
        { 1, "delivered" },
        { 2, "read" },
        { 3, "expired" },
        { 4, "link clicked" },
        { 20, "impossible to deliver" },
        { 22, "invalid number" },
        { 23, "prohibited" },
        { 24, "insufficient funds" },
        { 25, "unavailable number" },
    };

    return find(words, ARRAY_LEN(words), status);
}

const char *smsc_err_words(int err)
{
    static const struct word words[] = {
        { 0, "no error" },
        { 1, "subscriber does not exist" },
        { 2, "mailbox full" },
        { 3, "recipient server not found" },
        { 4, "mailbox blocked" },
        { 6, "subscriber offline" },
        { 11, "service not connected" },
        { 12, "error in the subscriber's phone" },
        { 13, "subscriber blocked" },
        { 21, "no support for the service" },
        { 200, "virtual sending" },
        { 219, "SIM card replacement" },
        { 220, "operator queue overflow" },
        { 237, "subscriber does not answer" },
        { 238, "no template" },
        { 239, "forbidden IP address" },
        { 240, "subscriber busy" },
        { 241, "conversion error" },
        { 242, "answering machine" },
        { 243, "no contract" },
        { 244, "mailing prohibited" },
        { 245, "status not received" },
        { 246, "time restriction" },
        { 247, "message limit exceeded" },
        { 248, "no route" },
        { 249, "wrong number format" },
        { 250, "number forbidden by settings" },
        { 251, "limit per number exceeded" },
        { 252, "number forbidden" },
        { 253, "blocked by the spam filter" },
        { 254, "unregistered sender id" },
        { 255, "rejected by the operator" },
    };

    return find(words, ARRAY_LEN(words), err);
}
