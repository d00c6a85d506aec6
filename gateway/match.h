/*
 * match.h - does a number, or the beginning of a text, fit a rule of the configuration? Pure.
 */
#ifndef GATEWAY_MATCH_H
#define GATEWAY_MATCH_H

#include <stdbool.h>

/* "7903*" fits what begins so, "*" and "" everything, anything else the whole number; a "+" in front counts on neither
 * side. */
bool match_number(const char *pattern, const char *number);
/* Is `keyword` (not empty) the first word of the text, in any case (ASCII, Latin-1, Cyrillic)? It may contain spaces. A
 * word ends with the text, with white space or with one of , . : ; ! ? */
bool match_keyword(const char *keyword, const char *text);

#endif
