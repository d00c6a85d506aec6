/*
 * fake.h - making the memory engine fail, for tests.
 */
#ifndef GATEWAY_STORE_FAKE_H
#define GATEWAY_STORE_FAKE_H

#include "gateway/store.h"

/* The next `commits` commits fail as a full disk would (kept changes are tried again every turn, and each try counts).
 * 0: works again. Only for a store opened as "memory:". */
void fake_store_fail(struct store *store, unsigned commits);

#endif
