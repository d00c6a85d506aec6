/*
 * table.h - uthash as this program uses it: a table that cannot grow refuses what it was given.
 *
 * By itself uthash ends the process when it has no memory. Here HASH_ADD and its kin then leave the table as it was, and
 * whoever added asks TABLE_TOOK and goes on with the outcome that caller names. Nobody includes uthash.h but this file.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* After HASH_ADD...: is it in the table? */
#define TABLE_TOOK(item) ((item)->hh.tbl != NULL)

#endif
