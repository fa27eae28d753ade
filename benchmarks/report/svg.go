package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
)

// chart is lines in a field with two logarithmic axes.
type chart struct {
	title, x, y string
	series      []series
}

type series struct {
	label  string
	points []point
}

type point struct{ x, y float64 }

var colours = []string{"#9a9a9a", "#1f6fc4", "#d9662b", "#2f8f4e"}

const (
	width, height            = 640, 340
	left, right, top, bottom = 70, 150, 60, 45
)

// axis maps values to places, by their logarithm.
type axis struct{ from, to, start, length float64 }

// newAxis reaches over whole powers of ten.
func newAxis(from, to, start, length float64) axis {
	lo, hi := math.Floor(math.Log10(from)), math.Ceil(math.Log10(to))
	return axis{lo, max(hi, lo+1), start, length}
}

func (a axis) at(v float64) float64 {
	return a.start + a.length*(math.Log10(v)-a.from)/(a.to-a.from)
}

func (a axis) powers() (values []float64) {
	for e := a.from; e <= a.to; e++ {
		values = append(values, math.Pow(10, e))
	}
	return values
}

func (c chart) svg() []byte {
	var b bytes.Buffer
	open(&b, height, c.title)
	var all []point
	for i := range c.series {
		all = append(all, c.series[i].points...)
	}
	if len(all) == 0 {
		return closed(&b)
	}
	lo, hi := all[0], all[0]
	for _, p := range all {
		lo = point{min(lo.x, p.x), min(lo.y, p.y)}
		hi = point{max(hi.x, p.x), max(hi.y, p.y)}
	}
	xs := newAxis(lo.x, hi.x, left, width-left-right)
	ys := newAxis(lo.y, hi.y, height-bottom, -(height - top - bottom))
	for _, v := range xs.powers() {
		rule(&b, xs.at(v), top, xs.at(v), height-bottom)
		text(&b, xs.at(v), height-bottom+16, "middle", short(v))
	}
	for _, v := range ys.powers() {
		rule(&b, left, ys.at(v), width-right, ys.at(v))
		text(&b, left-8, ys.at(v)+4, "end", short(v))
	}
	text(&b, (left+width-right)/2, height-8, "middle", c.x)
	text(&b, 12, top-18, "start", c.y)
	for i, s := range c.series {
		colour := colours[i]
		if len(c.series) == 1 {
			colour = colours[1]
		}
		s.draw(&b, xs, ys, colour)
	}
	return closed(&b)
}

func (s series) draw(b *bytes.Buffer, xs, ys axis, colour string) {
	var path []string
	for _, p := range s.points {
		path = append(path, fmt.Sprintf("%.1f,%.1f", xs.at(p.x), ys.at(p.y)))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s: %s</title></circle>`+"\n", xs.at(p.x), ys.at(p.y), colour, short(p.x), digits(p.y))
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, " "), colour)
	if n := len(s.points); n > 0 {
		last := s.points[n-1]
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="%s">%s</text>`+"\n", xs.at(last.x)+8, ys.at(last.y)+4, colour, s.label)
	}
}

// barChart is bars on one logarithmic axis.
type barChart struct {
	title string
	bars  []namedBar
}

type namedBar struct {
	label string
	value float64
	ours  bool
}

func (c barChart) svg() []byte {
	const head, labels, row = 36, 220, 22
	var b bytes.Buffer
	open(&b, head+row*len(c.bars)+10, c.title)
	most, least := 10.0, 1.0
	for _, bar := range c.bars {
		most, least = max(most, bar.value), min(least, bar.value)
	}
	xs := newAxis(least, most, labels, width-labels-60)
	for i, bar := range c.bars {
		if math.IsNaN(bar.value) {
			continue
		}
		y := float64(head + row*i)
		colour := colours[0]
		if bar.ours {
			colour = colours[1]
		}
		text(&b, labels-8, y+14, "end", bar.label)
		fmt.Fprintf(&b, `<rect x="%d" y="%.1f" width="%.1f" height="14" fill="%s"/>`+"\n", labels, y+3, xs.at(bar.value)-labels, colour)
		text(&b, xs.at(bar.value)+6, y+14, "start", digits(bar.value))
	}
	return closed(&b)
}

func open(b *bytes.Buffer, height int, title string) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(b, `<text x="12" y="20" font-size="14" font-weight="bold" fill="#222222">%s</text>`+"\n", title)
}

func closed(b *bytes.Buffer) []byte {
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func rule(b *bytes.Buffer, x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#dddddd"/>`+"\n", x1, y1, x2, y2)
}

func text(b *bytes.Buffer, x, y float64, anchor, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="#444444">%s</text>`+"\n", x, y, anchor, s)
}

// short is a number as it stands at an axis.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return digits(v/1e6) + " M"
	case v >= 1e3:
		return digits(v/1e3) + " k"
	case v >= 1:
		return digits(v)
	}
	return fmt.Sprint(v)
}
