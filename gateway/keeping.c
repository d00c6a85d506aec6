/* SPDX-License-Identifier: MIT */
/* keeping.c - retention, and words about a store that cannot be written. */
#include "gateway/keeping.h"

#include "gateway/internal.h"

enum { EXPIRE_EVERY_MS = 60000 };

static void expire(struct gateway *gw, uint64_t now_ms)
{
    int64_t keep_ms = (int64_t)gw->config->store.keep_ms;
    uint64_t keep_text_ms = gw->config->store.keep_text_ms;

    if (now_ms < gw->keeping.next_expire_ms)
        return;
    gw->keeping.next_expire_ms = now_ms + EXPIRE_EVERY_MS;
    store_expire_texts(gw->store, keep_text_ms == CFG_ALWAYS ? 0 : era_retention_ms(gw) - (int64_t)keep_text_ms);
    if (keep_ms > 0)
        store_expire(gw->store, era_retention_ms(gw) - keep_ms);
}

static void look_at_store(struct gateway *gw)
{
    bool sick = !store_healthy(gw->store);

    if (sick && !gw->keeping.store_was_sick)
        log_error("the store cannot be written: submits are answered ESME_RSYSERR until it can", "waiting=%zu",
                  store_waiting(gw->store));
    else if (!sick && gw->keeping.store_was_sick)
        log_warn("the store can be written again", "waiting=%zu", store_waiting(gw->store));
    gw->keeping.store_was_sick = sick;
    /* Only a commit that succeeds shows that it is well again, and nobody may be left who asks for one. */
    if (sick && store_meta_set(gw->store, "probe", clock_wall_ms(), STORE_PLAIN) != 0)
        return; /* kept changes wait: they are tried again by themselves */
}

void keeping_beat(struct gateway *gw)
{
    uint64_t now_ms = clock_mono_ms();

    expire(gw, now_ms);
    look_at_store(gw);
    (void)era_wall_ms(gw); /* says so when the clock has jumped */
    descriptors_beat(gw, now_ms);
}
