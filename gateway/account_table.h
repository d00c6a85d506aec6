/*
 * account_table.h - a JSON reply of the aggregator as a table for people: columns for lists, "name  value" for records.
 */
#ifndef GATEWAY_ACCOUNT_TABLE_H
#define GATEWAY_ACCOUNT_TABLE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends lines of text. ERR_SYNTAX when it is no JSON. */
int account_table_write(const char *json, struct buf *out) MUST_CHECK;

#endif
