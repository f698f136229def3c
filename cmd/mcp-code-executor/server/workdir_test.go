package server

import (
	"slices"
	"testing"
)

const (
	refused = "" // the default is taken
	storage = "/data/code"
)

// TestStartDirectories: where clients start servers, as their documents, their
// source or users' reports tell, and whether code runs there.
func TestStartDirectories(t *testing.T) {
	type row struct {
		client, goos, dir string
		project           bool
	}
	homes := map[string]string{"linux": "/home/ana", "darwin": "/Users/ana", "windows": `C:\Users\ana`}
	for _, test := range []row{
		// Started in a project.
		{"Claude Code", "linux", "/home/ana/shop", true},
		{"Claude Code, a subdirectory", "darwin", "/Users/ana/Documents/shop/api", true},
		{"Claude Code on Windows", "windows", `C:\Users\ana\source\shop`, true},
		{"Claude Code in WSL, on a disk of Windows", "linux", "/mnt/c/Users/ana/shop", true},
		{"Codex CLI", "linux", "/data/shop", true},
		{"Codex, a working tree of its app", "darwin", "/Users/ana/.codex/worktrees/4f1a/shop", true},
		{"Cursor, a working tree of an agent", "linux", "/home/ana/.cursor/worktrees/shop/abc12", true},
		{"Claude Desktop's code tab, a working tree", "darwin", "/Users/ana/.claude-worktrees/shop/brave-owl", true},
		{"Claude Code, a working tree", "linux", "/home/ana/shop/.claude/worktrees/fix", true},
		{"Gemini CLI", "linux", "/srv/shared/shop", true},
		{"Qwen Code", "darwin", "/Volumes/Data/shop", true},
		{"opencode", "linux", "/data/ana/shop", true},
		{"Copilot CLI", "windows", `D:\shop`, true},
		{"Cline CLI", "linux", "/tmp/shop", true},
		{"Zed, the worktree's root", "linux", "/home/ana/src/shop", true},
		{"VS Code with cwd, a dev container", "linux", "/workspaces/shop", true},
		{"Goose CLI", "darwin", "/private/tmp/shop", true},
		{"JetBrains, its project", "windows", `C:\Users\ana\PycharmProjects\shop`, true},
		{"Claude Code on a share", "windows", `\\server\share\shop`, true},
		{"a terminal in WSL, seen from Windows", "windows", `\\wsl.localhost\Ubuntu\home\ana\shop`, true},
		{"an HPC node", "linux", "/scratch/ana/shop", true},

		// Started without one.
		{"Claude Desktop", "darwin", "/", false},
		{"Claude Desktop, Squirrel", "windows", `C:\Users\ana\AppData\Local\AnthropicClaude\app-1.2.3`, false},
		{"Claude Desktop, as a service", "windows", `C:\WINDOWS\system32`, false},
		{"Claude Desktop, Store", "windows", `C:\Program Files\WindowsApps\Claude_1.0_x64`, false},
		{"Claude Desktop, Debian", "linux", "/usr/lib/claude-desktop", false},
		{"Cursor's user file", "linux", "/home/ana", false},
		{"Cursor's user file on Windows", "windows", `c:\users\ANA\`, false},
		{"Cursor, its program", "windows", `C:\Users\ana\AppData\Local\Programs\cursor`, false},
		{"Cursor, AppImage", "linux", "/tmp/.mount_Cursor1x2y3z/usr/share/cursor", false},
		{"VS Code, user file", "linux", "/home/ana/", false},
		{"VS Code, its program", "darwin", "/Applications/Visual Studio Code.app/Contents/MacOS", false},
		{"VS Code, user install", "darwin", "/Users/ana/Applications/Visual Studio Code.app", false},
		{"VS Code, snap", "linux", "/home/ana/snap/code/current", false},
		{"VS Code's server", "linux", "/home/ana/.vscode-server/cli/servers/Stable-1/server", false},
		{"Cline's extension", "darwin", "/", false},
		{"Cline's extension on Windows", "windows", `C:\Users\ana\AppData\Local\Programs\Microsoft VS Code`, false},
		{"Windsurf", "linux", "/opt/windsurf", false},
		{"LM Studio", "darwin", "/Users/ana/.lmstudio/extensions/plugins/mcp/python", false},
		{"LM Studio on Windows", "windows", `C:\Users\ana\.lmstudio\extensions\plugins\mcp\python`, false},
		{"Goose Desktop", "darwin", "/Users/ana/Library/Application Support/Goose", false},
		{"Cherry Studio", "windows", `D:\Program Files\Cherry Studio`, false},
		{"a launcher of Linux desktops", "linux", "/home/ana/.config/autostart", false},
		{"a cache of uv", "linux", "/home/ana/.cache/uv/archive-v0/x", false},
		{"npx", "linux", "/home/ana/.npm/_npx/1234", false},
		{"systemd", "linux", "/var/lib/private/agent", false},
		{"JetBrains, its program", "darwin", "/Applications/PyCharm.app/Contents/bin", false},
		{"JetBrains Toolbox", "linux", "/home/ana/.local/share/JetBrains/Toolbox/apps/pycharm/bin", false},
		{"a desktop of Windows, in WSL", "linux", "/mnt/c/Windows/System32", false},
		{"a program of Windows, in WSL", "linux", "/mnt/c/Users/ana/AppData/Local/Programs/cursor", false},
		{"a home of Windows, in WSL", "linux", "/mnt/c/Users/ana", false},
		{"above the home", "linux", "/home", false},
		{"all users", "windows", `C:\Users`, false},
		{"a disk", "windows", `D:\`, false},
		{"everybody's directory", "linux", "/tmp", false},
		{"this program's data", "linux", "/home/ana/mce-data/code", false},
		{"nothing known", "linux", "", false},
	} {
		want := refused
		if test.project {
			want = test.dir
		}
		dir, by := ChooseWorkDir(Start{GOOS: test.goos, Dir: test.dir, Homes: []string{homes[test.goos]}, Own: []string{"/home/ana/mce-data"},
			Default: refused, Usable: func(dir string) bool { return dir != "/tmp/.mount_Cursor1x2y3z/usr/share/cursor" }})
		if dir != want || (by == ByStart) != test.project {
			t.Errorf("%s, %s: %q by %s", test.client, test.dir, dir, by)
		}
	}
}

// TestChoice: what is set comes first, in its order, and a home in an odd place is
// still a home.
func TestChoice(t *testing.T) {
	for name, test := range map[string]struct {
		start    Start
		dir, by  string
		unusable []string
	}{
		"WORK_DIR first":           {Start{WorkDir: "/a", Storage: "/b", Project: "/c", Dir: "/d/e"}, "/a", ByWorkDir, nil},
		"WORK_DIR is not judged":   {Start{WorkDir: "/", Dir: "/d/e"}, "/", ByWorkDir, []string{"/"}},
		"then the storage":         {Start{Storage: "/b", Project: "/c", Dir: "/d/e"}, "/b", ByStorage, nil},
		"then Claude's project":    {Start{Project: "/c", Dir: "/d/e"}, "/c", ByProject, nil},
		"its home, too":            {Start{Project: "/home/ana", Dir: "/d/e"}, "/home/ana", ByProject, nil},
		"a project that is gone":   {Start{Project: "/c", Dir: "/d/e"}, "/d/e", ByStart, []string{"/c"}},
		"a relative project":       {Start{Project: "c", Dir: "/d/e"}, "/d/e", ByStart, nil},
		"then the start":           {Start{Dir: "/d/e"}, "/d/e", ByStart, nil},
		"a start that is not ours": {Start{Dir: "/d/e"}, storage, ByDefault, []string{"/d/e"}},
		"a home below /opt":        {Start{Dir: "/opt/homes/ana/shop", Homes: []string{"/opt/homes/ana"}}, "/opt/homes/ana/shop", ByStart, nil},
		"a home below /var":        {Start{Dir: "/var/home/ana/shop", Homes: []string{"/home/ana", "/var/home/ana"}}, "/var/home/ana/shop", ByStart, nil},
		"the home without links":   {Start{Dir: "/var/home/ana", Homes: []string{"/home/ana", "/var/home/ana"}}, storage, ByDefault, nil},
		"XDG_DATA_HOME is home":    {Start{Dir: "/home/ana/shop", Own: []string{"/home/ana"}}, "/home/ana/shop", ByStart, nil},
		"XDG_CACHE_HOME elsewhere": {Start{Dir: "/fast/cache/x", Own: []string{"/fast/cache"}}, storage, ByDefault, nil},
		"root's home":              {Start{Dir: "/root/shop", Homes: []string{"/root"}}, "/root/shop", ByStart, nil},
		"no home known":            {Start{Dir: "/home/ana/shop", Homes: []string{"/"}}, "/home/ana/shop", ByStart, nil},
		"a name that begins alike": {Start{Dir: "/home/ana2/shop"}, "/home/ana2/shop", ByStart, nil},
		"not below /usr":           {Start{Dir: "/usrdata/shop"}, "/usrdata/shop", ByStart, nil},
		"dots":                     {Start{Dir: "/home/ana/shop/../../ana/."}, storage, ByDefault, nil},
	} {
		s := test.start
		s.GOOS, s.Default = "linux", storage
		if s.Homes == nil {
			s.Homes = []string{"/home/ana"}
		}
		s.Usable = func(dir string) bool { return !slices.Contains(test.unusable, dir) }
		if dir, by := ChooseWorkDir(s); dir != test.dir || by != test.by {
			t.Errorf("%s: %q by %s", name, dir, by)
		}
	}
}
