// Package conformance holds no code: its tests compare package heapsnap, value
// by value, with Chrome DevTools' own heap snapshot worker. README.md tells how
// to ask that worker from a shell.
package conformance
