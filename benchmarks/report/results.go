package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// results are those of a run.
type results struct {
	settings []setting
	profile  []string
	samples  map[string][]float64 // by "Accept/gokrb5 ns/op", one a round
}

// setting is a line such as "cores: 2".
type setting struct{ key, value string }

// parse reads the output of benchmarks.
func parse(r io.Reader) (*results, error) {
	res := &results{samples: make(map[string][]float64)}
	s := bufio.NewScanner(r)
	for s.Scan() {
		line := s.Text()
		switch {
		case strings.HasPrefix(line, "# "):
			res.profile = append(res.profile, line[2:])
		case strings.HasPrefix(line, "Benchmark"):
			if err := res.add(strings.Fields(line)); err != nil {
				return nil, err
			}
		default:
			if key, value, ok := strings.Cut(line, ": "); ok {
				res.set(key, value)
			}
		}
	}
	return res, s.Err()
}

func (r *results) set(key, value string) {
	if r.get(key) == "" {
		r.settings = append(r.settings, setting{key, value})
	}
}

func (r *results) get(key string) string {
	for _, s := range r.settings {
		if s.key == key {
			return s.value
		}
	}
	return ""
}

// add reads "BenchmarkAccept/gokrb5-2", the number of iterations, and pairs of a
// value and its unit.
func (r *results) add(fields []string) error {
	name := strings.TrimPrefix(fields[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			name = name[:i]
		}
	}
	for i := 2; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return fmt.Errorf("benchmark %s: %w", name, err)
		}
		key := name + " " + fields[i+1]
		r.samples[key] = append(r.samples[key], v)
	}
	return nil
}

// median is the middle of the rounds; NaN if there are none.
func (r *results) median(key string) float64 { return median(r.samples[key]) }

// ratio is the middle of the rounds' ratios.
func (r *results) ratio(a, b string) float64 {
	over, under := r.samples[a], r.samples[b]
	var ratios []float64
	for i := range min(len(over), len(under)) {
		ratios = append(ratios, over[i]/under[i])
	}
	return median(ratios)
}

// sum has a round's values of some benchmarks added up, under a name of its own.
func (r *results) sum(name string, keys ...string) {
	if r.samples[name] != nil {
		return
	}
	for i := range r.samples[keys[0]] {
		total := 0.0
		for _, k := range keys {
			if i >= len(r.samples[k]) {
				return
			}
			total += r.samples[k][i]
		}
		r.samples[name] = append(r.samples[name], total)
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
