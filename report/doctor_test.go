package report

import (
	"strings"
	"testing"
)

// memoryFindingIn is a finding all of whose words are s.
func memoryFindingIn(s string) MemoryFinding {
	return MemoryFinding{
		Rule: "buffers", Severity: "trouble", Title: s, Evidence: []string{s, s}, Fix: s,
		Trigger: MemoryTrigger{Name: s, Value: 0.78, Limit: 0.4, Unit: "share"},
	}
}

func doctorIn(s string) *Doctor {
	const mib = 1 << 20
	return &Doctor{
		Head: Head{Command: "doctor"}, Verdict: Trouble, Rule: "buffers", Sentence: s,
		Target:  DoctorTarget{PID: 12, Script: s, NodeVersion: "v22.23.3", Address: "127.0.0.1:9229"},
		Memory:  []MemoryPart{{"heap", 50 * mib, 0.1}, {"buffers", 400 * mib, 0.8}, {"unexplained", 50 * mib, 0.1}},
		Process: ProcessMemory{RSS: 500 * mib, Peak: 510 * mib, Anonymous: 460 * mib, Threads: 11, Allocator: s, Arenas: 8, ArenaBytes: mib},
		Container: &Container{CgroupVersion: 2, Path: s, Limit: 512 * mib, Current: 505 * mib, Working: 500 * mib, Peak: 512 * mib,
			AtLimit: 3, Kills: 1, Used: 0.976},
		Host: HostMemory{Total: 16 << 30, Available: 9 << 30},
		Heaps: []HeapFigures{
			{Limit: 259 * mib, OldLimit: 256 * mib, Used: 31 * mib, OldUsed: 30 * mib, Live: 20 * mib, Total: 50 * mib, Spaces: []HeapSpace{{s, mib, 5, 6}}},
			{ThreadID: 1, Name: s, Limit: 1, OldLimit: 1, Used: 1},
		},
		Options:  []MemoryOption{{s, "NODE_OPTIONS"}, {"--trace-gc", "command line"}},
		Others:   []OtherProcess{{13, s, 5}},
		Findings: []MemoryFinding{memoryFindingIn(s), {Rule: "options", Severity: "note", Title: s, Trigger: MemoryTrigger{s, 1, 1, "count"}}},
		Sites:    sampleIn(s).Sites, SampledMS: 5000,
		Warnings: []string{s},
	}
}

func TestDoctorJSONKeepsToItsSchema(t *testing.T) {
	all := [][]byte{written(t, WriteDoctor, doctorIn("work"), JSON, Options{}),
		written(t, WriteDoctor, &Doctor{Head: Head{Command: "doctor"}, Verdict: Healthy, Findings: []MemoryFinding{{Severity: "note", Trigger: MemoryTrigger{Unit: "count"}}}}, JSON, Options{})}
	for _, hostile := range hostileStrings {
		all = append(all, written(t, WriteDoctor, doctorIn(hostile), JSON, Options{}))
	}
	keepsTo(t, "doctor.schema.json", all...)
}

func TestDoctorText(t *testing.T) {
	text := string(written(t, WriteDoctor, doctorIn("work"), Text, Options{Verbose: true}))
	for _, want := range []string{
		"TROUBLE  work\n", "process 12, work, Node v22.23.3\n", "Resident memory, 500.0 MiB\n", "  Buffers           400.0 MiB   80 %   ███████████████████\n",
		"500.0 MiB of 512.0 MiB (98 %)", "1 process killed", "20.0 MiB live of 50.0 MiB, old objects at 12 % of 256.0 MiB",
		"1. work [buffers]\n", "work: 78 % (threshold 40 %)", "-> work\n", "2. note: work [options]\n", "options    work (NODE_OPTIONS), --trace-gc",
		"Who made what stayed, sampled for 5.00 s\n", "1. work made 500 B\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, hostile := range hostileStrings {
		for _, width := range []int{0, 40, 200} {
			obeyedByTerminals(t, written(t, WriteDoctor, doctorIn(hostile), Text, Options{Width: width, Verbose: true}))
		}
	}
}
