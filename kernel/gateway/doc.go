// Package gateway speaks to kernels behind a Jupyter Server: JupyterLab's own,
// JupyterHub's, an Enterprise or Kernel Gateway. It knows their REST interface and
// their websocket in both forms, v1.kernel.websocket.jupyter.org and the older one,
// and hands messages on as frames, as kernel/zmq does. It knows no session, no
// environment, and stores nothing.
//
// A token is sent to one scheme, host and port, the server's own; it is in no error
// and in no log.
package gateway
