!echo from the shell; echo to stderr >&2
