package pyenv

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// newFinder returns a Finder in a world of its own: an empty home, an empty
// operating system, and just the variables given.
func newFinder(t testing.TB, environ ...string) *Finder {
	return NewFinder(pyenvtest.NewHost(t, environ...))
}

func TestConfigKind(t *testing.T) {
	for _, test := range []struct {
		name     string
		config   Config
		want     kinds.Kind
		variable string // of the ConfigError
	}{
		{"nothing", Config{}, kinds.Managed, ""},
		{"venv inferred", Config{VenvPath: "x"}, kinds.Venv, ""},
		{"uv inferred", Config{UVVenvPath: "x"}, kinds.UV, ""},
		{"conda inferred", Config{CondaName: "x"}, kinds.Conda, ""},
		{"type decides between two", Config{Type: "venv", VenvPath: "x", CondaName: "y"}, kinds.Venv, ""},
		{"two and no type", Config{VenvPath: "x", CondaName: "y"}, "", "ENV_TYPE"},
		{"unknown type", Config{Type: "poetry", VenvPath: "x"}, "", "ENV_TYPE"},
		{"a kind that is not for choosing", Config{Type: "managed"}, "", "ENV_TYPE"},
		{"type without its variable", Config{Type: "conda", VenvPath: "x"}, "", "CONDA_ENV_NAME"},
		{"uv without its variable", Config{Type: "venv-uv"}, "", "UV_VENV_PATH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.config.kind()
			var config *host.ConfigError
			if test.variable != "" && (!errors.As(err, &config) || config.Variable != test.variable || config.Fix == "") {
				t.Errorf("error %v, want one about %s", err, test.variable)
			}
			if test.variable == "" && err != nil || got != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
	_, err := Config{Type: "poetry"}.kind()
	for _, name := range []string{"conda", "venv", "venv-uv"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

func TestLabel(t *testing.T) {
	for want, env := range map[string]*Environment{
		"no environment": nil,
		"managed":        {Kind: kinds.Managed, Name: "default"},
		"venv .venv":     {Kind: kinds.Venv, Prefix: "/p/.venv"},
		"conda ml":       {Kind: kinds.Conda, Name: "ml", Prefix: "/x"},
	} {
		if got := env.Label(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestDocumentedKernel: the documents name the oldest ipykernel that is used.
func TestDocumentedKernel(t *testing.T) {
	for _, page := range []string{"README.md", "docs/environments.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(page)))
		if err != nil || !strings.Contains(string(text), "ipykernel "+minKernel+" ") {
			t.Errorf("%s does not name ipykernel %s: %v", page, minKernel, err)
		}
	}
}
