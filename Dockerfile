# mcp-code-executor with a Python ready inside: an MCP server on stdin and stdout.
#
#   docker build -t mcp-code-executor .                       with numpy, pandas, matplotlib
#   docker build --target slim -t mcp-code-executor:slim .    with ipykernel alone
#   docker run -i --rm mcp-code-executor
#
# See docs/docker.md.

FROM --platform=$BUILDPLATFORM golang:1.26-trixie AS server
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY kernel kernel
COPY mcp mcp
COPY session session
ARG VERSION=0.1.0-dev
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH cmd/dist/build.sh /mcp-code-executor "$VERSION"

FROM debian:trixie-slim AS uv
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-pip
RUN pip install --no-cache-dir --no-deps --disable-pip-version-check --target /uv uv==0.13.9

FROM debian:trixie-slim AS base
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates python3 && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*.log /var/log/apt

# /data is the volume: home, code files and records. It is open to any user, so
# that "--user" works; the environment belongs to the image's own user.
RUN useradd --uid 1000 --home-dir /data --no-create-home --shell /bin/bash python && \
    mkdir -m 1777 /data && mkdir -p /opt/mcp-code-executor && chown python: /opt/mcp-code-executor
COPY --from=uv /uv/bin/uv /usr/local/bin/uv
COPY --from=server /mcp-code-executor /usr/local/bin/mcp-code-executor
ENV HOME=/data CODE_STORAGE_DIR=/data/code XDG_DATA_HOME=/opt
USER python
WORKDIR /data

ENTRYPOINT ["/usr/local/bin/mcp-code-executor"]

ARG VERSION=0.1.0-dev
ARG REVISION=unknown
LABEL io.modelcontextprotocol.server.name="io.github.mcp-code-executor/mcp-code-executor" \
      org.opencontainers.image.title="mcp-code-executor" \
      org.opencontainers.image.description="MCP server that gives a model a persistent Python" \
      org.opencontainers.image.source="https://github.com/mcp-code-executor/mcp-code-executor" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

# An environment with ipykernel and what that needs: install_dependencies adds the rest.
FROM base AS slim
ENV VENV_PATH=/opt/mcp-code-executor/python
RUN export UV_NO_CACHE=1 && uv venv --quiet --python /usr/bin/python3 "$VENV_PATH" && mcp-code-executor doctor --fix && \
    rm -rf /data/code /data/.local /data/.cache/uv /opt/mcp-code-executor/locks
VOLUME /data

FROM base AS full
# The server makes its own default environment, and proves here that it works:
# an image whose Python is broken is not built. What this imported is compiled,
# and the list of fonts is made, so that the first call is quick. The libraries'
# own tests are a fifth of them.
RUN UV_NO_CACHE=1 mcp-code-executor doctor && \
    /opt/mcp-code-executor/envs/default-py3*/bin/python -c "import numpy, pandas, matplotlib.pyplot" && \
    cd /opt/mcp-code-executor/envs/default-py3*/lib/python3*/site-packages && \
    find . -type d -name tests -prune -exec rm -rf {} + && sed -i "/\/tests\//d" *.dist-info/RECORD && \
    chmod -R go+rX /opt/mcp-code-executor && \
    rm -rf /data/code /data/.local /data/.cache/uv /opt/mcp-code-executor/locks
VOLUME /data
