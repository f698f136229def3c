// Package pyenv finds Python environments, activates them without a shell, asks
// their Python about itself and lists what there is ([Finder]). Of the wings below
// it, package packaging reads versions and requirements, host is the machine and
// starts programs, conda knows where conda keeps things; above it, install installs
// and provision sees to a kernel. It must not change an environment, and it knows
// nothing of kernels or MCP: it answers which python to start, with which variables.
package pyenv
