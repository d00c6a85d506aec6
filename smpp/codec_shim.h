/*
 * codec_shim.h - what the silenced libsmpp34 calls instead of snprintf; see cmake/smpp34.cmake.
 */
#ifndef SMPP_CODEC_SHIM_H
#define SMPP_CODEC_SHIM_H

#include <stdbool.h>
#include <stdint.h>

/* Prints kept out of the trace so far. */
uint64_t shim_swallowed(void);
/* No byte of a PDU has reached the library's trace. */
bool shim_trace_is_empty(void);

#endif
