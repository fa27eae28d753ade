package profile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a length of time as MIT writes it: seconds ("36000"),
// units in falling order ("1d 2h", "7d", "10h30m"), "h:m" and "h:m:s", and
// "d-h:m:s". It is at most 2^31-1 seconds.
func ParseDuration(s string) (time.Duration, error) {
	seconds, ok := parseSeconds(strings.TrimSpace(s))
	if !ok || seconds > math.MaxInt32 {
		return 0, fmt.Errorf(`%q is no length of time; write it as "10h", "7d", "1d 12h", "10:30:00" or in seconds`, s)
	}
	return time.Duration(seconds) * time.Second, nil
}

func parseSeconds(s string) (int64, bool) {
	if strings.Contains(s, ":") {
		return parseClock(s)
	}
	if n, ok := number(s); ok {
		return n, true
	}
	return parseUnits(s)
}

// number reads digits; ten of them hold any length of time.
func number(s string) (int64, bool) {
	if s == "" || len(s) > 10 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// parseClock reads "[d-]h:m[:s]".
func parseClock(s string) (int64, bool) {
	var total int64
	if days, rest, ok := strings.Cut(s, "-"); ok {
		n, ok := number(days)
		if !ok || strings.Count(rest, ":") != 2 {
			return 0, false
		}
		total, s = n*86400, rest
	}
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return 0, false
	}
	unit := int64(3600)
	for i, part := range parts {
		n, ok := number(part)
		if !ok || i > 0 && n > 59 {
			return 0, false
		}
		total += n * unit
		unit /= 60
	}
	return total, true
}

// parseUnits reads numbers with a unit each, d, h, m or s in this order. The
// last may lack its unit and is seconds then.
func parseUnits(s string) (int64, bool) {
	units := "dhms"
	seconds := [...]int64{86400, 3600, 60, 1}
	var total int64
	next := 0
	for s != "" {
		end := len(s) - len(strings.TrimLeft(s, "0123456789"))
		n, ok := number(s[:end])
		if !ok {
			return 0, false
		}
		s = strings.TrimLeft(s[end:], space)
		i := len(units) - 1
		if s != "" {
			if i = strings.IndexByte(units, s[0]); i < 0 {
				return 0, false
			}
			s = strings.TrimLeft(s[1:], space)
		}
		if i < next {
			return 0, false
		}
		next = i + 1
		total += n * seconds[i]
	}
	return total, next > 0
}
