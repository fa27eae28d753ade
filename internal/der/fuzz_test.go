package der

import (
	"bytes"
	"math"
	"testing"
	"time"
)

// FuzzReader reads its input as each kind of value. What is taken is written
// and read again as the same.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"\x02\x01\x7f", "\x02\x02\xff\x7f", "\x03\x05\x00\x40\x81\x00\x00", "\x03\x02\x06\x40", "\x04\x03abc",
		"\x1b\x05REALM", "\x0c\x02\xc3\xa9", "\x18\x0f19940610060317Z", "\x18\x0f20161231235960Z", "\x18\x0f99991231235960Z",
		"\x30\x03\x02\x01\x05", "\x30\x80\x00\x00", "\x30\x84\xff\xff\xff\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, "Int", b, func(r *Reader) int64 { return r.Int(math.MinInt64, math.MaxInt64) }, (*Writer).Int)
		again(t, "Bits32", b, (*Reader).Bits32, (*Writer).Bits32)
		again(t, "String", b, (*Reader).String, (*Writer).String)
		again(t, "Octets", b, func(r *Reader) string { return string(r.Octets()) },
			func(w *Writer, s string) { w.Octets([]byte(s)) })
		again(t, "Time", b, (*Reader).Time, (*Writer).Time)
		again(t, "Element", b, func(r *Reader) string { e := r.Element(); return string(e.Rest()) },
			func(w *Writer, s string) { w.Raw([]byte(s)) })
	})
}

func again[T comparable](t *testing.T, what string, b []byte, read func(*Reader) T, write func(*Writer, T)) {
	in := NewInput(bytes.Clone(b))
	r := in.Reader()
	v := read(&r)
	if in.Failed() {
		var zero T
		if v != zero {
			t.Errorf("%s(%x) failed and gave %v", what, b, v)
		}
		return
	}
	var w Writer
	write(&w, v)
	in2 := NewInput(w.Buf)
	r2 := in2.Reader()
	v2 := read(&r2)
	r2.End()
	if in2.Failed() || v2 != v {
		t.Errorf("%s(%x) = %v, written as %x, and read again as %v, failed: %v", what, b, v, w.Buf, v2, in2.Failed())
	}
	if tm, ok := any(v).(time.Time); ok && (tm.Year() < 0 || tm.Year() > 9999) {
		t.Errorf("%s(%x) is in the year %d", what, b, tm.Year())
	}
}
