// Package looptable runs `heapsnap loop` on every program below fixtures/loop and writes a table of what it said:
// `make loop-table`. It takes half an hour on all Node lines; the figures are those of the machine it runs on, which
// should have nothing else to do.
package looptable
