package packaging

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// pep440 is a version as PEP 440 orders them. Numbers stay text without leading
// zeros, so that no length of them overflows.
type pep440 struct {
	epoch   string
	release []string
	pre     string // "a", "b", "rc" or "" for none
	preN    string
	post    string // number, "" for none
	dev     string // number, "" for none
	local   []string
}

var pep440Form = lazily(`^v?(?:(\d+)!)?(\d+(?:\.\d+)*)` +
	`(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?` +
	`(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?` +
	`(?:[-_.]?(dev)[-_.]?(\d*))?` +
	`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

// parseVersion reads a version; ok is false for what PEP 440 does not know.
func parseVersion(text string) (v pep440, ok bool) {
	m := pep440Form().FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return pep440{}, false
	}
	v.epoch = number(m[1])
	for part := range strings.SplitSeq(m[2], ".") {
		v.release = append(v.release, number(part))
	}
	if m[3] != "" {
		v.pre = map[string]string{"alpha": "a", "a": "a", "beta": "b", "b": "b"}[m[3]]
		if v.pre == "" {
			v.pre = "rc"
		}
		v.preN = number(m[4])
	}
	switch {
	case m[5] != "":
		v.post = number(m[5])
	case m[6] != "":
		v.post = number(m[7])
	}
	if m[8] != "" {
		v.dev = number(m[9])
	}
	if m[10] != "" {
		v.local = strings.FieldsFunc(m[10], func(r rune) bool { return strings.ContainsRune("-_.", r) })
	}
	return v, true
}

// number is a decimal without leading zeros; "" is 0, as in "1.0a".
func number(digits string) string {
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return "0"
	}
	return digits
}

func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// compare orders two versions, local parts included.
func (v pep440) compare(w pep440) int {
	return cmp.Or(v.comparePublic(w), compareLocal(v.local, w.local))
}

// comparePublic orders two versions without their local parts.
func (v pep440) comparePublic(w pep440) int {
	return cmp.Or(
		compareNumbers(v.epoch, w.epoch),
		compareRelease(v.release, w.release),
		cmp.Compare(v.preRank(), w.preRank()),
		compareNumbers(v.preN, w.preN),
		compareAbsent(v.post, w.post, -1),
		compareAbsent(v.dev, w.dev, 1),
	)
}

func compareRelease(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if c := compareNumbers(part(a, i), part(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// part is the i-th number of a release; 1.0 is 1.0.0.
func part(release []string, i int) string {
	if i < len(release) {
		return release[i]
	}
	return "0"
}

// preRank puts 1.0.dev1 before 1.0a1, and 1.0 and 1.0.post1 after 1.0rc1.
func (v pep440) preRank() int {
	switch v.pre {
	case "a", "b", "rc":
		return 1 + strings.Index("a b rc", v.pre)
	}
	if v.post == "" && v.dev != "" {
		return 0
	}
	return 100
}

// compareAbsent compares numbers of which either may be absent; absent is the
// sign of an absent one against a present one.
func compareAbsent(a, b string, absent int) int {
	switch {
	case a == "" && b == "":
		return 0
	case a == "":
		return absent
	case b == "":
		return -absent
	}
	return compareNumbers(a, b)
}

// compareLocal orders "+cpu" and the like: numbers after words, more parts last.
func compareLocal(a, b []string) int {
	isNumber := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	for i := range min(len(a), len(b)) {
		c := 0
		switch x, y := isNumber(a[i]), isNumber(b[i]); {
		case x && y:
			c = compareNumbers(number(a[i]), number(b[i]))
		case x != y && x:
			c = 1
		case x != y:
			c = -1
		default:
			c = strings.Compare(a[i], b[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// check gives the reason why a specifier cannot be used, or "".
func (s Specifier) check() string {
	if s.Op == "===" {
		return ""
	}
	text, star := strings.CutSuffix(s.Version, ".*")
	v, ok := parseVersion(text)
	switch {
	case !ok:
		return fmt.Sprintf("has %q for a version, which PEP 440 does not know", head(s.Version))
	case star && s.Op != "==" && s.Op != "!=":
		return fmt.Sprintf(`has ".*" after %s, which only == and != may have`, s.Op)
	case star && (v.prerelease() || v.post != "" || v.local != nil):
		return `has ".*" after more than numbers`
	case s.Op == "~=" && len(v.release) < 2:
		return "has ~= with a single number; write ~=" + s.Version + ".0"
	case v.local != nil && s.Op != "==" && s.Op != "!=":
		return "has a local version (+…) after " + s.Op + ", which only == and != may have"
	}
	return ""
}

// matches reports whether the version text satisfies the specifier. Pre-releases
// do: the question is about what is installed, not what to choose.
func (s Specifier) matches(text string) bool {
	if s.Op == "===" {
		return strings.EqualFold(text, s.Version)
	}
	wanted, star := strings.CutSuffix(s.Version, ".*")
	v, ok := parseVersion(text)
	w, ok2 := parseVersion(wanted)
	if !ok || !ok2 {
		return false
	}
	switch s.Op {
	case "==", "!=":
		equal := v.equals(w)
		if star {
			equal = v.begins(w)
		}
		return equal == (s.Op == "==")
	case "<=":
		return v.comparePublic(w) <= 0
	case ">=":
		return v.comparePublic(w) >= 0
	case "<": // 3.0rc1 is not below 3.0 for people
		ofIt := v.prerelease() && v.sameBase(w) && (w.post == "" || v.post == w.post)
		return v.comparePublic(w) < 0 && (w.prerelease() || !ofIt)
	case ">": // 1.7.post1 is not above 1.7, nor is 1.7+cpu
		ofIt := v.post != "" && v.sameBase(w) && v.pre == w.pre && v.preN == w.preN && w.dev == ""
		return v.comparePublic(w) > 0 && (w.post != "" || !ofIt)
	case "~=":
		prefix := pep440{epoch: w.epoch, release: w.release[:len(w.release)-1]}
		return v.comparePublic(w) >= 0 && v.begins(prefix)
	}
	return false
}

// equals ignores a local part that was not asked for: 2.1+cpu is 2.1.
func (v pep440) equals(w pep440) bool {
	if w.local == nil {
		return v.comparePublic(w) == 0
	}
	return v.compare(w) == 0
}

// begins is "== w.*": the release of v begins with that of w.
func (v pep440) begins(w pep440) bool {
	if v.epoch != w.epoch {
		return false
	}
	for i, n := range w.release {
		if part(v.release, i) != n {
			return false
		}
	}
	return true
}

func (v pep440) prerelease() bool { return v.pre != "" || v.dev != "" }

// sameBase is whether the epoch and release are the same.
func (v pep440) sameBase(w pep440) bool {
	return v.epoch == w.epoch && compareRelease(v.release, w.release) == 0
}

// Satisfies reports whether a version meets all conditions.
func Satisfies(version string, specifiers []Specifier) bool {
	return !slices.ContainsFunc(specifiers, func(s Specifier) bool { return !s.matches(version) })
}
