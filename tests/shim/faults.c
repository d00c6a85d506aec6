/* SPDX-License-Identifier: MIT */
/*
 * faults.c - loaded into the gateway by LD_PRELOAD: a disk that is full or broken and a wall clock that jumps, on order.
 *
 * FAULT_FILE names a file of four 64-bit numbers that the test writes (tests/e2e/lib/faults.mjs): errno of writes, errno
 * of syncs, milliseconds added to the wall clock, how many calls were failed so far. Only files below FAULT_UNDER are
 * touched; sockets, pipes and the monotonic clock never.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct orders {
    _Atomic int64_t write_errno, sync_errno, wall_ms, failed;
};

static struct orders nothing;
static struct orders *orders = &nothing;
static char under[256];
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off64_t);

static void find(void *out, const char *name)
{
    void *at = dlsym(RTLD_NEXT, name);

    if (at == NULL)
        abort(); /* another libc than the one this was written for */
    memcpy(out, &at, sizeof at);
}

/* Other libraries write and ask for the time before our constructor runs: the real functions come first, by whoever
 * asks. */
static void know(void)
{
    if (real_ftruncate != NULL)
        return;
    find(&real_clock_gettime, "clock_gettime");
    find(&real_write, "write");
    find(&real_pwrite, "pwrite64");
    find(&real_fsync, "fsync");
    find(&real_fdatasync, "fdatasync");
    find(&real_ftruncate, "ftruncate64");
}

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("FAULT_FILE"), *below = getenv("FAULT_UNDER");

    know();
    if (file == NULL || below == NULL)
        return;
    snprintf(under, sizeof under, "%s", below);
    int fd = open(file, O_RDWR | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        orders = at;
    if (fd >= 0)
        close(fd);
}

static bool is_ours(int fd)
{
    char link[64], path[512];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0)
        return false;
    path[len] = '\0';
    return under[0] != '\0' && strncmp(path, under, strlen(under)) == 0;
}

/* Is this call to fail? Then errno is set. */
static bool fails(_Atomic int64_t *with, int fd)
{
    int64_t wanted = atomic_load(with);

    know();
    if (wanted == 0 || !is_ours(fd))
        return false;
    atomic_fetch_add(&orders->failed, 1);
    errno = (int)wanted;
    return true;
}

ssize_t write(int fd, const void *from, size_t len)
{
    return fails(&orders->write_errno, fd) ? -1 : real_write(fd, from, len);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at)
{
    return fails(&orders->write_errno, fd) ? -1 : real_pwrite(fd, from, len, at);
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
    return pwrite64(fd, from, len, at);
}

int ftruncate64(int fd, off64_t len)
{
    return fails(&orders->write_errno, fd) ? -1 : real_ftruncate(fd, len);
}

int ftruncate(int fd, off_t len)
{
    return ftruncate64(fd, len);
}

int fsync(int fd)
{
    return fails(&orders->sync_errno, fd) ? -1 : real_fsync(fd);
}

int fdatasync(int fd)
{
    return fails(&orders->sync_errno, fd) ? -1 : real_fdatasync(fd);
}

/* ---- the wall clock ---- */

int clock_gettime(clockid_t id, struct timespec *out)
{
    know();
    int rc = real_clock_gettime(id, out);
    int64_t add_ms = atomic_load(&orders->wall_ms);

    if (rc != 0 || add_ms == 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return rc;
    int64_t ns = out->tv_nsec + add_ms % 1000 * 1000000;

    out->tv_sec += (time_t)(add_ms / 1000);
    if (ns < 0 || ns >= 1000000000) {
        out->tv_sec += ns < 0 ? -1 : 1;
        ns += ns < 0 ? 1000000000 : -1000000000;
    }
    out->tv_nsec = ns;
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    int rc = clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
