// Package kerneltest plays a Jupyter kernel in memory: a well-behaved one, and
// on demand one that does each thing a real kernel does only once in a while.
//
// [New] gives a kernel whose four channels and whose process a client can hold.
// Code is what steers it: the code of an execute_request that is the name of a
// [Cell] plays that cell, any other is echoed to stdout. How the start goes is
// said by the [Start] given to New. Time is real time, or that of the
// testing/synctest bubble New is called in.
//
// # Well-behaved cells
//
//	loop                      prints "in", runs until interrupted, replies KeyboardInterrupt
//	ask                       asks "name? " when input is allowed, prints the answer
//	exit                      replies with ask_exit, is gone 300 ms later with exit code 0
//	anything else             is printed
//
// # Misbehaving cells
//
//	name                      what the kernel does                      what the client must make of it
//	reply without idle        the idle is lost                          ends, ok, output lost is said
//	idle without reply        the reply is never sent                   ends, error, no reply is said
//	neither                   neither, and goes on to the next request  runs until interrupted or killed
//	duplicated                every message comes twice                 each counts once
//	reordered                 reply, idle, then the output              ok, late output kept
//	two idles                 the idle comes twice                      ok, the second says nothing
//	reply first               the reply overtakes the output              ok
//	early idle                an idle 5 s before the end (a forked      still runs until the reply,
//	                          child fell out of the cell)               its last output is in time
//	foreign idle              idle and reply of other requests come     ends with its own only
//	                          1 s before its own
//	bad signature             output and reply with a wrong signature   dropped: no reply is said
//	unsigned                  output, idle and reply without signature  dropped; the true ones count
//	undecodable               output whose content, header or frames    a notice or nothing; the rest counts
//	                          are no message
//	undecodable reply         the reply's content is not JSON           error, no reply is said
//	undecodable idle          the status' content is not JSON           ok, output lost is said
//	deep JSON                 a display of 12,000 levels                kept, ok
//	giant output              an output above the frame limit           a notice in its place, ok
//	giant reply               the reply is above the frame limit        a notice, error, no reply is said
//	silence                   stops for ever, deaf to interrupts        runs until killed
//	slow drip                 reply, then 20 outputs 250 ms apart       ok, nothing lost
//	slower drip               reply, then outputs 400 ms apart          ok, nothing lost
//	death in cell             dies of signal 11 while it runs           died, the output is kept
//	death after reply         dies between reply and idle               died, the output is kept
//	death after idle          dies between idle and reply               died
//	ask uninvited             input_request though not allowed          can be answered all the same
//	NaN                       NaN and Infinity in a display             kept, as null
//	buffers                   comm and display with binary buffers      buffers are no trouble
//	aborted                   replies "aborted"                         error: it was not run
//	no date                   headers without a date                    time of arrival is taken
//	unknown type              messages of types nobody knows            ignored
//	other version             headers of protocol version 9.9           taken as they are
//	error in reply            an error only in the reply                error, and the record has it
//	error on iopub            an error only on iopub                    error
//	output widget             an Output widget takes a clear_output and    ok: they are the widget's
//	                          an error for itself
//	late output               prints 1 s after its idle                 kept with its execution
//	stubborn                  needs two interrupts                      interrupted
//	exit that stays           replies with ask_exit and stays           exited: killed after a while
//	shell lost                the shell connection ends, not the        died: killed after 2 s
//	                          process
//	iopub lost                the iopub connection ends, not the        died: killed after 2 s
//	                          process
//
// # Misbehaving starts
//
//	name                      what the kernel does                      what the client must make of it
//	no welcome                sends no iopub_welcome (well-behaved)     starts
//	welcome                   sends one (well-behaved)                  starts
//	welcome late              sends it after the first reply            starts
//	welcome twice             sends two                                 starts
//	subscription late         the first three idles reach nobody        asks again, starts
//	slow start                answers after 20 s                        starts, does not ask twice
//	silent start              never answers                             the time limit
//	no idle                   answers on shell only                     the time limit
//	no reply                  answers on iopub only                     the time limit
//	undecodable info          the kernel_info_reply is not JSON         starts, knows nothing of it
//	wrong protocol            says that it speaks protocol 9.9          starts, says so in Info
//	death at connect          is gone before the first request          ErrDead at once
//	death at request          dies of the first request                 ErrDead at once
//	death after busy          dies before it replies                    ErrDead at once
//	death after start reply   dies between reply and idle               ErrDead at once
//	death after start idle    dies between idle and reply               ErrDead at once
package kerneltest
