#!/bin/bash
# selftest.sh BUILD_DIR - each lint finds a breach planted for it and says nothing about what is right.
set -uo pipefail
build=$1
lint=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
status=0

# plant FILE TEXT: the only file of an otherwise empty tree
plant() {
    rm -rf "${root:?}"/*
    mkdir -p "$root/$(dirname "$1")"
    printf '%b' "$2" >"$root/$1"
}
finds() { # WHAT LINT...
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "not found: $what"
        status=1
    fi
}
accepts() {
    local what=$1
    shift
    if ! "$@"; then
        echo "wrongly found: $what"
        status=1
    fi
}
layer() { # finds|accepts FILE HEADER
    plant "$2" "#include $3\n"
    "$1" "$2 includes $3" "$lint/layers.sh" "$root"
}

layer finds base/x.c '"smpp/smpp.h"'
layer finds config/x.h '"gateway/message.h"'
layer finds smpp/x.c '"http/http.h"'
layer finds http/x.c '"smpp/smpp.h"'
layer finds http/x.c '"config/config.h"'
layer finds lab/x.c '"config/config.h"'
layer finds lab/x.c '"gateway/store.h"'
layer finds gateway/x.c '"smpp/framer.h"'
layer finds gateway/x.c '"config/schema.h"'
layer finds gateway/x.c '"lab/lab.h"'
layer finds smpp/x.c '<smpp34.h>'
layer finds gateway/x.c '<curl/curl.h>'
layer finds http/x.c '<microhttpd.h>'
layer finds gateway/x.c '<sqlite3.h>'
layer finds gateway/x.c '<openssl/ssl.h>'
layer finds base/x.c '<uv.h>'
layer accepts gateway/x.c '"smpp/smpp.h"'
layer accepts gateway/main.c '"lab/lab.h"'
layer accepts gateway/store/x.c '<sqlite3.h>'
layer accepts smpp/codec.c '<smpp34.h>'
layer accepts smpp/x.c '"smpp/framer.h"'
layer accepts config/x.c '<cjson/cJSON.h>'

for call in 'strcpy(a, b)' 'x = atoi(s)' 'strncpy (a, b, 3)' 'alloca(3)' 'if (sprintf(a, b))'; do
    plant smpp/x.c "void f(void)\n{\n    $call;\n}\n"
    finds "$call" "$lint/banned.sh" "$root"
done
plant gateway/x.c '#include <uthash.h>\n'
finds 'uthash behind the back of base/table.h' "$lint/banned.sh" "$root"
plant base/table.h '#include <uthash.h>\n'
accepts 'base/table.h' "$lint/banned.sh" "$root"
plant smpp/x.c "int a; /* FIX""ME later */\n"
finds 'a mark of unfinished work' "$lint/banned.sh" "$root"
plant smpp/x.c '/* no atoi(s) here */\nconst char *s = "strcpy(a, b)";\nint my_atoi(int);\nint y = my_atoi(3);\nsnprintf(a, 3, "");\n'
accepts 'names in comments, strings and longer names' "$lint/banned.sh" "$root"

plant smpp/codec.c 'int x = smpp34_unpack2(p, b, n);\n'
finds 'an unsafe function of libsmpp34' "$lint/airlock.sh" "$root"
plant gateway/x.c 'puts(smpp34_strerror);\n'
finds 'the trace of libsmpp34' "$lint/airlock.sh" "$root"
plant smpp/codec.c 'int x = smpp34_unpack(t, p, b, n);\n'
accepts 'a safe function of libsmpp34' "$lint/airlock.sh" "$root"

if command -v clang-format >/dev/null; then
    plant base/x.c 'int  f( void ){return 1 ;}\n'
    cp "$lint/../../.clang-format" "$root/"
    finds 'bad layout' "$lint/format.sh" "$root"
    plant base/x.c 'int x;\n'
    cp "$lint/../../.clang-format" "$root/"
    accepts 'good layout' "$lint/format.sh" "$root"
fi

plant base/x.h '#ifndef X_H\n#define X_H\nuint32_t x(void);\n#endif\n'
finds 'a header that needs another first' "$lint/headers.sh" "$build" "$root"
plant base/x.h 'struct x {\n    int y;\n};\n'
finds 'a header without a guard' "$lint/headers.sh" "$build" "$root"
plant base/x.h '#ifndef X_H\n#define X_H\n#include <stdint.h>\nuint32_t x(void);\n#endif\n'
accepts 'a header that stands alone' "$lint/headers.sh" "$build" "$root"
exit $status
