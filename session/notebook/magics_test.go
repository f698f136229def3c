package notebook

import "testing"

func TestPlainPython(t *testing.T) {
	for code, want := range map[string]string{
		"x = 1\n":                       "x = 1\n",
		"%matplotlib inline\nx = 1":     "# %matplotlib inline\nx = 1",
		"!ls\n!pip list":                "# !ls\n# !pip list",
		"%%bash\nls\ncd /":              "# %%bash\n# ls\n# cd /",
		"\n%%time\nx = 1":               "#\n# %%time\n# x = 1",
		"len?":                          "# len?",
		"?len":                          "# ?len",
		"files = !ls":                   "# files = !ls",
		"a, b = %who_ls int":            "# a, b = %who_ls int",
		"if x:\n    !ls":                "if x:\n    pass  # !ls",
		"x = (a\n % b)":                 "x = (a\n % b)",
		"x = a \\\n % b":                "x = a \\\n % b",
		"s = '''\n%s\n!ls\n'''\n%who":   "s = '''\n%s\n!ls\n'''\n# %who",
		"s = \"it's\"\n%who":            "s = \"it's\"\n# %who",
		"s = 'a\\'b'\n!ls":              "s = 'a\\'b'\n# !ls",
		"# what?\nx = 'why?'":           "# what?\nx = 'why?'",
		"d = {\n  'a': 1,\n}\n!ls":      "d = {\n  'a': 1,\n}\n# !ls",
		"s = 'open\n!ls":                "s = 'open\n# !ls",
		"x = 5 # (\n!ls":                "x = 5 # (\n# !ls",
		"y = x != 3":                    "y = x != 3",
		"if a != b:\n    print('%d')\n": "if a != b:\n    print('%d')\n",
	} {
		if got := PlainPython(code); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", code, got, want)
		}
	}
}

func FuzzPlainPython(f *testing.F) {
	f.Add("%who\n'''\n!ls\n'''\nx = (\n%y)\\\n")
	f.Fuzz(func(t *testing.T, code string) {
		if got := PlainPython(code); len(got) < len(code) && code[0] != '%' && got == "" {
			t.Errorf("%q became %q", code, got)
		}
	})
}
