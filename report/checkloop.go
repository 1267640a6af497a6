package report

import "fmt"

// CheckLoop is what the event loop of the program did under the load of check,
// behind the rounds that are measured. Times are milliseconds.
type CheckLoop struct {
	Verdict     Verdict   `json:"verdict"` // as heapsnap loop judges it: blocked, healthy, inconclusive
	Sentence    string    `json:"sentence"`
	DurationMS  float64   `json:"durationMs"`
	ThresholdMS float64   `json:"thresholdMs"` // from which on a stretch is a block
	LongestMS   float64   `json:"longestMs"`   // block; 0: there was none
	Delay       LoopDelay `json:"delay"`
	// Of what blocked it for longest in all, if anything did.
	Cause    string    `json:"cause,omitempty"`
	Title    string    `json:"title,omitempty"`
	Location *Location `json:"location,omitempty"`
}

// Words are the figures in one sentence.
func (l *CheckLoop) Words() string {
	s := fmt.Sprintf("The event loop under load, recorded for %s: half of the time late by %s at most, 99 %% of it by %s", FormatMS(l.DurationMS), FormatMS(l.Delay.P50), FormatMS(l.Delay.P99))
	if l.LongestMS > 0 {
		s += ", longest block " + FormatMS(l.LongestMS)
	}
	return s
}
