#!/bin/sh
# Starts a program as a client's sandbox made by bubblewrap would: without network, with
# processes of its own, in a system that it can only read but for /tmp, where tests have
# their directories. For MCE_TEST_UNDER, see CONTRIBUTING.md.
exec bwrap --unshare-net --unshare-pid --unshare-ipc --die-with-parent --ro-bind / / --dev /dev --proc /proc --bind /tmp /tmp -- "$@"
