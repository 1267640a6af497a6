package cdp

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Meta is what a snapshot file does not say of itself. It is written beside the
// file, see [MetaPath]; a snapshot without one is still complete.
type Meta struct {
	Schema      int           `json:"schema"` // 1; fields are added, never renamed
	Tool        string        `json:"tool,omitempty"`
	NodeVersion string        `json:"nodeVersion"`
	V8Version   string        `json:"v8Version,omitempty"`
	PID         int           `json:"pid"`
	ThreadID    int           `json:"threadId,omitempty"` // of a worker, 0 for the main thread
	Script      string        `json:"script,omitempty"`
	Mode        string        `json:"mode"`            // see CaptureOptions.Mode
	Round       int           `json:"round,omitempty"` // rounds of load that were measured before
	Time        time.Time     `json:"time"`            // when the capture began
	Duration    time.Duration `json:"durationNs"`
	Nodes       int           `json:"nodes"`
	Bytes       uint64        `json:"bytes"` // of the snapshot, uncompressed
	Settled     *Settled      `json:"settled,omitempty"`
	Before      *Memory       `json:"memoryBefore,omitempty"` // after settling, before the capture
	After       *Memory       `json:"memoryAfter,omitempty"`  // its RSS is the capture's, not the program's
	Scripts     []Script      `json:"scripts,omitempty"`      // the program's own, not Node's
	Redacted    *Redacted     `json:"redacted,omitempty"`     // nil: the snapshot has the program's texts
}

// Redacted says how the texts of a snapshot were replaced.
type Redacted struct {
	KeyID string `json:"keyId"` // of the key that was used; texts of two snapshots compare if it is the same
	Names string `json:"names"` // which stayed: code, all, none
}

// metaSchema is Meta's version.
const metaSchema = 1

// MetaPath is the sidecar's path for a snapshot's.
func MetaPath(snapshot string) string { return snapshot + ".meta.json" }

// Write writes the sidecar of the snapshot file: whole or not at all.
func (m Meta) Write(snapshot string) error {
	m.Schema = metaSchema
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("sidecar of %s: %w", snapshot, err)
	}
	path := MetaPath(snapshot)
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.partial") // mode 0600, like the snapshot
	if err != nil {
		return fmt.Errorf("sidecar of %s: %w", snapshot, err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("sidecar of %s: %w", snapshot, err), os.Remove(f.Name()))
	}
	return nil
}

// ReadMeta reads the sidecar of the snapshot file. The error is
// [os.ErrNotExist] if there is none.
func ReadMeta(snapshot string) (Meta, error) {
	text, err := os.ReadFile(MetaPath(snapshot))
	if err != nil {
		return Meta{}, fmt.Errorf("sidecar of %s: %w", snapshot, err)
	}
	var m Meta
	if err := json.Unmarshal(text, &m); err != nil {
		return Meta{}, fmt.Errorf("sidecar %s: %w", MetaPath(snapshot), err)
	}
	return m, nil
}
