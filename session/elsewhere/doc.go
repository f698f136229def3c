// Package elsewhere knows the Jupyter servers that a person has named in the
// settings, which of their kernels a session is to have, and the Python that asks
// such a kernel about its packages. No address and no token comes from a model: it
// can only name a server.
package elsewhere
