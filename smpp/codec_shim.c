/* SPDX-License-Identifier: MIT */
/*
 * codec_shim.c - libsmpp34's snprintf: prints into its trace vanish, all others happen.
 *
 * The library's calls of snprintf and __snprintf_chk carry these two names in the copy of its archive we link
 * (cmake/smpp34.cmake). Besides the trace it prints numbers and names into small buffers of its own, nearly always with
 * a bare "%s" or "%d"; those are done by hand. Empty when the shared library is used.
 */
#ifdef SMPP34_QUIET
#include "smpp/codec_shim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TRACE_BYTES = 2048 };
extern char smpp34_strerror[TRACE_BYTES]; /* the trace; smpp34_structs.h is codec.c's alone */

int smpp_trace_print(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int smpp_trace_print_chk(char *to, size_t size, int flag, size_t object_size, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static uint64_t swallowed;

uint64_t shim_swallowed(void)
{
    return swallowed;
}

bool shim_trace_is_empty(void)
{
    return smpp34_strerror[0] == '\0';
}

/* Returning 0 also keeps the library's cursor at the start, so it never leaves the trace. */
static inline bool is_trace(const char *to)
{
    if ((uintptr_t)to - (uintptr_t)smpp34_strerror >= TRACE_BYTES)
        return false;
    swallowed++;
    return true;
}

static int print_text(char *to, size_t size, const char *s, size_t len)
{
    size_t n = len < size ? len : size - 1;

    memcpy(to, s, n);
    to[n] = '\0';
    return (int)len;
}

static int print_number(char *to, size_t size, int value)
{
    char digits[12];
    size_t at = sizeof digits;
    unsigned left = value < 0 ? 0u - (unsigned)value : (unsigned)value;

    if (value >= 0 && value < 10 && size > 1) { /* most fields */
        to[0] = (char)('0' + value);
        to[1] = '\0';
        return 1;
    }

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        digits[--at] = '-';
    return print_text(to, size, digits + at, sizeof digits - at);
}

static int print(char *to, size_t size, const char *format, va_list args)
{
    if (size > 0 && format[0] == '%' && format[1] != '\0' && format[2] == '\0') {
        if (format[1] == 's') {
            const char *s = va_arg(args, const char *);
            return print_text(to, size, s, strlen(s));
        }
        if (format[1] == 'd')
            return print_number(to, size, va_arg(args, int));
    }
    return vsnprintf(to, size, format, args);
}

int smpp_trace_print(char *to, size_t size, const char *format, ...)
{
    va_list args;

    if (is_trace(to))
        return 0;
    va_start(args, format);
    int n = print(to, size, format, args);
    va_end(args);
    return n;
}

int smpp_trace_print_chk(char *to, size_t size, int flag, size_t object_size, const char *format, ...)
{
    va_list args;

    (void)flag;
    if (is_trace(to))
        return 0;
    va_start(args, format);
    int n = print(to, size < object_size ? size : object_size, format, args);
    va_end(args);
    return n;
}
#else
typedef int nothing_here;
#endif
