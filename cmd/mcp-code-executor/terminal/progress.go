package terminal

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

// Progress shows a waiting person what is being done: one moving line with
// the time it takes on a terminal, plain lines elsewhere.
//
// Its goroutine redraws the line; it is started by NewProgress on a terminal
// and ended by Close.
type Progress struct {
	w     io.Writer
	width int // columns of the terminal, 0 when w is none
	stop  chan struct{}
	wg    sync.WaitGroup

	mu    sync.Mutex // protects the fields below
	text  string
	since time.Time // when text was first shown
	drawn bool
}

// NewProgress returns a line on w, which is a terminal or not.
func NewProgress(w io.Writer) *Progress {
	p := &Progress{w: w, stop: make(chan struct{})}
	if f, ok := w.(*os.File); ok {
		p.width = Width(f)
	}
	if p.width > 0 {
		p.wg.Go(p.tick)
	}
	return p
}

// tick keeps the time on the line moving.
func (p *Progress) tick() {
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.mu.Lock()
			p.drawLocked()
			p.mu.Unlock()
		}
	}
}

// Say tells what is being done now.
func (p *Progress) Say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text == p.text || text == "" {
		return
	}
	p.text, p.since = text, time.Now()
	if p.width == 0 {
		fmt.Fprintf(p.w, "... %s\n", text)
		return
	}
	p.drawLocked()
}

// drawLocked draws the line over what was there. The caller must hold mu.
func (p *Progress) drawLocked() {
	if p.text == "" {
		return
	}
	line := "... " + p.text
	if waited := time.Since(p.since); waited >= time.Second {
		line = fmt.Sprintf("... %ds %s", int(waited.Seconds()), p.text)
	}
	// A line that reaches the last column would wrap and leave its start behind.
	if most := max(p.width-1, 1); utf8.RuneCountInString(line) > most {
		line = string([]rune(line)[:most])
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	p.drawn = true
}

// Clear takes the line away, so that something else can be printed.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = ""
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// Close clears the line and ends its goroutine.
func (p *Progress) Close() {
	close(p.stop)
	p.wg.Wait()
	p.Clear()
}
