//go:build !unix

package main

import "context"

// whileLauncherLives returns ctx: on Windows Node ends the programs it has started
// with itself.
func whileLauncherLives(ctx context.Context, _ func(string) string) (_ context.Context, leave func()) {
	return context.WithCancel(ctx)
}
