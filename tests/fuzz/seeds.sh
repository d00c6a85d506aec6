#!/bin/sh
# SPDX-License-Identifier: MIT
# seeds.sh VECTORS OUT - the PDU vectors as binary files, one per PDU: a corpus for fuzz_pdu and fuzz_framer; in folders of
# OUT what stands in them or may: receipts, user data headers, TLVs, PROXY headers, and the PDUs as fuzz_scan takes them.
set -eu
[ $# = 2 ] || { echo "usage: $0 tests/vectors OUT" >&2; exit 2; }
mkdir -p "$2"
for file in "$1"/pdu/*.hex; do
    grep -v '^#' "$file" | xxd -r -p > "$2/$(basename "$file" .hex)"
done
for what in receipt udh tlv proxy scan text; do
    mkdir -p "$2/$what"
done
for pdu in "$2"/*; do
    [ -f "$pdu" ] || continue
    name=$(basename "$pdu")
    { printf '\001' && cat "$pdu"; } > "$2/scan/$name"
    if grep -qa 'id:[^ ]* sub:' "$pdu"; then
        grep -ao 'id:[^ ]* sub:.*' "$pdu" | head -n 1 | tr -d '\n' > "$2/receipt/$name"
    fi
    # alphabet and language octet, then a text with everything in it
    { printf '\001\000' && tail -c 40 "$pdu"; } > "$2/text/$name"
done
printf '\005\000\003\052\003\001part' > "$2/udh/concatenation8"
printf '\006\010\004\001\002\003\001part' > "$2/udh/concatenation16"
printf '\003\044\001\001turkish' > "$2/udh/single_shift"
printf '\003\045\001\003portuguese' > "$2/udh/locking_shift"
printf '\010\005\004\013\204\043\360\000\000' > "$2/udh/ports"
printf '\002\014\000\002\000\007\002\016\000\001\002\002\017\000\001\001' > "$2/tlv/sar"
printf '\004\044\000\005hello\024\000\000\000\000\031\000\005\001' > "$2/tlv/payload_and_cut"
printf 'PROXY TCP4 192.0.2.7 10.0.0.1 4711 2775\r\n' > "$2/proxy/v1"
printf 'PROXY UNKNOWN\r\n' > "$2/proxy/unknown"
printf '\r\n\r\n\000\r\nQUIT\n\041\021\000\014\300\000\002\007\012\000\000\001\022\147\012\327' > "$2/proxy/v2"
