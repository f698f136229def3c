#!/bin/sh
# Runs every fuzz target of the repository for DURATION each (60s), one after
# the other, and names those that failed. What a failure found is written to
# the package's testdata/fuzz, to be kept as a seed.
# Usage: fuzz.sh [DURATION [NAME-PATTERN]]
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
duration=${1:-60s}
pattern=${2:-.}
targets=$(grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' cmd kernel mcp session |
    sed 's|/[^/]*_test\.go:[0-9]*:func |:|' | sort -u | grep -e "$pattern") || {
    echo "no fuzz target matches $pattern" >&2
    exit 1
}
failed=
for target in $targets; do
    dir=${target%%:*}
    name=${target##*:}
    echo "== $name in $dir, $duration"
    "$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$duration" "./$dir" || failed="$failed $name"
done
if [ -n "$failed" ]; then
    echo "failed:$failed" >&2
    exit 1
fi
