package zmq

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

var record = flag.Bool("record", false, "rewrite testdata/wire from the kernels that run")

// TestMain says at the end how many tests were left out.
func TestMain(m *testing.M) { os.Exit(testneeds.Run(m)) }

// kernel is a real ipykernel with its channels open.
type kernel struct {
	t        *testing.T
	cmd      *exec.Cmd
	info     jupyter.ConnectionInfo
	codec    *jupyter.Codec
	channels map[jupyter.Channel]*Conn
	wire     []wireMessage
}

// wireMessage is a message as testdata/wire keeps it; frames are base64 in JSON.
type wireMessage struct {
	Channel jupyter.Channel `json:"channel"`
	Frames  [][]byte        `json:"frames"`
}

// eachPython runs test on a kernel of the newest ipykernel, or of each in turn, see
// testneeds.Kernels.
func eachPython(t *testing.T, test func(t *testing.T, python string)) {
	t.Helper()
	for _, python := range testneeds.Kernels(t) {
		out, err := exec.Command(python, "-c", "import ipykernel; print(ipykernel.__version__)").Output()
		if err != nil {
			t.Fatalf("asking %s for ipykernel: %v", python, err)
		}
		t.Run(strings.TrimSpace(string(out)), func(t *testing.T) { test(t, python) })
	}
}

// startProcess starts a kernel on unix sockets; dialing is the caller's.
func startProcess(t *testing.T, python string) *kernel {
	t.Helper()
	dir := shortDir(t)
	k := &kernel{t: t, info: jupyter.NewIPCInfo(filepath.Join(dir, "k")), channels: map[jupyter.Channel]*Conn{}}
	file := filepath.Join(dir, "f.json")
	if err := jupyter.WriteConnectionFile(file, k.info); err != nil {
		t.Fatal(err)
	}
	k.codec = jupyter.NewCodec([]byte(k.info.Key), testSession, "test")
	k.cmd = exec.Command(python, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", file, "--HistoryManager.hist_file=:memory:")
	k.cmd.Env = append(os.Environ(), "IPYTHONDIR="+filepath.Join(dir, "i"))
	k.cmd.Dir = dir
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.kill)
	return k
}

func (k *kernel) kill() {
	k.cmd.Process.Kill()
	k.cmd.Wait()
}

// testSession is the session in our messages' headers, and our identity.
const testSession = "test-session"

// open dials every channel.
func (k *kernel) open() {
	k.t.Helper()
	for _, ch := range []jupyter.Channel{jupyter.IOPub, jupyter.Shell, jupyter.Control, jupyter.Stdin, jupyter.Heartbeat} {
		network, address := k.info.Address(ch)
		o := Options{Network: network, Address: address, Identity: testSession}
		if ch == jupyter.IOPub {
			o.Type = Sub
		}
		c, err := Dial(within(k.t, 60*time.Second), o)
		if err != nil {
			k.t.Fatal(err)
		}
		k.t.Cleanup(func() { c.Close() })
		k.channels[ch] = c
	}
}

// startKernel starts a kernel and waits until iopub is known to arrive.
func startKernel(t *testing.T, python string) *kernel {
	t.Helper()
	k := startProcess(t, python)
	k.open()
	// A subscription may take effect after the first idle: ask until one comes.
	first := make(chan struct{})
	go func() {
		defer close(first)
		k.channels[jupyter.IOPub].Recv()
	}()
	ctx := within(t, 60*time.Second)
	for {
		k.request(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
		select {
		case <-first:
			k.drain()
			return k
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("nothing on iopub")
		}
	}
}

// drain asks once more and reads both channels up to the answers.
func (k *kernel) drain() {
	id := k.request(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
	k.reply(jupyter.Shell, id)
	k.untilIdle(id)
}

func (k *kernel) request(ch jupyter.Channel, msgType string, content any) (id string) {
	k.t.Helper()
	m, err := k.codec.NewMessage(ch, msgType, content)
	if err != nil {
		k.t.Fatal(err)
	}
	frames, err := k.codec.Encode(m)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.channels[ch].Send(frames); err != nil {
		k.t.Fatal(err)
	}
	return m.Header.MsgID
}

func (k *kernel) recv(ch jupyter.Channel) *jupyter.Message {
	k.t.Helper()
	frames, err := k.channels[ch].Recv()
	if err != nil {
		k.t.Fatal(err)
	}
	m, err := k.codec.Decode(frames)
	if err != nil {
		k.t.Fatal(err)
	}
	k.wire = append(k.wire, wireMessage{ch, frames})
	return m
}

// reply reads until the answer to id.
func (k *kernel) reply(ch jupyter.Channel, id string) *jupyter.Message {
	k.t.Helper()
	for {
		if m := k.recv(ch); m.ParentHeader.MsgID == id {
			return m
		}
	}
}

// untilIdle returns the outputs of id.
func (k *kernel) untilIdle(id string) []jupyter.Output {
	k.t.Helper()
	var outs []jupyter.Output
	for {
		m := k.recv(jupyter.IOPub)
		if m.ParentHeader.MsgID != id {
			continue
		}
		var s jupyter.Status
		if m.Header.MsgType == jupyter.MsgStatus {
			if err := m.DecodeContent(&s); err != nil {
				k.t.Fatal(err)
			}
			if s.ExecutionState == jupyter.StateIdle {
				return outs
			}
		}
		if out, ok := jupyter.OutputFrom(m); ok {
			outs = append(outs, out)
		}
	}
}

func (k *kernel) execute(code string) ([]jupyter.Output, jupyter.ExecuteReply) {
	k.t.Helper()
	id := k.request(jupyter.Shell, jupyter.MsgExecuteRequest, jupyter.ExecuteRequest{Code: code, StoreHistory: true, AllowStdin: true})
	return k.finish(id)
}

func (k *kernel) finish(id string) ([]jupyter.Output, jupyter.ExecuteReply) {
	k.t.Helper()
	outs := k.untilIdle(id)
	var r jupyter.ExecuteReply
	if err := k.reply(jupyter.Shell, id).DecodeContent(&r); err != nil {
		k.t.Fatal(err)
	}
	return outs, r
}

// save writes the messages received so far to testdata/wire.
func (k *kernel) save(version string) {
	k.t.Helper()
	raw, err := json.MarshalIndent(map[string]any{
		"kernel": "ipykernel " + version, "key": k.info.Key, "messages": k.wire,
	}, "", " ")
	if err != nil {
		k.t.Fatal(err)
	}
	path := filepath.Join("..", "..", "testdata", "wire", "ipykernel-"+version+".json")
	if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
		k.t.Fatal(err)
	}
}
