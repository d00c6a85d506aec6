/*
 * log_internal.h - where the log writes; for the room itself and for tests.
 */
#ifndef BASE_LOG_INTERNAL_H
#define BASE_LOG_INTERNAL_H

/* Lines go to this file descriptor from now on (2 at start). Call it while the log is stopped. */
void log_output_fd(int fd);
/* Looks anew whether the output is the journal's. */
void log_find_journal(void);

#endif
