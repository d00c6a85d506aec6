#!/bin/sh
# SPDX-License-Identifier: MIT
# seeds.sh VECTORS OUT - the PDU vectors as binary files, one per PDU: a corpus for fuzz_pdu and fuzz_framer.
set -eu
[ $# = 2 ] || { echo "usage: $0 tests/vectors OUT" >&2; exit 2; }
mkdir -p "$2"
for file in "$1"/pdu/*.hex; do
    grep -v '^#' "$file" | xxd -r -p > "$2/$(basename "$file" .hex)"
done
