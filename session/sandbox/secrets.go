package sandbox

// secrets are paths below the home directory that code cannot read: credentials,
// browsers' profiles, clients' configurations, and where programs keep sockets by which
// others can be told to act.
func secrets() []string {
	return []string{
		// Keys and credentials.
		".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".kube", ".docker", ".netrc", ".pgpass", ".my.cnf", ".pypirc", ".npmrc", ".yarnrc.yml",
		".git-credentials", ".config/git/credentials", ".config/gh", ".config/hub", ".config/glab-cli", ".config/op", ".1password", ".password-store", ".local/share/keyrings",
		".config/doctl", ".config/rclone", ".terraform.d/credentials.tfrc.json", ".terraformrc", ".vault-token", ".config/containers", ".local/share/containers",
		".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".config/pip", ".pip", ".condarc", ".config/uv/credentials", ".local/share/uv/credentials",
		".local/share/jupyter/runtime", ".kaggle", ".huggingface", ".cache/huggingface/token", ".cache/huggingface/stored_tokens", ".config/wandb", ".databrickscfg", ".snowflake", ".modal.toml", ".s3cfg", ".boto", ".oci",
		".bash_history", ".zsh_history", ".python_history", ".psql_history", ".lesshst", ".local/share/fish/fish_history", ".Xauthority", ".ICEauthority",
		// Browsers and mail.
		".mozilla", ".thunderbird", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi", ".config/opera",
		"snap/firefox", "snap/chromium", ".var/app",
		// Clients of this server, with the keys of others in their files.
		".claude", ".claude.json", ".config/Claude", ".codex", ".gemini", ".qwen", ".cursor", ".config/Cursor", ".config/Code", ".config/Code - Insiders", ".config/VSCodium",
		".vscode", ".vscode-server", ".cursor-server", ".windsurf", ".codeium", ".config/Windsurf", ".config/zed", ".local/share/zed", ".config/goose", ".local/share/goose", ".copilot", ".config/github-copilot",
		".cline", ".continue", ".lmstudio", ".config/opencode", ".local/share/opencode", ".config/JetBrains", ".cherrystudio", ".config/CherryStudio", ".openai", ".anthropic",
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

// protected are names that cannot be changed in a directory that can: what they hold is
// run, or believed, by programs outside.
func protected() []string {
	return []string{".git", ".hg", ".svn", ".mcp.json", ".vscode", ".claude", ".codex", ".cursor", ".gemini", ".qwen", ".windsurf", ".zed", ".idea", ".devcontainer",
		".envrc", ".husky", ".githooks", ".pre-commit-config.yaml"}
}
