package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// Noted is told of a kernel that a server was asked for. It is made before the request, so
// that a kernel whose start nobody has lived to hear of can be found.
type Noted struct {
	// Started is called when the kernel was started, with the id that it has.
	Started func(id string)
	// Ended is called when it has been ended, or was not started. It is safe twice.
	Ended func()
}

// Nobody is who is told of a kernel that is nobody's affair.
func Nobody() Noted { return Noted{Started: func(string) {}, Ended: func() {}} }

// find finds the kernel that is wanted, or starts it.
func (k *Kernel) find(ctx context.Context) (Running, error) {
	if k.want.ID != "" {
		return k.server.find(ctx, k.want.ID)
	}
	k.ours = true
	if err := k.server.there(ctx); err != nil {
		return Running{}, err
	}
	id := uuid.NewString() // as Jupyter makes them
	if k.want.Note != nil {
		k.noted = k.want.Note(id)
	}
	answer := make(chan started, 1)
	go func() { // a request that is given up does not keep the server from starting the kernel
		running, err := k.server.start(context.WithoutCancel(ctx), id, k.want.Kernelspec, k.want.Env)
		answer <- started{running, err}
	}()
	select {
	case a := <-answer:
		k.noteStart(a)
		return a.Running, a.err
	case <-ctx.Done():
		go k.endLate(answer)
		return Running{}, &Error{Doing: "starting a kernel", Server: k.server.String(), Reason: reason(context.Cause(ctx)), Err: ctx.Err()}
	}
}

type started struct {
	Running
	err error
}

// noteStart passes on what is known. Where no answer came, nothing is.
func (k *Kernel) noteStart(a started) {
	if a.err == nil {
		k.noted.Started(a.ID)
	} else if e, ok := errors.AsType[*Error](a.err); ok && e.Status != 0 {
		k.noted.Ended()
	}
}

// endLate ends a kernel that nobody waits for any more, when it has started.
func (k *Kernel) endLate(answer chan started) {
	a := <-answer
	if k.noteStart(a); a.err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	if err := k.server.delete(ctx, a.ID); err == nil || NotFound(err) {
		k.noted.Ended()
	}
}

// there reports a server that does not answer at all: the start of a kernel is waited for
// much longer.
func (s *Server) there(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	err := s.do(ctx, "starting a kernel", http.MethodGet, "/api", nil, nil)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == 0 {
		return err
	}
	return nil
}

// start starts a kernel of that kernelspec, "" for the server's default, under that id where
// the server lets others choose. Gateways read the variables KERNEL_*.
func (s *Server) start(ctx context.Context, id, kernelspec string, env map[string]string) (k Running, err error) {
	in := map[string]any{"kernel_id": id}
	if kernelspec != "" {
		in["name"] = kernelspec
	}
	if len(env) > 0 { // a gateway refuses null, and takes an empty one for all that the kernel gets
		own := map[string]string{"KERNEL_ID": id} // so Enterprise Gateway
		for name, value := range env {
			own[name] = value
		}
		in["env"] = own
	}
	err = s.postKernel(ctx, in, &k)
	if e, ok := errors.AsType[*Error](err); err == nil && k.ID == "" || ok && (e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound) {
		// A server that has its kernels from a gateway looks for one of that id there.
		delete(in, "kernel_id")
		err = s.postKernel(ctx, in, &k)
	}
	return k, err
}

func (s *Server) postKernel(ctx context.Context, in map[string]any, k *Running) error {
	return s.do(ctx, "starting a kernel", http.MethodPost, "/api/kernels", in, k)
}

// StartTime is for how long a server may take to start a kernel that it was asked for.
const StartTime = 90 * time.Second
