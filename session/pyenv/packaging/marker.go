package packaging

import (
	"slices"
	"strings"
)

// markerParser checks the form of a marker (PEP 508's grammar).
type markerParser struct{ rest string }

var (
	markerWord   = lazily(`^[a-z_.]+`)
	markerString = lazily(`^("[^"\\]*"|'[^'\\]*')`)
	markerOp     = lazily(`^(===|==|!=|<=|>=|~=|<|>|in\b|not +in\b)`)
)

// markerNames are the variables of markers, with the names before PEP 508.
func markerNames() []string {
	return []string{"python_version", "python_full_version", "os_name", "sys_platform", "platform_release",
		"platform_system", "platform_version", "platform_machine", "platform_python_implementation",
		"implementation_name", "implementation_version", "extra",
		"os.name", "sys.platform", "platform.version", "platform.machine", "platform.python_implementation", "python_implementation"}
}

func (p *markerParser) or() bool {
	for {
		if !p.and() {
			return false
		}
		if !p.take("or") {
			return true
		}
	}
}

func (p *markerParser) and() bool {
	for {
		if !p.term() {
			return false
		}
		if !p.take("and") {
			return true
		}
	}
}

func (p *markerParser) term() bool {
	p.space()
	if after, ok := strings.CutPrefix(p.rest, "("); ok {
		p.rest = after
		if !p.or() {
			return false
		}
		p.space()
		after, ok = strings.CutPrefix(p.rest, ")")
		p.rest = after
		p.space()
		return ok
	}
	if !p.value() {
		return false
	}
	op := markerOp().FindString(p.rest)
	p.rest = p.rest[len(op):]
	return op != "" && p.value()
}

func (p *markerParser) value() bool {
	p.space()
	found := markerString().FindString(p.rest)
	if found == "" {
		found = markerWord().FindString(p.rest)
		if !slices.Contains(markerNames(), found) {
			return false
		}
	}
	p.rest = p.rest[len(found):]
	p.space()
	return true
}

// take consumes a whole word.
func (p *markerParser) take(word string) bool {
	p.space()
	if markerWord().FindString(p.rest) != word {
		return false
	}
	p.rest = p.rest[len(word):]
	return true
}

func (p *markerParser) space() { p.rest = strings.TrimLeft(p.rest, " ") }
