package octets

import (
	"encoding/binary"
	"math"
	"time"
)

// Time reads a time of four octets: seconds since 1970 without a sign, as MIT
// Kerberos reads them since 1.16, so that they reach until 2106. 0 is no time.
func (r *Reader) Time() time.Time {
	sec := r.U32()
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(int64(sec), 0).UTC()
}

// AppendTime appends t as [Reader.Time] reads it, big endian. A time outside of
// what the format can hold becomes the nearest that it can.
func AppendTime(b []byte, t time.Time) []byte {
	var sec uint32
	if !t.IsZero() {
		sec = uint32(min(max(t.Unix(), 1), math.MaxUint32))
	}
	return binary.BigEndian.AppendUint32(b, sec)
}
