#!/bin/sh
# Builds both images and holds conversations with containers of them: make image-test.
# Nothing is pulled: the base images are made here, from Debian's archive and this
# machine's Go. As root, or where rootless containers work.
set -eu
cd "$(dirname "$0")/../.."
go=${GO:-go}
store=$PWD/.cache/image
missing=
for tool in podman buildah runc mmdebstrap python3; do
    command -v $tool >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    echo "missing:$missing; on Debian: apt-get install podman buildah runc crun mmdebstrap python3" >&2
    exit 1
fi
mkdir -p "$store"
rm -rf "$store/graph/libpod" # podman goes on where its store was before this tree was moved
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$store" "$store" >"$store/storage.conf"
export CONTAINERS_STORAGE_CONF="$store/storage.conf"

debian=docker.io/library/debian:trixie-slim
golang=docker.io/library/golang:1.26-trixie
image=localhost/mcp-code-executor

# As Debian's own slim image: without documents and translations. This machine's
# own authorities are in it, for a build behind a proxy.
if ! podman image exists $debian; then
    echo "making $debian" >&2
    set --
    for unwanted in doc man info locale; do
        set -- "$@" --dpkgopt="path-exclude=/usr/share/$unwanted/*"
    done
    mmdebstrap --quiet --variant=minbase "$@" trixie "$store/debian.tar"
    podman import --quiet "$store/debian.tar" $debian >/dev/null
    rm "$store/debian.tar"
    if [ -d /usr/local/share/ca-certificates ]; then
        c=$(buildah from --pull-never $debian)
        buildah copy --quiet "$c" /usr/local/share/ca-certificates /usr/local/share/ca-certificates >/dev/null
        buildah commit --quiet "$c" $debian >/dev/null
        buildah rm "$c" >/dev/null
    fi
fi
if ! podman image exists $golang; then
    echo "making $golang" >&2
    c=$(buildah from --pull-never $debian)
    buildah copy --quiet "$c" "$("$go" env GOROOT)" /usr/local/go >/dev/null
    buildah config --env GOPATH=/go --env GOTOOLCHAIN=local \
        --env PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$c"
    buildah commit --quiet "$c" $golang >/dev/null
    buildah rm "$c" >/dev/null
fi

"$go" mod download
for target in full slim; do
    echo "building $image:$target" >&2
    if ! buildah bud --isolation=chroot --pull-never --layers --volume "$("$go" env GOMODCACHE):/go/pkg/mod" \
        --target $target --tag $image:$target . >"$store/build.log" 2>&1; then
        tail -n 30 "$store/build.log" >&2
        exit 1
    fi
    podman image inspect --format "image $target: {{.Size}} bytes, {{index .Labels \"io.modelcontextprotocol.server.name\"}}" $image:$target
done
talk=$PWD/testdata/image/talk.py
cd "$store" # the engine leaves a file where it was started when a container runs out of memory
exec python3 "$talk" $image:full $image:slim
