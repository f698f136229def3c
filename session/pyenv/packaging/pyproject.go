package packaging

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// projectFile takes "pyproject.toml", "sub/pyproject.toml[dev,test]" apart.
func projectFile(file string) (name string, groups []string, ok bool) {
	name, list, bracket := strings.Cut(file, "[")
	if path.Base(strings.ReplaceAll(name, `\`, "/")) != "pyproject.toml" {
		return "", nil, false
	}
	if bracket {
		for group := range strings.SplitSeq(strings.TrimSuffix(list, "]"), ",") {
			groups = append(groups, strings.TrimSpace(group))
		}
	}
	return name, groups, true
}

// pyproject is what lists packages in a pyproject.toml: PEP 621, PEP 735.
type pyproject struct {
	Project struct {
		Name         string              `toml:"name"`
		Dependencies []string            `toml:"dependencies"`
		Optional     map[string][]string `toml:"optional-dependencies"`
	} `toml:"project"`
	Groups map[string][]any `toml:"dependency-groups"`
	Tool   struct {
		Poetry map[string]any `toml:"poetry"`
	} `toml:"tool"`
}

// projectRequirements lists the project's dependencies and those of the extras
// and groups asked for. The project itself is not installed: that is what
// "./its-directory" among the packages does.
func projectRequirements(name string, extras []string, files Files) ([]Requirement, error) {
	if files == nil {
		return nil, fmt.Errorf("%s: there is no storage directory it could be in", name)
	}
	text, err := files.Bytes(name, maxRequirementsFile+1)
	if err != nil {
		return nil, err
	}
	if len(text) > maxRequirementsFile {
		return nil, fmt.Errorf("%s has more than %d bytes, the limit", name, maxRequirementsFile)
	}
	var p pyproject
	meta, err := toml.Decode(string(text), &p)
	if err != nil {
		return nil, fmt.Errorf("%s is not valid TOML, or lists packages in no standard way: %w", name, err)
	}
	if !meta.IsDefined("project") && !meta.IsDefined("dependency-groups") {
		if p.Tool.Poetry != nil {
			return nil, fmt.Errorf("%s lists its packages in Poetry's own way only; write them as [project] dependencies, or name them in packages", name)
		}
		return nil, fmt.Errorf("%s has no [project] table and no [dependency-groups]", name)
	}
	texts := slices.Clone(p.Project.Dependencies)
	for _, extra := range extras {
		more, err := p.named(extra, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		texts = append(texts, more...)
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s lists no packages%s", name, p.known())
	}
	if len(texts) > maxFromFiles {
		return nil, fmt.Errorf("%s: more than %d requirements", name, maxFromFiles)
	}
	var reqs []Requirement
	var errs []error
	for _, text := range texts {
		r, err := ParseRequirement(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		// "all = [project[a,b]]" stands for the project's own extras.
		if p.Project.Name != "" && NormalizeName(r.Name) == NormalizeName(p.Project.Name) {
			for _, extra := range r.Extras {
				more, err := p.named(extra, []string{NormalizeName(extra)})
				if err == nil {
					var own []Requirement
					own, err = parseAll(more)
					reqs = append(reqs, own...)
				}
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", name, err))
				}
			}
			continue
		}
		reqs = append(reqs, r)
	}
	return reqs, errors.Join(errs...)
}

func parseAll(texts []string) ([]Requirement, error) {
	var reqs []Requirement
	for _, text := range texts {
		r, err := ParseRequirement(text)
		if err != nil {
			return nil, err
		}
		reqs = append(reqs, r)
	}
	return reqs, nil
}

// named lists an extra or group; within are the groups that led here.
func (p *pyproject) named(name string, within []string) ([]string, error) {
	want := NormalizeName(name)
	for extra, texts := range p.Project.Optional {
		if NormalizeName(extra) == want {
			return texts, nil
		}
	}
	for group, entries := range p.Groups {
		if NormalizeName(group) != want {
			continue
		}
		if slices.Contains(within, want) {
			return nil, fmt.Errorf("the group %q includes itself", name)
		}
		var texts []string
		for _, entry := range entries {
			switch e := entry.(type) {
			case string:
				texts = append(texts, e)
			case map[string]any:
				other, _ := e["include-group"].(string)
				more, err := p.named(other, append(within, want))
				if err != nil {
					return nil, err
				}
				texts = append(texts, more...)
			default:
				return nil, fmt.Errorf("the group %q holds something that is not a requirement", name)
			}
		}
		return texts, nil
	}
	return nil, fmt.Errorf("there is no extra and no group %q%s", name, p.known())
}

// known lists the extras and groups for an error.
func (p *pyproject) known() string {
	names := append(slices.Collect(maps.Keys(p.Project.Optional)), slices.Collect(maps.Keys(p.Groups))...)
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "; it has the extras and groups " + strings.Join(names, ", ") + `: write "pyproject.toml[` + names[0] + `]"`
}
