// Package check runs a program through rounds of load and takes a heap snapshot
// after each, the way a leak is looked for: the same work again and again, a
// quiet moment after each, one snapshot per quiet moment. [Run] does that and
// returns a [Series]; it does not judge what it captured.
package check
