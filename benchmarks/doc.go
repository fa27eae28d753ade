// Package benchmarks measures the module beside its peers, on one machine, so that
// the ratios say something where the figures do not. README.md has the figures of
// the last run, and is written by
//
//	go run ./report
//
// which runs the benchmarks in rounds. One of them alone, hermetic or with the real
// peers that CONTRIBUTING.md tells how to install:
//
//	go test -bench Accept
//	go test -tags interop -bench Apache
//
// It is a module of its own, so that the peers are no dependencies of ours.
package benchmarks
