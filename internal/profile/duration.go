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
// "d-h:m:s". It is at most 2^31-1 seconds. Text that MIT reads in part only,
// such as "5w" as 5 seconds, is refused.
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
	for _, part := range parts {
		n, ok := number(part)
		if !ok {
			return 0, false
		}
		total += n * unit
		unit /= 60
	}
	return total, true
}

// parseUnits reads numbers, each with its unit: d, h, m and s in this order.
func parseUnits(s string) (int64, bool) {
	const units = "dhms"
	seconds := [len(units)]int64{86400, 3600, 60, 1}
	var total int64
	next := 0
	for s != "" {
		rest := strings.TrimLeft(s, "0123456789")
		n, ok := number(s[:len(s)-len(rest)])
		if rest = strings.TrimLeft(rest, space); !ok || rest == "" {
			return 0, false
		}
		i := strings.IndexByte(units, rest[0])
		if i < next {
			return 0, false
		}
		total += n * seconds[i]
		next, s = i+1, strings.TrimLeft(rest[1:], space)
	}
	return total, next > 0
}
