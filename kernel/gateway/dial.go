package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
)

// dialTime bounds one try: a server connects when its kernel has answered.
const dialTime = 60 * time.Second

// connect makes the websocket.
func (k *Kernel) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	ctx, ended := context.WithCancelCause(ctx)
	defer ended(nil)
	go k.whileThere(ctx, ended)
	address := *k.server.base
	address.Path += kernelPath(k.id, "/channels")
	address.RawQuery = url.Values{"session_id": {k.session}}.Encode()
	conn, answer, err := websocket.Dial(ctx, address.String(), &websocket.DialOptions{
		HTTPClient: k.server.client, HTTPHeader: k.server.header(), Subprotocols: []string{subprotocol},
	})
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errEnded) {
			err = cause
		}
		e := &Error{Doing: "connecting to kernel " + k.id, Server: k.server.String(), Reason: reason(err), Err: err}
		if answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
			e.Status, e.Reason = answer.StatusCode, refusal(answer, nil)
		}
		return e
	}
	conn.SetReadLimit(-1) // messages are bounded where they are read
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn = conn
	close(k.up)
	go k.look(conn)
	return nil
}

// errEnded is why nothing answers: a server does not say so to who waits for its websocket.
// It starts a kernel whose process ends at once some times more, and then ends it.
var errEnded = errors.New("the server has ended the kernel before it answered. Either somebody has ended it, or its process cannot start: the server's log says why")

// whileThere ends the wait for a kernel that the server does not have any more.
func (k *Kernel) whileThere(ctx context.Context, ended context.CancelCauseFunc) {
	for {
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return
		}
		if _, err := k.server.get(ctx, k.id); NotFound(err) {
			ended(errEnded)
			return
		}
	}
}
