package packaging

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Files is where requirements files and local packages may lie: a directory that
// nothing leads out of. Paths are relative to it.
type Files interface {
	// Bytes gives at most limit bytes of a file.
	Bytes(path string, limit int) ([]byte, error)
	// Locate gives the absolute path of a file or directory.
	Locate(path string) (abs string, dir bool, err error)
}

// Limits of requirements files.
const (
	maxRequirementsFile  = 1 << 20 // bytes of one
	maxRequirementsDepth = 8       // of files that name others
	maxFromFiles         = 2000    // requirements of all of them
)

// Want reads what to install: requirements as [ParseRequirement] takes them,
// paths within files that begin with "./", and a file, "" for none: a requirements
// file, or a pyproject.toml, whose name an extra or dependency group may follow in
// brackets. All or nothing: the error names everything that is refused.
func Want(texts []string, file string, files Files) (Wanted, error) {
	if len(texts) > maxRequirements {
		return Wanted{}, fmt.Errorf("%d packages are given, the limit is %d a call", len(texts), maxRequirements)
	}
	var (
		w    Wanted
		errs []error
	)
	for _, text := range texts {
		r, err := localOrRequirement(text, "", files)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		w.Requirements = append(w.Requirements, r)
	}
	if len(errs) > 0 {
		return Wanted{}, errors.Join(errs...)
	}
	if file == "" {
		if len(w.Requirements) == 0 {
			return w, errors.New("no packages are given; name at least one, or a file that lists them")
		}
		return w, nil
	}
	if name, extras, ok := projectFile(file); ok {
		reqs, err := projectRequirements(name, extras, files)
		w.Requirements = append(w.Requirements, reqs...)
		return w, err
	}
	reader := requirementsReader{files: files, wanted: &w}
	if err := reader.read(path.Clean(strings.ReplaceAll(file, `\`, "/")), false, nil); err != nil {
		return Wanted{}, err
	}
	if len(w.Requirements) == 0 {
		return w, fmt.Errorf("%s lists no packages", file)
	}
	return w, nil
}

// localOrRequirement parses one entry; dir is what a path in it is relative to.
func localOrRequirement(text, dir string, files Files) (Requirement, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "./") && !strings.HasPrefix(text, "../") && text != "." {
		return ParseRequirement(text)
	}
	return localRequirement(text, dir, files)
}

// localName holds no character that an installer takes for more than a path.
var localName = lazily(`^[A-Za-z0-9._+/-]+$`)

func localRequirement(text, dir string, files Files) (Requirement, error) {
	bad := func(reason string) (Requirement, error) {
		return Requirement{}, &RequirementError{Text: text, Reason: reason}
	}
	var r Requirement
	name := text
	if before, list, ok := strings.Cut(text, "["); ok {
		list, closed := strings.CutSuffix(list, "]")
		if r.Extras, ok = parseExtras(list); !ok || !closed {
			return bad("has extras that are no names")
		}
		name = before
	}
	if !localName().MatchString(name) {
		return bad("is a path with characters that installers read as something else; rename it")
	}
	if files == nil {
		return bad("is a path, and there is no storage directory it could be in")
	}
	abs, isDir, err := files.Locate(path.Join(dir, name))
	if err != nil {
		return Requirement{}, fmt.Errorf("%q: %w", text, err)
	}
	switch {
	case isDir:
		for _, project := range []string{"pyproject.toml", "setup.py", "setup.cfg"} {
			if _, _, err := files.Locate(path.Join(dir, name, project)); err == nil {
				r.Path = abs
				return r, nil
			}
		}
		return Requirement{}, &RequirementError{Text: text, NoProject: true, Reason: "is a directory without pyproject.toml or setup.py; name a project's directory"}
	case !strings.HasSuffix(name, ".whl") && !strings.HasSuffix(name, ".tar.gz") && !strings.HasSuffix(name, ".zip"):
		return bad("is not a wheel (.whl), source archive (.tar.gz, .zip) or project directory; a list of packages goes into the argument file")
	}
	r.Path = abs
	return r, nil
}

// requirementsReader reads requirements files as pip does, for the part of their
// options that says what to install. Where from is for the server's settings: an
// index named in a file would be used with the user's credentials.
type requirementsReader struct {
	files  Files
	wanted *Wanted
}

// read adds the file's requirements, or constraints. within are the files that led
// here.
func (rr *requirementsReader) read(name string, constraints bool, within []string) error {
	for _, w := range within {
		if w == name {
			return fmt.Errorf("%s names itself, by way of %s", name, strings.Join(within, ", "))
		}
	}
	if len(within) >= maxRequirementsDepth {
		return fmt.Errorf("%s: files name each other more than %d deep", name, maxRequirementsDepth)
	}
	if rr.files == nil {
		return fmt.Errorf("%s: there is no storage directory it could be in", name)
	}
	text, err := rr.files.Bytes(name, maxRequirementsFile+1)
	if err != nil {
		return err
	}
	if len(text) > maxRequirementsFile {
		return fmt.Errorf("%s has more than %d bytes, the limit of a requirements file", name, maxRequirementsFile)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) {
		return fmt.Errorf("%s is not UTF-8 text; save it as UTF-8", name)
	}
	var errs []error
	for _, line := range logicalLines(string(text)) {
		if err := rr.line(name, line.text, constraints, append(within, name)); err != nil {
			errs = append(errs, fmt.Errorf("%s, line %d: %w", name, line.number, err))
		}
		if len(rr.wanted.Requirements)+len(rr.wanted.Constraints) > maxFromFiles {
			return fmt.Errorf("%s: more than %d requirements", name, maxFromFiles)
		}
		if len(errs) >= 20 {
			break
		}
	}
	return errors.Join(errs...)
}

type logicalLine struct {
	number int // of its first line, from 1
	text   string
}

// comment is pip's: at the beginning or after white space, so that a URL may hold
// a "#".
var comment = lazily(`(^|\s+)#.*$`)

// logicalLines joins what a backslash continues, drops comments and empty lines.
func logicalLines(text string) []logicalLine {
	var lines []logicalLine
	var joined strings.Builder
	first := 0
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if first == 0 {
			first = i + 1
		}
		whole := comment().MatchString(line)
		if rest, more := strings.CutSuffix(line, `\`); more && !whole {
			joined.WriteString(rest + " ")
			continue
		}
		joined.WriteString(line)
		if s := strings.TrimSpace(comment().ReplaceAllString(joined.String(), "")); s != "" {
			lines = append(lines, logicalLine{first, s})
		}
		joined.Reset()
		first = 0
	}
	if s := strings.TrimSpace(joined.String()); s != "" {
		lines = append(lines, logicalLine{first, s})
	}
	return lines
}

var (
	fileOption = lazily(`^(-r|--requirement|-c|--constraint|-e|--editable)(?:\s+|=|$)\s*(.*)$`)
	hashOption = lazily(`\s--hash(?:=|\s+)(\S+)`)
	hashForm   = lazily(`^(sha256|sha384|sha512):[0-9a-fA-F]{64,128}$`)
)

func (rr *requirementsReader) line(name, text string, constraints bool, within []string) error {
	dir := path.Dir(name)
	if m := fileOption().FindStringSubmatch(text); m != nil {
		switch {
		case m[2] == "":
			return fmt.Errorf("%s has no file behind it", m[1])
		case m[1] == "-e" || m[1] == "--editable":
			return rr.editable(m[2], dir)
		}
		return rr.read(path.Join(dir, m[2]), constraints || strings.Contains(m[1], "c"), within)
	}
	if strings.HasPrefix(text, "-") {
		option, _, _ := strings.Cut(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '=' })[0], "=")
		return fmt.Errorf("the option %s is not taken; an index or a folder of wheels is set in the server's environment (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS)", option)
	}
	var hashes []string
	for _, m := range hashOption().FindAllStringSubmatch(text, -1) {
		if !hashForm().MatchString(m[1]) {
			return fmt.Errorf("%q is not a hash like sha256:…", head(m[1]))
		}
		hashes = append(hashes, m[1])
	}
	text = strings.TrimSpace(hashOption().ReplaceAllString(text, ""))
	r, err := localOrRequirement(text, dir, rr.files)
	if err != nil {
		return err
	}
	r.Hashes = hashes
	if !constraints {
		rr.wanted.Requirements = append(rr.wanted.Requirements, r)
		return nil
	}
	if r.Name == "" || len(r.Extras) > 0 {
		return fmt.Errorf("%q cannot be a constraint; one is a name with versions", head(text))
	}
	rr.wanted.Constraints = append(rr.wanted.Constraints, r)
	return nil
}

func (rr *requirementsReader) editable(text, dir string) error {
	if !strings.HasPrefix(text, ".") {
		text = "./" + text
	}
	r, err := localRequirement(text, dir, rr.files)
	if err != nil {
		return err
	}
	if strings.HasSuffix(r.Path, ".whl") || strings.HasSuffix(r.Path, ".gz") || strings.HasSuffix(r.Path, ".zip") {
		return fmt.Errorf("%q is not a directory, so it cannot be editable", text)
	}
	r.Editable = true
	rr.wanted.Requirements = append(rr.wanted.Requirements, r)
	return nil
}
