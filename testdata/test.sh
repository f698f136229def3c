#!/bin/sh
# The test command: checks, and every Go test, nearly all with the race detector,
# on real kernels, in real environments, through real MCP clients.
#   testdata/test.sh                              make test
#   testdata/test.sh matrices                     what make test-all adds
#   testdata/test.sh kills                        make kills
#   testdata/test.sh -run TestConda ./cmd/...     some, by go test's arguments
# What this machine lacks is left out and counted at the end. MCE_TEST_REQUIRED
# names what it must have, see kernel/testneeds and .ci/required.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
need="kernel7 kernel6 scripts old virtualenv jupyter client node conda"
[ "${1:-}" != matrices ] || need="kernel7 kernel6 scripts scale pythons virtualenv jupyter client node packaging inspector conda"
[ "${1:-}" != kills ] || need=kernel7
case ${1:-} in matrices | kills) export MCE_TEST_ALL=1 ;; esac
export MCE_TEST_LEFT_OUT="$PWD/.cache/left-out"
testdata/environments.sh $need
: >"$MCE_TEST_LEFT_OUT"
# What environments.sh makes is there, or it has failed.
export MCE_TEST_REQUIRED="environments ${MCE_TEST_REQUIRED:-}"
export MCE_TEST_PYTHONS="$PWD/.cache/kernel7/bin/python:$PWD/.cache/kernel6/bin/python"
export MCE_TEST_SCRIPTS="$PWD/.cache/scripts/bin/python"
export MCE_TEST_SCALE="$PWD/.cache/scale/bin/python"
export MCE_TEST_MATRIX="$PWD/.cache/pythons"
export MCE_TEST_UV="$PWD/.cache/tools/bin/uv"
export MCE_TEST_CLIENT="$PWD/.cache/client/bin/python"
export MCE_TEST_NODE="$PWD/.cache/node"
export MCE_TEST_PACKAGING="$PWD/.cache/packaging"
export MCE_TEST_INSPECTOR="$PWD/.cache/inspector"
export MCE_TEST_VIRTUALENV="$PWD/.cache/virtualenv/bin/python"
export MCE_TEST_JUPYTER="$PWD/.cache/jupyter/bin/python"
export MCE_TEST_CONDA="$PWD/.cache/conda/root"
export MCE_TEST_PROGRAM="$PWD/bin/mcp-code-executor"
export GORACE=atexit_sleep_ms=0 # else each process takes a second to exit
echo "building bin/mcp-code-executor" >&2
make -s build
# race runs tests with the race detector. Most tests wait for kernels more than they
# compute: more of them at a time than there are cores, but few enough that each
# keeps its bounds.
race() { gotest -race -timeout 45m -p 2 -parallel 4 "$@"; }

# gotest prints what go test does, and keeps it for the end.
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
gotest() { { "$go" test -count=1 "$@" || : >"$kept/failed"; } | tee -a "$kept/log"; }

# These compute, or wait for the disk, and hardly run anything at the same time. With
# the race detector they take three to eight times as long: make test runs them
# without it, the matrices with it.
plain="./cmd/dist ./kernel/jupyter ./kernel/record ./mcp/render ./session/pyenv/packaging"

# check is noted as a test is when it fails.
check() { testdata/check.sh || { echo "--- FAIL: testdata/check.sh" >>"$kept/log" && : >"$kept/failed"; }; }

# left_out says how much was left out, and for want of what.
left_out() {
    [ -s "$MCE_TEST_LEFT_OUT" ] || return 0
    printf 'left out %d tests or parts of tests for want of: %s\n' "$(sort -u "$MCE_TEST_LEFT_OUT" | wc -l)" \
        "$(cut -f 1 "$MCE_TEST_LEFT_OUT" | sort | uniq -c | awk '{printf "%s%s (%d)", sep, $2, $1; sep = ", "}')"
    echo "(each with its test: .cache/left-out)"
}

echo "compiling the tests with the race detector, then running them; a package's line comes when it is done" >&2
case ${1:-} in
'')
    trap 'trap - INT; kill 0' INT # else what runs beside goes on
    { check && gotest -p 1 $plain; } &
    race $("$go" list ./... | grep -vxF "$("$go" list $plain)")
    wait
    ;;
matrices)
    race -run '^TestMatrix' ./...
    race -skip '^TestMatrix' $plain
    # make test has the newest ipykernel here.
    MCE_TEST_PYTHONS="$PWD/.cache/kernel6/bin/python"
    race -skip '^TestMatrixElsewhere' ./kernel ./kernel/launch ./kernel/zmq # a Jupyter server has its own
    race -run '^TestKernels' ./cmd/mcp-code-executor
    ;;
kills) gotest -v -timeout 24h -run '^TestMatrixKills$' ./cmd/mcp-code-executor ;;
*) race "$@" ;;
esac
left_out
[ ! -e "$kept/failed" ] || {
    echo "what failed, see above:"
    grep -E '^ *--- FAIL|^panic:|^fatal error:|^FAIL.*\[' "$kept/log" || :
    exit 1
}
