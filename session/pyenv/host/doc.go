// Package host is the machine as its user set it up, as far as environments depend
// on it: the server's variables without what is denied, the user's directories, and
// locks shared by all servers of a user. Every program that is started in or for an
// environment goes through one function here, [Host.start]; it runs in an empty
// private directory, where no file "imp.py" of the user's shadows the standard
// library. The package must not know what Python is, what an environment is, or why
// a program is started.
package host
