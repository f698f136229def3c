// Package session decides policy: which environment a session's kernel runs in,
// when a kernel is started, what runs next, and what is told of what happened.
//
// A [Session] is a name. It owns one environment, at most one kernel, and a
// FIFO of executions; its generation grows each time its kernel is a new
// process, for then its variables are gone. An [Execution] is one thing asked
// for, with an id that outlives the call which asked: waiting for it ends with
// the waiter's context, the execution goes on.
//
// Nothing here words answers: a [Report] is plain data, and errors are typed.
package session
