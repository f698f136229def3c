// Package share is what a kernel needs that several clients use: whose turn it is, and
// the files by which other clients find it. It knows no kernel and no session.
package share
