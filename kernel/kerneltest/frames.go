package kerneltest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// sign signs the four parts of a message.
func sign(parts [][]byte) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	for _, p := range parts {
		mac.Write(p)
	}
	return []byte(hex.EncodeToString(mac.Sum(nil)))
}

// signature replaces the signature.
func signature(s string) func([][]byte) [][]byte {
	return func(frames [][]byte) [][]byte {
		frames[len(frames)-5] = []byte(s)
		return frames
	}
}

// twice delivers the same frames two times.
func (k *Kernel) twice(msg *jupyter.Message) {
	frames, err := k.codec.Encode(msg)
	if err != nil {
		panic(err) // a mistake of this package
	}
	k.ends[msg.Channel].Send(frames)
	k.ends[msg.Channel].Send(frames)
}

// without delivers a message whose header lacks a member.
func (k *Kernel) without(msg *jupyter.Message, member string) {
	frames, err := k.codec.Encode(msg)
	if err != nil {
		panic(err) // a mistake of this package
	}
	parts := frames[len(frames)-5:]
	var header map[string]any
	if err := json.Unmarshal(parts[1], &header); err != nil {
		panic(err)
	}
	delete(header, member)
	parts[1], _ = json.Marshal(header)
	parts[0] = sign(parts[1:])
	k.ends[msg.Channel].Send(frames)
}
