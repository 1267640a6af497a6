package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"heapsnap/cdp"
	"heapsnap/heapsnap"
	"heapsnap/internal/nodes"
)

// secrets are what redact/testdata/secrets.js plants, by place; dictionary is a
// list of further ones.
func secrets() (planted map[string]any, all []string) {
	dictionary := []string{"ostrowski", "vandenberg", "okonkwo", "jørgensen"}
	planted = map[string]any{
		"plain": "correct horse battery staple", "short": "Tr0ub4dor&3", "unicode": "пароль-Ж7-密码", "quotes": "he \"said\"\n\\no\\way",
		"long":  strings.Repeat("a long letter to nobody, ", 60),
		"token": "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
		"propertyValue": "alice.liddell@wonderland.example", "nestedValue": "Ankh-Morpork", "arrayElement": "IBAN DE89 3704 0044 0532 0130 00",
		"deepElement": "blood group AB negative", "keyEmail": "dormouse@wonderland.example", "keyToken": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
		"keyNumber": "916123456", "keyLargeNumber": "79161234567", "dictionary": dictionary,
		"mapKey": "queen-of-hearts", "mapValue": "off with their heads", "setMember": "march hare", "weakMapValue": "mock turtle soup",
		"weakMapKey": "jabber(wock|walk)ed", "urlToken": "https://api.example/v1?token=9f86d081884c", "urlObject": "https://shop.example/cart/5f2b1a#card=4242",
		"urlPassword": "postgres://svc:s3cr3t-pg@db.example/main", "scriptQuery": "file:///srv/plugin.js?licence=QX77-KLM2", "closure": "captured by a closure",
		"sourceLiteral": "literal of a function", "functionName": "fn-named-at-runtime-81", "boundArgument": "bound argument 55",
		"symbol": "symbol of Tweedledum", "symbolKey": "symbol of Tweedledee", "symbolFor": "symbol of the Walrus",
		"number": "4929123456789.25", "smallInteger": "620417359", "negative": "771234567.5", "bigInt": "99887766554433221100",
		"bufferName": "buffer-of-cheshire", "arrayBufferLabel": "array-buffer-of-dinah", "fileName": "payslip-june-miller.pdf", "blobType": "x-secret/white-rabbit",
		"errorMessage": "no account for gryphon", "errorCause": "refused for caterpillar", "privateField": "pin is 8842 really",
		"consFirst": "first half of the recipe", "consSecond": "second half of the recipe", "sliced": "sliced from a letter", "template": "humpty dumpty",
		"asyncContext": "tenant-of-unicorn", "header": "Bearer lion-and-unicorn", "tagGetter": "tag-getter-of-knave", "tag": "tag-of-duchess",
		"regexp": "bill(the)?lizard", "date": "2001-03-04T05:06:07Z", "definedKey": "defined-key-of-dodo", "environment": "env-of-red-queen",
		"title": "title-of-hatter", "dataModule": "module-of-white-knight",
	}
	for place, secret := range planted {
		if text, ok := secret.(string); ok && place != "date" { // its milliseconds are what the heap has, if anything
			all = append(all, text)
		}
	}
	all = append(all, dictionary...)
	slices.Sort(all)
	return planted, all
}

// forms are the ways in which a text may stand in a file.
func forms(secret string) map[string][]byte {
	quoted, _ := json.Marshal(secret)
	var ascii []byte
	low, high := []byte{}, []byte{}
	for _, c := range utf16.Encode([]rune(secret)) {
		low = append(low, byte(c), byte(c>>8))
		high = append(high, byte(c>>8), byte(c))
		if c < 0x80 {
			q, _ := json.Marshal(string(rune(c)))
			ascii = append(ascii, bytes.Trim(q, `"`)...)
		} else {
			ascii = fmt.Appendf(ascii, `\u%04x`, c)
		}
	}
	found := map[string][]byte{
		"as it is": []byte(secret), "JSON": quoted[1 : len(quoted)-1], "JSON, ASCII": ascii, "JSON, ASCII, upper case": bytes.ReplaceAll(bytes.ToUpper(ascii), []byte(`\U`), []byte(`\u`)),
		"UTF-16, low byte first": low, "UTF-16, high byte first": high,
	}
	// In the middle of a base64 text: at each of the three places in a group, less
	// the characters that its neighbours have a part in.
	for pad := range 3 {
		for name, e := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			text := e.EncodeToString(append(make([]byte, pad), secret...))
			from := []int{0, 2, 3}[pad]
			found[fmt.Sprintf("%s at %d", name, pad)] = []byte(text[from : len(text)-2])
		}
	}
	return found
}

// leaks are the secrets that a file has, with the form.
func leaks(t *testing.T, file string, all []string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range all {
		// Of a long one a part is enough, and V8 writes 1024 characters of a text.
		if len(secret) > 100 {
			secret = secret[:100]
		}
		for name, form := range forms(secret) {
			if bytes.Contains(text, form) {
				found = append(found, fmt.Sprintf("%q (%s)", secret, name))
				break
			}
		}
	}
	return found
}

// secretive starts the program with the secrets.
func secretive(t *testing.T, node nodes.Node) string {
	t.Helper()
	planted, _ := secrets()
	input, err := json.Marshal(planted)
	if err != nil {
		t.Fatal(err)
	}
	program, err := filepath.Abs("../../redact/testdata/secrets.js")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node.Path, "--inspect=127.0.0.1:0", program)
	cmd.Stdin = bytes.NewReader(input)
	ready := make(chan struct{})
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("ready")) {
			close(ready)
		}
		return len(p), nil
	})
	address := make(chan string, 1)
	var errs bytes.Buffer
	cmd.Stderr = writerFunc(func(p []byte) (int, error) {
		errs.Write(p)
		if _, rest, ok := strings.Cut(errs.String(), "ws://"); ok && strings.Contains(rest, "\n") {
			select {
			case address <- strings.SplitN(rest, "/", 2)[0]:
			default:
			}
		}
		return len(p), nil
	})
	start(t, cmd)
	select {
	case <-ready:
		return <-address
	case <-time.After(60 * time.Second):
		t.Fatalf("the program did not start: %s", errs.String())
	}
	panic("unreachable")
}

// figures are what heapsnap and DevTools make of a snapshot, without names.
type figures struct {
	nodes, edges int
	statistics   heapsnap.Statistics
	classes      [][4]uint64
}

func figuresOf(t *testing.T, file string) figures {
	t.Helper()
	s, err := heapsnap.Open(context.Background(), file, heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := figures{nodes: s.NodeCount(), edges: s.EdgeCount(), statistics: s.Statistics()}
	for _, a := range s.Aggregates() {
		f.classes = append(f.classes, [4]uint64{uint64(a.Count), a.Shallow, a.Retained, uint64(int64(a.Distance))})
	}
	slices.SortFunc(f.classes, func(a, b [4]uint64) int { return slices.Compare(a[:], b[:]) })
	return f
}

func TestNoSecretIsLeft(t *testing.T) {
	_, all := secrets()
	if len(all) < 50 {
		t.Fatalf("%d secrets", len(all))
	}
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			address := secretive(t, node)
			dir := t.TempDir()
			run := func(args ...string) {
				t.Helper()
				if r := heapsnapIn(t, dir, nil, args...); r.code != 0 {
					t.Fatalf("heapsnap %s: code %d, %s", strings.Join(args, " "), r.code, r.errors)
				}
			}
			in := func(name string) string { return filepath.Join(dir, name) }

			run("capture", "--url", address, "--numeric", "-o", "raw.heapsnapshot")
			// All but what a heap does not tell: the tag that a getter would return, ...
			if found := leaks(t, in("raw.heapsnapshot"), all); len(found) < len(all)-3 {
				t.Fatalf("only %d of %d secrets are in the capture: this test tests nothing", len(found), len(all))
			}
			for _, names := range []string{"code", "all", "none"} {
				file := names + ".heapsnapshot"
				run("redact", "raw.heapsnapshot", "-o", file, "--names", names)
				want := all
				if names == "all" { // keys that look like names stay: the manual says so
					want = slices.DeleteFunc(slices.Clone(all), func(s string) bool {
						return slices.Contains([]string{"ostrowski", "vandenberg", "okonkwo", "tag-of-duchess", "symbol of Tweedledee", "defined-key-of-dodo", "fn-named-at-runtime-81"}, s)
					})
				}
				for _, file := range []string{in(file), cdp.MetaPath(in(file))} {
					if found := leaks(t, file, want); len(found) > 0 {
						t.Errorf("%s has %d secrets: %s", filepath.Base(file), len(found), strings.Join(found, ", "))
					}
				}
				if got, want := figuresOf(t, in(file)), figuresOf(t, in("raw.heapsnapshot")); !reflect.DeepEqual(got, want) {
					t.Errorf("%s has other figures:\n%+v\n%+v", file, got.statistics, want.statistics)
				}
			}

			run("capture", "--url", address, "--redact", "--numeric", "-o", "live.heapsnapshot")
			run("capture", "--url", address, "--redact", "-o", "plain.heapsnapshot")
			for _, file := range []string{in("live.heapsnapshot"), cdp.MetaPath(in("live.heapsnapshot")), in("plain.heapsnapshot")} {
				if found := leaks(t, file, all); len(found) > 0 {
					t.Errorf("%s has %d secrets: %s", filepath.Base(file), len(found), strings.Join(found, ", "))
				}
			}
			m, err := cdp.ReadMeta(in("live.heapsnapshot"))
			if err != nil || m.Redacted == nil || m.Redacted.Names != "code" {
				t.Errorf("sidecar: %+v, %v", m.Redacted, err)
			}
			if info, err := os.Stat(in("live.heapsnapshot")); err != nil || uint64(info.Size()) != m.Bytes {
				t.Errorf("sidecar: %d bytes, the file has %d", m.Bytes, info.Size())
			}
		})
	}
}

func TestRedactOfWhatCannotBe(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.heapsnapshot", `{"snapshot":{"meta":{`)
	write("empty.key", "\n")
	write("short.key", "swordfish")
	for _, c := range []struct {
		args string
		says string
	}{
		{"redact a.heapsnapshot", "where to?"},
		{"redact a.heapsnapshot -o a.heapsnapshot", "the copy cannot be the file itself"},
		{"redact a.heapsnapshot -o b.heapsnapshot", "cut short"},
		{"redact nothing.heapsnapshot -o b.heapsnapshot", "no such file"},
		{"redact a.heapsnapshot -o b.heapsnapshot --names some", "want code, all or none"},
		{"redact a.heapsnapshot -o b.heapsnapshot --key-file empty.key", "is empty"},
		{"redact a.heapsnapshot -o b.heapsnapshot --key-file short.key", "want 16 or more"},
		{"redact a.heapsnapshot -o b.heapsnapshot --key-file none.key", "no such file"},
		{"capture -o b.heapsnapshot --redact --redact-key-file short.key", "want 16 or more"},
	} {
		r := heapsnapIn(t, dir, nil, strings.Fields(c.args)...)
		if r.code != 2 || !strings.Contains(r.errors, c.says) || strings.Count(r.errors, "\n") != 1 {
			t.Errorf("%s: code %d, %q, want 2 and one line with %q", c.args, r.code, r.errors, c.says)
		}
		if _, err := os.Stat(filepath.Join(dir, "b.heapsnapshot")); err == nil {
			t.Errorf("%s left a file", c.args)
		}
	}
}

// A series that is redacted with one key has the findings that it had.
func TestFindingsStay(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("a secret of sixteen and more"), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after []string
	for i := 1; i <= 3; i++ {
		file, err := filepath.Abs(fmt.Sprintf("../../fixtures/recorded/capture-%d.heapsnapshot.zst", i))
		if err != nil {
			t.Fatal(err)
		}
		out := fmt.Sprintf("%d.heapsnapshot.gz", i)
		if r := heapsnapIn(t, dir, nil, "redact", file, "-o", out, "--key-file", "key"); r.code != 0 {
			t.Fatalf("code %d, %s", r.code, r.errors)
		}
		before, after = append(before, file), append(after, out)
	}
	report := func(files []string) map[string]any {
		r := heapsnapIn(t, dir, nil, append([]string{"diff", "--format", "json"}, files...)...)
		var got map[string]any
		if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != 1 {
			t.Fatalf("code %d, %v, %s", r.code, err, r.errors)
		}
		delete(got, "captures") // names of files
		return got
	}
	if was, is := report(before), report(after); !reflect.DeepEqual(was, is) {
		t.Errorf("was\n%v\nis\n%v", was, is)
	}
}
