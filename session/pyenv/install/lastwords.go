package install

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// retry is pip's warning about a try that did not reach the index: five of them,
// of 250 characters each, come before the reason.
var retry = regexp.MustCompile(`^\s*WARNING: Retrying \(Retry\(.*after connection broken by '(.*)': (\S*)`)

// archive is a file that pip fetches, from the index or from wherever a URL points to.
var archive = regexp.MustCompile(`([^/?#]+\.(?:whl|zip|tar\.gz|tar\.bz2|tgz))(?:[?#].*)?$`)

// afterRetries are pip's last lines when no try reached the index. They say that
// there is no such package, which nobody knows then.
var afterRetries = regexp.MustCompile(`^ERROR: (?:Could not find a version that satisfies|No matching distribution found for (.*))`)

// LastWords is the end of what an installer printed, at most n lines, with tries
// that did not reach the index told in one line.
func LastWords(output string, n int) string {
	var lines []string
	output = sayOnce(output)
	tries, cause, what := 0, "", ""
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if found := retry.FindStringSubmatch(line); found != nil {
			tries++
			cause, what = causeOf(found[1]), "the package index was not reached"
			if file := archive.FindStringSubmatch(found[2]); file != nil {
				what = "the server that has " + file[1] + " was not reached"
			}
			if strings.HasPrefix(found[1], "ProxyError(") {
				what += " through the proxy that is set (HTTPS_PROXY, or pip's configuration),"
			}
			continue
		}
		lines = append(lines, line)
	}
	if tries == 0 {
		return host.LastLines(output, n)
	}
	kept, wanted := lines[:0], ""
	for _, line := range lines {
		found := afterRetries.FindStringSubmatch(line)
		switch {
		case found == nil:
			kept = append(kept, line)
		case found[1] != "":
			wanted = ", looking for " + found[1]
		}
	}
	told := fmt.Sprintf("%s in %s%s: %s", what, triesWords(tries), wanted, cause)
	if rest := host.LastLines(strings.Join(kept, "\n"), n-1); rest != "" {
		return rest + "\n" + told
	}
	return told
}

// again is what pip repeats of a failed subprocess when it ends: it has said all of it, with
// the subprocess's words, where the subprocess failed.
var again = regexp.MustCompile(`(?m)^error: subprocess-exited-with-error\s*\n(× .*)\n(?:│.*\n)*╰─> .*\n\s*(?:note: This error originates.*\n?)?`)

func sayOnce(output string) string {
	for _, found := range again.FindAllStringSubmatchIndex(output, -1) {
		if said := "\n  " + output[found[2]:found[3]] + "\n"; strings.Contains(output[:found[0]], said) {
			return output[:found[0]] + output[found[1]:]
		}
	}
	return output
}

func triesWords(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// innermost is the last text within urllib3's exceptions.
var innermost = regexp.MustCompile(`'([^']+)'\)*$`)

// causeOf is the innermost reason in urllib3's words.
func causeOf(exception string) string {
	if i := strings.LastIndex(exception, "[Errno"); i >= 0 {
		return strings.TrimRight(exception[i:], `'")`)
	}
	if text := innermost.FindStringSubmatch(exception); text != nil {
		return text[1]
	}
	exception = strings.TrimRight(exception, `'")`)
	if i := strings.LastIndex(exception, ": "); i >= 0 {
		return exception[i+2:]
	}
	return exception
}
