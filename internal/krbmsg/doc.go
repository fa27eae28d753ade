// Package krbmsg is the codec of the messages of Kerberos 5 (RFC 4120): what a
// client, a service and a KDC say to each other, as plain structs.
//
// Each Parse function takes one whole message and returns an error that wraps
// ErrMalformed, and a zero value, for anything else. It never panics, and its
// result may alias the input. The encoding has to be DER, and what follows the
// message is refused; only what was encrypted may have padding after it.
// Elements that follow the known ones inside of a SEQUENCE are passed over, as
// peers of a later version may send them. Each Append method encodes into the
// given buffer. Nothing is encrypted or verified here.
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

// parse reads the whole of b and names the message in the error.
func parse[T any](what string, b []byte, read func(r *der.Reader) T) (T, error) {
	return decode(what, b, func(r *der.Reader) T {
		v := read(r)
		r.End()
		return v
	})
}

// decode is parse for what was encrypted: the plaintext of a block cipher may
// have padding after the element.
func decode[T any](what string, b []byte, read func(r *der.Reader) T) (T, error) {
	in := der.NewInput(b)
	r := in.Reader()
	v := read(&r)
	if in.Failed() {
		var zero T
		return zero, malformed(what)
	}
	return v, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// list reads a SEQUENCE OF into a slice.
func list[T any](r *der.Reader, read func(r *der.Reader) T) []T {
	seq := r.Sequence()
	var out []T
	for seq.More(len(out), maxList) {
		out = append(out, read(&seq))
	}
	return out
}

// fieldList reads the field [n] that holds a SEQUENCE OF.
func fieldList[T any](r *der.Reader, n uint8, read func(r *der.Reader) T) []T {
	f := r.Field(n)
	out := list(&f, read)
	f.End()
	return out
}

// fieldOptList is fieldList for a field that may be absent.
func fieldOptList[T any](r *der.Reader, n uint8, read func(r *der.Reader) T) []T {
	if !r.HasField(n) {
		return nil
	}
	return fieldList(r, n, read)
}

// message reads the application tag that is around a message, and returns the
// SEQUENCE in it.
func message(r *der.Reader, tag uint8) der.Reader {
	app := r.Open(der.App(tag))
	seq := app.Sequence()
	app.End()
	return seq
}

// header reads the pvno and msg-type fields that begin most messages, with the
// number of the first of them.
func header(r *der.Reader, first uint8, msgType int) {
	if r.FieldInt32(first) != Version || r.FieldInt32(first+1) != int32(msgType) {
		r.Fail()
	}
}

func appendHeader(w *der.Writer, first uint8, msgType int) {
	w.CtxInt(first, Version)
	w.CtxInt(first+1, int64(msgType))
}
