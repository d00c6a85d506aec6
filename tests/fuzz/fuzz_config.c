/* SPDX-License-Identifier: MIT */
/* fuzz_config.c - any text is a configuration or a list of mistakes, never both, and a good one can be shown. */
#include <stdint.h>
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    struct buf text;

    buf_init(&text, 1 << 20);
    int err = cfg_read_text("fuzz", (const char *)data, size, &config, &text);
    if ((err == 0) != (config != NULL) || (err == 0) != (text.len == 0))
        abort();
    if (err == 0) {
        cfg_write_report(config, &text);
        buf_clear(&text);
        cfg_restart_needed(config, config, &text);
        if (text.len != 0)
            abort(); /* nothing differs from itself */
    }
    cfg_destroy(config);
    buf_finish(&text);
    return 0;
}
