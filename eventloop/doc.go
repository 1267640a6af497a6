// Package eventloop records what a Node.js event loop does, and says what
// blocks it.
//
// [Record] watches a target in two phases: its vitals first, without a
// profiler, and then a CPU profile. In both a probe inside the target notes the
// turns of the loop, on the profile's clock. [Analyze] makes of both a ledger of
// the loop's iterations, and of the iterations that took too long [Block]s, each
// with a [Cause] and a line. Blocks of one cause and function are a [Finding].
//
// A [Recording] is plain data: it can be written to a file and analysed
// somewhere else. All its times are microseconds of the target's monotonic
// clock.
package eventloop
