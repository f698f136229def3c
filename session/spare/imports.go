package spare

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
)

// importsRoom is how much more memory must be free for a spare that imports libraries:
// pandas takes 60 MB, the whole list about 250.
const importsRoom = 256 << 20

// importsPatience is how long a start with imports may take, at a low priority on a
// machine that is busy: nobody waits for it.
const importsPatience = 5 * time.Minute

// early are words in code that may change what a library reads or says when it is
// loaded, or how it is found, or that look at what is loaded. Comments and strings count: a start
// too many costs a quarter of a second.
var early = regexp.MustCompile(`environ|putenv|setenv|%(set_)?env\b|dotenv|sys *\. *path|sys *\. *modules|from +sys +import|meta_path|path_hooks|__import__|` +
	`rlimit|fork|affinity|monkey|LazyLoader|tracemalloc|chdir|%cd\b|dictConfig|fileConfig|\bDEBUG\b|settrace|setprofile|audithook|import_hook|` +
	`(simplefilter|filterwarnings)\(\s*(action *= *)?['"](error|always|all|default|once|module)|\b(pip|conda|mamba|uv) +(install|add|remove|uninstall)\b`)

// couldTell reports whether code could tell that libraries were loaded before it ran.
func couldTell(code string) bool { return early.MatchString(code) }

// importsFor are the libraries that a spare of the key is to import: those that most of
// the environment's last kernels have imported. With a limit of memory there are none:
// a session that does without them would reach it earlier.
func (k *Keeper) importsFor(key kernel.Spec) []string {
	k.mu.Lock()
	plain, living := k.plain, slices.Clone(k.living)
	k.mu.Unlock()
	if plain || k.options.Mode == Plain || k.options.Host.Limits.Memory > 0 || k.short(importsRoom) != "" {
		return nil
	}
	k.usageMu.Lock()
	kernels := k.usage.kernels(key.Python)
	k.usageMu.Unlock()
	for _, l := range living {
		if names, ran := l.kernel.Imported(); ran && l.key.Python == key.Python {
			kernels = append(kernels, names)
		}
	}
	return usual(kernels[max(0, len(kernels)-keptKernels):])
}

// forget drops kernels that have ended from those that live, and notes what they have
// imported.
func (k *Keeper) forget(ended func(living) bool) {
	var gone []living
	k.mu.Lock()
	k.living = slices.DeleteFunc(k.living, func(l living) bool {
		if ended(l) {
			gone = append(gone, l)
			return true
		}
		return false
	})
	k.mu.Unlock()
	if len(gone) == 0 || k.options.Mode == Plain {
		return
	}
	imported := map[string][][]string{}
	for _, l := range gone {
		if names, ran := l.kernel.Imported(); ran {
			imported[l.key.Python] = append(imported[l.key.Python], names)
		}
	}
	k.usageMu.Lock()
	defer k.usageMu.Unlock()
	for python, kernels := range imported {
		if err := k.usage.add(python, kernels); err != nil {
			k.options.Log.Warn("noting which libraries are used", "err", err)
		}
	}
}

// renew ends a spare that lacks libraries which are usual by now, for another one.
func (k *Keeper) renew(w *waiting, now time.Time) {
	k.mu.Lock()
	wanted := k.due.IsZero() && reflect.DeepEqual(k.wanted, w.key)
	k.mu.Unlock()
	if !wanted || k.running() || !slices.ContainsFunc(k.importsFor(w.key), func(name string) bool { return !slices.Contains(w.imports, name) }) {
		return
	}
	if k.end(w, "there is more to import ahead") {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.wantLocked(now)
	}
}

// prepareAhead prepares a spare with libraries, or without where that is not possible.
func (k *Keeper) prepareAhead(key kernel.Spec) (*waiting, error) {
	imports := k.importsFor(key)
	w, err := k.prepare(key, imports)
	if err == nil || len(imports) == 0 || errors.Is(err, kernel.ErrOwnCode) || k.ctx.Err() != nil {
		return w, err
	}
	k.options.Log.Info("no libraries are imported ahead", "wanted", imports, "err", err)
	k.mu.Lock()
	k.plain = true
	k.mu.Unlock()
	return k.prepare(key, nil)
}
