package cdp

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// encoding/json is the slow twin: what it takes for a string must come out the
// same, and what it refuses must be refused or be harmless.
func FuzzAppendUnescaped(f *testing.F) {
	for _, s := range []string{``, `a`, `\n\t\r\b\f\/\\\"`, `\u00e9`, `\ud83d\ude00`, `\ud83d`, `\ud83dx`, `\ud83d\u0041`,
		`\ude00\ud83d`, `\ud83d\ud83d\ude00`, `\u12`, `\`, `"`, `\x`, `\u00zz`, `é`, `a\\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if !utf8.ValidString(body) {
			return // passed on as it is, where encoding/json repairs it
		}
		var want string
		err := json.Unmarshal([]byte(`"`+body+`"`), &want)
		got, ok := appendUnescaped(nil, []byte(body))
		if err == nil && !ok {
			t.Fatalf("appendUnescaped(%q) refuses, encoding/json gives %q", body, want)
		}
		if err == nil && string(got) != want {
			t.Fatalf("appendUnescaped(%q) = %q, want %q", body, got, want)
		}
	})
}

func BenchmarkAppendUnescaped(b *testing.B) {
	for name, text := range map[string]string{
		"nodes":   strings.Repeat("9,1,1,0,19,0,0\n,3,12,10345,24,5,0\n", 40_000),
		"strings": strings.Repeat("\"getOwnPropertyDescriptor\",\n\"node:internal/\\u00e9\",\n", 25_000),
	} {
		quoted, _ := json.Marshal(text)
		body := quoted[1 : len(quoted)-1]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				var ok bool
				if dst, ok = appendUnescaped(dst[:0], body); !ok || len(dst) != len(text) {
					b.Fatal("wrong text")
				}
			}
		})
	}
}
