/*
 * notify.h - what a service manager is told: sd_notify's datagrams, without its library.
 *
 * Without NOTIFY_SOCKET in the environment nothing is said and nothing fails. What is said is never waited for.
 * Spec: sd_notify(3), sd_watchdog_enabled(3)
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

/* Lines as sd_notify takes them: "READY=1\nSTATUS=serving". The format is printf's; at most 1023 bytes are sent. */
void notify_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often "WATCHDOG=1" has to be said: half of what the manager allows, in ms; 0: nobody asks for it. */
uint64_t notify_watchdog_ms(void);

#endif
