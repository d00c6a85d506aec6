#!/bin/bash
# SPDX-License-Identifier: MIT
# container.sh - builds the image of config/Containerfile, runs it, sends a message, stops it with one under way.
#
# Everything runs from the image, on this machine's loopback: a simulated aggregator, the gateway with the store in its
# volume and its configuration mounted, `send`. Needs podman or docker, curl, and Debian's base images (docker.io, or there
# already); one and a half minutes. Not a part of ./check: few machines that build may run containers. What an engine wants
# besides is given from outside:
#   ENGINE="podman --runtime runc" BUILD_OPTIONS="--isolation=chroot" RUN_OPTIONS="--ulimit nofile=2000:2000" tests/container.sh
set -euo pipefail
cd "$(dirname "$0")/.."

read -ra engine <<<"${ENGINE:-podman}"
read -ra build_options <<<"${BUILD_OPTIONS:-}"
read -ra run_options <<<"${RUN_OPTIONS:-}"
name=smppbridge-test-$$
dir=$(mktemp -d)
trap '"${engine[@]}" rm -f -v "$name-gateway" "$name-simulator" >/dev/null 2>&1 || true
      "${engine[@]}" rmi -f "$name" >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT

fail() {
    echo "container: $*" >&2
    "${engine[@]}" logs "$name-gateway" >&2 || true
    exit 1
}

free_port() { # nobody answers there now
    local port
    while port=$((20000 + RANDOM % 10000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

until_true() { # WHAT COMMAND...
    local what=$1 try
    shift
    for try in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    fail "not within 30 s: $what (try $try)"
}

run() { "${engine[@]}" run --network=host "${run_options[@]}" "$@"; }
admin() { curl -sf -H 'Authorization: Bearer token' "http://127.0.0.1:$admin_port$1"; }

"${engine[@]}" build "${build_options[@]}" -f config/Containerfile -t "$name" . >"$dir/build.log" 2>&1 ||
    { tail -40 "$dir/build.log" >&2; fail "the image was not built"; }

smpp_port=$(free_port) callback_port=$(free_port) admin_port=$(free_port) simulator_port=$(free_port)
cat >"$dir/smppbridge.json" <<JSON
{
    "smpp": { "listen": ["127.0.0.1:$smpp_port"] },
    "esmes": [{ "system_id": "demo", "password": "demo" }],
    "upstreams": [{ "urls": ["http://127.0.0.1:$simulator_port"], "login": "alex", "password": "123" }],
    "callbacks": { "listen": ["127.0.0.1:$callback_port"], "secret": "secret" },
    "admin": { "listen": ["127.0.0.1:$admin_port"], "token": "token" }
}
JSON
chmod 644 "$dir/smppbridge.json" # the image's user is not the one who runs this
run -d --name "$name-simulator" "$name" simulator --listen "127.0.0.1:$simulator_port" \
    --callback "http://127.0.0.1:$callback_port/smsc/callback?charset=utf-8&sha1=secret" >/dev/null
lab() { curl -sf -X PUT -d "$1" "http://127.0.0.1:$simulator_port/lab/behaviour"; }
until_true "the simulator answers" lab '{"delivered": 1, "delay_min_ms": 10, "delay_max_ms": 20}'
run -d --name "$name-gateway" -v "$dir/smppbridge.json:/etc/smppbridge/smppbridge.json:ro" "$name" >/dev/null
until_true "the gateway is ready" admin /readyz

run --rm "$name" send --url "smpp://demo:demo@127.0.0.1:$smpp_port" --to 79990000001 --text Hello --wait ||
    fail "the first message was not delivered"

# SIGTERM while the aggregator takes its time: the request ends, and so does the gateway
lab '{"latency_min_ms": 3000, "latency_max_ms": 3000}' >/dev/null
run --rm "$name" send --url "smpp://demo:demo@127.0.0.1:$smpp_port" --to 79990000002 --text Hello >/dev/null ||
    fail "the second message was not taken"
"${engine[@]}" stop -t 40 "$name-gateway" >/dev/null
status=$("${engine[@]}" inspect -f '{{.State.ExitCode}}' "$name-gateway")
[ "$status" = 0 ] || fail "ended with status $status after SIGTERM"
"${engine[@]}" logs "$name-gateway" 2>&1 | grep -q 'drained.*in_flight=none' || fail "did not drain"
[ "$(curl -sf "http://127.0.0.1:$simulator_port/lab/accepted" | tr -d ' \n' | grep -o '"accepted":[0-9]*')" = '"accepted":2' ] ||
    fail "the aggregator has not got both messages"

"${engine[@]}" start "$name-gateway" >/dev/null
until_true "the gateway is ready again" admin /readyz
[ "$(admin /v1/messages | grep -o '"to": *"7999000000[12]"' | sort -u | wc -l)" = 2 ] || fail "the store did not outlive the restart"
echo "container: built, delivers, drains on SIGTERM with status 0, keeps its store"
