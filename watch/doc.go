// Package watch looks at a Node.js process again and again, at a cost that does
// not show: heaps, what is outside them, collections, the event loop, of every
// thread, and the container. From what full collections leave it says whether
// memory grows, how sure that is, and when the nearest limit is reached; and it
// says when a condition holds that somebody wants to act on.
//
// The types to know are [Watcher], which follows one process through its
// restarts, [Point], what one look saw, [Series], what is kept of them, and
// [Forecast].
package watch
