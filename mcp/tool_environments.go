package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/clients"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// environmentRow is one environment of the list.
type environmentRow struct {
	Kind      string  `json:"kind"`
	Name      string  `json:"name"`
	Path      string  `json:"path"`
	Python    *string `json:"python"`
	Ipykernel *string `json:"ipykernel"`
	Near      bool    `json:"near,omitempty"`
	Current   bool    `json:"current,omitempty"`
	Broken    string  `json:"broken,omitempty"`
	Fix       string  `json:"fix,omitempty"`
	Configure object  `json:"configure,omitempty"`
}

// listRest is the part of an answer kept for those that get no row of their own.
const listRest = 4

// listEnvironments tells what is on this machine. What does not fit is named
// shortly: by its directory and names, which are enough to choose it by.
func (t *tools) listEnvironments(ctx context.Context, a *call, s *session.Session) *mcp.CallToolResult {
	list := t.sessions.Environments(ctx, conversation(ctx))
	budget := clients.Of(ctx).Most(0)
	c := s.Config()
	answer := object{
		"status":  "success",
		"session": s.Name(),
		"config":  configObject(c),
		"found":   len(list.Found),
		"choose":  "configure_environment with an item's \"configure\"; ipykernel null: it is installed on first use where that is allowed",
	}
	if servers := t.jupyterServers(ctx); len(servers) > 0 {
		answer["jupyter_servers"] = servers
	}
	if files := t.joinable(); len(files) > 0 {
		answer["running_kernels"] = files
	}
	if specs := t.kernelspecs(ctx); len(specs) > 0 {
		answer["kernelspecs"] = specs
	}
	if len(list.Skipped) > 0 {
		answer["not_looked_at"] = list.Skipped[:min(len(list.Skipped), maxSkipped)]
	}
	answer = withNotes(answer, a)
	rows, more := []json.RawMessage{}, []json.RawMessage(nil)
	left := budget - budget/listRest - textLength(jsonResult(answer))
	for i, x := range list.Found {
		row := compactJSON(rowOf(x, c))
		if left -= utf8.RuneCount(row) + len(",\n"); left < 0 {
			more = shortly(list.Found[i:], budget/listRest-200)
			break
		}
		rows = append(rows, row)
	}
	return jsonTables(answer, table{"environments", rows}, table{"more", more})
}

// jupyterServers tells what the servers of the settings can start, and what runs there.
func (t *tools) jupyterServers(ctx context.Context) []object {
	var all []object
	for _, there := range t.sessions.Elsewhere(ctx) {
		o := object{"server": there.Name, "configure": object{"type": string(kinds.Jupyter), "server": there.Name}}
		if there.Err != nil {
			o["broken"] = explain(there.Err)
		}
		var specs []string
		for _, k := range there.Kernelspecs {
			specs = append(specs, k.Name)
		}
		var running []object
		for _, k := range there.Running[:min(len(there.Running), maxSkipped)] {
			running = append(running, object{"kernel_id": k.ID, "kernel_name": k.Name, "state": k.State, "last_activity": k.LastActivity})
		}
		if len(specs) > 0 {
			o["kernel_names"] = specs
		}
		if len(running) > 0 {
			o["running"] = running
		}
		all = append(all, o)
	}
	return all
}

// joinable tells which kernels of this machine the settings allow to join.
func (t *tools) joinable() []object {
	var all []object
	for _, file := range t.sessions.Files() {
		o := object{"file": file.Path, "configure": object{"type": string(kinds.Jupyter), "server": session.HereServer, "kernel_id": file.Name}}
		for name, value := range map[string]string{"kernel_name": file.Kernelspec, "started_for": file.Notebook} {
			if value != "" {
				o[name] = value
			}
		}
		if !file.Since.IsZero() {
			o["since"] = file.Since.Format(time.RFC3339)
		}
		if file.Err != nil {
			o["broken"] = explain(file.Err)
		}
		all = append(all, o)
	}
	return all
}

// kernelspecs tells which other kernels this machine has.
func (t *tools) kernelspecs(ctx context.Context) []object {
	var all []object
	specs := t.sessions.Kernelspecs(conversation(ctx))
	for _, spec := range specs[:min(len(specs), maxSkipped)] {
		all = append(all, object{"name": spec.Display, "language": spec.Language,
			"configure": object{"type": string(kinds.Jupyter), "server": session.HereServer, "kernel_name": spec.Name}})
	}
	return all
}

// maxSkipped bounds how many places that were passed over are named.
const maxSkipped = 10

func rowOf(x pyenv.Found, c pyenv.Config) environmentRow {
	row := environmentRow{
		Kind: string(x.Kind), Name: x.Name, Path: x.Path, Python: orNull(x.Version), Ipykernel: orNull(x.Kernel),
		Near: x.Near, Current: chooses(c, x), Broken: x.Broken, Fix: x.Fix,
	}
	if x.Broken == "" || x.Kind == kinds.Managed {
		row.Configure = configureArguments(x.Config())
	}
	return row
}

// configureArguments are those of configure_environment.
func configureArguments(c pyenv.Config) object {
	if !c.Configured() {
		return object{"type": managedType}
	}
	o := object{"type": c.Type}
	for name, value := range map[string]string{"conda_name": c.CondaName, "venv_path": c.VenvPath, "uv_venv_path": c.UVVenvPath} {
		if value != "" {
			o[name] = value
		}
	}
	return o
}

// chooses reports whether a configuration plainly means x: by its path, a path in
// its bin, or its name. No Python is asked.
func chooses(c pyenv.Config, x pyenv.Found) bool {
	if !c.Configured() {
		return x.Kind == kinds.Managed
	}
	value := c.VenvPath
	switch {
	case c.Type == "conda" || c.Type == "" && c.CondaName != "":
		value = c.CondaName
	case c.Type == "venv-uv" || c.Type == "" && c.UVVenvPath != "":
		value = c.UVVenvPath
	}
	rest, err := filepath.Rel(x.Path, filepath.Clean(value))
	inside := err == nil && (rest == "." || rest == "bin" || rest == "Scripts" || strings.HasPrefix(filepath.Base(rest), "python") && filepath.Dir(filepath.Dir(rest)) == ".")
	return value == x.Name || filepath.IsAbs(value) && inside
}

// shortGroup names environments of one directory.
type shortGroup struct {
	Kind      string   `json:"kind"`
	Directory string   `json:"directory"`
	Names     []string `json:"names"`
	Further   int      `json:"further,omitempty"` // that did not fit
}

// shortly groups environments by directory, in at most so many characters.
func shortly(found []pyenv.Found, characters int) []json.RawMessage {
	var groups []*shortGroup
	index := map[string]*shortGroup{}
	further := 0
	for _, x := range found {
		dir := filepath.Dir(x.Path)
		group := index[string(x.Kind)+"\x00"+dir]
		cost := utf8.RuneCountInString(filepath.Base(x.Path)) + len(`"",`)
		if group == nil {
			cost += utf8.RuneCountInString(dir) + len(`{"kind":"venv-uv","directory":"","names":[],"further":1000},`) + len("\n")
		}
		if characters -= cost; characters < 0 {
			if group == nil {
				further++
			} else {
				group.Further++
			}
			continue
		}
		if group == nil {
			group = &shortGroup{Kind: string(x.Kind), Directory: dir}
			index[string(x.Kind)+"\x00"+dir] = group
			groups = append(groups, group)
		}
		group.Names = append(group.Names, filepath.Base(x.Path))
	}
	rows := make([]json.RawMessage, 0, len(groups)+1)
	for _, group := range groups {
		rows = append(rows, compactJSON(group))
	}
	if further > 0 {
		rows = append(rows, compactJSON(object{"further": further, "note": fmt.Sprintf("%d more in other directories did not fit", further)}))
	}
	return rows
}

// textLength is the length of a result's text in characters.
func textLength(r *mcp.CallToolResult) int {
	n := 0
	for _, c := range r.Content {
		if text, ok := c.(mcp.TextContent); ok {
			n += utf8.RuneCountInString(text.Text)
		}
	}
	return n
}
