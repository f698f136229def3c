#!/bin/bash
# A stranger's check: README's commands in a fresh clone of what is committed, by
# a fresh user with an empty home; where this runs as root, by that user and by
# root, else by this user alone, in a temporary home.
# For Linux.
# Usage: stranger.sh [COMMAND…]     make targets; demo and test unless named
#   STRANGER_AS="user root"         who does it
#   STRANGER_KEEP=".npmrc .config"  files of this home that theirs has too: the
#                                   settings of package managers
#   STRANGER_PATH="/opt/python/bin"  what they have on PATH before the system's
#   STRANGER_PASS="PYENV_ROOT CI"   more variables that are handed on
# Variables that point at mirrors and proxies (GOPROXY, PIP_…, npm_config_…,
# https_proxy …) are handed on; nothing else of this environment is.
set -u
cd "$(dirname "$0")/.." || exit 1
source=$PWD
[ $# -gt 0 ] || set -- demo test
go=$(command -v "${GO:-go}") || { echo "no go on PATH" >&2; exit 1; }
tools=$(dirname "$go")
! node=$(command -v node) || tools=$tools:$(dirname "$node")
[ -z "$(git status --porcelain)" ] || echo "stranger: what is not committed is not tried" >&2
root=$([ "$(id -u)" = 0 ] && echo yes || echo no)
work=$(mktemp -d "${TMPDIR:-/tmp}/stranger.XXXXXX")
chmod 755 "$work"
user=
failed=0

finish() {
    [ -z "$user" ] || userdel "$user"
    if [ "$failed" = 0 ]; then
        chmod -R u+w "$work" && rm -rf "$work" # Go's modules are read-only
    else
        echo "stranger: logs and clones are in $work" >&2
    fi
}
trap finish EXIT

# handed prints the variables that are handed on, NAME=VALUE, each ended by NUL.
handed() {
    more=$(echo "${STRANGER_PASS:-LANG}" | tr -s ' ' '|')
    env -0 | grep -zE '^('"$more"'|LANG|TZ|GO(PROXY|NOPROXY|PRIVATE|SUMDB|NOSUMDB|NOSUMCHECK|INSECURE|FLAGS|TOOLCHAIN)|PIP_[A-Z_]+|UV_[A-Z_]+|npm_config_[a-z_]+|NPM_CONFIG_[A-Z_]+|(https?|no|all)_proxy|(HTTPS?|NO|ALL)_PROXY|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS)='
}

# as WHO COMMAND…: runs it in WHO's world.
as() {
    who=$1
    shift
    home=$work/$who/home
    path=${STRANGER_PATH:+$STRANGER_PATH:}$tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    mapfile -d '' -t variables < <(handed)
    set -- env -i "HOME=$home" "USER=$who" "PATH=$path" "${variables[@]}" "$@"
    [ "$who" != user ] || [ -z "$user" ] || set -- setpriv "--reuid=$user" "--regid=$user" --init-groups "$@"
    (cd "$home" && exec "$@" </dev/null)
}

# world WHO: an empty home and a clone in it.
world() {
    mkdir -p "$work/$1/home"
    for kept in ${STRANGER_KEEP:-}; do
        [ -e "$HOME/$kept" ] || continue
        mkdir -p "$work/$1/home/$(dirname "$kept")"
        cp -a "$HOME/$kept" "$work/$1/home/$kept"
    done
    git clone --quiet --no-hardlinks "$source" "$work/$1/home/clone" || exit 1
    if [ "$1" = user ] && [ $root = yes ]; then
        user=stranger$$
        useradd --no-create-home --home-dir "$work/user/home" --shell /bin/sh "$user" || exit 1
        chown -R "$user:$user" "$work/user"
    fi
}

# try WHO TARGET: one make target, its log and a line of the summary.
try() {
    log=$work/$1-$2.log
    begun=$(date +%s)
    echo "== make $2 as $1: $log"
    as "$1" make -C "$work/$1/home/clone" "$2" >"$log" 2>&1
    status=$?
    took=$(($(date +%s) - begun))
    verdict=passed
    if [ $status != 0 ]; then
        verdict="FAILED (exit $status)"
        failed=1
        grep -E '^ *--- FAIL|^FAIL|^panic|^fatal' "$log" | head -n 40
    fi
    tail -n 12 "$log" | sed 's/^/   /'
    summary="$summary$(printf '%-5s make %-10s %s after %d s; %s' "$1" "$2" "$verdict" "$took" "$(grep -E '^left out ' "$log" | tail -n 1)")
"
}

# leavings WHO: what is there afterwards and should not be.
leavings() {
    dirt=$(git -c safe.directory='*' -C "$work/$1/home/clone" status --porcelain)
    [ -z "$dirt" ] || { failed=1; summary="$summary$1: left in the tree: $dirt
"; }
    [ "$1" = user ] && [ -n "$user" ] || return 0
    running=$(pgrep -u "$user" -l)
    [ -z "$running" ] || { failed=1; summary="$summary$1: left running: $running
"; }
    files=$(find /tmp /var/tmp /dev/shm -maxdepth 1 -user "$user" ! -path "$work")
    [ -z "$files" ] || { failed=1; summary="$summary$1: left in temporary directories: $files
"; }
}

default="user"
[ $root = no ] || default="user root"
summary=
for who in ${STRANGER_AS:-$default}; do
    world "$who"
    for target in "$@"; do
        try "$who" "$target"
    done
    leavings "$who"
done
echo "== summary: $("$go" version), $(git -C "$source" log -1 --format=%h)"
printf '%s' "$summary"
exit $failed
