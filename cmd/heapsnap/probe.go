package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A probeBudget is how long a program may stand still before somebody restarts
// it: a liveness probe's period times the failures that it forgives.
type probeBudget struct {
	period   time.Duration
	failures int
}

func (b probeBudget) total() time.Duration { return b.period * time.Duration(b.failures) }

// String and Set are for a flag such as 10s*3.
func (b *probeBudget) String() string {
	if b.period == 0 {
		return ""
	}
	return fmt.Sprintf("%s*%d", b.period, b.failures)
}

func (*probeBudget) Type() string { return "PERIOD*FAILURES" }

func (b *probeBudget) Set(text string) error {
	period, failures, times := strings.Cut(text, "*")
	d, err := time.ParseDuration(strings.TrimSpace(period))
	n := 1
	if err == nil && times {
		n, err = strconv.Atoi(strings.TrimSpace(failures))
	}
	if err != nil || d <= 0 || n <= 0 {
		return fmt.Errorf("want periodSeconds*failureThreshold of the probe, such as 10s*3")
	}
	b.period, b.failures = d, n
	return nil
}
