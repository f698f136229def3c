package host

import (
	"slices"
	"strings"
	"testing"
)

func TestDenied(t *testing.T) {
	environ := []string{"AWS_SECRET=1", "AWS_=2", "MY_AWS_KEY=3", "TOKEN=4", "token=5", "K1=6", "K2=7", "KX=8", "A/B=9", "=C:=C:\\", "noise", "EMPTY="}
	for setting, want := range map[string][]string{
		"":                                environ,
		" , ":                             environ,
		"AWS_*":                           {"MY_AWS_KEY=3", "TOKEN=4", "token=5", "K1=6", "K2=7", "KX=8", "A/B=9", "=C:=C:\\", "noise", "EMPTY="},
		"TOKEN,EMPTY":                     {"AWS_SECRET=1", "AWS_=2", "MY_AWS_KEY=3", "token=5", "K1=6", "K2=7", "KX=8", "A/B=9", "=C:=C:\\", "noise"},
		" *AWS*\tK[0-9] \n A?B, TOKEN ":   {"token=5", "KX=8", "=C:=C:\\", "noise", "EMPTY="},
		"*":                               {"noise"},
		"A/*":                             slices.DeleteFunc(slices.Clone(environ), func(e string) bool { return strings.HasPrefix(e, "A/") }),
		"[A-Z]*":                          {"token=5", "=C:=C:\\", "noise"},
		"Token,aws_*":                     environ, // names have case
		"TOKEN=4":                         environ,
		"K1;K2":                           environ,
		"[!A-Z]OKEN,[^a-z]OKEN,\\K\\1,x*": slices.DeleteFunc(slices.Clone(environ), func(e string) bool { return strings.HasPrefix(e, "TOKEN") || strings.HasPrefix(e, "K1") }),
	} {
		d, err := ParseDenied(setting)
		if err != nil {
			t.Errorf("%q: %v", setting, err)
		}
		if got := d.filter(environ); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", setting, got, want)
		}
	}
}

func FuzzDenied(f *testing.F) {
	for _, seed := range []string{"", "A*", "[", "[]a]", "\\", "A,B C", "*?[a-z]"} {
		f.Add(seed, "NAME=value")
	}
	f.Fuzz(func(t *testing.T, setting, entry string) {
		d, err := ParseDenied(setting)
		if err != nil {
			return
		}
		d.filter([]string{entry})
	})
}
