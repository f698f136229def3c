package jupyter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// delimiter separates the routing frames from the message.
const delimiter = "<IDS|MSG>"

// signedParts is the number of parts a signature covers: header, parent header,
// metadata, content. Buffers are not covered.
const signedParts = 4

// Reasons a message is refused as a whole.
var (
	// ErrDelimiter means that no frame is the delimiter.
	ErrDelimiter = errors.New("no delimiter frame in message")
	// ErrShort means that parts are missing after the delimiter.
	ErrShort = errors.New("message has too few parts")
	// ErrUnsigned means that the signature is empty although there is a key.
	ErrUnsigned = errors.New("message is not signed")
	// ErrSignature means that the signature does not fit the parts.
	ErrSignature = errors.New("message has a wrong signature")
	// ErrHeader means that the header cannot be read or names no message type.
	ErrHeader = errors.New("message has an unreadable header")
	// ErrReplay means that a message with this signature was seen before.
	ErrReplay = errors.New("message was seen before")
)

// Codec turns messages into signed frames and back. It is immutable and safe
// for concurrent use.
type Codec struct {
	key      []byte
	session  string
	username string
}

// NewCodec returns a codec that signs and verifies with key, the bytes of the
// connection file's key string (not decoded from hex). Without a key nothing is
// signed or verified. Session and username go into the headers of our messages.
func NewCodec(key []byte, session, username string) *Codec {
	return &Codec{key: append([]byte(nil), key...), session: session, username: username}
}

// NewMessage makes a message of ours with a new id. A nil content becomes {}.
func (c *Codec) NewMessage(ch Channel, msgType string, content any) (*Message, error) {
	m := &Message{Channel: ch, Header: c.complete(Header{MsgID: NewMsgID(), MsgType: msgType})}
	if content == nil {
		return m, nil
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", msgType, err)
	}
	m.Content = raw
	return m, nil
}

// Session is the one in the headers of our messages.
func (c *Codec) Session() string { return c.session }

// complete fills in what every header of ours says.
func (c *Codec) complete(h Header) Header {
	if h.Session == "" {
		h.Session = c.session
	}
	if h.Username == "" {
		h.Username = c.username
	}
	if h.Version == "" {
		h.Version = ProtocolVersion
	}
	if h.Date == "" {
		h.Date = time.Now().UTC().Format(time.RFC3339Nano)
	}
	return h
}

// Encode returns m's frames, identities first. The header must have an id and a
// type; its other empty fields are filled in. Metadata and Content are sent as
// they are ({} when nil).
func (c *Codec) Encode(m *Message) ([][]byte, error) {
	if m.Header.MsgID == "" || m.Header.MsgType == "" {
		return nil, fmt.Errorf("encoding message: %w", ErrHeader)
	}
	header, err := json.Marshal(c.complete(m.Header))
	if err != nil {
		return nil, fmt.Errorf("encoding header: %w", err)
	}
	parent := []byte("{}")
	if m.ParentHeader != (Header{}) {
		if parent, err = json.Marshal(m.ParentHeader); err != nil {
			return nil, fmt.Errorf("encoding parent header: %w", err)
		}
	}
	parts := [][]byte{header, parent, orObject(m.Metadata), orObject(m.Content)}

	frames := make([][]byte, 0, len(m.Identities)+2+len(parts)+len(m.Buffers))
	frames = append(frames, m.Identities...)
	frames = append(frames, []byte(delimiter), c.signatureFrame(parts))
	frames = append(frames, parts...)
	return append(frames, m.Buffers...), nil
}

func orObject(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return []byte("{}")
	}
	return raw
}

// Decode reads a message from its frames and verifies it. A message that cannot
// be used at all is an error (ErrDelimiter, ErrShort, ErrUnsigned, ErrSignature,
// ErrHeader); a message with one unreadable part is returned with ParentErr or
// ContentErr set. The message shares memory with frames.
func (c *Codec) Decode(frames [][]byte) (*Message, error) {
	identities, signature, parts, err := split(frames)
	if err != nil {
		return nil, err
	}
	digest, err := c.verify(signature, parts[:signedParts])
	if err != nil {
		return nil, err
	}
	m, err := decodeParts(identities, parts)
	if err != nil {
		return nil, err
	}
	m.Signature = digest
	return m, nil
}

// DecodeRefused reads what is left of a message from which the transport took a
// frame that was too large, and sets ContentErr to reason. The signature covers
// bytes that are gone, so it is not verified: use the result only to say to
// whom something was lost.
func (c *Codec) DecodeRefused(frames [][]byte, reason error) (*Message, error) {
	identities, _, parts, err := split(frames)
	if err != nil {
		return nil, err
	}
	m, err := decodeParts(identities, parts)
	if err != nil {
		return nil, err
	}
	m.ContentErr = reason
	return m, nil
}

// split finds the delimiter: how many routing frames precede it differs (a
// topic on iopub, nothing on a DEALER, an empty-topic welcome has none).
func split(frames [][]byte) (identities [][]byte, signature []byte, parts [][]byte, err error) {
	for i, f := range frames {
		if string(f) != delimiter {
			continue
		}
		rest := frames[i+1:]
		if len(rest) < 1+signedParts {
			return nil, nil, nil, fmt.Errorf("%w: %d after the delimiter", ErrShort, len(rest))
		}
		return frames[:i], rest[0], rest[1:], nil
	}
	return nil, nil, nil, ErrDelimiter
}

func decodeParts(identities, parts [][]byte) (*Message, error) {
	m := &Message{Identities: identities, Buffers: parts[signedParts:]}
	if err := decodeHeader(parts[0], &m.Header); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if m.Header.MsgType == "" {
		return nil, fmt.Errorf("%w: no msg_type", ErrHeader)
	}
	if err := decodeHeader(parts[1], &m.ParentHeader); err != nil {
		m.ParentHeader = Header{}
		m.ParentErr = fmt.Errorf("decoding parent header: %w", err)
	}
	m.Metadata = validJSON(parts[2])
	m.Content = parts[3]
	if err := eachMember(m.Content, func(_, _ []byte) bool { return true }); err != nil {
		m.ContentErr = fmt.Errorf("decoding content of %s: %w", clip(m.Header.MsgType), err)
	}
	return m, nil
}

// maxHeader bounds a header, in bytes: headers are kept, and compared, as long
// as a run is.
const maxHeader = 64 << 10

func decodeHeader(raw []byte, h *Header) error {
	if len(raw) > maxHeader {
		return fmt.Errorf("%d bytes, more than %d", len(raw), maxHeader)
	}
	return decodeObject(raw, h)
}

// clip keeps a name that came from outside short enough for a sentence.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

func (c *Codec) digest(parts [][]byte) []byte {
	mac := hmac.New(sha256.New, c.key)
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}

func (c *Codec) signatureFrame(parts [][]byte) []byte {
	if len(c.key) == 0 {
		return []byte{}
	}
	return []byte(hex.EncodeToString(c.digest(parts)))
}

// verify returns the digest, nil without a key. It compares in constant time.
func (c *Codec) verify(signature []byte, parts [][]byte) ([]byte, error) {
	if len(c.key) == 0 {
		return nil, nil
	}
	if len(signature) == 0 {
		return nil, ErrUnsigned
	}
	if len(signature) != hex.EncodedLen(sha256.Size) {
		return nil, ErrSignature
	}
	got := make([]byte, sha256.Size)
	if _, err := hex.Decode(got, signature); err != nil {
		return nil, ErrSignature
	}
	if !hmac.Equal(got, c.digest(parts)) {
		return nil, ErrSignature
	}
	return got, nil
}

// replayLimit is how many signatures a Replay remembers (about 1 MB).
const replayLimit = 16384

// Replay recognizes messages that come a second time, among the last 16,384 of
// one channel. The zero value is ready to use, by one goroutine.
type Replay struct {
	seen map[[16]byte]struct{}
	ring [][16]byte // in order of arrival, once full the oldest is at next
	next int
}

// Check returns ErrReplay if a message with m's signature was checked before.
// Call it with verified messages only, else anybody could fill the memory of
// it; a message without signature always passes.
func (r *Replay) Check(m *Message) error {
	if len(m.Signature) != sha256.Size {
		return nil
	}
	id := [16]byte(m.Signature[:16]) // 128 bits tell messages apart well enough
	if _, ok := r.seen[id]; ok {
		return ErrReplay
	}
	if r.seen == nil {
		r.seen = make(map[[16]byte]struct{})
	}
	if len(r.ring) < replayLimit {
		r.ring = append(r.ring, id)
	} else {
		delete(r.seen, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % replayLimit
	}
	r.seen[id] = struct{}{}
	return nil
}
