package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
)

const intro = `# Benchmarks

<!-- Written by "go run ./report". Do not edit. -->

What is measured, how far the bars are met, and the peers in the same run. Each
figure is the median of several rounds, in which all that is compared ran in turn;
a ratio is the median of the rounds' ratios. Keys and tickets are
aes256-cts-hmac-sha1-96, without a PAC where none is mentioned. Tokens are made with a
credential that was acquired before; a Transport without one looks at the credential
cache's file for each, which takes a system call and two allocations more. libgssapi
is MIT's, called from Python. Its replay cache and Apache's are off, since they write
files; ours is on. go-gssapi and requests-gssapi are not among the peers: neither the
Go module proxy nor Debian 12 has them. libgssapi, by python3-gssapi, and
requests-kerberos stand in their places. The PAC of 6 kB is of a user in 660 groups of
his own domain, as 400 of them make a smaller one. No cache is locked to be read; the
replay cache is to be written, for each token that is accepted. To run it again, on
Debian 12:

    ../interop/peers.sh base
    go run ./report

[results.txt](results.txt) has what was printed; benchstat reads it.
[before-after.txt](before-after.txt) is benchstat's comparison of the two hot paths
before and after they were worked on, and of caches that are read under locks and
without. Allocations, round trips, connections and
TGS-REQs are held by ordinary tests as well. Times are not: they are of one machine
and one day.

`

// readme writes README.md.
func readme(res *results) []byte {
	derive(res)
	var b bytes.Buffer
	b.WriteString(intro)
	table(&b, res)
	b.WriteString("\n![Time beside the peers](plots/peers.svg)\n")
	misses(&b, res)
	b.WriteString("\n## Growth\n")
	for _, p := range pictures {
		fmt.Fprintf(&b, "\n![%s](plots/%s.svg)\n\n%s\n", p.title, p.name, p.text)
	}
	load(&b, res)
	together(&b, res)
	profiles(&b, res)
	machine(&b, res)
	return b.Bytes()
}

func table(b *bytes.Buffer, res *results) {
	b.WriteString("| Work | Bar | Measured | | In the same run |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		work, peers := r.work, peersOf(r, res)
		for _, bar := range r.bars {
			v := bar.value(res)
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", work, bar.text, bar.unit(v), verdict(bar, v), peers)
			work, peers = "", ""
		}
	}
}

func verdict(b bar, v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case b.met(v):
		return "met"
	}
	return "**missed**"
}

func peersOf(r row, res *results) string {
	var list []string
	for _, p := range r.peers {
		if v := res.median(p.key); !math.IsNaN(v) {
			list = append(list, p.name+" "+unitOf(p.key)(v))
		}
	}
	return strings.Join(list, "; ")
}

// misses tells of each row with a missed bar why.
func misses(b *bytes.Buffer, res *results) {
	heading := "\n## Missed\n\n"
	for _, r := range rows {
		for _, bar := range r.bars {
			v := bar.value(res)
			if math.IsNaN(v) || bar.met(v) {
				continue
			}
			fmt.Fprintf(b, "%s- %s, %s: %s. %s\n", heading, r.work, bar.text, bar.unit(v), r.why)
			heading = ""
		}
	}
}

// load is requests a second of a hundred goroutines.
func load(b *bytes.Buffer, res *results) {
	const of = "ApacheGoroutines/"
	fmt.Fprintf(b, "\nA hundred goroutines and Apache, on the same cores: %s requests a second without authentication, %s with ours and %s with gokrb5.\n",
		digits(res.median(of+"plain req/s")), digits(res.median(of+"negotiate req/s")), digits(res.median(of+"gokrb5 req/s")))
}

// together is what goroutines cost each other, if it was measured.
func together(b *bytes.Buffer, res *results) {
	if math.IsNaN(res.median("Together/1 ns/op")) {
		return
	}
	of := func(n string) string {
		key := "Together/" + n + " ns/op"
		return unitOf(key)(res.median(key))
	}
	fmt.Fprintf(b, "\nTickets and keys that goroutines share are read without a lock. To make a token and accept it takes one goroutine %s; two at once finish one each %s, and a hundred each %s.\n",
		of("1"), of("2"), of("100"))
}

func profiles(b *bytes.Buffer, res *results) {
	b.WriteString("\n## Where the time goes\n\nShares of all samples, of a function with what it calls and is not listed, and of it with all.\n")
	for _, line := range res.profile {
		if title, ok := strings.CutPrefix(line, "= "); ok {
			fmt.Fprintf(b, "\n%s:\n\n", title)
			continue
		}
		fmt.Fprintf(b, "    %s\n", strings.TrimRight(line, " "))
	}
}

func machine(b *bytes.Buffer, res *results) {
	b.WriteString("\n## Machine and versions\n\n")
	for _, s := range res.settings {
		switch key := strings.TrimPrefix(s.key, "peer-"); {
		case key == "pkg":
		default:
			fmt.Fprintf(b, "- %s: %s\n", key, s.value)
		}
	}
}
