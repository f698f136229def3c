// Package kernelspec finds kernelspecs as Jupyter does: in JUPYTER_PATH, the user's
// data directory, an environment's and the system's. It reads files and starts nothing;
// who chose a kernelspec, and what becomes of it, is not known here.
package kernelspec
