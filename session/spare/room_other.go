//go:build !linux

package spare

// Neither can be asked here without C: a person has to say that he wants a spare.
func onBattery() string { return "whether this machine runs on battery cannot be asked here" }

func shortOfMemory(int64) string { return "" }
