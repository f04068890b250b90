#!/usr/bin/env bash
# Installs what `make test` needs and does not find, or says what is missing
# and which command installs it. In CI (CI or FINCH_CI set) a thing that is
# still missing at the end is a failure: no suite is skipped in silence there.
set -u
export DEBIAN_FRONTEND=noninteractive

missing=()  # what is not there, in words
packages=() # the Debian packages that bring it

have() { command -v "$1" >/dev/null 2>&1; }

# newer_than FOUND WANTED: is the dotted version FOUND at least WANTED?
newer_than() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# python prints the interpreter that the tests use: Debian's own, because a
# version manager's does not see Debian's packages.
python() { if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else command -v python3; fi; }

browser() {
	local name
	for name in "${FINCH_CHROMIUM:-}" chromium chromium-browser google-chrome; do
		[ -n "$name" ] && have "$name" && return 0
	done
	return 1
}

redis_server() {
	local name
	for name in "${FINCH_REDIS_SERVER:-}" redis-server valkey-server; do
		[ -n "$name" ] && have "$name" && return 0
	done
	return 1
}

look() {
	missing=() packages=()
	have gcc || have clang || { missing+=("a C compiler (the race detector needs one)"); packages+=(gcc libc6-dev); }
	browser || { missing+=("Chromium (the browser tests)"); packages+=(chromium); }
	redis_server || { missing+=("redis-server (the tests of broker/redis)"); packages+=(redis-server); }
	"$(python)" -c 'import websockets' 2>/dev/null || { missing+=("Python's websockets (a client in the tests)"); packages+=(python3-websockets); }
}

fatal() { echo "need: $*" >&2; exit 1; }

have go || fatal "Go is missing: install Go 1.26 or newer from https://go.dev/dl/"
go_version=$(go env GOVERSION)
newer_than "${go_version#go}" 1.26 || fatal "Go 1.26 or newer is needed, and $(command -v go) is ${go_version}: see https://go.dev/dl/"
have git || fatal "git is missing: apt-get install git"
if have node && have npm; then
	node_version=$(node --version)
	newer_than "${node_version#v}" 20 || fatal "Node 20 or newer is needed, and $(command -v node) is ${node_version}: see https://nodejs.org/"
else
	fatal "Node and npm are missing: install Node 20 or newer from https://nodejs.org/"
fi

look
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && have apt-get; then
	echo "== installing ${packages[*]}"
	mkdir -p .out
	{ apt-get update && apt-get install -y --no-install-recommends "${packages[@]}"; } >.out/apt.log 2>&1 ||
		{ tail -n 15 .out/apt.log >&2; echo "need: apt-get failed; its whole log is .out/apt.log" >&2; }
	look
fi
if [ ${#missing[@]} -gt 0 ]; then
	for what in "${missing[@]}"; do echo "need: missing: $what" >&2; done
	echo "need: on Debian and Ubuntu this installs it: sudo apt-get update && sudo apt-get install -y ${packages[*]}" >&2
	[ -z "${CI:-}${FINCH_CI:-}" ] || exit 1
	have gcc || have clang || exit 1 # without it no Go test runs
	echo "need: the suites that need it are SKIPPED below" >&2
fi
exit 0
