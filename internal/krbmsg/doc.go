// Package krbmsg is the codec of the messages of Kerberos 5 (RFC 4120): what a
// client, a service and a KDC say to each other, as plain structs.
//
// Each Parse function takes one whole message and returns an error that wraps
// ErrMalformed for anything else; it never panics, and its result may alias the
// input. Each Append method encodes into the given buffer. Nothing is encrypted
// or verified here.
package krbmsg

import (
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/internal/der"
)

// ErrMalformed is what the errors of all parsers wrap.
var ErrMalformed = errors.New("malformed Kerberos message")

// Version is the protocol version number in every message.
const Version = 5

// maxList bounds the lists in a message. The longest in use are the
// authorization data and the entype lists, with some ten entries.
const maxList = 256

// parse runs decode over the whole of b and names the message in the error.
func parse(what string, b []byte, decode func(r *der.Reader)) error {
	failed := false
	r := der.NewReader(b, &failed)
	decode(&r)
	if !failed {
		r.End()
	}
	if failed {
		return malformed(what)
	}
	return nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// list reads a SEQUENCE OF into a slice.
func list[T any](r *der.Reader, read func(r *der.Reader) T) []T {
	seq := r.Sequence()
	var out []T
	for !seq.Empty() {
		if len(out) == maxList {
			seq.Fail()
			return nil
		}
		out = append(out, read(&seq))
	}
	return out
}

// header reads the pvno and msg-type fields that begin most messages, with the
// number of the first of them.
func header(r *der.Reader, first uint8, msgType int) {
	version := r.Field(first)
	if version.Int32() != Version {
		r.Fail()
	}
	typ := r.Field(first + 1)
	if typ.Int32() != int32(msgType) {
		r.Fail()
	}
}

func appendHeader(w *der.Writer, first uint8, msgType int) {
	w.CtxInt(first, Version)
	w.CtxInt(first+1, int64(msgType))
}
