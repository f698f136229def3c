# make demo   watch a stateful analysis through a real MCP client
# make picture  draws docs/conversation.svg from what the demo calls and gets
# make test   everything that must hold; installs what it needs into .cache
# make test-all  that, and the matrices: the same tests on many Pythons
# make stranger  demo and test in a fresh clone, by a fresh user with an empty home
# make bench  speed and memory, as ratios measured in one run; writes docs/performance.md.
#             PEERS=1 make bench measures other MCP servers from PyPI as well
# make kills  5,000 kills of server and kernel while code runs and files are written
# make fuzz   a minute on each fuzz target
# make image-test  build the container images and talk to them (podman, buildah)
# make hosts-test  the clients from npm list the server from what setup wrote (1.3 GB)
# make clean  remove bin, dist and .cache, all that these commands have made here
# make dist   everything of a release into dist/, see RELEASING.md
# make build  bin/mcp-code-executor, one static binary

GO ?= go

.PHONY: build dist demo picture test test-all test-matrices stranger bench kills fuzz check image-test hosts-test clean

build:
	@GO="$(GO)" cmd/dist/build.sh bin/mcp-code-executor

dist:
	@$(GO) run ./cmd/dist -go "$(GO)"

demo:
	@echo "building bin/mcp-code-executor; from nothing it takes a minute" >&2
	@$(MAKE) -s build
	@testdata/environments.sh kernel7 client
	@.cache/client/bin/python testdata/clients/demo.py bin/mcp-code-executor .cache/kernel7

picture: build
	@testdata/environments.sh kernel7 client
	@.cache/client/bin/python testdata/clients/picture.py bin/mcp-code-executor .cache/kernel7 docs/conversation.svg

test:
	@testdata/test.sh

test-matrices:
	@testdata/test.sh matrices

test-all: test test-matrices

stranger:
	@testdata/stranger.sh

check:
	@testdata/check.sh

bench: build
	@testdata/environments.sh kernel7 jupyter
	@PEERS="$(PEERS)" .cache/jupyter/bin/python testdata/bench/bench.py bin/mcp-code-executor .cache/kernel7
	@MCE_TEST_PYTHONS=$(CURDIR)/.cache/kernel7/bin/python $(GO) test -run '^$$' -bench . $$(grep -rl --include='*_test.go' '^func Benchmark' kernel mcp session | xargs -n 1 dirname | sort -u | sed 's|^|./|')

kills:
	@MCE_TEST_KILLS=5000 testdata/test.sh kills

fuzz:
	@testdata/fuzz.sh 60s

image-test:
	@testdata/image/test.sh

hosts-test: build
	@testdata/environments.sh kernel7
	@testdata/clients/hosts.sh

clean:
	rm -rf bin dist .cache
