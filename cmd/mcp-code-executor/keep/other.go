//go:build !unix

package keep

import (
	"context"
	"errors"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
)

var errNotHere = errors.New("sessions cannot be kept on this system")

// Front fails: this system has no way to tell who is at the other end of a socket.
func Front(Options) (int, error) { return 0, errNotHere }

// Background is started by fronts alone.
func Background(context.Context, Options) int { return 1 }

// Stay fails as Front does.
func Stay(context.Context, Options, func(*server.Parts, string)) error { return errNotHere }

// List lists nothing.
func List(func(string) string) ([]Status, error) { return nil, nil }

// Own fails as Front does.
func Own(func(string) string) (string, error) { return "", errNotHere }

// Stop fails as Front does.
func Stop(func(string) string, Status) error { return errNotHere }
