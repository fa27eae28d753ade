package der

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"math"
	"testing"
	"time"
)

func TestWriterIntegers(t *testing.T) {
	for _, v := range []int64{
		0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, -32769,
		math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64,
	} {
		var w Writer
		w.Int(v)
		want, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(w.Buf, want) {
			t.Errorf("Int(%d) = %x, want %x", v, w.Buf, want)
		}
		in := NewInput(w.Buf)
		r := in.Reader()
		if got := r.Int(math.MinInt64, math.MaxInt64); got != v || in.Failed() {
			t.Errorf("Int(%d) is read back as %d, failed: %v", v, got, in.Failed())
		}
	}
}

// Lengths change their form at 128, 256 and 65536 octets.
func TestWriterLengths(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 20} {
		content := bytes.Repeat([]byte{0xa5}, n)
		var w Writer
		w.CtxOctets(3, content)
		inner, err := asn1.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		want, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 3, IsCompound: true, Bytes: inner})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(w.Buf, want) {
			t.Errorf("%d octets: the encoding begins with %x, want %x", n, w.Buf[:12], want[:12])
		}
	}
}

// BeginLong writes the same as Begin, whether its guess is right or not, with and
// without room in the buffer.
func TestWriterBeginLong(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536} {
		content := bytes.Repeat([]byte{0xa5}, n)
		write := func(begin func(*Writer, byte) Mark, room int) []byte {
			w := Writer{Buf: append(make([]byte, 0, room), "before"...)}
			outer := begin(&w, TagSequence)
			inner := begin(&w, TagOctetString)
			w.Raw(content)
			w.End(inner)
			w.End(outer)
			return w.Buf
		}
		want := write((*Writer).Begin, 0)
		for _, room := range []int{0, n + 20} {
			if got := write((*Writer).BeginLong, room); !bytes.Equal(got, want) {
				t.Errorf("%d octets: BeginLong has made %d octets that begin with %x, want %d with %x", n, len(got), got[:12], len(want), want[:min(12, len(want))])
			}
		}
	}
}

func TestWriterAppendsToItsBuffer(t *testing.T) {
	buf := make([]byte, 2, 64)
	copy(buf, "ab")
	w := Writer{Buf: buf}
	w.CtxString(1, "R")
	if got, want := hex.EncodeToString(w.Buf), "6162a1031b0152"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if &w.Buf[0] != &buf[0] {
		t.Error("a buffer with room was not used")
	}
}

func TestWriterTime(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	for _, tt := range []struct {
		time time.Time
		want string
	}{
		{time.Unix(0, 0), "19700101000000Z"},
		{time.Date(1994, 6, 10, 6, 3, 17, 999_999_999, time.UTC), "19940610060317Z"},
		{time.Date(2026, 1, 1, 1, 0, 0, 0, zone), "20251231230000Z"},
		{time.Unix(1<<31, 0), "20380119031408Z"},
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), "99991231235959Z"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "99991231235959Z"},
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), "00000101000000Z"},
		{time.Time{}, "00010101000000Z"},
	} {
		var w Writer
		w.Time(tt.time)
		if got := string(w.Buf[2:]); got != tt.want {
			t.Errorf("%v is written as %q, want %q", tt.time, got, tt.want)
		}
	}
}

func TestWriterOmitsZeroTime(t *testing.T) {
	var w Writer
	w.CtxOptTime(1, time.Time{})
	if len(w.Buf) != 0 {
		t.Errorf("the zero time was written as %x", w.Buf)
	}
}
