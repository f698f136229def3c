package jupyter

import "encoding/json"

// Values of a reply's status.
const (
	StatusOK      = "ok"
	StatusError   = "error"
	StatusAborted = "aborted"
	// StatusAbort is what bash_kernel says of an interrupted run.
	StatusAbort = "abort"
)

// ExecutionState is what a kernel says about itself on iopub.
type ExecutionState string

// States a kernel announces; others are kept as sent.
const (
	StateBusy     ExecutionState = "busy"
	StateIdle     ExecutionState = "idle"
	StateStarting ExecutionState = "starting"
)

// ExecuteRequest asks to run code.
type ExecuteRequest struct {
	Code            string            `json:"code"`
	Silent          bool              `json:"silent"`
	StoreHistory    bool              `json:"store_history"`
	UserExpressions map[string]string `json:"user_expressions"`
	AllowStdin      bool              `json:"allow_stdin"`
	StopOnError     bool              `json:"stop_on_error"`
}

// MarshalJSON writes no user expressions as {}: kernels iterate over it.
func (r ExecuteRequest) MarshalJSON() ([]byte, error) {
	type plain ExecuteRequest
	if r.UserExpressions == nil {
		r.UserExpressions = map[string]string{}
	}
	return json.Marshal(plain(r))
}

// ExecuteReply says how a run ended.
type ExecuteReply struct {
	// Status is StatusOK, StatusError or StatusAborted (nothing ran); empty
	// when the kernel left it out.
	Status         string `json:"status"`
	ExecutionCount int    `json:"execution_count"`
	// Payload holds at most 10,000 entries, see PayloadOutputs and AskExit.
	Payload         []json.RawMessage          `json:"payload,omitempty"`
	UserExpressions map[string]json.RawMessage `json:"user_expressions,omitempty"`
	Ename           string                     `json:"ename,omitempty"`
	Evalue          string                     `json:"evalue,omitempty"`
	Traceback       []string                   `json:"traceback,omitempty"`
}

// LanguageInfo describes the kernel's language.
type LanguageInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// KernelInfoReply describes the kernel.
type KernelInfoReply struct {
	Status                string       `json:"status"`
	ProtocolVersion       string       `json:"protocol_version"`
	Implementation        string       `json:"implementation"`
	ImplementationVersion string       `json:"implementation_version"`
	LanguageInfo          LanguageInfo `json:"language_info"`
	Banner                string       `json:"banner"`
	// SupportedFeatures names optional abilities, such as "kernel subshells".
	SupportedFeatures []string `json:"supported_features,omitempty"`
}

// Status is the kernel's state, on iopub.
type Status struct {
	ExecutionState ExecutionState `json:"execution_state"`
}

// ExecuteInput repeats on iopub what is being run.
type ExecuteInput struct {
	Code           string `json:"code"`
	ExecutionCount int    `json:"execution_count"`
}

// Stream is text written to stdout or stderr.
type Stream struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Transient is what goes with a display but is not part of it.
type Transient struct {
	DisplayID string `json:"display_id,omitempty"`
}

// DisplayData is something displayed: one thing in several MIME types.
type DisplayData struct {
	Data      map[string]json.RawMessage `json:"data"`
	Metadata  json.RawMessage            `json:"metadata,omitempty"`
	Transient Transient                  `json:"transient"`
}

// UpdateDisplayData replaces what was displayed with the same display id.
type UpdateDisplayData = DisplayData

// ExecuteResult is the value of a run's last expression.
type ExecuteResult struct {
	ExecutionCount int                        `json:"execution_count"`
	Data           map[string]json.RawMessage `json:"data"`
	Metadata       json.RawMessage            `json:"metadata,omitempty"`
	Transient      Transient                  `json:"transient"`
}

// Error is an exception that ended a run, as announced on iopub.
type Error struct {
	Ename     string   `json:"ename"`
	Evalue    string   `json:"evalue"`
	Traceback []string `json:"traceback"`
}

// ClearOutput asks to remove what is shown, with Wait when the next output comes.
type ClearOutput struct {
	Wait bool `json:"wait"`
}

// InputRequest is a question of running code, on stdin.
type InputRequest struct {
	Prompt   string `json:"prompt"`
	Password bool   `json:"password"`
}

// InputReply answers an InputRequest; the value "\x04" means end of file.
type InputReply struct {
	Value string `json:"value"`
}

// ShutdownRequest asks the kernel to end.
type ShutdownRequest struct {
	Restart bool `json:"restart"`
}

// ShutdownReply answers a ShutdownRequest, before the kernel ends.
type ShutdownReply struct {
	Status  string `json:"status"`
	Restart bool   `json:"restart"`
}
