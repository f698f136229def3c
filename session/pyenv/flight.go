package pyenv

import (
	"context"
	"sync"
)

// flights lets callers that ask the same at the same time share one answer.
type flights[T any] struct {
	mu     sync.Mutex // protects the field below
	flying map[string]*flight[T]
}

type flight[T any] struct {
	done   chan struct{}
	answer T
	err    error
	given  bool // false when the caller that flew it went away
}

// do returns ask's answer for key. When the caller that asks goes away, the next
// of those waiting asks again. ctx bounds the waiting.
func (f *flights[T]) do(ctx context.Context, key string, ask func() (T, error)) (T, error) {
	for {
		f.mu.Lock()
		shared := f.flying[key]
		if shared == nil {
			break // with the lock
		}
		f.mu.Unlock()
		select {
		case <-shared.done:
			if shared.given {
				return shared.answer, shared.err
			}
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
	}
	own := &flight[T]{done: make(chan struct{})}
	if f.flying == nil {
		f.flying = map[string]*flight[T]{}
	}
	f.flying[key] = own
	f.mu.Unlock()
	own.answer, own.err = ask()
	own.given = ctx.Err() == nil
	f.mu.Lock()
	delete(f.flying, key)
	f.mu.Unlock()
	close(own.done)
	return own.answer, own.err
}
