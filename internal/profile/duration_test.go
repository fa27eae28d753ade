package profile

import (
	"testing"
	"time"
)

// The lengths are those that MIT's krb5_string_to_deltat gives, in seconds.
func TestParseDuration(t *testing.T) {
	for text, want := range map[string]int64{
		"36000": 36000, "10h": 36000, "7d": 604800, "1d 2h": 93600, "1d2h3m4s": 93784,
		"1:30": 5400, "1:30:15": 5415, "1-2:03:04": 93784, "2:3": 7380, "  5": 5,
		"1:60": 7200, "25:00": 90000, "100:00": 360000, "1:2:60": 3780, "2147483647": 2147483647,
		"24855d": 2147472000, "0": 0, "0:0:0": 0, "1h 20s": 3620, "  1d  2h  ": 93600,
		"1h\t": 3600, "00005": 5, "1d 24h": 172800, "1h 61m": 7260, "1m 61s": 121,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != time.Duration(want)*time.Second {
			t.Errorf("%q: got %v, %v; want %d s", text, got, err, want)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "1-2:03", "1d 02:03:04", "2h 30", "30 2h", "2h1d", "1h 1h", "99999999999",
		"2147483648", "24856d", "1 2", "1h:30", "1-1:1:1:1", "+5", "1:2 3", "d", ":", "1:", "-",
		// MIT takes these in part or as negative.
		"5w", "5H", "1.5h", "0x10", "-5", "1d-2h",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}
