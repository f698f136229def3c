package rpc

import (
	"context"
	"encoding/json"
	"math"
	"sync"
	"time"
)

// ProgressInterval is the least time between two reports of one call. Clients
// show them to a person; one of the SDKs loses those that arrive close together.
const ProgressInterval = time.Second

// Progress sends progress notifications for one call. A nil *Progress sends
// nothing. Its methods are safe for concurrent use.
type Progress struct {
	conn  *connection
	call  *call
	token json.RawMessage

	mu       sync.Mutex // protects the fields below; held while writing, for the order
	last     float64
	lastTime time.Time
	sent     bool
	finished bool
}

// ProgressFrom returns the reporter of the call that ctx belongs to, nil if the
// client asked for no progress.
func ProgressFrom(ctx context.Context) *Progress {
	if call, ok := ctx.Value(callKey{}).(*call); ok {
		return call.progress
	}
	return nil
}

// Report tells the client how far the call is. It writes at once, or drops the
// report: when it is not greater than the last one sent (the specification
// wants it to increase), within a second of it, while the connection is busy
// with another message, or once the handler has returned.
func (p *Progress) Report(progress float64, message string) {
	if p == nil || math.IsNaN(progress) || math.IsInf(progress, 0) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.finished || p.sent && (progress <= p.last || now.Sub(p.lastTime) < ProgressInterval) {
		return
	}
	line, err := encodeLine(notification{
		JSONRPC: "2.0",
		Method:  "notifications/progress",
		Params:  progressParams{Token: p.token, Progress: progress, Message: message},
	})
	if err != nil || !p.write(line) {
		return
	}
	p.sent, p.last, p.lastTime = true, progress, now
}

func (p *Progress) write(line []byte) bool {
	if p.call.stream == nil {
		return p.conn.tryWrite(line, p.call.cancelled.Load)
	}
	return !p.call.cancelled.Load() && p.call.stream.Report(line)
}

// progressRest is the least time between a report and the call's answer: a client
// that reads both at once takes the report for one of no call of its.
const progressRest = 100 * time.Millisecond

// finish refuses all later reports, and waits for one being written, and until
// the last one is progressRest old.
func (p *Progress) finish() {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.finished = true
	sent, age := p.sent, time.Since(p.lastTime)
	p.mu.Unlock()
	if sent && age < progressRest {
		select {
		case <-time.After(progressRest - age):
		case <-p.call.ctx.Done(): // nobody waits
		}
	}
}

type notification struct {
	JSONRPC string `json:"jsonrpc"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

type progressParams struct {
	Token    json.RawMessage `json:"progressToken"`
	Progress float64         `json:"progress"`
	Message  string          `json:"message,omitempty"`
}
