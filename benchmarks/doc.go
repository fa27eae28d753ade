// Package benchmarks measures the module beside its peers, in one run on one
// machine, so that the ratio says something where the figures do not:
//
//	go test -bench . -count 5
//
// With -tags interop, BenchmarkApache asks a real Apache; CONTRIBUTING.md tells
// what that needs.
//
// It is a module of its own, so that the peers are no dependencies of ours.
package benchmarks
