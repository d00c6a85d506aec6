#!/bin/bash
# layers.sh [ROOT] - includes point down only, and from outside a room only its door is seen.
# Prints each breach as "file:line: what"; status 1 when there is one.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

dirs=()
for d in base config smpp http lab gateway; do [ -d "$d" ] && dirs+=("$d"); done
find "${dirs[@]}" -name '*.[ch]' -print0 | sort -z | xargs -0 awk '
BEGIN {
    # room -> rooms it may see
    sees["base"] = ""
    sees["config"] = "base"
    sees["smpp"] = "base"
    sees["http"] = "base"
    sees["lab"] = "base smpp http"
    sees["gateway"] = "base config smpp http"
    door["config"] = "config/config.h"; door["smpp"] = "smpp/smpp.h"
    door["http"] = "http/http.h";       door["lab"] = "lab/lab.h"
    # a package -> the files that may know it
    only["^smpp34"] = "^smpp/codec[^/]*\\.c$"
    only["^curl/"] = "^http/(client\\.c|curl_loop\\.[ch])$"
    only["^microhttpd"] = "^http/server[^/]*\\.c$"
    only["^sqlite3"] = "^gateway/store/"
    only["^openssl/"] = "^(smpp/(tls[^/]*|server)\\.[ch]|http/webhook[^/]*\\.c)$"
    only["^libxml/"] = "^http/"
    only["^zlib"] = "^http/"
    only["^cjson/"] = "^(config|http|gateway|lab)/"
    only["^uv"] = "^(smpp|http|gateway|lab)/"
}
function breach(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; found = 1 }
/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    header = $0
    sub(/^[^<"]*[<"]/, "", header); sub(/[>"].*/, "", header)
    room = FILENAME; sub(/\/.*/, "", room)
    target = header; sub(/\/.*/, "", target)
    for (p in only)
        if (header ~ p && FILENAME !~ only[p])
            breach("<" header "> may be included by " only[p] " alone")
    if (!(target in sees) || target == room)
        next
    if (room == "gateway" && target == "lab") {
        if (FILENAME !~ /^gateway\/(main|cmd_[^\/]*|lab[^\/]*)\.c$/)
            breach("only gateway/main.c, gateway/cmd_*.c and gateway/lab*.c know the lab")
    } else if ((" " sees[room] " ") !~ (" " target " ")) {
        breach(room "/ may not know " target "/")
        next
    }
    if ((target in door) && header != door[target])
        breach("of " target "/ only the door " door[target] " may be included, not " header)
}
END { exit found }
'
