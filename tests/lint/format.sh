#!/bin/bash
# format.sh [ROOT] - every C file is as clang-format writes it. Status 77 where there is no clang-format.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

command -v clang-format >/dev/null || exit 77
dirs=()
for d in base config smpp http lab gateway tests; do [ -d "$d" ] && dirs+=("$d"); done
find "${dirs[@]}" -name '*.[ch]' -not -path '*/node_modules/*' -print0 | xargs -0 clang-format --dry-run -Werror
