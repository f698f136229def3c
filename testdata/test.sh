#!/bin/sh
# The test command: checks, then every Go test with the race detector, on real
# kernels, in real environments, through real MCP clients.
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
testdata/check.sh
# -p 1: tests start kernels and use both cores of a small machine by themselves.
"$go" test -race -count=1 -timeout 30m -p 1 ./...
