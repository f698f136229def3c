#!/bin/sh
# What can be judged without running: format, files' sizes, what is left to make
# test-all, vet (three systems), staticcheck, code that the program never reaches, copies.
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
if git rev-parse --git-dir >/dev/null 2>&1; then # else an archive of the sources
    large=$(git ls-files -z | xargs -0 ls -ld -- 2>/dev/null | awk '$5 > 200000')
    if [ -n "$large" ]; then
        echo "over 200 kB, is it a source? $large" >&2
        exit 1
    fi
fi
# Else make test runs what is left to make test-all.
everywhere=$(find cmd kernel mcp session -name '*_test.go' -exec awk '
    name != "" && !/testneeds\.All\(t\)/ { print FILENAME ": " name }
    { name = /^func TestMatrix/ ? $2 : "" }' {} +)
if [ -n "$everywhere" ]; then
    echo "a TestMatrix… that does not begin with testneeds.All(t):" >&2
    echo "$everywhere" >&2
    exit 1
fi
for os in linux darwin windows; do
    echo "go vet for $os" >&2
    GOOS=$os "$go" vet ./...
done
echo "staticcheck" >&2
"$go" tool staticcheck ./...

# What no test uses either is staticcheck's affair; here is what only tests use. Each
# that may has its reason, and is in use or gone when it is not reported:
#   kernel/zmq     a connection in memory, on which kernel/kerneltest stands
echo "deadcode" >&2
expected="\
kernel/zmq/pair.go NewPair
kernel/zmq/pair.go PairEnd.Close
kernel/zmq/pair.go PairEnd.Recv
kernel/zmq/pair.go PairEnd.Refuse
kernel/zmq/pair.go PairEnd.Reuse
kernel/zmq/pair.go PairEnd.Send
kernel/zmq/pair.go newPairQueue
kernel/zmq/pair.go pairQueue.closeReader
kernel/zmq/pair.go pairQueue.closeWriter
kernel/zmq/pair.go pairQueue.get
kernel/zmq/pair.go pairQueue.put"
each='{{range .Funcs}}{{printf "%s %s\n" .Position.File .Name}}{{end}}'
unreachable=$("$go" tool deadcode -f "$each" ./cmd/mcp-code-executor | sed '/^$/d' | LC_ALL=C sort)
if [ "$unreachable" != "$expected" ]; then
    echo "what the program does not reach is not what testdata/check.sh expects:" >&2
    printf '%s\n%s\n' "$expected" "$unreachable" | LC_ALL=C sort | uniq -u >&2
    exit 1
fi

# 70 tokens are some fifteen lines. Shorter ones are entries of tables and the two
# systems' ways of one call.
echo "copies" >&2
copies=$(find cmd kernel mcp session -name '*.go' ! -name '*_test.go' | "$go" tool dupl -files -plumbing -threshold 70)
if [ -n "$copies" ]; then
    echo "$copies" >&2
    exit 1
fi
