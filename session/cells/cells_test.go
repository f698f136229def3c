package cells

import "testing"

// TestFile: the names are those of ipykernel's compiler.get_file_name.
func TestFile(t *testing.T) {
	for code, want := range map[string]string{
		"":                              "3990065800",
		"1":                             "224161117",
		"ab":                            "2805137849",
		"abc":                           "3350977461",
		"1+1\n":                         "734043970",
		"print('é')\nx = 5":             "1555057088",
		"def g(x):\n    return 1 / x\n": "1496793362",
	} {
		if got := File(code); got != want {
			t.Errorf("File(%q) is %s, want %s", code, got, want)
		}
	}
}
