package pac

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// SID is a security identifier (MS-DTYP, section 2.4.2). The zero SID is none.
type SID struct {
	Authority uint64 // 48 bits
	Sub       []uint32
}

// maxSub bounds the numbers after the authority.
const maxSub = 15

// IsZero reports whether it is none.
func (s SID) IsZero() bool { return s.Authority == 0 && len(s.Sub) == 0 }

// String returns the usual form, "S-1-5-21-1-2-3-500"; "" for none.
func (s SID) String() string {
	if s.IsZero() {
		return ""
	}
	b := []byte("S-1-")
	if s.Authority < 1<<32 {
		b = strconv.AppendUint(b, s.Authority, 10)
	} else {
		b = fmt.Appendf(b, "0x%012x", s.Authority)
	}
	for _, n := range s.Sub {
		b = strconv.AppendUint(append(b, '-'), uint64(n), 10)
	}
	return string(b)
}

// With returns the identifier of a member of the domain that s is.
func (s SID) With(rid uint32) SID {
	return SID{s.Authority, append(s.Sub[:len(s.Sub):len(s.Sub)], rid)}
}

// ParseSID reads the usual form.
func ParseSID(text string) (SID, error) {
	bad := fmt.Errorf("%q is no security identifier, such as S-1-5-21-1-2-3-500", text)
	parts := strings.Split(text, "-")
	if len(parts) < 4 || len(parts) > 3+maxSub || parts[0] != "S" || parts[1] != "1" {
		return SID{}, bad
	}
	authority, err := strconv.ParseUint(parts[2], 0, 48)
	if err != nil {
		return SID{}, bad
	}
	s := SID{Authority: authority}
	for _, p := range parts[3:] {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return SID{}, bad
		}
		s.Sub = append(s.Sub, uint32(n))
	}
	return s, nil
}

// readSID reads the octets of one, which have no room for another number.
func readSID(b []byte) (SID, bool) {
	if len(b) < 8 || b[0] != 1 || b[1] > maxSub || len(b) != 8+4*int(b[1]) {
		return SID{}, false
	}
	var authority [8]byte
	copy(authority[2:], b[2:8])
	s := SID{Authority: binary.BigEndian.Uint64(authority[:])}
	for rest := b[8:]; len(rest) > 0; rest = rest[4:] {
		s.Sub = append(s.Sub, binary.LittleEndian.Uint32(rest))
	}
	return s, true
}

func appendSID(b []byte, s SID) []byte {
	var authority [8]byte
	binary.BigEndian.PutUint64(authority[:], s.Authority)
	b = append(append(b, 1, byte(len(s.Sub))), authority[2:]...)
	for _, n := range s.Sub {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}
