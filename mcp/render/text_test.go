package render

import "testing"

func TestByteSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 999: "999 bytes", 1000: "1 kB", 999_499: "999 kB", 999_500: "1.0 MB", 1_449_999: "1.4 MB",
		83_200_000: "83.2 MB", 99_950_000: "100 MB", 999_499_999: "999 MB", 999_500_000: "1.0 GB", 12_340_000_000: "12.3 GB",
	} {
		if got := ByteSize(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestFirstRunes(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"äöü", 3, "äöü"}, {"äöüß", 3, "äöü…"}, {"a\xff\xfeb", 2, "a\xff…"}, {"a", 0, "…"}} {
		if got := FirstRunes(test.in, test.n); got != test.want {
			t.Errorf("%q, %d: %q, want %q", test.in, test.n, got, test.want)
		}
	}
}
