package sandbox

import (
	"path/filepath"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// secrets are those of a person: in the home directory, and where variables say.
func (p Place) secrets() (paths []string) {
	for _, name := range Secrets() {
		paths = append(paths, p.of(name)...)
	}
	return append(append(paths, p.movedSecrets()...), p.Secrets...)
}

// of is where the secret of a name below the home directory may lie.
func (p Place) of(name string) []string {
	paths := []string{filepath.Join(p.Home, filepath.FromSlash(name))}
	for dir, variable := range map[string]string{".config/": "XDG_CONFIG_HOME", ".local/share/": "XDG_DATA_HOME", ".cache/": "XDG_CACHE_HOME"} {
		if rest, ok := strings.CutPrefix(name, dir); ok && p.variable(variable) != "" {
			paths = append(paths, filepath.Join(p.variable(variable), filepath.FromSlash(rest)))
		}
	}
	return paths
}

// movedSecrets are those that variables of a person name. None is the home directory, or
// above it.
func (p Place) movedSecrets() (paths []string) {
	home := real(p.Home)
	for variable, below := range Moves() {
		for _, value := range filepath.SplitList(p.variable(variable)) {
			for _, name := range below {
				path, err := filepath.Abs(filepath.Join(strings.TrimSpace(value), name))
				if err == nil && value != "" && !confine.Within(home, real(path)) {
					paths = append(paths, path)
				}
			}
		}
	}
	return paths
}

func (p Place) variable(name string) string {
	if p.Variable == nil {
		return ""
	}
	return p.Variable(name)
}

// Moves are variables by which programs have their secrets elsewhere, with what of the
// place that they name holds any: "" is all of it.
func Moves() map[string][]string {
	all := []string{""}
	return map[string][]string{
		"GNUPGHOME": all, "AWS_SHARED_CREDENTIALS_FILE": all, "AWS_CONFIG_FILE": all, "AWS_WEB_IDENTITY_TOKEN_FILE": all, "AZURE_CONFIG_DIR": all,
		"GOOGLE_APPLICATION_CREDENTIALS": all, "CLOUDSDK_CONFIG": all, "KUBECONFIG": all, "DOCKER_CONFIG": all, "NETRC": all, "PGPASSFILE": all,
		"NPM_CONFIG_USERCONFIG": all, "PIP_CONFIG_FILE": all, "GH_CONFIG_DIR": all, "KAGGLE_CONFIG_DIR": all, "PASSWORD_STORE_DIR": all, "RCLONE_CONFIG": all,
		"HF_TOKEN_PATH": all, "HF_HOME": {"token", "stored_tokens"}, "CARGO_HOME": {"credentials", "credentials.toml"}, "HISTFILE": all, "XAUTHORITY": all,
		// Clients of this server.
		"CLAUDE_CONFIG_DIR": all, "CODEX_HOME": all, "GEMINI_CLI_HOME": {".gemini"}, "QWEN_HOME": all, "COPILOT_HOME": all, "GOOSE_PATH_ROOT": all,
		"VSCODE_PORTABLE": all, "VSCODE_APPDATA": all, "CLINE_DIR": all, "CLINE_DATA_DIR": all, "CLINE_MCP_SETTINGS_PATH": all,
	}
}

// Secrets are paths below the home directory that code cannot read: credentials,
// browsers' profiles, clients' configurations, and where programs keep sockets by which
// others can be told to act.
func Secrets() []string {
	return []string{
		// Keys and credentials.
		".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".kube", ".docker", ".netrc", ".pgpass", ".my.cnf", ".pypirc", ".npmrc", ".yarnrc.yml",
		".git-credentials", ".config/git/credentials", ".config/gh", ".config/hub", ".config/glab-cli", ".config/op", ".1password", ".password-store", ".local/share/keyrings",
		".config/doctl", ".config/rclone", ".terraform.d/credentials.tfrc.json", ".terraformrc", ".vault-token", ".config/containers", ".local/share/containers",
		".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".config/pip", ".pip", ".condarc", ".config/uv/credentials", ".local/share/uv/credentials",
		".local/share/jupyter/runtime", ".kaggle", ".huggingface", ".cache/huggingface/token", ".cache/huggingface/stored_tokens", ".config/wandb", ".databrickscfg", ".snowflake", ".modal.toml", ".s3cfg", ".boto", ".oci",
		".m2/settings.xml", ".gradle/gradle.properties", ".composer/auth.json", ".config/composer/auth.json", ".bundle/config", ".pulumi/credentials.json", ".config/Bitwarden", ".config/stripe", ".cloudflared", ".config/.wrangler", ".fly", ".local/share/kwalletd",
		".bash_history", ".zsh_history", ".python_history", ".psql_history", ".mysql_history", ".sqlite_history", ".node_repl_history", ".lesshst", ".local/share/fish/fish_history", ".Xauthority", ".ICEauthority",
		// Browsers and mail.
		".mozilla", ".config/mozilla", ".librewolf", ".zen", ".thunderbird", ".config/google-chrome", ".config/google-chrome-beta", ".config/google-chrome-unstable", ".config/chromium", ".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi", ".config/opera",
		"snap/firefox", "snap/chromium", ".var/app",
		// Clients of this server, with the keys of others in their files.
		".claude", ".claude.json", ".config/Claude", ".codex", ".gemini", ".qwen", ".cursor", ".config/Cursor", ".config/Code", ".config/Code - Insiders", ".config/VSCodium",
		".vscode", ".vscode-server", ".cursor-server", ".windsurf", ".codeium", ".config/Windsurf", ".config/zed", ".local/share/zed", ".config/goose", ".local/share/goose", ".copilot", ".config/github-copilot",
		".cline", ".roo", ".kilocode", ".kiro", ".trae", ".junie", ".factory", ".config/crush", ".local/share/crush", ".config/amp", ".local/share/amp", ".continue", ".lmstudio", ".config/opencode", ".local/share/opencode", ".config/JetBrains", ".cherrystudio", ".config/CherryStudio", ".openai", ".anthropic",
		// The same on macOS.
		"Library/Keychains", "Library/Cookies", "Library/Safari", "Library/Mail", "Library/Messages", "Library/Containers", "Library/Group Containers", "Library/Accounts",
		"Library/Application Support/Google/Chrome", "Library/Application Support/Chromium", "Library/Application Support/BraveSoftware", "Library/Application Support/Microsoft Edge",
		"Library/Application Support/Firefox", "Library/Application Support/Arc", "Library/Application Support/Vivaldi", "Library/Application Support/Claude", "Library/Application Support/Code",
		"Library/Application Support/Cursor", "Library/Application Support/Windsurf", "Library/Application Support/Zed", "Library/Application Support/Goose", "Library/Application Support/JetBrains",
		"Library/Application Support/LM Studio", "Library/Application Support/CherryStudio", "Library/Application Support/com.apple.TCC", ".zsh_sessions",
		// Sockets of editors and terminals.
		".emacs.d/server", ".tmux", ".screen", ".config/systemd", ".dbus", ".cache/ssh", ".ollama",
	}
}

// Protected are names that cannot be changed in a directory that can: what they hold is
// run, or believed, by programs outside.
func Protected() []string {
	return []string{".git", ".hg", ".svn", ".mcp.json", ".vscode", ".claude", ".codex", ".cursor", ".gemini", ".qwen", ".windsurf", ".zed", ".idea", "opencode.json", "opencode.jsonc", ".opencode", ".cline", ".roo", ".kilocode", ".kiro", ".amazonq", ".junie", ".continue", ".devcontainer",
		".envrc", ".husky", ".githooks", ".pre-commit-config.yaml"}
}
