#!/bin/sh
# SPDX-License-Identifier: MIT
# judge.sh ENCODE_SAMPLES - tshark, which nobody here wrote, dissects what our encoder makes of every good PDU vector.
#
# Fails when a PDU is not recognised as SMPP, is malformed, or earns an expert warning; prints its name. Exit 77: no tshark.
set -eu
[ $# = 1 ] || { echo "usage: $0 path/to/encode_samples" >&2; exit 2; }
command -v tshark >/dev/null && command -v text2pcap >/dev/null || { echo "tshark is not installed: skipped"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$1" > "$dir/dump"
text2pcap -q -T 2775,2775 "$dir/dump" "$dir/pcap" 2> "$dir/text2pcap.err" || { cat "$dir/text2pcap.err"; exit 1; }

# Each packet is a PDU of its own; the made-up TCP stream around it has no say. 6291456: expert severity "warning".
judge() {
    tshark -r "$dir/pcap" -o smpp.reassemble_smpp_over_tcp:FALSE -o tcp.desegment_tcp_streams:FALSE \
        -T fields -e frame.number -e smpp.command_id -Y "$1" 2> "$dir/tshark.err"
}
wanted=$(grep -c '^#' "$dir/dump")
seen=$(judge smpp | wc -l)
[ "$seen" -eq "$wanted" ] || { echo "tshark sees $seen PDUs, $wanted were encoded"; cat "$dir/tshark.err"; exit 1; }
judge '_ws.malformed || (_ws.expert.severity >= 6291456 && !tcp.analysis.flags)' > "$dir/bad"
while read -r number command; do
    echo "$(grep '^#' "$dir/dump" | sed -n "${number}p"): command $command is not as tshark wants it"
done < "$dir/bad"
[ ! -s "$dir/bad" ]
echo "$seen PDUs dissected, none malformed"
