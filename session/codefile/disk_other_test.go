//go:build unix && !linux

package codefile

import "errors"

func mountTiny(string) error { return errors.ErrUnsupported }

func unmountTiny(string) {}
