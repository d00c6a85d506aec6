/*
 * descriptors.h - who may have how many of the process's file descriptors.
 *
 * Without shares a flood on one listener takes them all, and then neither requests to the upstream, callbacks nor the
 * store get any. The store and the upstreams' connections come first, an eighth of the rest goes to each HTTP listener,
 * ESMEs get what remains: never more than the configuration says.
 */
#ifndef GATEWAY_DESCRIPTORS_H
#define GATEWAY_DESCRIPTORS_H

#include <stdint.h>

struct gateway;

struct descriptors {
    uint64_t limit; /* of the process, after raising it */
    uint32_t smpp;  /* sessions */
    uint32_t http;  /* connections of each HTTP listener */
};

/* Raises the process's limit as far as it may and divides it by gw->config: before anything listens, and at a reload
 * (HTTP listeners keep the share they began with). Says so when it is less than configured. */
void descriptors_share(struct gateway *gw);
/* Counts those in use; says so before they run out. Every second, looks every tenth. */
void descriptors_beat(struct gateway *gw, uint64_t now_ms);

/* How many are in use, without a system call that grows with them; `any_fd` is one of them. */
uint64_t descriptors_in_use(int any_fd, uint64_t limit);
/* What it falls back to: the lowest number that is free, `limit` when there is none. */
uint64_t descriptors_lowest_free(int any_fd, uint64_t limit);

#endif
