#!/bin/sh
# airlock.sh ROOT - what is unsafe in libsmpp34 is called by nobody (who may include it at all: layers.sh).
set -eu
cd "$1"
status=0
look() { # PATTERN ALLOWED_FILE
    grep -rsnE "$1" base smpp http config gateway lab tests --include='*.[ch]' | grep -v "^$2:"
}
# They overflow a buffer, or read a header without looking at the length.
if look 'smpp34_(dumpPdu2?|dumpBuf|unpack2|pack2) *\(' none; then
    echo "never to be called"
    status=1
fi
# Full of passwords, and moved into our memory by the linker when mentioned.
if look '(smpp34_strerror|smpp34_errno|ptrerror)' 'smpp/codec_shim[.]c'; then
    echo "the library's trace is for smpp/codec_shim.c only"
    status=1
fi
exit $status
