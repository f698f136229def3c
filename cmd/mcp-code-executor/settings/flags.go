package settings

import (
	"slices"

	"github.com/spf13/pflag"
)

// AddFlags adds a flag for each setting.
func AddFlags(flags *pflag.FlagSet) {
	for _, row := range Table() {
		flags.String(row.Flag(), "", row.Values)
	}
}

// Over returns getenv with the settings that were given as flags, which win.
func Over(flags *pflag.FlagSet, getenv func(string) string) func(string) string {
	given := map[string]string{}
	for _, row := range Table() {
		if f := flags.Lookup(row.Flag()); f != nil && f.Changed {
			given[row.Name] = f.Value.String()
		}
	}
	if len(given) == 0 {
		return getenv
	}
	return With(given, getenv)
}

// WithArgs is Over for a command line; what is no setting in it does not count.
func WithArgs(args []string, getenv func(string) string) func(string) string {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	AddFlags(flags)
	_ = flags.Parse(args) // what stands before a flag without its value counts
	return Over(flags, getenv)
}

// Only returns getenv with the settings of a command line that has nothing but
// settings in it; ok is false for any other, which is for the commands to judge.
func Only(args []string, getenv func(string) string) (over func(string) string, ok bool) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.Usage = func() {}
	AddFlags(flags)
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return nil, false
	}
	return Over(flags, getenv), true
}

// With returns getenv with other values for some settings. An environment that is
// given is the only one: a type or another environment of getenv's would contradict.
func With(given map[string]string, getenv func(string) string) func(string) string {
	places := []string{"CONDA_ENV_NAME", "VENV_PATH", "UV_VENV_PATH"}
	chosen := slices.ContainsFunc(places, func(name string) bool { return given[name] != "" })
	return func(name string) string {
		if value, ok := given[name]; ok {
			return value
		}
		if chosen && (name == "ENV_TYPE" || slices.Contains(places, name)) {
			return ""
		}
		return getenv(name)
	}
}
