// Package render turns what code put out into text and images that a model can
// read, within a budget ([Outputs]). It is pure: it reads values and the files
// they lie in, and keeps nothing between two calls.
//
// It must not know who asks: no client, no session, no protocol. So an export or
// a viewer can use it as answers do.
package render
