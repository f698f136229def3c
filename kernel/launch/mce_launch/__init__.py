"""What mcp-code-executor runs inside a kernel. It works on ipykernel 6.17 to
7.x and Python 3.8 and later. What cannot be changed for one version is
reported and left as ipykernel has it; the kernel starts all the same.

A module has one subject, and offers functions that start.py calls as steps.
At its top a module imports only os, signal, sys and its siblings: whatever else
is imported before hide_cwd() could come from the working directory.

User code can see these modules in sys.modules, under this package's name, and
nothing else: no name of ours is in its namespace, no directory on its sys.path.
"""
