#!/bin/sh
# The clients themselves read what setup writes: each starts the server in an empty
# home and lists it, also where a variable has moved its file. Then their validators
# judge the plugin and the extension. By hand, before a release: make hosts-test. The
# clients are 1.3 GB, and wait for the network at their start.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD cache=$PWD/.cache/hosts
mkdir -p "$cache"
if [ ! -x "$cache/node_modules/.bin/opencode" ]; then
    echo "installing the clients into .cache/hosts" >&2
    npm install --prefix "$cache" --no-audit --no-fund --silent \
        @anthropic-ai/claude-code@2.1.332 @openai/codex@0.169.0 @google/gemini-cli@0.61.0 @qwen-code/qwen-code@0.15.10 opencode-ai@1.18.33
fi
bin=$cache/node_modules/.bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# judge NAME WORD: whether the last output has the word.
judge() {
    if grep -q "$2" "$work/said"; then
        echo "ok   $1"
    else
        echo "FAIL $1"
        cat "$work/said"
        failed=1
    fi
}

# status asks Codex, whose listing does not start servers.
status() {
    {
        printf '%s\n' '{"id":1,"method":"initialize","params":{"clientInfo":{"name":"hosts","version":"1"}}}' \
            '{"method":"initialized"}' '{"id":2,"method":"mcpServerStatus/list","params":{}}'
        sleep 20
    } | "$bin/codex" app-server
}

# listed CLIENT VARIABLE WORD COMMAND…
listed() {
    client=$1 variable=$2 word=$3
    shift 3
    for moved in '' "$variable"; do
        home=$(mktemp -d "$work/home.XXXX")
        mkdir "$home/moved" "$home/project"
        (
            export HOME="$home" GEMINI_CLI_TRUST_WORKSPACE=true
            cd "$home/project"
            unset CLAUDE_CONFIG_DIR CODEX_HOME GEMINI_CLI_HOME QWEN_HOME XDG_CONFIG_HOME
            [ -z "$moved" ] || export "$moved=$home/moved"
            "$root/bin/mcp-code-executor" --venv-path "$root/.cache/kernel7" setup "$client" --yes --no-doctor
            "$@" </dev/null
        ) >"$work/said" 2>&1 || true
        judge "$client${moved:+ with $moved}" "$word"
    done
}

listed claude-code CLAUDE_CONFIG_DIR 'python: .*Connected' "$bin/claude" mcp list
listed codex CODEX_HOME '"name":"execute_code"' status
listed gemini GEMINI_CLI_HOME 'python: .*Connected' "$bin/gemini" mcp list
listed qwen QWEN_HOME 'python: .*Connected' "$bin/qwen" mcp list
listed opencode XDG_CONFIG_HOME 'python.*connected' "$bin/opencode" mcp list

export HOME="$work"
for place in . .claude-plugin/plugin; do
    "$bin/claude" plugin validate --strict "$place" >"$work/said" 2>&1 || true
    judge "claude plugin validate $place" 'Validation passed'
done
for extension in dist/release/linux.x64.*.tar.gz; do
    [ -f "$extension" ] || { echo "left out: the extension, which make dist makes"; continue; }
    mkdir "$work/extension"
    tar xzf "$extension" -C "$work/extension"
    "$bin/gemini" extensions validate "$work/extension" >"$work/said" 2>&1 || true
    judge 'gemini extensions validate' 'successfully validated'
done
exit $failed
