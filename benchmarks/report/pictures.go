package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// picture is a plot of how figures grow.
type picture struct {
	name, title, text string
	x, y              string
	scale             float64 // of the figures
	lines             []line
}

// line has the figures of the benchmarks whose name is prefix and a number.
type line struct{ label, prefix, unit string }

var pictures = []picture{
	{
		name: "goroutines", title: "Requests a second by goroutines",
		text: "Transport to Handler on loopback, all in one process, each goroutine with a connection of its own.",
		x:    "goroutines", y: "requests a second", scale: 1,
		lines: []line{{"plain net/http", "Goroutines/plain/", "req/s"}, {"negotiate", "Goroutines/negotiate/", "req/s"}},
	},
	{
		name: "hosts", title: "Time for a token by hosts",
		text: "The tickets of all hosts are cached, and each host's turn comes after all the others'. Of more than 16 384 tickets of a credential, a sixteenth is dropped at a time, and of more than 16 384 origins one that was not used of late.",
		x:    "hosts", y: "µs", scale: 1e-3,
		lines: []line{{"initial token", "Hosts/token/", "ns/op"}},
	},
	{
		name: "size", title: "Time by the size of the ticket's authorization data",
		text: "A user's groups are there. What has to be done for each octet: for the initial token a copy, to accept it again a hash, and to accept the first a hash, decryption and a MAC.",
		x:    "octets", y: "µs", scale: 1e-3,
		lines: []line{{"initial token", "Size/initiate/", "ns/op"}, {"accept", "Size/accept/", "ns/op"}, {"accept the first", "Size/first/", "ns/op"}},
	},
	{
		name: "replay", title: "Replay cache: time of a check by entries",
		text: "The authenticators have come evenly over five minutes.",
		x:    "entries", y: "ns", scale: 1,
		lines: []line{{"check", "Replay/", "ns/op"}},
	},
	{
		name: "replay-memory", title: "Replay cache: memory of an entry by entries",
		text: "`ReplayCacheSize` bounds the entries, to 1 048 576 unless set. The first few share what an empty cache takes.",
		x:    "entries", y: "octets", scale: 1,
		lines: []line{{"memory", "Replay/", "B/entry"}},
	},
}

// points are the medians of a line, by the number.
func (l line) points(res *results, scale float64) (pts []point) {
	byX := map[float64]float64{}
	for key := range res.samples {
		rest, ok := strings.CutPrefix(key, l.prefix)
		number, unit, _ := strings.Cut(rest, " ")
		x, err := strconv.ParseFloat(number, 64)
		if ok && err == nil && unit == l.unit && x > 0 {
			byX[x] = res.median(key) * scale
		}
	}
	for _, x := range slices.Sorted(maps.Keys(byX)) {
		pts = append(pts, point{x, byX[x]})
	}
	return pts
}

// plots are all pictures, and the bars of the peers, by name.
func plots(res *results) map[string][]byte {
	out := map[string][]byte{"peers": peerBars(res)}
	for _, p := range pictures {
		c := chart{title: p.title, x: p.x, y: p.y}
		for _, l := range p.lines {
			c.series = append(c.series, series{l.label, l.points(res, p.scale)})
		}
		out[p.name] = c.svg()
	}
	return out
}

// peerBars has the peers side by side.
func peerBars(res *results) []byte {
	bars := barChart{title: "Time in µs, on a logarithmic scale"}
	for _, g := range []struct {
		title string
		keys  []peer
	}{
		{"initial token", []peer{{"negotiate", "Initiate/negotiate-mutual ns/op"}, {"gokrb5", "Initiate/gokrb5 ns/op"}, {"libgssapi", "Libgssapi/all ns/initiate"}}},
		{"accept", []peer{{"negotiate", "Accept/negotiate-mutual ns/op"}, {"gokrb5", "Accept/gokrb5 ns/op"}, {"libgssapi", "Libgssapi/all ns/accept"}}},
		{"verify AP-REP", []peer{{"negotiate", "Verify/negotiate ns/op"}, {"libgssapi", "Libgssapi/all ns/verify"}}},
		{"GET, Go to Go", []peer{{"negotiate", "Loopback/negotiate ns/op"}, {"gokrb5", "Loopback/gokrb5 ns/op"}}},
		{"GET, Apache", []peer{{"negotiate", "Apache/negotiate ns/op"}, {"gokrb5", "Apache/gokrb5 ns/op"}, {"requests-kerberos", "Apache/requests-kerberos ns/op"}}},
	} {
		for _, k := range g.keys {
			bars.bars = append(bars.bars, namedBar{fmt.Sprintf("%s: %s", g.title, k.name), res.median(k.key) / 1000, k.name == "negotiate"})
		}
	}
	return bars.svg()
}
