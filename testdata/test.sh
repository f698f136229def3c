#!/bin/sh
# The test command: checks, then every Go test with the race detector, on real
# kernels, in real environments, through real MCP clients.
#   testdata/test.sh                              all of it
#   testdata/test.sh -run TestConda ./cmd/...     some, by go test's arguments
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
testdata/environments.sh kernel7 kernel6 pythons virtualenv client node conda
export MCE_TEST_PYTHONS="$PWD/.cache/kernel7/bin/python:$PWD/.cache/kernel6/bin/python"
export MCE_TEST_MATRIX="$PWD/.cache/pythons"
export MCE_TEST_UV="$PWD/.cache/tools/bin/uv"
export MCE_TEST_CLIENT="$PWD/.cache/client/bin/python"
export MCE_TEST_NODE="$PWD/.cache/node"
export MCE_TEST_VIRTUALENV="$PWD/.cache/virtualenv/bin/python"
export MCE_TEST_CONDA="$PWD/.cache/conda/root"
export MCE_TEST_PROGRAM="$PWD/bin/mcp-code-executor"
export GORACE=atexit_sleep_ms=0 # else each process takes a second to exit
make -s build
if [ $# = 0 ]; then
    testdata/check.sh
    set -- ./...
fi
# Most tests wait for kernels more than they compute: more of them at a time than
# there are cores, but few enough that each keeps its bounds.
"$go" test -race -count=1 -timeout 30m -p 2 -parallel 4 "$@"
