#!/bin/sh
# Makes what the demo and the tests run on, from PyPI and npm, pinned, in .cache:
#   tools     uv
#   kernel7   the newest ipykernel, with numpy, pandas, matplotlib
#   kernel6   an old ipykernel (6.17)
#   scripts   as kernel7, with what scripts import: click, pytest, trio, polars …
#   scale     what docs/scale.md uses: Dask, joblib, polars, duckdb, Ray
#   pythons   one environment for each Python in python/python3.*.txt, with
#             ipykernels of many ages; 3.7 has none, it is to be refused. A
#             Python that is not here is left out.
#   old       of these 3.7 alone
#   virtualenv the program virtualenv, for what it makes
#   jupyter   a Jupyter server, and the clients jupyter_client and nbclient
#   peers/NAME another MCP server that runs Python, for make bench PEERS=1
#   client    a Python MCP client nobody here wrote
#   node      TypeScript MCP clients nobody here wrote
#   packaging the tool that knows MCPB bundles
#   inspector the MCP Inspector, for its command line
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

# once NAME PINS COMMAND…: makes .cache/NAME unless it was made from these pins.
once() {
    name=$1 pins=$2
    shift 2
    if [ -f "$cache/$name/.made" ] && cmp -s "$pins" "$cache/$name/.made" && runs "$name"; then
        return
    fi
    say "making .cache/$name (once, from $pins)"
    rm -rf "${cache:?}/$name"
    "$@"
    cp "$pins" "$cache/$name/.made"
}

# The pins need 3.11. Debian's Python comes without venv.
find_python() {
    for python in python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$("$python" -c 'import sys; print(sys.executable)')
            "$python" -c 'import venv, ensurepip' 2>/dev/null || {
                say "$python has no venv; on Debian and Ubuntu: apt-get install python3-venv"
                exit 1
            }
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

make_venv() { # NAME PINS [PYTHON]
    quietly "$1" uv venv --no-progress --no-python-downloads --python "${3:-$python}" "$cache/$1"
    quietly "$1" uv pip install --no-progress --python "$cache/$1/bin/python" -r "$2"
}
make_kernel7() { make_venv kernel7 testdata/python/ipykernel7.txt; }
make_scripts() { make_venv scripts testdata/python/scripts.txt; }
make_scale() { make_venv scale testdata/python/scale.txt; }
make_kernel6() { make_venv kernel6 testdata/python/ipykernel6.txt; }
make_virtualenv() { make_venv virtualenv testdata/python/virtualenv.txt; }
make_jupyter() { make_venv jupyter testdata/python/jupyter.txt; }
make_peer() { make_venv "peers/$1" "$2"; }
make_client() { make_venv client testdata/clients/requirements.txt; }

# python_of MINOR: a Python of that version, from pyenv or PATH. It is run to be
# sure: pyenv's shims are there for versions that are not chosen.
python_of() {
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python "python$1"; do
        if "$candidate" -c 'import sys, venv; assert "%d.%d" % sys.version_info[:2] == sys.argv[1]; print(sys.executable)' "$1" 2>/dev/null; then
            return
        fi
    done
    return 1
}

make_old() { # NAME PINS PYTHON: uv knows nothing so old
    quietly "$1" "$3" -m venv --without-pip "$cache/$1"
}

make_pythons() { # MINOR…
    mkdir -p "$cache/pythons"
    all=0 left=0 missing=''
    for minor in "$@"; do
        all=$((all + 1))
        if found=$(python_of "$minor"); then
            make=make_venv
            [ "$minor" != 3.7 ] || make=make_old
            pins=testdata/python/python$minor.txt
            once "pythons/$minor" "$pins" "$make" "pythons/$minor" "$pins" "$found"
        else
            left=$((left + 1)) missing="$missing${missing:+, }$minor"
            rm -rf "${cache:?}/pythons/$minor"
        fi
    done
    if [ "$left" -gt 0 ]; then
        say "left out $left of $all Pythons: $missing (install them with pyenv, or put python3.N on PATH)"
    fi
}

make_npm() { # NAME DIRECTORY OPTION…
    command -v npm >/dev/null || {
        say "Node 20 or newer with npm is needed for .cache/$1"
        exit 1
    }
    mkdir -p "$cache/$1"
    cp "$2/package.json" "$2/package-lock.json" "$cache/$1/"
    into=$1
    shift 2
    quietly "$into" npm ci --prefix "$cache/$into" --no-audit --no-fund "$@"
}
make_node() { make_npm node testdata/clients; }
make_packaging() { make_npm packaging testdata/packaging; }
make_inspector() { make_npm inspector testdata/inspector --ignore-scripts; } # its script builds the web page

make_conda() { # the program conda needs a Python 3.6, which make.py looks for on PATH
    path=$PATH
    ! old=$(python_of 3.6) || path=$(dirname "$old"):$path
    quietly conda env "PATH=$path" UV="$cache/tools/bin/uv" "$python" testdata/conda/make.py "$cache/conda" testdata/python/ipykernel7.txt
}

find_python
once tools testdata/python/tools.txt make_tools
for name in "$@"; do
    case $name in
    kernel7) once kernel7 testdata/python/ipykernel7.txt make_kernel7 ;;
    kernel6) once kernel6 testdata/python/ipykernel6.txt make_kernel6 ;;
    scripts) once scripts testdata/python/scripts.txt make_scripts ;;
    scale) once scale testdata/python/scale.txt make_scale ;;
    virtualenv) once virtualenv testdata/python/virtualenv.txt make_virtualenv ;;
    jupyter) once jupyter testdata/python/jupyter.txt make_jupyter ;;
    peers/*)
        mkdir -p "$cache/peers"
        once "$name" "testdata/python/peers-${name#peers/}.txt" make_peer "${name#peers/}" "testdata/python/peers-${name#peers/}.txt"
        ;;
    pythons) make_pythons 3.7 3.9 3.10 3.11 3.12 3.13 ;;
    old) make_pythons 3.7 ;;
    client) once client testdata/clients/requirements.txt make_client ;;
    node) once node testdata/clients/package-lock.json make_node ;;
    packaging) once packaging testdata/packaging/package-lock.json make_packaging ;;
    inspector) once inspector testdata/inspector/package-lock.json make_inspector ;;
    conda)
        cat testdata/conda/make.py testdata/python/ipykernel7.txt >"$cache/conda.pins.$$"
        mv "$cache/conda.pins.$$" "$cache/conda.pins" # at once: another run may compare it
        once conda "$cache/conda.pins" make_conda
        ;;
    *) say "unknown environment: $name"; exit 2 ;;
    esac
done
