// Package kernel runs one ipykernel process and speaks the Jupyter messaging
// protocol with it.
//
// [Start] launches the environment's python under a guard process, connects
// the channels and waits until the kernel has proved that it answers. A
// [Kernel] is one process: there is no restart, a new process is a new Kernel,
// and whoever holds one is told by [Kernel.Done] that its variables are gone.
//
// [Kernel.Begin] sends one execute_request and returns its [Execution], which
// [Execution.Finish] sees to its end. What it prints and shows is appended to the
// kernel's record as it arrives; an Execution holds positions in that record
// and no output, so memory stays flat whatever is printed.
//
// The package knows mechanism only: it keeps no queue (one execution at a time
// is the caller's affair), chooses no environment and words nothing for people.
//
// # Concurrency
//
// All methods may be called from any goroutine. The goroutines of a Kernel are
// listed in its doc.
package kernel
