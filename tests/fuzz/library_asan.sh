#!/bin/sh
# SPDX-License-Identifier: MIT
# library_asan.sh WORK - libsmpp34 from Debian's source under ASan and UBSan in WORK/lib, with its .pc file.
#
# Needs clang, dpkg-dev and a network (or the source unpacked already: SMPP34_SOURCE=DIR). The system's package lists are
# not touched. "bounds" is left out: the library reads a TLV's length as element -2 of its value, harmlessly.
set -eu
work=$1
mkdir -p "$work/apt/partial" "$work/lib"

if [ -z "${SMPP34_SOURCE:-}" ]; then
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources > "$work/apt/debian.sources"
    options="-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$work/apt -o Dir::State::lists=$work/apt -o APT::Get::List-Cleanup=0"
    (cd "$work" && apt-get -q $options update && rm -rf libsmpp34-*/ && apt-get -q $options source libsmpp34)
    SMPP34_SOURCE=$(ls -d "$work"/libsmpp34-*/)
fi
version=$(pkg-config --modversion libsmpp34)

objects=
for name in heap pack params structs unpack; do
    objects="$objects $work/lib/$name.o"
    # some minutes of compiling: only once for the same source
    [ "$work/lib/$name.o" -nt "$SMPP34_SOURCE/src/smpp34_$name.c" ] && [ -s "$work/lib/$name.o" ] && continue
    clang -O1 -g -fPIC -w -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize=bounds -fno-sanitize-recover=undefined \
        -I"$SMPP34_SOURCE/src" -I"$SMPP34_SOURCE" -c "$SMPP34_SOURCE/src/smpp34_$name.c" -o "$work/lib/$name.o"
done
rm -f "$work/lib/libsmpp34.a"
ar rcs "$work/lib/libsmpp34.a" $objects
cat > "$work/lib/libsmpp34.pc" <<PC
libdir=$work/lib
Name: libsmpp34
Description: libsmpp34 under ASan
Version: $version
Libs: -L\${libdir} -lsmpp34
Cflags: $(pkg-config --cflags libsmpp34)
PC
