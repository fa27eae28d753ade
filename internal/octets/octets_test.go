package octets

import (
	"encoding/binary"
	"io"
	"testing"
	"time"
)

func TestReader(t *testing.T) {
	r := NewReader([]byte{1, 2, 3, 4, 5, 6, 7, 'a', 'b', 9})
	if a, b, c := r.U8(), r.U16(), r.U32(); a != 1 || b != 0x0203 || c != 0x04050607 {
		t.Errorf("got %#x, %#x, %#x", a, b, c)
	}
	if s := string(r.Next(2)); s != "ab" || r.Offset() != 9 || r.Len() != 1 {
		t.Errorf("got %q at %d with %d left", s, r.Offset(), r.Len())
	}
	if n := r.U16(); n != 0 || r.Err() != io.ErrUnexpectedEOF || r.Len() != 0 {
		t.Errorf("beyond the end: %d, %v", n, r.Err())
	}
	if n := r.U8(); n != 0 {
		t.Errorf("after an error %d is read", n)
	}
	little := Reader{Order: binary.LittleEndian, buf: []byte{1, 2}}
	if n := little.U16(); n != 0x0201 {
		t.Errorf("little endian: %#x", n)
	}
	var zero Reader
	if zero.Next(1<<32-1) != nil || zero.Err() == nil {
		t.Error("the zero reader is not empty")
	}
}

// What Next returns must not be a way to the fields behind it.
func TestNextIsClipped(t *testing.T) {
	b := []byte{1, 2}
	if _ = append(NewReader(b).Next(1), 9); b[1] != 2 {
		t.Error("appending to a field changes the next one")
	}
}

// A time that the format cannot hold must not become "no time".
func TestTimeOutOfRange(t *testing.T) {
	for in, want := range map[time.Time]uint32{time.Unix(-5, 0): 1, time.Unix(0, 0): 1, time.Unix(1<<40, 0): 1<<32 - 1} {
		if got := binary.BigEndian.Uint32(AppendTime(nil, in)); got != want {
			t.Errorf("%v is written as %d, want %d", in, got, want)
		}
	}
}

func TestTime(t *testing.T) {
	for sec, want := range map[uint32]time.Time{
		0:          {},
		1:          time.Unix(1, 0).UTC(),
		1 << 31:    time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
		1<<32 - 1:  time.Date(2106, 2, 7, 6, 28, 15, 0, time.UTC),
		1700000000: time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC),
	} {
		b := AppendTime(nil, want)
		if got := binary.BigEndian.Uint32(b); got != sec {
			t.Errorf("%v is written as %d, want %d", want, got, sec)
		}
		if got := NewReader(b).Time(); got != want {
			t.Errorf("%d is read as %v, want %v", sec, got, want)
		}
	}
}
