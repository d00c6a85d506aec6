#!/bin/sh
# SPDX-License-Identifier: MIT
# airlock.sh ROOT - libsmpp34 is known to smpp/codec.c alone, and what is unsafe in it to nobody.
set -eu
cd "$1"
status=0
rooms="base smpp http config gateway lab"

complain() {
    echo "$1"
    status=1
}
others=$(grep -rlE '#include [<"](libsmpp34/)?smpp34' $rooms tests --include='*.[ch]' | grep -v '^smpp/codec\.c$' || true)
[ -z "$others" ] || complain "libsmpp34's headers belong to smpp/codec.c only: $others"
# They overflow a stack or heap buffer, or read a header without looking at the length.
unsafe=$(grep -rnE 'smpp34_(dumpPdu2?|dumpBuf|unpack2|pack2) *\(' $rooms tests --include='*.[ch]' || true)
[ -z "$unsafe" ] || complain "never to be called: $unsafe"
# Full of passwords, and moved into our memory by the linker when mentioned.
trace=$(grep -rlE 'smpp34_strerror|smpp34_errno|\bptrerror\b' $rooms tests --include='*.[ch]' | grep -v '^smpp/codec_shim\.c$' || true)
[ -z "$trace" ] || complain "the trace is for smpp/codec_shim.c only: $trace"
exit $status
