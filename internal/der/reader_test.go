package der

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// reading decodes hexadecimal input with one method of Reader.
func reading[T any](t *testing.T, in string, read func(r *Reader) T) (T, bool) {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(in, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	input := NewInput(b)
	r := input.Reader()
	v := read(&r)
	r.End()
	return v, !input.Failed()
}

type readCase[T comparable] struct {
	name, in string
	want     T
	ok       bool
}

func testReading[T comparable](t *testing.T, read func(r *Reader) T, cases []readCase[T]) {
	t.Helper()
	for _, tt := range cases {
		got, ok := reading(t, tt.in, read)
		if ok != tt.ok || got != tt.want {
			t.Errorf("%s: %q gives %v, %v; want %v, %v", tt.name, tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestReaderInt32(t *testing.T) {
	testReading(t, (*Reader).Int32, []readCase[int32]{
		{"zero", "020100", 0, true},
		{"negative", "020180", -128, true},
		{"smallest", "020480000000", -1 << 31, true},
		{"largest", "02047fffffff", 1<<31 - 1, true},
		{"too small", "0205ff7fffffff", 0, false},
		{"too large", "02050080000000", 0, false},
		{"nine octets", "0209 010000000000000000", 0, false},
		{"empty", "0200", 0, false},
		{"padded with zero", "02020001", 0, false},
		{"padded with ones", "0202ffff", 0, false},
		{"another tag", "040101", 0, false},
		{"cut", "0202 01", 0, false},
		{"nothing", "", 0, false},
	})
}

func TestReaderUint32(t *testing.T) {
	testReading(t, (*Reader).Uint32, []readCase[uint32]{
		{"zero", "020100", 0, true},
		{"largest", "020500ffffffff", 1<<32 - 1, true},
		{"too large", "02050100000000", 0, false},
		{"written as a signed number", "0201ff", 1<<32 - 1, true},
		{"smallest signed number", "020480000000", 1 << 31, true},
		{"too small", "0205ff7fffffff", 0, false},
	})
}

func TestReaderIntRange(t *testing.T) {
	read := func(r *Reader) int64 { return r.Int(0, 999999) }
	testReading(t, read, []readCase[int64]{
		{"lowest", "020100", 0, true},
		{"highest", "02030f423f", 999999, true},
		{"below", "0201ff", 0, false},
		{"above", "02030f4240", 0, false},
	})
}

func TestReaderBits32(t *testing.T) {
	testReading(t, (*Reader).Bits32, []readCase[uint32]{
		{"32 bits", "0305 00 fedcba98", 0xfedcba98, true},
		{"40 bits", "0306 00 fedcba98 ff", 0xfedcba98, true},
		{"8 bits", "0302 00 40", 0x40000000, true},
		{"2 bits, zeros left out", "0302 06 40", 0x40000000, true},
		{"padding that is set", "0302 06 7f", 0x40000000, true},
		{"32 bits with padding beyond", "0306 07 fedcba98 80", 0xfedcba98, true},
		{"31 bits with padding that is set", "0305 01 ffffffff", 0xfffffffe, true},
		{"no bits", "0301 00", 0, true},
		{"empty", "0300", 0, false},
		{"padding of nothing", "0301 01", 0, false},
		{"eight bits of padding", "0302 08 00", 0, false},
		{"constructed", "2305 00 fedcba98", 0, false},
	})
}

func TestReaderString(t *testing.T) {
	testReading(t, (*Reader).String, []readCase[string]{
		{"GeneralString", "1b03 616263", "abc", true},
		{"UTF8String", "0c02 c3a9", "é", true},
		{"IA5String", "1601 61", "a", true},
		{"PrintableString", "1301 61", "a", true},
		{"octets beyond ASCII", "1b02 ff00", "\xff\x00", true},
		{"empty", "1b00", "", true},
		{"octet string", "0401 61", "", false},
		{"nothing", "", "", false},
	})
}

func TestReaderTime(t *testing.T) {
	date := func(y int, m time.Month, d, h, min, s int) time.Time {
		return time.Date(y, m, d, h, min, s, 0, time.UTC)
	}
	for _, tt := range []struct {
		in   string
		want time.Time // zero: refused
	}{
		{"19940610060317Z", date(1994, 6, 10, 6, 3, 17)},
		{"19700101000000Z", time.Unix(0, 0).UTC()},
		{"19691231235959Z", time.Unix(-1, 0).UTC()},
		{"20380119031408Z", time.Unix(1<<31, 0).UTC()},
		{"21060207062816Z", time.Unix(1<<32, 0).UTC()},
		{"99991231235959Z", date(9999, 12, 31, 23, 59, 59)},
		{"20240229000000Z", date(2024, 2, 29, 0, 0, 0)},
		{"20161231235960Z", date(2016, 12, 31, 23, 59, 59)}, // a leap second
		{"99991231235960Z", date(9999, 12, 31, 23, 59, 59)},
		{"16010101000000Z", date(1601, 1, 1, 0, 0, 0)}, // what Windows has for "never"
		{"20250229000000Z", time.Time{}},
		{"20250231000000Z", time.Time{}},
		{"20250431000000Z", time.Time{}},
		{"20250001000000Z", time.Time{}},
		{"20251301000000Z", time.Time{}},
		{"20250100000000Z", time.Time{}},
		{"20250132000000Z", time.Time{}},
		{"20250101240000Z", time.Time{}},
		{"20250101006000Z", time.Time{}},
		{"20250101000061Z", time.Time{}},
		{"20250101000000", time.Time{}},
		{"20250101000000z", time.Time{}},
		{"20250101000000.5Z", time.Time{}},
		{"20250101000000+0100", time.Time{}},
		{"202501010000Z", time.Time{}},
		{"2025-1-1000000Z", time.Time{}},
		{"+0250101000000Z", time.Time{}},
		{"", time.Time{}},
	} {
		in := NewInput(append([]byte{TagGeneralTime, byte(len(tt.in))}, tt.in...))
		r := in.Reader()
		got := r.Time()
		if ok := !tt.want.IsZero(); !got.Equal(tt.want) || in.Failed() == ok {
			t.Errorf("%q is read as %v, failed: %v; want %v", tt.in, got, in.Failed(), tt.want)
		}
	}
}

// DER has one form of a length; others could hide octets from one of two readers.
func TestReaderRefusesOtherThanDER(t *testing.T) {
	for name, in := range map[string]string{
		"indefinite length":           "3080 020101 0000",
		"long form of a short length": "308103 020101",
		"length padded with zero":     "30820003 020101",
		"length of five octets":       "30850000000003 020101",
		"length of 127 octets":        "30ff 020101",
		"4 GiB":                       "3084ffffffff 020101",
		"2 GiB":                       "308480000000 020101",
		"more than there is":          "3004 020101",
		"high tag number":             "3f1e03 020101",
		"tag alone":                   "30",
		"nothing":                     "",
	} {
		if _, ok := reading(t, in, func(r *Reader) bool { r.Open(TagSequence); return true }); ok {
			t.Errorf("%s: Open takes it", name)
		}
		if _, ok := reading(t, in, func(r *Reader) bool { r.Element(); return true }); ok {
			t.Errorf("%s: Element takes it", name)
		}
	}
}

// A field holds one element: more would be read by one peer and not by another.
func TestReaderFieldsHoldOneElement(t *testing.T) {
	for name, tt := range map[string]struct {
		content string
		read    func(r *Reader) bool
	}{
		"FieldInt":     {"020101", func(r *Reader) bool { return r.FieldInt(1, 0, 9) == 1 }},
		"FieldInt32":   {"020101", func(r *Reader) bool { return r.FieldInt32(1) == 1 }},
		"FieldUint32":  {"020101", func(r *Reader) bool { return r.FieldUint32(1) == 1 }},
		"FieldOctets":  {"040161", func(r *Reader) bool { return string(r.FieldOctets(1)) == "a" }},
		"FieldString":  {"1b0161", func(r *Reader) bool { return r.FieldString(1) == "a" }},
		"FieldBits32":  {"03050000000001", func(r *Reader) bool { return r.FieldBits32(1) == 1 }},
		"FieldTime":    {"180f31393730303130313030303030305a", func(r *Reader) bool { return r.FieldTime(1).Unix() == 0 }},
		"FieldOptTime": {"180f31393730303130313030303030305a", func(r *Reader) bool { return r.FieldOptTime(1).Unix() == 0 }},
		"FieldElement": {"020101", func(r *Reader) bool { e := r.FieldElement(1); return e.Int32() == 1 }},
	} {
		wrap := func(tag byte, content string) string {
			return hex.EncodeToString([]byte{tag, byte(len(content) / 2)}) + content
		}
		if got, ok := reading(t, wrap(Ctx(1), tt.content), tt.read); !got || !ok {
			t.Errorf("%s does not read %s", name, tt.content)
		}
		if _, ok := reading(t, wrap(Ctx(1), tt.content+"0500"), tt.read); ok {
			t.Errorf("%s takes a field with a second element", name)
		}
		if _, ok := reading(t, wrap(Ctx(2), tt.content), tt.read); ok {
			t.Errorf("%s takes a field of another number", name)
		}
	}
}

func TestReaderOptional(t *testing.T) {
	in := NewInput([]byte{Ctx(2), 3, TagInteger, 1, 7})
	r := in.Reader()
	if r.HasField(1) || !r.HasField(2) {
		t.Error("HasField does not tell [1] from [2]")
	}
	if _, ok := r.OptionalField(1); ok {
		t.Error("an absent field was found")
	}
	if !r.FieldOptTime(1).IsZero() {
		t.Error("an absent time is not zero")
	}
	f, ok := r.OptionalField(2)
	if !ok || f.Int32() != 7 || !r.Empty() || in.Failed() {
		t.Error("the field that is there was not read")
	}
}

func TestReaderMore(t *testing.T) {
	in := NewInput([]byte{TagInteger, 1, 1, TagInteger, 1, 2, TagInteger, 1, 3})
	for limit, wantFailed := range map[int]bool{2: true, 3: false} {
		in := in
		r := in.Reader()
		n := 0
		for ; r.More(n, limit); n++ {
			r.Int32()
		}
		if n != min(limit, 3) || in.Failed() != wantFailed {
			t.Errorf("limit %d: %d elements of 3 were read, failed: %v", limit, n, in.Failed())
		}
	}
}

// What fails in one reader shows in all of them, and a loop over a reader that
// failed ends.
func TestReaderFailureIsShared(t *testing.T) {
	in := NewInput([]byte{TagSequence, 3, TagInteger, 1, 5, TagInteger, 1, 6})
	r := in.Reader()
	seq := r.Sequence()
	if seq.Octets() != nil {
		t.Error("an INTEGER was read as octets")
	}
	if !in.Failed() || !seq.Empty() {
		t.Error("the failure is not seen")
	}
	if got := seq.Int32(); got != 0 {
		t.Errorf("a reader that failed returns %d", got)
	}
}

// A caller may append to what it was given.
func TestReaderResultsDoNotReachFurther(t *testing.T) {
	b := []byte{TagOctetString, 1, 'a', TagOctetString, 1, 'b', TagOctetString, 1, 'c'}
	before := bytes.Clone(b)
	in := NewInput(b)
	r := in.Reader()
	_ = append(r.Octets(), "xyz"...)
	e := r.Element()
	_ = append(e.Rest(), "xyz"...)
	if !bytes.Equal(b, before) {
		t.Errorf("appending to a result changed the input to %x", b)
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	var w Writer
	seq := w.Begin(TagSequence)
	w.CtxInt(0, 5)
	w.CtxOctets(1, []byte("abc"))
	w.CtxBits32(2, 1)
	w.CtxTime(3, time.Unix(0, 0))
	w.End(seq)
	n := testing.AllocsPerRun(100, func() {
		in := NewInput(w.Buf)
		r := in.Reader()
		seq := r.Sequence()
		seq.FieldInt32(0)
		seq.FieldOctets(1)
		seq.FieldBits32(2)
		seq.FieldOptTime(3)
		seq.End()
		r.End()
		if in.Failed() {
			t.Fatal("not read")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
