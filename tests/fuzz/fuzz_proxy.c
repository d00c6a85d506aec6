/* SPDX-License-Identifier: MIT */
/* fuzz_proxy.c - any octets before the stream: judged alike in one piece and growing, never longer than what is there. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "smpp/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_storage peer;
    bool known = false;

    if (size == 0 || size > SMPP_PROXY_MAX)
        return 0;
    uint8_t *exact = malloc(size);
    if (exact == NULL)
        return 0;
    memcpy(exact, data, size);

    int whole = smpp_proxy_read(exact, size, &known, &peer);

    assert(whole <= (int)size);
    assert(!(whole > 0 && known) || peer.ss_family == AF_INET || peer.ss_family == AF_INET6);
    for (size_t len = 1; len < size; len++) { /* a verdict, once given, stays */
        int n = smpp_proxy_read(exact, len, &known, &peer);

        assert(n == 0 || n == whole);
        if (n != 0)
            break;
    }
    free(exact);
    return 0;
}
