// Package limits bounds what the processes of one kernel may take: memory,
// processors, processes, the size of a file. With no limit set nothing of it runs.
//
// What holds a limit differs by system. Where the server has a cgroup v2 of its own
// to divide ([Delegated]), memory and processor time are held by that. Everywhere
// on Linux a process gets RLIMIT_DATA, so that Python raises MemoryError before
// anything has to be ended, and RLIMIT_FSIZE; the guard looks at the tree of
// processes ([Watch]) for what no resource limit of the system covers.
//
// It knows processes and files of /proc and cgroups. It must not know kernels'
// protocols, sessions or settings; the guard and the kernel use it.
package limits
