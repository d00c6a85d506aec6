#!/bin/sh
# SPDX-License-Identifier: MIT
# with_library_asan.sh [SECONDS] - fuzz_pdu with libsmpp34 itself built from Debian's source under ASan and UBSan.
#
# Twice: with its trace silenced, as we ship it, and with its trace as it is, where the airlock alone must keep it in
# bounds. What it needs: library_asan.sh.
set -eu
seconds=${1:-60}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$root/build/library_asan
"$root/tests/fuzz/library_asan.sh" "$work"

"$root/tests/fuzz/seeds.sh" "$root/tests/vectors" "$work/seeds"
for quiet in ON OFF; do
    PKG_CONFIG_PATH=$work/lib cmake --preset fuzz -S "$root" -B "$work/$quiet" -DSMPPBRIDGE_QUIET_SMPP34=$quiet
    cmake --build "$work/$quiet" --target fuzz_pdu
    mkdir -p "$work/corpus"
    "$work/$quiet/tests/fuzz_pdu" -max_total_time="$seconds" -max_len=1500 "$work/corpus" "$work/seeds"
done
