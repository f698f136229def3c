package zmq

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func TestKernel(t *testing.T) {
	eachPython(t, func(t *testing.T, python string) {
		k := startKernel(t, python)
		k.wire = nil
		k.checkInfo()
		k.checkResult()
		k.checkKinds()
		k.checkInput()
		if *record {
			k.save(filepath.Base(t.Name()))
		}
		k.checkHeartbeat()
		k.checkLargePrint()
		k.checkRefusal()
		k.checkDeath()
	})
}

func (k *kernel) checkInfo() {
	k.t.Helper()
	var info jupyter.KernelInfoReply
	id := k.request(jupyter.Control, jupyter.MsgKernelInfoRequest, nil)
	if err := k.reply(jupyter.Control, id).DecodeContent(&info); err != nil {
		k.t.Fatal(err)
	}
	if info.Implementation != "ipython" || info.ImplementationVersion == "" || info.LanguageInfo.Name != "python" || info.LanguageInfo.Version == "" || info.ProtocolVersion == "" {
		k.t.Errorf("kernel_info_reply = %+v", info)
	}
	k.untilIdle(id)
}

func (k *kernel) checkResult() {
	k.t.Helper()
	outs, reply := k.execute("1+1")
	if len(outs) != 1 || outs[0].Type != jupyter.OutputExecuteResult || string(outs[0].Data["text/plain"].Inline) != "2" || outs[0].ExecutionCount != reply.ExecutionCount {
		k.t.Errorf("1+1 gives %+v", outs)
	}
	if reply.Status != jupyter.StatusOK || outs[0].Time.IsZero() {
		k.t.Errorf("1+1 is answered by %+v at %v", reply, outs[0].Time)
	}
}

// checkKinds has one of each kind of message, also for testdata/wire.
func (k *kernel) checkKinds() {
	k.t.Helper()
	outs, reply := k.execute(`from IPython.display import display, clear_output
print("text \u00e9 \U0001f600")
h = display({"text/plain": "one", "application/json": {"a": [1, 2]}}, raw=True, display_id="d1")
display({"image/png": b"\x89PNG\r\n\x1a\n" + bytes(60)}, raw=True)
clear_output(wait=True)
h.update({"text/plain": "two"}, raw=True)
1/0`)
	kinds := map[jupyter.OutputType]jupyter.Output{}
	var stdout string
	for _, o := range outs {
		kinds[o.Type] = o
		if o.Name == "stdout" {
			stdout += string(o.Text.Inline)
		}
	}
	if stdout != "text \u00e9 \U0001f600\n" {
		k.t.Errorf("stdout = %q", stdout)
	}
	png := kinds[jupyter.OutputDisplayData]
	if len(png.Undecoded) > 0 || png.Data["image/png"].Size != 68 {
		k.t.Errorf("png = %+v", png)
	}
	if u := kinds[jupyter.OutputUpdateDisplay]; u.DisplayID != "d1" || string(u.Data["text/plain"].Inline) != "two" {
		k.t.Errorf("update = %+v", u)
	}
	if !kinds[jupyter.OutputClear].Wait {
		k.t.Error("no clear_output with wait")
	}
	if e := kinds[jupyter.OutputError]; e.Ename != "ZeroDivisionError" || !strings.Contains(string(e.Text.Inline), "\n") {
		k.t.Errorf("error = %+v", e)
	}
	if reply.Status != jupyter.StatusError || reply.Ename != "ZeroDivisionError" || len(reply.Traceback) == 0 {
		k.t.Errorf("reply = %+v", reply)
	}
	_, reply = k.execute("len?")
	if p := jupyter.PayloadOutputs(reply); len(p) != 1 || p[0].Type != jupyter.OutputPage || !strings.Contains(string(p[0].Text.Inline), "len") {
		k.t.Errorf("len? gives %+v", p)
	}
}

// checkInput: the question reaches stdin because it has the shell's identity.
func (k *kernel) checkInput() {
	k.t.Helper()
	id := k.request(jupyter.Shell, jupyter.MsgExecuteRequest, jupyter.ExecuteRequest{Code: "input('name? ') * 2", AllowStdin: true})
	question, ok := jupyter.OutputFrom(k.reply(jupyter.Stdin, id))
	if !ok || question.Prompt != "name? " || question.Password {
		k.t.Errorf("question = %+v, %v", question, ok)
	}
	k.request(jupyter.Stdin, jupyter.MsgInputReply, jupyter.InputReply{Value: "ab"})
	outs, _ := k.finish(id)
	if len(outs) != 1 || string(outs[0].Data["text/plain"].Inline) != "'abab'" {
		k.t.Errorf("input gives %+v", outs)
	}
}

func (k *kernel) checkHeartbeat() {
	k.t.Helper()
	c := k.channels[jupyter.Heartbeat]
	if err := c.Send([][]byte{{}, []byte("beat")}); err != nil {
		k.t.Fatal(err)
	}
	if m, err := c.Recv(); err != nil || !equal(m, [][]byte{{}, []byte("beat")}) {
		k.t.Errorf("heartbeat = %q, %v", m, err)
	}
}

func (k *kernel) checkLargePrint() {
	k.t.Helper()
	const size = 100_000_000
	start := time.Now()
	outs, _ := k.execute("print('x' * 100_000_000)")
	var total int64
	for _, o := range outs {
		total += o.Text.Size
	}
	if total != size+1 {
		k.t.Errorf("%d bytes printed, want %d", total, size+1)
	}
	k.t.Logf("100 MB print: %v in %d messages", time.Since(start), len(outs))
}

// checkRefusal: a display above the limit is named, its idle and reply come.
func (k *kernel) checkRefusal() {
	k.t.Helper()
	const limit = 1 << 20
	w := k.channels[jupyter.IOPub].wire
	w.limit = limit
	defer func() { w.limit = DefaultFrameLimit }()
	id := k.request(jupyter.Shell, jupyter.MsgExecuteRequest, jupyter.ExecuteRequest{Code: "print('x' * 20_000_000)"})
	var refused *jupyter.Message
	for refused == nil {
		frames, err := k.channels[jupyter.IOPub].Recv()
		if frames == nil {
			k.t.Fatal(err)
		}
		if err == nil {
			continue
		}
		if refused, err = k.codec.DecodeRefused(frames, err); err != nil {
			k.t.Fatal(err)
		}
	}
	if refused.ParentHeader.MsgID != id || refused.Header.MsgType != jupyter.MsgStream {
		k.t.Errorf("refused a %s of %q", refused.Header.MsgType, refused.ParentHeader.MsgID)
	}
	if _, reply := k.finish(id); reply.Status != jupyter.StatusOK {
		k.t.Errorf("reply = %+v", reply)
	}
}

func (k *kernel) checkDeath() {
	k.t.Helper()
	errs := make(chan error)
	for _, c := range k.channels {
		go func() { _, err := c.Recv(); errs <- err }()
	}
	start := time.Now()
	k.cmd.Process.Kill()
	for range k.channels {
		if err := <-errs; err == nil {
			k.t.Error("a message from a dead kernel")
		}
	}
	took := time.Since(start)
	if took > 10*time.Second {
		k.t.Errorf("death noticed after %v", took)
	}
	k.t.Logf("death noticed after %v", took)
	for ch, c := range k.channels {
		if err := c.Send([][]byte{{1}}); err == nil {
			k.t.Errorf("%s: sent to a dead kernel", ch)
		}
	}
}

// TestCycles: opening and closing leaves nothing behind.
func TestCycles(t *testing.T) {
	eachPython(t, func(t *testing.T, python string) {
		k := startKernel(t, python)
		cycle := func() {
			done := make(chan struct{})
			var conns []*Conn
			for _, ch := range []jupyter.Channel{jupyter.IOPub, jupyter.Shell, jupyter.Control, jupyter.Stdin} {
				network, address := k.info.Address(ch)
				o := Options{Network: network, Address: address, Identity: jupyter.NewMsgID()}
				if ch == jupyter.IOPub {
					o.Type = Sub
				}
				c, err := Dial(within(t, 20*time.Second), o)
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
				go func() {
					for {
						if _, err := c.Recv(); err != nil {
							done <- struct{}{}
							return
						}
					}
				}()
			}
			for _, c := range conns {
				c.Close()
				<-done
			}
		}
		cycle()
		goroutines, files := runtime.NumGoroutine(), openFiles(t)
		for range 50 {
			cycle()
		}
		if now := runtime.NumGoroutine(); now > goroutines+4 {
			t.Errorf("%d goroutines, %d before", now, goroutines)
		}
		if now := openFiles(t); now > files {
			t.Errorf("%d open files, %d before", now, files)
		}
	})
}

// openFiles counts this process's descriptors where the system shows them.
func openFiles(t *testing.T) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
