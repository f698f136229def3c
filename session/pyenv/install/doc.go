// Package install installs packages into an environment: by uv, pip or a program of
// conda, with the user's own index, one installation at a time for each environment,
// also among servers. It tells what changed and why something failed. It must not
// find or choose environments, and it knows nothing of kernels.
package install
