/*
 * address_range.h - does an address lie in the range an ESME named in its bind? Pure.
 *
 * A range comes from the network, so it is never handed to a regular expression library: the program made of it has a
 * ceiling and each character of the address is looked at once. Spec: SMPP34 5.2.7, Appendix A.
 */
#ifndef GATEWAY_ADDRESS_RANGE_H
#define GATEWAY_ADDRESS_RANGE_H

#include <stdbool.h>

/* Can this range be read? What cannot stands for every address: a slip of the pen must not cost messages. */
bool address_range_is_sound(const char *range);
/* Empty: every address. Letters and digits alone: that one address. The same with * at the end: all that begin so. All
 * else is a UNIX regular expression (^ $ . [] () | * + ? {m,n} \d), found anywhere unless ^ or $ say where. A + in front
 * of a number counts on neither side. An empty address (a confirming call has none) is in every range. */
bool address_range_has(const char *range, const char *address);

#endif
