/*
 * number.h - addresses as ESMEs write them: national forms, 00 and +, allowed senders. Pure.
 *
 * TON and NPI are never a reason to refuse: they only help to tell a national number from an international one.
 */
#ifndef GATEWAY_NUMBER_H
#define GATEWAY_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "smpp/smpp.h"

enum { NUMBER_MAX = 40 };

/* Writes the destination to go out with, and its NUL; returns its length. What is no number (a name, an e-mail address)
 * is copied as it stands. Separators (space, - . parentheses) inside a number are dropped, 00 in front becomes +, a
 * national form of `prefixes` its international one unless the number says that it is international (TON 1, +, 00).
 * Longer than NUMBER_MAX: cut. */
size_t number_normalise(const struct smpp_addr *address, enum cfg_numbers form, const struct cfg_pair *prefixes,
                        char out[NUMBER_MAX + 1]);
/* May this sender be used? `sources` NULL or empty: any. A * at the end of an entry stands for any further characters;
 * a + in front of a number is ignored; case counts. */
bool number_source_allowed(const char *const *sources, struct smpp_str source);

#endif
