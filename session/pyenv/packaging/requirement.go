package packaging

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// Limits of requirements.
const (
	MaxRequirement  = 512 // bytes of one
	maxRequirements = 200 // in one call
)

// Requirement is one thing to install or to look for, as PEP 508 writes it.
type Requirement struct {
	Name       string      // as written; "" for a bare URL
	Extras     []string    // as written
	Specifiers []Specifier // all must hold
	URL        string      // https or git+https; excludes Specifiers
	Marker     string      // after ";", checked for its form, evaluated by the installer
	// Path is an absolute path of a wheel, a source archive or a project's
	// directory; excludes the others but Extras. Editable installs the directory
	// in place.
	Path     string
	Editable bool
	Hashes   []string // "sha256:…": one of them must be the file's
}

// Specifier is one condition on a version: ">= 2.0".
type Specifier struct {
	Op      string // one of == != <= >= < > ~= ===
	Version string // for == and != it may end in ".*"
}

// String is the form given to installers.
func (r Requirement) String() string {
	var b strings.Builder
	b.WriteString(r.Name + r.Path)
	if len(r.Extras) > 0 {
		b.WriteString("[" + strings.Join(r.Extras, ",") + "]")
	}
	for i, s := range r.Specifiers {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s.Op + s.Version)
	}
	if r.URL != "" {
		if r.Name != "" {
			b.WriteString(" @ ")
		}
		b.WriteString(r.URL)
	}
	if r.Marker != "" {
		b.WriteString(" ; " + r.Marker)
	}
	return b.String()
}

// RequirementError says why a string is not taken for a requirement.
type RequirementError struct {
	Text       string
	Reason     string // completes "TEXT …": "is an option; …"
	Suggestion string // what was probably meant, "" if unknown
	// NoProject says that it is the path of a directory without a project.
	NoProject bool
}

func (e *RequirementError) Error() string {
	text := e.Text
	if len(text) > 100 {
		text = strings.ToValidUTF8(text[:100], "") + "…"
	}
	s := fmt.Sprintf("%q %s", text, e.Reason)
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Suggestion)
	}
	return s
}

var (
	distName    = lazily(`^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`)
	specifier   = lazily(`^(===|==|!=|<=|>=|~=|<|>)\s*([A-Za-z0-9.*+!_-]+)\s*`)
	looksBare   = lazily(`^(git\+)?https://`)
	hasScheme   = lazily(`^([A-Za-z][A-Za-z0-9+.-]*):`)
	fileEnding  = lazily(`(?i)\.(whl|zip|tar|gz|bz2|xz|tgz|egg|txt|toml)$`)
	separators  = lazily(`[-_.]+`)
	urlSafe     = lazily(`^[A-Za-z0-9._~:/?#@!&*+,=%()\[\]-]+$`)
	urlHost     = lazily(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:.]+$`)
	condaSingle = lazily(`^=\s*([0-9][A-Za-z0-9.]*)$`)
	bareVersion = lazily(`^v?[0-9][A-Za-z0-9.]*$`)
)

// lazily compiles a pattern when it is first used: package variables are made in
// every process, each guard too, which reads no requirement.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// IsName reports whether text is a distribution's name, or an extra's.
func IsName(text string) bool { return text != "" && distName().FindString(text) == text }

// NormalizeName gives the form of a distribution's name that is compared (PEP
// 503): "Ruamel.Yaml_Clib" is "ruamel-yaml-clib".
func NormalizeName(name string) string {
	return strings.ToLower(separators().ReplaceAllString(name, "-"))
}

// ParseRequirement parses a PEP 508 requirement, or a bare https or git+https
// URL. It takes nothing that an installer could understand as an option, a file
// or a second requirement. The error is a [*RequirementError].
func ParseRequirement(text string) (Requirement, error) {
	r, reason, suggestion := parseRequirement(strings.TrimSpace(text))
	if reason == "" {
		return r, nil
	}
	return Requirement{}, &RequirementError{Text: text, Reason: reason, Suggestion: suggestion}
}

func parseRequirement(s string) (r Requirement, reason, suggestion string) {
	if reason := refusedOutright(s); reason != "" {
		return r, reason, ""
	}
	if looksBare().MatchString(s) {
		reason := r.parseURL(s)
		return r, reason, ""
	}
	r.Name = distName().FindString(s)
	rest := strings.TrimLeft(s[len(r.Name):], " ")
	switch scheme := hasScheme().FindStringSubmatch(s); {
	case scheme != nil:
		return r, "has the scheme " + scheme[1] + ", only https and git+https are taken", ""
	case r.Name == "":
		return r, "does not begin with a package's name", ""
	case rest != "" && (rest[0] == '/' || rest[0] == '\\'):
		return r, "looks like a path; local files and directories are not taken", ""
	case fileEnding().MatchString(r.Name):
		return r, "looks like a file; name the packages themselves", ""
	}
	if strings.HasPrefix(rest, "[") {
		list, after, ok := strings.Cut(rest[1:], "]")
		if !ok {
			return r, `has a "[" without a "]"`, ""
		}
		if r.Extras, ok = parseExtras(list); !ok {
			return r, "has an extra that is not a name", ""
		}
		rest = strings.TrimLeft(after, " ")
	}
	if after, ok := strings.CutPrefix(rest, "@"); ok {
		reason := r.parseURL(strings.TrimLeft(after, " "))
		return r, reason, ""
	}
	versions, marker, hasMarker := strings.Cut(rest, ";")
	if hasMarker {
		if reason := r.parseMarker(marker); reason != "" {
			return r, reason, ""
		}
	}
	reason, suggestion = r.parseSpecifiers(strings.TrimSpace(versions))
	return r, reason, suggestion
}

// refusedOutright judges what needs no parsing.
func refusedOutright(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > MaxRequirement:
		return fmt.Sprintf("has %d bytes, the limit is %d", len(s), MaxRequirement)
	case strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) }):
		return "holds a character that is not printable ASCII"
	case s[0] == '-':
		return "is an option; only packages can be given, options of the installer cannot"
	case strings.ContainsAny(s[:1], `./~\`):
		return "looks like a path; local files and directories are not taken"
	}
	return ""
}

func parseExtras(list string) ([]string, bool) {
	var extras []string
	if strings.TrimSpace(list) == "" {
		return nil, true // "requests[]" is valid
	}
	for extra := range strings.SplitSeq(list, ",") {
		extra = strings.TrimSpace(extra)
		if extra == "" || !IsName(extra) {
			return nil, false
		}
		extras = append(extras, extra)
	}
	return extras, true
}

// parseSpecifiers reads ">=1,<2" or the same in parentheses.
func (r *Requirement) parseSpecifiers(s string) (reason, suggestion string) {
	if s == "" {
		return "", ""
	}
	if m := condaSingle().FindStringSubmatch(s); m != nil {
		return `has a single "=", which is conda's way`, r.Name + "==" + m[1]
	}
	if bareVersion().MatchString(s) {
		return "has no operator before the version", r.Name + "==" + strings.TrimPrefix(s, "v")
	}
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	for {
		m := specifier().FindStringSubmatch(s)
		if m == nil {
			if names().MatchString(s) { // pandas after numpy
				return "names several packages: give each as a text of its own in the list", ""
			}
			return fmt.Sprintf("has %q where a version like >=1.0 is expected", head(s)), ""
		}
		one := Specifier{Op: m[1], Version: m[2]}
		if reason := one.check(); reason != "" {
			return reason, ""
		}
		r.Specifiers = append(r.Specifiers, one)
		s = s[len(m[0]):]
		if s == "" {
			return "", ""
		}
		if s[0] != ',' {
			return fmt.Sprintf("has %q where a comma or the end is expected", head(s)), ""
		}
		if s = strings.TrimLeft(s[1:], " "); s == "" { // packaging takes it too
			return "", ""
		}
	}
}

var names = lazily(`^[ ,]*[A-Za-z][\w.-]*(?:[ ,]+[A-Za-z][\w.-]*)*$`)

// parseURL reads "URL" or "URL ; marker"; the space before ";" is PEP 508's, as a
// URL may hold one.
func (r *Requirement) parseURL(s string) (reason string) {
	address, marker, hasMarker := s, "", false
	if i := strings.Index(s, " "); i >= 0 {
		address = s[:i]
		marker, hasMarker = strings.CutPrefix(strings.TrimLeft(s[i:], " "), ";")
		if !hasMarker {
			return "has a space in its URL"
		}
	}
	scheme := hasScheme().FindStringSubmatch(address)
	switch {
	case scheme == nil:
		return "has no https or git+https URL"
	case scheme[1] != "https" && scheme[1] != "git+https":
		return "has the scheme " + scheme[1] + ", only https and git+https are taken"
	case strings.Contains(address, ";"):
		return `has a ";" in its URL; a marker needs a space before it`
	case !urlSafe().MatchString(address):
		return "has a character in its URL that has to be percent-encoded"
	}
	u, err := url.Parse(strings.TrimPrefix(address, "git+"))
	if err != nil || u.Opaque != "" || !urlHost().MatchString(u.Hostname()) || strings.HasSuffix(u.Host, ":") {
		return "has a URL without a proper host"
	}
	if len(u.Path) < 2 {
		return "has a URL without a path"
	}
	// Git takes what begins with "-" for an option.
	if strings.Contains(u.Path, "/-") || strings.Contains(u.Path, "@-") {
		return "has a part in its URL that begins with \"-\""
	}
	r.URL = address
	if hasMarker {
		return r.parseMarker(marker)
	}
	return ""
}

func (r *Requirement) parseMarker(s string) (reason string) {
	s = strings.TrimSpace(s)
	p := markerParser{rest: s}
	if !p.or() || p.rest != "" {
		return fmt.Sprintf("has %q after the \";\", which is not an environment marker", head(s))
	}
	r.Marker = s
	return ""
}

func head(s string) string {
	if len(s) > 30 {
		return s[:30] + "…"
	}
	return s
}

// Wanted is what one installation is asked for.
type Wanted struct {
	Requirements []Requirement
	Constraints  []Requirement // bound versions, install nothing
}
