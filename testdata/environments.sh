#!/bin/sh
# Makes what the demo and the tests run on, from PyPI and npm, pinned, in .cache:
#   tools     uv
#   kernel7   the newest ipykernel, with numpy, pandas, matplotlib
#   kernel6   an old ipykernel (6.17)
#   virtualenv the program virtualenv, for what it makes
#   client    a Python MCP client nobody here wrote
#   node      TypeScript MCP clients nobody here wrote
#   conda     a real conda installation with environments, see conda/make.py
# Usage: environments.sh NAME…   A finished one is kept until its pins change or
# its Python is gone.
set -eu
cd "$(dirname "$0")/.."
cache=$PWD/.cache
mkdir -p "$cache"

say() { printf '%s\n' "$*" >&2; }

# quietly NAME COMMAND…: its output is shown only when it fails.
quietly() {
    log=$cache/$1.log
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        say "failed: $*"
        exit 1
    fi
}

# runs NAME: whether a venv still has the Python it was made from.
runs() { [ ! -f "$cache/$1/pyvenv.cfg" ] || "$cache/$1/bin/python" -c '' 2>"$cache/$1.log"; }

# once NAME PINS FUNCTION: makes .cache/NAME unless it was made from these pins.
once() {
    if [ -f "$cache/$1/.made" ] && cmp -s "$2" "$cache/$1/.made" && runs "$1"; then
        return
    fi
    say "making .cache/$1 (once, from $2)"
    rm -rf "${cache:?}/$1"
    "$3"
    cp "$2" "$cache/$1/.made"
}

# The pins need 3.11.
find_python() {
    for python in python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$("$python" -c 'import sys; print(sys.executable)')
            return
        fi
    done
    say "Python 3.11 or newer is needed; python3 is $(python3 --version 2>&1 || echo missing)"
    exit 1
}

uv() { "$cache/tools/bin/uv" "$@"; }

make_tools() {
    quietly tools "$python" -m venv "$cache/tools"
    quietly tools "$cache/tools/bin/python" -m pip install --disable-pip-version-check -r testdata/python/tools.txt
}

make_venv() { # NAME PINS
    quietly "$1" uv venv --no-progress --no-python-downloads --python "$python" "$cache/$1"
    quietly "$1" uv pip install --no-progress --python "$cache/$1/bin/python" -r "$2"
}
make_kernel7() { make_venv kernel7 testdata/python/ipykernel7.txt; }
make_kernel6() { make_venv kernel6 testdata/python/ipykernel6.txt; }
make_virtualenv() { make_venv virtualenv testdata/python/virtualenv.txt; }
make_client() { make_venv client testdata/clients/requirements.txt; }

make_node() {
    command -v npm >/dev/null || {
        say "Node 20 or newer with npm is needed for the TypeScript clients"
        exit 1
    }
    mkdir -p "$cache/node"
    cp testdata/clients/package.json testdata/clients/package-lock.json "$cache/node/"
    quietly node npm ci --prefix "$cache/node" --no-audit --no-fund
}

make_conda() {
    quietly conda "$python" testdata/conda/make.py "$cache/conda" testdata/python/ipykernel7.txt
}

find_python
once tools testdata/python/tools.txt make_tools
for name in "$@"; do
    case $name in
    kernel7) once kernel7 testdata/python/ipykernel7.txt make_kernel7 ;;
    kernel6) once kernel6 testdata/python/ipykernel6.txt make_kernel6 ;;
    virtualenv) once virtualenv testdata/python/virtualenv.txt make_virtualenv ;;
    client) once client testdata/clients/requirements.txt make_client ;;
    node) once node testdata/clients/package-lock.json make_node ;;
    conda)
        cat testdata/conda/make.py testdata/python/ipykernel7.txt >"$cache/conda.pins"
        once conda "$cache/conda.pins" make_conda
        ;;
    *) say "unknown environment: $name"; exit 2 ;;
    esac
done
