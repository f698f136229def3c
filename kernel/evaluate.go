package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// evaluatePatience is how long an expression may take before the kernel counts
// as busy. An answer takes 5 to 60 ms, beside a running cell too.
const evaluatePatience = 2 * time.Second

// EvaluateError is an exception of an evaluated expression.
type EvaluateError struct{ Ename, Evalue string }

func (e *EvaluateError) Error() string { return e.Ename + ": " + e.Evalue }

// Evaluate evaluates a Python expression in the user's namespace and returns the
// JSON its value shows as (_repr_json_). It leaves `_`, Out, In and the history
// alone. While a cell runs it needs a subshell (JEP 91, ipykernel 7); without
// one, or with no answer within 2 s, it returns ErrBusy.
func (k *Kernel) Evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, evaluatePatience, ErrBusy)
	defer cancel()
	subshell, err := k.subshell(ctx)
	if err != nil {
		return nil, err
	}
	if k.others != nil && subshell == "" {
		if ids, _ := k.others.Turn(); len(ids) > 0 {
			return nil, ErrBusy
		}
	}
	if subshell == "" && k.Current() != nil {
		return nil, ErrBusy
	}
	const name = "value"
	msg, err := k.codec.NewMessage(jupyter.Shell, jupyter.MsgExecuteRequest, jupyter.ExecuteRequest{
		Silent:          true,
		UserExpressions: map[string]string{name: expression},
	})
	if err != nil {
		return nil, err
	}
	msg.Header.SubshellID = subshell
	answer, err := k.exchange(ctx, msg)
	if err != nil {
		return nil, err
	}
	var reply jupyter.ExecuteReply
	if err := answer.DecodeContent(&reply); err != nil {
		return nil, err
	}
	return expressionValue(reply.UserExpressions[name])
}

// expressionValue takes the JSON out of one user expression's reply.
func expressionValue(raw json.RawMessage) (json.RawMessage, error) {
	var value struct {
		Status        string
		Ename, Evalue string
		Data          map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, fmt.Errorf("reading the value: %w", err)
	}
	if value.Status != jupyter.StatusOK {
		return nil, &EvaluateError{Ename: value.Ename, Evalue: value.Evalue}
	}
	data, ok := value.Data["application/json"]
	if !ok {
		return nil, errors.New("the value has no JSON")
	}
	return data, nil
}

// exchange sends a request and returns its reply.
func (k *Kernel) exchange(ctx context.Context, msg *jupyter.Message) (*jupyter.Message, error) {
	w, forget, err := k.sendAndWait(msg)
	if err != nil {
		return nil, err
	}
	defer forget()
	select {
	case answer := <-w.reply:
		return answer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-k.gone:
		return nil, ErrDead
	}
}

// subshell returns the id of a subshell for our own questions, made at the first
// one, or "" when the kernel has none: ipykernel 6 does not answer the request
// at all, so it is asked only of a kernel that offers them.
func (k *Kernel) subshell(ctx context.Context) (string, error) {
	if k.shared() || !slices.Contains(k.info.Features, "kernel subshells") {
		return "", nil
	}
	k.subshellMu.Lock()
	defer k.subshellMu.Unlock()
	if k.subshellID != "" {
		return k.subshellID, nil
	}
	msg, err := k.codec.NewMessage(jupyter.Control, jupyter.MsgCreateSubshellRequest, nil)
	if err != nil {
		return "", err
	}
	answer, err := k.exchange(ctx, msg)
	if err != nil {
		return "", err
	}
	var reply struct {
		Status     string `json:"status"`
		SubshellID string `json:"subshell_id"`
	}
	if err := answer.DecodeContent(&reply); err != nil || reply.SubshellID == "" {
		return "", fmt.Errorf("making a subshell: status %q, %w", reply.Status, err)
	}
	k.subshellID = reply.SubshellID
	return k.subshellID, nil
}
