package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// An upload is an object in a store that is written by one PUT to a URL that was
// signed for it. Stores want to know the length first, so the text goes to a
// file without a name, or to memory where no file can be made. An object that
// is not whole never comes to be.
type upload struct {
	target *url.URL
	file   *os.File
	memory *bytes.Buffer
}

func isUpload(path string) bool {
	return strings.HasPrefix(path, "https://") || strings.HasPrefix(path, "http://")
}

func newUpload(target string) (*upload, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("want the URL that a PUT was signed for") // not the URL: it is a secret
	}
	up := &upload{target: u}
	f, err := os.CreateTemp("", "heapsnap-upload-*") // mode 0600
	if err != nil {
		up.memory = &bytes.Buffer{}
		return up, nil
	}
	if err := os.Remove(f.Name()); err != nil { // nobody else can open it, and it ends with us
		return nil, errors.Join(err, f.Close())
	}
	up.file = f
	return up, nil
}

// name is what tells how the object is compressed.
func (u *upload) name() string { return u.target.Path }

// place is the object for messages: without the signature.
func (u *upload) place() string { return u.target.Host + u.target.EscapedPath() }

func (u *upload) Write(p []byte) (int, error) {
	if u.memory != nil {
		return u.memory.Write(p)
	}
	return u.file.Write(p)
}

func (u *upload) body() (io.Reader, int64, error) {
	if u.memory != nil {
		return bytes.NewReader(u.memory.Bytes()), int64(u.memory.Len()), nil
	}
	size, err := u.file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = u.file.Seek(0, io.SeekStart)
	}
	return io.NopCloser(u.file), size, err
}

const (
	uploadTries = 3
	uploadPause = 2 * time.Second
)

// send puts the object.
func (u *upload) send(ctx context.Context) error {
	for try := 1; ; try++ {
		again, err := u.put(ctx)
		if err == nil || !again || try == uploadTries {
			return err
		}
		select {
		case <-time.After(uploadPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// put is one try; again says that another may go better.
func (u *upload) put(ctx context.Context) (again bool, err error) {
	body, size, err := u.body()
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.target.String(), body)
	if err != nil {
		return false, err
	}
	req.ContentLength = size
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) { // its text has the signature
			err = withURL.Err
		}
		return true, fmt.Errorf("PUT to %s: %w", u.place(), err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode >= 500, fmt.Errorf("PUT to %s: %s: %s", u.place(), resp.Status, strings.Join(strings.Fields(string(text)), " "))
	}
	return false, nil
}

// close lets go of the text.
func (u *upload) close() {
	if u.file != nil {
		_ = u.file.Close()
	}
	u.memory = nil
}
