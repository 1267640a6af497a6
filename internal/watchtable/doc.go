// Package watchtable watches services that leak until they die, and services that
// only make garbage, and holds heapsnap watch to what came: make watch-table. It
// has tests only, behind the build tag watchtable.
package watchtable
