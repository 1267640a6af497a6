// Package looptable runs `heapsnap loop` on every program below fixtures/loop and fixtures/loop-realworld and writes a
// table of what it said: `make loop-table`. It takes two hours on all Node lines; the figures are those of the machine
// it runs on, which should have nothing else to do.
package looptable
