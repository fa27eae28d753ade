// Package octets reads the length-prefixed fields of binary files without ever
// reading past their end or allocating what a length merely claims.
package octets

import (
	"encoding/binary"
	"io"
)

// Reader reads fields from the front of a slice. After a read past the end it
// gives zeros and Err is io.ErrUnexpectedEOF, so that a caller may check once
// after several reads. The zero Reader is empty.
type Reader struct {
	Order binary.ByteOrder // nil: big endian
	buf   []byte
	off   int
	err   error
}

// NewReader returns a reader of b, big endian. It does not copy b.
func NewReader(b []byte) *Reader { return &Reader{Order: binary.BigEndian, buf: b} }

// Err returns io.ErrUnexpectedEOF once a read has gone past the end.
func (r *Reader) Err() error { return r.err }

// Len returns how many octets are left; none after an error.
func (r *Reader) Len() int {
	if r.err != nil {
		return 0
	}
	return len(r.buf) - r.off
}

// Offset returns how many octets have been read.
func (r *Reader) Offset() int { return r.off }

// Next returns the next n octets as a part of the underlying slice, nil when
// there are not so many.
func (r *Reader) Next(n uint32) []byte {
	if r.err == nil && uint64(n) > uint64(len(r.buf)-r.off) {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err != nil {
		return nil
	}
	b := r.buf[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return b
}

// U8 reads one octet.
func (r *Reader) U8() uint8 {
	if b := r.Next(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads an unsigned number of two octets.
func (r *Reader) U16() uint16 {
	if b := r.Next(2); b != nil {
		return r.order().Uint16(b)
	}
	return 0
}

// U32 reads an unsigned number of four octets.
func (r *Reader) U32() uint32 {
	if b := r.Next(4); b != nil {
		return r.order().Uint32(b)
	}
	return 0
}

func (r *Reader) order() binary.ByteOrder {
	if r.Order == nil {
		return binary.BigEndian
	}
	return r.Order
}
