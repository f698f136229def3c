// Package provision sees to it that a kernel can be started: with the ipykernel an
// environment has, by installing one into it, or by a directory beside it (a
// sidecar); and it makes the managed environment, the default. It decides which of
// these is allowed and what is ours to remove. It must not know how environments are
// found or how an installer is called.
package provision
