package jssource

import (
	"strings"
	"testing"
)

func TestPackage(t *testing.T) {
	for script, want := range map[string]string{
		"/app/server.js":                                      "",
		"node:events":                                         "",
		"/app/node_modules/ws/lib/websocket.js":               "ws /app/node_modules/ws",
		"/app/node_modules/@hapi/hoek/lib/index.js":           "@hapi/hoek /app/node_modules/@hapi/hoek",
		"/app/node_modules/a/node_modules/b/index.js":         "b /app/node_modules/a/node_modules/b",
		"file:///app/node_modules/p-queue/dist/index.js":      "p-queue file:///app/node_modules/p-queue",
		"/app/node_modules/.pnpm/a@1.0.0/node_modules/a/x.js": "a /app/node_modules/.pnpm/a@1.0.0/node_modules/a",
	} {
		name, folder := Package(script)
		if got := strings.TrimSpace(name + " " + folder); got != want {
			t.Errorf("Package(%q) = %q, want %q", script, got, want)
		}
	}
}
