#!/bin/bash
# headers.sh BUILD_DIR [ROOT] - every header compiles alone, twice over, without a warning.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${2:-$(dirname "$0")/../..}"

packages=$(pkg-config --cflags libuv libcurl libcjson libsmpp34 libmicrohttpd libxml-2.0 openssl sqlite3 zlib | sed 's/-I/-isystem /g')
dirs=()
for d in base config smpp http lab gateway; do [ -d "$d" ] && dirs+=("$d"); done
export packages build
find "${dirs[@]}" -name '*.h' -print0 | xargs -0 -P "$(nproc)" -n 8 bash -c '
    status=0
    for header; do
        # shellcheck disable=SC2086
        printf "#include \"%s\"\n#include \"%s\"\ntypedef int not_empty;\n" "$header" "$header" |
            ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Werror -fsyntax-only \
                -I. -I"$build/generated" $packages -x c - || { echo "$header does not stand alone"; status=1; }
    done
    exit $status' headers
