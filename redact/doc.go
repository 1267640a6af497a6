// Package redact rewrites a V8 heap snapshot so that it can be given away: the
// texts that the program worked with are replaced, the graph is not touched.
//
// Replaced are strings, regular expressions, descriptions of symbols, numbers
// where a capture has them, numbers that are keys, queries in URLs, and names
// of properties that no code spells. Object ids, types, sizes, references and
// places stay, so every figure that heapsnap or DevTools computes stays; so do
// the names of functions, variables, classes and scripts. docs/redaction.md
// says in full what stays, and what that does not protect.
//
// A snapshot passes as a stream, once: its strings are the last section, and by
// then it is known what each of them is used for. What is remembered are some
// bytes an object and a string. [Redactor.Copy] is for files,
// [Redactor.Writer] for a capture that is on its way to one.
//
// A text is replaced by one of its length class, computed from it with a secret
// key: equal texts stay equal, in all snapshots that are redacted with one key,
// and without the key a guess cannot be tried.
package redact
