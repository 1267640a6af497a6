package eventloop

import (
	"fmt"
	"time"
)

// us is a time of a recording, in microseconds, as a duration.
func us(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// round is a duration for people: 0.4 ms, 12 ms, 1.25 s.
func round(d time.Duration) string {
	switch {
	case d >= 9995*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 999500*time.Microsecond:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 9950*time.Microsecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
