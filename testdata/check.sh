#!/bin/sh
# What can be judged without running: format, vet (three systems), staticcheck.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
echo "checking the format" >&2
unformatted=$("$("$go" env GOROOT)/bin/gofmt" -l cmd kernel mcp session)
if [ -n "$unformatted" ]; then
    echo "not formatted (run gofmt -w):" >&2
    echo "$unformatted" >&2
    exit 1
fi
for os in linux darwin windows; do
    echo "go vet for $os" >&2
    GOOS=$os "$go" vet ./...
done
echo "staticcheck" >&2
"$go" tool staticcheck ./...
