// Package memory says what the memory of a Node.js process is made of and what
// limits it: its control group, what the kernel has of it in memory, V8's heaps,
// what V8 knows of outside them, and the options that set the limits. It says
// which of that is the trouble, and what to change.
//
// The types to know are [Facts], all that was read of one process, [Account],
// where its resident memory goes, and [Finding], a rule that applies with the
// number that made it.
//
// It opens no connection: [Look] asks one that is there. Whether something grows
// is for package watch, which looks more than once, and what is in the heap for a
// snapshot.
package memory
