/* SPDX-License-Identifier: MIT */
/* descriptors.c - the shares of descriptors.h. Invariant: their sum is within the limit, unless that is absurdly low. */
#include "gateway/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/internal.h"

enum {
    OWN = 48,              /* the store with a backup under way, the loop, the log, name look-ups, files being read */
    PER_LISTENER = 5 + 16, /* an HTTP listener's own, and connections that linger [http/linger.c] */
    LAB = 64,              /* the simulated network of lab accounts */
    HTTP_MOST = 1000,
    HTTP_LEAST = 4,
    SMPP_LEAST = 8,
    LOOK_EVERY_S = 10
};

/* The usual soft limit is 1024, far below max_sessions; up to the hard one it is ours to raise. */
static uint64_t raised_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return UINT64_MAX;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit all = { .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };

        if (setrlimit(RLIMIT_NOFILE, &all) == 0)
            limit = all;
    }
    return limit.rlim_cur;
}

static uint64_t count_list(const char **list)
{
    uint64_t count = 0;

    while (list != NULL && list[count] != NULL)
        count++;
    return count;
}

static uint64_t http_listeners(const struct config *config)
{
    uint64_t count = count_list(config->admin.listen);

    for (size_t i = 0; i < config->callback_count; i++)
        count += count_list(config->callbacks[i].listen);
    return count;
}

/* What is taken before any peer comes. */
static uint64_t reserved(const struct config *config)
{
    uint64_t sum = OWN + http_listeners(config) * PER_LISTENER;

    for (size_t i = 0; i < config->upstream_count; i++)
        sum += config->upstreams[i].connections + config->upstreams[i].status_connections;
    for (size_t i = 0; i < config->esme_count; i++) {
        if (config->esmes[i].mode == CFG_LAB)
            return sum + LAB;
    }
    return sum;
}

static uint32_t between(uint64_t value, uint32_t least, uint32_t most)
{
    return value > most ? most : value < least ? least : (uint32_t)value;
}

void descriptors_share(struct gateway *gw)
{
    const struct config *config = gw->config;
    struct descriptors *d = &gw->descriptors;
    uint64_t limit = raised_limit(), taken = reserved(config), listeners = http_listeners(config);
    uint64_t left = limit > taken ? limit - taken : 0;
    uint32_t before = d->smpp;

    d->limit = limit;
    d->http = between(left / 8, HTTP_LEAST, HTTP_MOST);
    left = left > listeners * d->http ? left - listeners * d->http : 0;
    d->smpp = between(left, SMPP_LEAST, UINT32_MAX);
    if (config->smpp.max_sessions < d->smpp)
        d->smpp = config->smpp.max_sessions;
    gw->meters.descriptors_most->value = (double)limit;
    if (d->smpp < config->smpp.max_sessions && d->smpp != before)
        log_warn("fewer file descriptors than smpp.max_sessions needs",
                 "limit=%llu max_sessions=%u sessions=%u connections_per_http_listener=%u", (unsigned long long)limit,
                 config->smpp.max_sessions, d->smpp, d->http);
}

/* Never by listing /proc/self/fd: with ten thousand sessions that holds up the loop for 15 to 50 ms. Linux has counted
 * its entries by itself since 6.2. Before, the lowest number that is free tells how many there are, but for gaps. */
uint64_t descriptors_in_use(int any_fd, uint64_t limit)
{
    struct stat info;

    if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0)
        return (uint64_t)info.st_size;
    return descriptors_lowest_free(any_fd, limit);
}

uint64_t descriptors_lowest_free(int any_fd, uint64_t limit)
{
    int fd = fcntl(any_fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return errno == EMFILE ? limit : 0;
    (void)close(fd);
    return (uint64_t)fd;
}

void descriptors_beat(struct gateway *gw, uint64_t now_ms)
{
    uint64_t limit = gw->descriptors.limit;

    if (now_ms / 1000 % LOOK_EVERY_S != 0)
        return;
    uint64_t used = descriptors_in_use(uv_backend_fd(gw->loop), limit);
    bool few = used > limit / 10 * 9;

    gw->meters.descriptors->value = (double)used;
    /* Above nine tenths connections will soon be refused: said before it happens. */
    if (few && !gw->keeping.few_descriptors)
        log_warn("file descriptors are running out", "limit=%llu used=%llu", (unsigned long long)limit,
                 (unsigned long long)used);
    gw->keeping.few_descriptors = few;
}
