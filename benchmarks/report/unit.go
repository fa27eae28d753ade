package main

import (
	"fmt"
	"math"
	"strings"
)

// unit prints a figure.
type unit func(float64) string

func nanoseconds(v float64) string {
	switch {
	case v >= 1e6:
		return digits(v/1e6) + " ms"
	case v >= 1e3:
		return digits(v/1e3) + " µs"
	}
	return digits(v) + " ns"
}

func count(v float64) string     { return digits(v) }
func times(v float64) string     { return digits(v) + " ×" }
func mebibytes(v float64) string { return digits(v) + " MiB" }

func bytesUnit(v float64) string {
	if v >= 1000 {
		return digits(v/1000) + " kB"
	}
	return digits(v) + " B"
}

// digits prints three of them.
func digits(v float64) string {
	switch {
	case math.IsNaN(v):
		return "not measured"
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// unitOf is the unit of a figure by its key.
func unitOf(key string) unit {
	suffix := key[strings.LastIndexByte(key, ' ')+1:]
	switch {
	case suffix == "allocs/op":
		return func(v float64) string { return digits(v) + " allocations" }
	case suffix == "TGS-REQ/op", suffix == "logins+tickets/s", suffix == "req/s":
		return count
	case suffix == "MiB":
		return mebibytes
	case strings.HasPrefix(suffix, "B/"):
		return bytesUnit
	}
	return nanoseconds
}
