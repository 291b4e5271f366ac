#!/usr/bin/env bash
# Runs the scripts with a cmake that writes down its options and fails, so that none gets further, and with nothing to
# install: whether each turns the tests on or off, also where an earlier one has left build/release otherwise.
#   options.sh SOURCE
set -euo pipefail
cd "$1"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
printf '#!/bin/sh\necho "$@" >>"%s/options"\nexit 1\n' "$tools" >"$tools/cmake"
printf '#!/bin/sh\necho installed all\n' >"$tools/dpkg-query"
for tool in node npm; do printf '#!/bin/sh\n' >"$tools/$tool"; done
chmod +x "$tools"/*
failed=0
expect() {
  local wanted=$1
  shift
  : >"$tools/options"
  PATH=$tools:$PATH "$@" >/dev/null 2>&1 || true
  # The last call is the build's.
  tail -n1 "$tools/options" | grep -q -- "-DNORMA_TESTS=$wanted" && return
  echo "$*: expected -DNORMA_TESTS=$wanted among cmake's options, got '$(cat "$tools/options")'"
  failed=1
}
expect OFF script/demo
expect OFF script/bench
expect OFF script/bench training
expect OFF script/accuracy "$tools/page"
expect ON script/test
exit $failed
