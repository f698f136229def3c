// Package arguments decodes the arguments of a tool call, which models and clients send
// in many forms, and words what is wrong with them for a model.
//
// It knows JSON values, and the names that models and hosts use for ours. It knows no
// tool, no session and no protocol.
package arguments
