package jupyter

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"
)

// ProtocolVersion is the version of the messaging protocol we speak.
const ProtocolVersion = "5.3"

// Channel is one of a kernel's sockets.
type Channel string

// A kernel's channels.
const (
	Shell     Channel = "shell"
	IOPub     Channel = "iopub"
	Stdin     Channel = "stdin"
	Control   Channel = "control"
	Heartbeat Channel = "hb"
)

// Message types, as in Header.MsgType.
const (
	MsgExecuteRequest    = "execute_request"
	MsgExecuteReply      = "execute_reply"
	MsgKernelInfoRequest = "kernel_info_request"
	MsgKernelInfoReply   = "kernel_info_reply"
	MsgInterruptRequest  = "interrupt_request"
	MsgInterruptReply    = "interrupt_reply"
	MsgShutdownRequest   = "shutdown_request"
	MsgShutdownReply     = "shutdown_reply"
	MsgInputRequest      = "input_request"
	MsgInputReply        = "input_reply"

	MsgCreateSubshellRequest = "create_subshell_request"
	MsgCreateSubshellReply   = "create_subshell_reply"
	MsgDeleteSubshellRequest = "delete_subshell_request"
	MsgDeleteSubshellReply   = "delete_subshell_reply"

	MsgStatus            = "status"
	MsgExecuteInput      = "execute_input"
	MsgStream            = "stream"
	MsgDisplayData       = "display_data"
	MsgUpdateDisplayData = "update_display_data"
	MsgExecuteResult     = "execute_result"
	MsgError             = "error"
	MsgClearOutput       = "clear_output"
	MsgIOPubWelcome      = "iopub_welcome"

	MsgCommOpen  = "comm_open"
	MsgCommMsg   = "comm_msg"
	MsgCommClose = "comm_close"
)

// Header is a message's header. As a parent header it may be zero: output that
// belongs to no request.
type Header struct {
	MsgID    string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	// Date is ISO 8601 as sent; some kernels leave it out.
	Date    string `json:"date"`
	MsgType string `json:"msg_type"`
	Version string `json:"version"`
	// SubshellID addresses a subshell of the kernel (JEP 91); empty is the main shell.
	SubshellID string `json:"subshell_id,omitempty"`
}

// Time is the header's date, or the zero time when it cannot be read.
func (h Header) Time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, h.Date)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Message is one message of the protocol, between the wire and a content type.
type Message struct {
	// Identities are the frames before the delimiter: routing ids, or iopub's topic.
	Identities   [][]byte
	Header       Header
	ParentHeader Header
	// Metadata is a JSON object, or nil when it was absent or unreadable.
	Metadata json.RawMessage
	// Content is what was sent, which need not be JSON that encoding/json
	// accepts; read it with DecodeContent or OutputFrom.
	Content json.RawMessage
	Buffers [][]byte
	// Channel is where the message came from or goes to; it is not on the wire.
	Channel Channel

	// Signature is the verified HMAC digest of a decoded message; nil when the
	// codec has no key or the message was not verified.
	Signature []byte
	// ParentErr and ContentErr say why that part of a decoded message could not
	// be read; the other parts hold.
	ParentErr, ContentErr error
}

// DecodeContent reads the content into v, a pointer to one of this package's
// content types. Missing, null and mistyped members are left alone: an error
// means that the content as a whole is no JSON object.
func (m *Message) DecodeContent(v any) error {
	if m.ContentErr != nil {
		return m.ContentErr
	}
	return decodeObject(m.Content, v)
}

// NewMsgID returns an id that is unique for all practical purposes (128 random bits).
func NewMsgID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program first
	return hex.EncodeToString(b[:])
}
