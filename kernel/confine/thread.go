package confine

// Thread is what starts programs in a sandbox that this process is not in: code can
// neither signal the process nor read its memory, and the process can do its work. A nil
// one is the caller's thread. It is not for concurrent use.
type Thread struct {
	calls chan func() // of a thread that is confined; nil for any
	begin []string    // of command lines
}

// Confine makes the sandbox of a plan, and tries what must not work there. try is the
// begin of a command line that tries a [Check], given as JSON, where no thread of this
// process can. The sandbox stays until the process ends.
func (p Plan) Confine(try []string) (*Thread, error) {
	if p.Seatbelt {
		begin, err := p.seatbelt(try)
		return &Thread{begin: begin}, err
	}
	return p.landlockThread()
}

// Command is the command line that runs argv in the sandbox.
func (t *Thread) Command(argv []string) []string {
	if t == nil {
		return argv
	}
	return append(t.begin[:len(t.begin):len(t.begin)], argv...)
}
