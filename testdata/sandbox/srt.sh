#!/bin/sh
# Starts a program under Anthropic's sandbox-runtime, which may write to /tmp alone, where
# tests have their directories. For MCE_TEST_UNDER, see CONTRIBUTING.md, which says where
# the runtime comes from.
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
echo '{"filesystem": {"allowWrite": ["/tmp"], "denyRead": [], "denyWrite": []}, "network": {"allowedDomains": [], "deniedDomains": []}}' >"$settings"
"$(dirname "$0")/../../.cache/srt/node_modules/.bin/srt" --settings "$settings" "$@"
