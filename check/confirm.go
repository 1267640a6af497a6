package check

import (
	"context"
	"fmt"
	"slices"
	"time"

	"heapsnap/report"
)

// How much work a confirmation is: up to repeatedMost times what was measured if
// that takes no longer than quickly, for caches are the larger the cheaper their
// entries; and as much as was measured, or what of it can be done in slowly.
// Each further one is twice as much.
const (
	repeatedMost = 4
	quickly      = 3 * time.Second
	slowly       = 30 * time.Second
)

// The first rest is as long as what was measured, less the time that went by with
// load, within bounds. The later ones make the time as long as that many rounds
// took: then what grows with time has grown as what grows with work.
const (
	shortestRest = 500 * time.Millisecond
	longestRest  = 10 * time.Second
)

// confirm makes what a second look at growth needs: rounds without captures in
// between, a rest without load, and a capture. Rounds of seconds cannot tell a
// leak from a cache on its way to its bound, nor from entries that expire.
func (r *run) confirm(ctx context.Context) error {
	started := time.Now()
	nth := len(r.series.Confirmations)
	rounds, err := r.repetitions(ctx, nth)
	if err != nil {
		return err
	}
	for i := range rounds {
		r.round++
		r.event(Event{Phase: Repeating, Repetition: i + 1, Repetitions: rounds})
		if err := r.work(ctx); err != nil {
			return err
		}
		if time.Since(started) > slowly {
			rounds = i + 1
			break
		}
	}
	until := r.measured
	if nth > 0 {
		until = r.measured * time.Duration(rounds) / time.Duration(r.rounds)
	}
	rest := min(until-time.Since(started), longestRest)
	r.event(Event{Phase: Resting})
	if err := wait(ctx, max(rest, shortestRest)); err != nil {
		return err
	}
	c, err := r.take(ctx, fmt.Sprintf("confirmation-%d", nth+1), len(r.series.Captures)-1)
	if err != nil {
		return err
	}
	r.series.Confirmations = append(r.series.Confirmations, Confirmation{c, rounds})
	return nil
}

// repetitions is how many rounds the confirmation with this number has, from 0.
// They may take half of the descriptors that are free, and a third of the heap: a
// capture needs room, too, and a program that died says nothing.
func (r *run) repetitions(ctx context.Context, nth int) (int, error) {
	measured := r.round - r.warmup
	each := max(r.loading/time.Duration(measured), time.Millisecond)
	n := min(int(quickly/each), repeatedMost*r.rounds)
	n = max(n, min(int(slowly/each), r.rounds)) << nth

	d, err := r.session.Descriptors(ctx)
	if err != nil {
		return 0, err
	}
	if opened := (d.Open - r.descriptors.Open) / measured; opened > 0 {
		n = min(n, d.Free()/2/opened)
	}
	last := r.series.Captures[len(r.series.Captures)-1].Meta
	if nth > 0 {
		last = r.series.Confirmations[nth-1].Meta
	}
	used, before := int64(last.Before.HeapUsed), int64(r.series.Captures[0].Meta.Before.HeapUsed)
	if grown := (used - before) / int64(measured); grown > 0 {
		n = min(n, int((int64(last.Before.HeapLimit)-used)/3/grown))
	}
	return max(n, 1), nil
}

const (
	// A finding is confirmed if it grows on at this share of its rate per round,
	// and refuted below slowsDown. In between the work is done once more, up to
	// confirmations times; the last time likelyGrowsOn decides.
	growsOn       = 0.8
	likelyGrowsOn = 0.65
	slowsDown     = 0.5
	confirmations = 3
)

// answer is what the confirmations say of a finding.
type answer struct {
	sure  bool
	leak  bool
	words string
}

// answers asks the last confirmation about the findings of r; again was judged
// with the captures of all confirmations so far behind those of r.
func answers(r, again *report.Report, s *Series) []answer {
	n := len(s.Confirmations)
	rounds := len(s.Captures) - 1
	last := s.Confirmations[n-1]
	before := s.Captures[rounds].Meta.Time
	took := before.Sub(s.Captures[0].Meta.Time)
	if n > 1 {
		before = s.Confirmations[n-2].Meta.Time
	}
	// For what grows with time and not with work, it was as many rounds as this.
	span := float64(rounds) * last.Meta.Time.Sub(before).Seconds() / max(took.Seconds(), 1e-3)
	var out []answer
	for _, f := range r.Findings {
		i := slices.IndexFunc(again.Findings, func(o report.Finding) bool { return sameHolder(f, o) })
		if i < 0 {
			out = append(out, answer{true, false, "it was let go when the load went on, or in the rest after it"})
			continue
		}
		was, is := rates(f, rounds), newest(again.Findings[i])
		goesOn := func(rounds float64) float64 {
			return max(share(is.count, was.count*rounds), share(is.bytes, was.bytes*rounds))
		}
		a := answer{sure: true}
		switch work, time := goesOn(float64(last.Rounds)), goesOn(span); {
		case work >= growsOn:
			a.leak = true
		case work <= slowsDown && time <= slowsDown:
		case n < confirmations:
			a.sure = false
		default:
			a.leak = work >= likelyGrowsOn || time >= growsOn
		}
		a.words = fmt.Sprintf("the rounds added %s each, and %s more in one go %s",
			amountOf(was.count, counted(f)), plural(last.Rounds, "round", "rounds"), few(is.count))
		out = append(out, a)
	}
	return out
}

// share is 1 where nothing was expected: that does not speak against a leak.
func share(is, expected float64) float64 {
	if expected <= 0 {
		return 1
	}
	return is / expected
}

// apply keeps the findings that are leaks by their answers, and tells the others
// as harmless.
func apply(r *report.Report, as []answer) {
	kept := r.Findings[:0:0]
	for i, f := range r.Findings {
		if as[i].leak {
			if as[i].words != "" {
				f.Confidence = 1 - (1-f.Confidence)/3
				f.Evidence = append(f.Evidence, "it goes on: "+as[i].words)
			}
			kept = append(kept, f)
			continue
		}
		r.Quiet = append(r.Quiet, report.Quiet{
			Judgement: "bounded", Holder: f.Holder.Name, Count: f.Survivors.Count, Bytes: f.Survivors.Bytes, PerRound: f.Survivors.PerRound, Why: as[i].words,
		})
		moved := min(f.Survivors.Bytes, r.Accounted.Leaks)
		r.Accounted.Leaks -= moved
		r.Accounted.Bounded += moved
	}
	r.Findings = kept
}

func sameHolder(a, b report.Finding) bool {
	if a.Fingerprint != "" && a.Fingerprint == b.Fingerprint {
		return true
	}
	return slices.ContainsFunc(holders(a), func(h report.Holder) bool {
		return slices.ContainsFunc(holders(b), func(o report.Holder) bool { return h.ID == o.ID && h.ID != 0 })
	})
}

func holders(f report.Finding) []report.Holder { return append(slices.Clip(f.Holders), f.Holder) }

// counted is what rates and newest count.
func counted(f report.Finding) string {
	if f.Survivors.Unit != "" {
		return f.Survivors.Unit
	}
	return "objects"
}

func counts(f report.Finding) []int {
	if f.Survivors.Unit != "" && len(f.Survivors.Entries) > 0 {
		return f.Survivors.Entries
	}
	return f.Survivors.PerRound
}

type amount struct{ count, bytes float64 }

// rates are means per round: that rounds are alike has been judged.
func rates(f report.Finding, rounds int) (a amount) {
	for _, n := range counts(f) {
		a.count += float64(n)
	}
	a.bytes = float64(f.Survivors.Bytes)
	return amount{a.count / float64(rounds), a.bytes / float64(rounds)}
}

func newest(f report.Finding) (a amount) {
	if c := counts(f); len(c) > 0 {
		a.count = float64(c[len(c)-1])
	}
	if b := f.Survivors.BytesPerRound; len(b) > 0 {
		a.bytes = float64(b[len(b)-1])
	}
	return a
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return report.FormatCount(n) + " " + many
}
