// Package oomtable lets Node.js programs die of memory in every way that it
// knows, under real limits, asks heapsnap doctor before the end and heapsnap oom
// after it, and writes what they say as a table. It has tests only, behind the
// build tag oomtable: make oom-table.
package oomtable
