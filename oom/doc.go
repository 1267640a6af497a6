// Package oom puts together what the death of a Node.js process left behind:
// diagnostic reports, logs, the kernel's messages, the control group's files,
// what Kubernetes or Docker say, snapshots, and what heapsnap itself wrote before.
// It says which death it was, what had filled the memory, and what to collect
// next time where that cannot be told.
//
// The types to know are [Evidence], what was found in files, and [Death], what
// follows from it. It reads no heap: a snapshot's suspects are for package check.
package oom
