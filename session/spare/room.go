package spare

import "runtime"

// cannotAfford says why there is no room for a spare, "" where there is.
func (k *Keeper) cannotAfford() string {
	if k.options.Mode != On {
		// The number of processors that this process may use, and its share of them.
		if min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) < 2 {
			return "one processor"
		}
		if why := onBattery(); why != "" {
			return why
		}
	}
	return k.short(0)
}
