package edit

import (
	"errors"
	"strings"
	"testing"
)

var at = Entry{"mcpServers", "python"}

// ours is an entry as a client has it.
func ours() Members {
	return Members{{"command", "/bin/mce"}, {"args", []string{"-y", "x"}}, {"env", Members{{"VENV_PATH", "/v"}}}}
}

// TestSetJSON: what each file becomes. Everything that is not ours stays byte for
// byte.
func TestSetJSON(t *testing.T) {
	for name, test := range map[string]struct{ before, after string }{
		"nothing": {"", `{
  "mcpServers": {
    "python": {
      "command": "/bin/mce",
      "args": ["-y", "x"],
      "env": {
        "VENV_PATH": "/v"
      }
    }
  }
}
`},
		"empty object, no newline": {"{}", `{
  "mcpServers": {
    "python": {
      "command": "/bin/mce",
      "args": ["-y", "x"],
      "env": {
        "VENV_PATH": "/v"
      }
    }
  }
}`},
		"comments, other servers, tabs, a comma at the end": {`// mine
{
	"theme": "dark", // at night
	"mcpServers": {
		/* the first */
		"files": {"command": "npx", "args": ["-y", "files"]}, // needed
		// "old": {}
	},
}
`, `// mine
{
	"theme": "dark", // at night
	"mcpServers": {
		/* the first */
		"files": {"command": "npx", "args": ["-y", "files"]}, // needed
		// "old": {}
		"python": {
			"command": "/bin/mce",
			"args": ["-y", "x"],
			"env": {
				"VENV_PATH": "/v"
			}
		},
	},
}
`},
		"a comment behind the last server": {`{
    "mcpServers": {
        "files": {"command": "npx"} // needed
    }
}`, `{
    "mcpServers": {
        "files": {"command": "npx"}, // needed
        "python": {
            "command": "/bin/mce",
            "args": ["-y", "x"],
            "env": {
                "VENV_PATH": "/v"
            }
        }
    }
}`},
		"an older entry keeps what else is in it": {`{"mcpServers": {"python": {
  "disabled": false, // on
  "command": "/old/mce", "args": [],
  "env": {"HISTORY": "off", "VENV_PATH": "/old"}
}}, "x": 1.50}`, `{"mcpServers": {"python": {
  "disabled": false, // on
  "command": "/bin/mce", "args": ["-y", "x"],
  "env": {"HISTORY": "off", "VENV_PATH": "/v"}
}}, "x": 1.50}`},
		"lines of Windows": {"{\r\n  \"a\": 1\r\n}\r\n",
			"{\r\n  \"a\": 1,\r\n  \"mcpServers\": {\r\n    \"python\": {\r\n      \"command\": \"/bin/mce\",\r\n      \"args\": [\"-y\", \"x\"],\r\n      \"env\": {\r\n        \"VENV_PATH\": \"/v\"\r\n      }\r\n    }\r\n  }\r\n}\r\n"},
	} {
		check(t, name, JSON, test.before, test.after, at, ours())
	}
}

// check sets, sets again (no change) and removes (another server is as before).
func check(t *testing.T, name string, f Format, before, want string, at Entry, members Members) {
	t.Helper()
	after, err := Set(f, []byte(before), at, members)
	if err != nil || string(after) != want {
		t.Errorf("%s: %v\n%s", name, err, after)
		return
	}
	if again, err := Set(f, after, at, members); err != nil || string(again) != want {
		t.Errorf("%s, the second time: %v\n%s", name, err, again)
	}
	removed, err := Remove(f, after, at)
	if err != nil || strings.Contains(string(removed), at.Name) {
		t.Errorf("%s, removed: %v\n%s", name, err, removed)
	}
	if back, err := Set(f, removed, at, members); err != nil || !strings.Contains(string(back), "/bin/mce") {
		t.Errorf("%s, set once more: %v\n%s", name, err, back)
	}
	if old, err := Table(f, []byte(before), at.Table); err == nil && old[at.Name] == nil && len(old) > 0 && string(removed) != before {
		t.Errorf("%s: removing does not lead back:\n%s", name, removed)
	}
}

// TestSetTOML: exactly our own tables are others.
func TestSetTOML(t *testing.T) {
	at := Entry{"mcp_servers", "python"}
	members := Members{{"command", "/bin/mce"}, {"tool_timeout_sec", 300}, {"env", Members{{"VENV_PATH", `C:\v "x"`}}}}
	const text = `[mcp_servers.python]
command = "/bin/mce"
tool_timeout_sec = 300

[mcp_servers.python.env]
VENV_PATH = "C:\\v \"x\""
`
	for name, test := range map[string]struct{ before, after string }{
		"nothing": {"", text},
		"others and comments": {"# mine\nmodel = \"m\"  # good\n\n[mcp_servers.files]\ncommand = 'npx'\n",
			"# mine\nmodel = \"m\"  # good\n\n[mcp_servers.files]\ncommand = 'npx'\n\n" + text},
		"no newline at the end": {"[a]\nb = 1", "[a]\nb = 1\n\n" + text},
		"ours in the middle": {"a = 1\n[mcp_servers.\"python\"] # old\ncommand = \"/old\"\ntool_timeout_sec = 300\nenabled = true\n[mcp_servers.python.env]\nHISTORY = \"off\"\n\n# the projects\n[projects.\"/x\"]\ntrust = 1\n",
			"a = 1\n[mcp_servers.python]\ncommand = \"/bin/mce\"\ntool_timeout_sec = 300\nenabled = true\n\n[mcp_servers.python.env]\nHISTORY = \"off\"\nVENV_PATH = \"C:\\\\v \\\"x\\\"\"\n\n# the projects\n[projects.\"/x\"]\ntrust = 1\n"},
	} {
		check(t, name, TOML, test.before, test.after, at, members)
	}
	for name, file := range map[string]string{
		"inline":           "mcp_servers = {python = {command = \"/old\"}}\n",
		"dotted keys":      "[mcp_servers]\npython.command = \"/old\"\n",
		"text with a head": "a = \"\"\"\n[mcp_servers.python]\n\"\"\"\n[mcp_servers]\npython.command = \"x\"\n",
	} {
		if got, err := Set(TOML, []byte(file), at, members); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// TestSetYAML: exactly our own lines are others.
func TestSetYAML(t *testing.T) {
	at := Entry{"extensions", "python"}
	members := Members{{"enabled", true}, {"type", "stdio"}, {"cmd", "/bin/mce"}, {"args", []string{}}, {"envs", Members{{"VENV_PATH", "/v: x"}}}, {"timeout", 300}}
	const text = `  python:
    enabled: true
    type: stdio
    cmd: /bin/mce
    args: []
    envs:
      VENV_PATH: '/v: x'
    timeout: 300
`
	for name, test := range map[string]struct{ before, after string }{
		"nothing":      {"", "extensions:\n" + text},
		"another part": {"# mine\nGOOSE_MODEL: m # good", "# mine\nGOOSE_MODEL: m # good\nextensions:\n" + text},
		"other extensions": {"extensions:\n  developer: # builtin\n    enabled: true\n    type: builtin\n\n# the model\nGOOSE_MODEL: m\n",
			"extensions:\n  developer: # builtin\n    enabled: true\n    type: builtin\n" + text + "\n# the model\nGOOSE_MODEL: m\n"},
		"ours": {"extensions:\n  python:\n    enabled: true\n    cmd: /old\n    envs: {HISTORY: off}\n    bundled: false\n  # next\n  x:\n    cmd: y\n",
			"extensions:\n  python:\n    enabled: true\n    type: stdio\n    cmd: /bin/mce\n    args: []\n    envs:\n      HISTORY: \"off\"\n      VENV_PATH: '/v: x'\n    timeout: 300\n    bundled: false\n  # next\n  x:\n    cmd: y\n"},
	} {
		check(t, name, YAML, test.before, test.after, at, members)
	}
	for name, file := range map[string]string{
		"flow":   "extensions: {python: {cmd: /old}}\n",
		"anchor": "a: &x\n  python: {cmd: y}\nextensions: *x\n",
	} {
		if got, err := Set(YAML, []byte(file), at, members); err == nil {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// TestGone: a member without a value is taken out, and the others stay.
func TestGone(t *testing.T) {
	gone := Members{{"env", Members{{"HISTORY", nil}, {"LOG_LEVEL", nil}}}}
	for f, test := range map[Format][2]string{
		JSON: {`{"mcpServers": {"python": {"env": {"A": "1", "HISTORY": "off"}}}}`, `{"mcpServers": {"python": {"env": {"A": "1"}}}}`},
		TOML: {"[mcpServers.python]\n[mcpServers.python.env]\nA = \"1\"\nHISTORY = \"off\"\n", "[mcpServers.python]\n\n[mcpServers.python.env]\nA = \"1\"\n"},
		YAML: {"mcpServers:\n    python:\n        env:\n            A: x\n            HISTORY: x\n", "mcpServers:\n    python:\n      env:\n        A: x\n"},
	} {
		if got, err := Set(f, []byte(test[0]), at, gone); err != nil || string(got) != test[1] {
			t.Errorf("%d: %v\n%s", f, err, got)
		}
	}
}

// TestBroken: a file that is none of its format, or has something else where our
// entry goes, is refused.
func TestBroken(t *testing.T) {
	for _, test := range []struct {
		f    Format
		file string
	}{
		{JSON, `{"a": `}, {JSON, `[]`}, {JSON, `{"mcpServers": 1}`}, {JSON, `{"mcpServers": {"python": "x"}}`}, {JSON, `{"mcpServers": {"python": {"env": []}}}`},
		{JSON, "\x00"}, {TOML, "[a\n"}, {TOML, "mcpServers = 1\n"}, {YAML, "a: [\n"}, {YAML, "mcpServers: x\n"}, {YAML, "- 1\n"},
	} {
		if got, err := Set(test.f, []byte(test.file), at, ours()); err == nil {
			t.Errorf("%q became %q", test.file, got)
		}
	}
}

// FuzzSet: whatever the file is, what comes out says what it said before, and our
// entry; or it is refused.
func FuzzSet(f *testing.F) {
	for _, file := range []string{"", "{}", `{"a":1,/*x*/"mcpServers":{"b":{},},}`, "[mcpServers.python]\na=1\n[b]\n", "mcpServers:\n  python:\n    a: 1\n  b: 2\n", "mcpServers:\n A: >", "a: |\n  x\nmcpServers:\n b: >\n  text\n\n  more\n"} {
		for format := range 3 {
			f.Add(format, file)
		}
	}
	f.Add(int(JSON), strings.Repeat(`{"a":`, 60)+"1"+strings.Repeat("}", 60))
	f.Fuzz(func(t *testing.T, format int, file string) {
		if format < 0 || format > 2 {
			return
		}
		after, err := Set(Format(format), []byte(file), at, ours())
		if err != nil {
			return
		}
		if again, err := Set(Format(format), after, at, ours()); err != nil || string(again) != string(after) {
			t.Fatalf("the second time: %v\n%q\n%q", err, after, again)
		}
		servers, err := Table(Format(format), after, at.Table)
		if err != nil || servers[at.Name].(map[string]any)["command"] != "/bin/mce" {
			t.Fatalf("%v in %q", err, after)
		}
		if _, err := Remove(Format(format), after, at); err != nil && !errors.Is(err, ErrForm) {
			t.Fatal(err)
		}
	})
}
