package install

import (
	"strings"
	"testing"
)

func TestLastWords(t *testing.T) {
	retry := func(n, reason string) string {
		return "WARNING: Retrying (Retry(total=" + n + ", connect=None, read=None, redirect=None, status=None)) after connection broken by '" + reason + "': /simple/uv/\n"
	}
	refused := `NewConnectionError("HTTPSConnection(host='index.test', port=443): Failed to establish a new connection: [Errno 111] Connection refused")`
	for name, test := range map[string]struct{ output, want string }{
		"no tries": {"a\nERROR: No matching distribution found for x\n", "a\nERROR: No matching distribution found for x"},
		"refused": {"Looking in indexes: https://index.test\n" + strings.Repeat(retry("4", refused), 5) + "ERROR: Could not find a version that satisfies the requirement uv (from versions: none)\nERROR: No matching distribution found for uv\n",
			"Looking in indexes: https://index.test\nthe package index was not reached in 5 tries, looking for uv: [Errno 111] Connection refused"},
		"no name":   {retry("0", "NameResolutionError(\"HTTPSConnection(host='x', port=443): Failed to resolve 'x' ([Errno -3] Temporary failure in name resolution)\")"), "the package index was not reached in 1 try: [Errno -3] Temporary failure in name resolution"},
		"proxy":     {retry("1", "ProxyError('Cannot connect to proxy.', RemoteDisconnected('Remote end closed connection without response'))"), "the package index was not reached through the proxy that is set (HTTPS_PROXY, or pip's configuration), in 1 try: Remote end closed connection without response"},
		"timed out": {retry("1", "ConnectTimeoutError(<x>, 'Connection to x timed out. (connect timeout=15)')"), "the package index was not reached in 1 try: Connection to x timed out. (connect timeout=15)"},
		"a URL": {"Collecting x==1.0\n" + strings.Repeat("  "+strings.Replace(retry("4", refused), "/simple/uv/", "/a/x-1.0-py3-none-any.whl", 1), 5) + "ERROR: Could not install packages due to an OSError: x\n",
			"Collecting x==1.0\nERROR: Could not install packages due to an OSError: x\nthe server that has x-1.0-py3-none-any.whl was not reached in 5 tries: [Errno 111] Connection refused"},
		"a failure told twice": {"  fatal: unable to access 'https://x/y.git/'\n  error: subprocess-exited-with-error\n  \n  × git clone y did not run successfully.\n  │ exit code: 128\n  ╰─> See above for output.\n  \n" +
			"  note: This error originates from a subprocess, and is likely not a problem with pip.\nerror: subprocess-exited-with-error\n\n× git clone y did not run successfully.\n│ exit code: 128\n╰─> See above for output.\n\n" +
			"note: This error originates from a subprocess, and is likely not a problem with pip.\n",
			"  fatal: unable to access 'https://x/y.git/'\n  error: subprocess-exited-with-error\n  × git clone y did not run successfully.\n  │ exit code: 128\n  ╰─> See above for output.\n  note: This error originates from a subprocess, and is likely not a problem with pip."},
		"a build told twice": {"  error: subprocess-exited-with-error\n  \n  × Getting requirements to build wheel did not run successfully.\n  │ exit code: 1\n  ╰─> [1 lines of output]\n      no compiler\n      [end of output]\n" +
			"error: subprocess-exited-with-error\n\n× Getting requirements to build wheel did not run successfully.\n│ exit code: 1\n╰─> See above for output.\n\nnote: This error originates from a subprocess, and is likely not a problem with pip.\nhint: x\n",
			"  error: subprocess-exited-with-error\n  × Getting requirements to build wheel did not run successfully.\n  │ exit code: 1\n  ╰─> [1 lines of output]\n      no compiler\n      [end of output]\nhint: x"},
		"a failure told once": {"error: subprocess-exited-with-error\n\n× git clone y did not run successfully.\n│ exit code: 128\n╰─> No available output.\n", "error: subprocess-exited-with-error\n× git clone y did not run successfully.\n│ exit code: 128\n╰─> No available output."},
		"a refusing proxy": {retry("0", "ProxyError('Cannot connect to proxy.', NewConnectionError('<pip object>: Failed to establish a new connection: [Errno 111] Connection refused'))"),
			"the package index was not reached through the proxy that is set (HTTPS_PROXY, or pip's configuration), in 1 try: [Errno 111] Connection refused"},
	} {
		if got := LastWords(test.output, 8); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
