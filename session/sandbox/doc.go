// Package sandbox decides what code may do: the settings of a person ([Rules]) and the
// places where a kernel runs ([Place]) become a plan that package confine enforces. It
// looks at paths and starts nothing. What cannot be kept is an error, never less.
package sandbox
