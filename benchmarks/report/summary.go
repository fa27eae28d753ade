package main

import (
	"bytes"
	"fmt"
	"os"
)

// The module's README.md has a few of the figures between these marks.
var (
	summaryBegins = []byte("<!-- Written by go run ./report in benchmarks. -->\n")
	summaryEnds   = []byte("<!-- End of what was written. -->\n")
)

// summarise replaces the summary in the file.
func summarise(path string, res *results) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(page, summaryBegins)
	_, after, ok2 := bytes.Cut(rest, summaryEnds)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no marks for the summary", path)
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, summaryBegins, summary(res), summaryEnds, after}, nil), 0o644)
}

// summary is a table of us and the peers.
func summary(res *results) []byte {
	var b bytes.Buffer
	b.WriteString("| | negotiate | gokrb5 | libgssapi |\n|---|---|---|---|\n")
	for _, r := range []struct{ work, ours, gokrb5, libgssapi string }{
		{"make a token", "Initiate/negotiate-mutual", "Initiate/gokrb5", "Libgssapi/all ns/initiate"},
		{"accept a token, with the proof of identity (gokrb5 without)", "Accept/negotiate-mutual", "Accept/gokrb5", "Libgssapi/all ns/accept"},
		{"verify the proof", "Verify/negotiate", "", "Libgssapi/all ns/verify"},
		{"GET of Apache, each with a token", "Apache/negotiate", "Apache/gokrb5", ""},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.work, both(res, r.ours), both(res, r.gokrb5), cell(res, r.libgssapi))
	}
	fmt.Fprintf(&b, "\n%s, %s cores, %s.\n", res.get("cpu"), res.get("cores"), res.get("go"))
	return b.Bytes()
}

// both is the time and the allocations of a benchmark.
func both(res *results, name string) string {
	if name == "" {
		return "–"
	}
	return cell(res, name+" ns/op") + ", " + cell(res, name+" allocs/op")
}

func cell(res *results, key string) string {
	if key == "" {
		return "–"
	}
	return unitOf(key)(res.median(key))
}
