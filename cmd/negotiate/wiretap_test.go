package main

import (
	"net"
	"slices"
	"testing"
)

// TestTapped cuts the octets of a connection in every way, which must not matter
// over TCP.
func TestTapped(t *testing.T) {
	stream := []byte("\x00\x00\x00\x05first\x00\x00\x00\x00\x00\x00\x00\x06second\x00\x00\x00\x09cut")
	for size := 1; size <= len(stream); size++ {
		ours, theirs := net.Pipe()
		tape := new(tape)
		c := &tapped{Conn: ours, tape: tape, network: "tcp"}
		go func() {
			for part := range slices.Chunk(stream, size) {
				theirs.Write(part)
			}
			theirs.Close()
		}()
		buf := make([]byte, 64)
		for {
			if _, err := c.Read(buf); err != nil {
				break
			}
		}
		c.Close()
		var got []string
		for _, e := range tape.take() {
			if e.kind != eventMessage || !e.incoming || e.network != "tcp" {
				t.Errorf("recorded %+v, want a message that came over TCP", e)
			}
			got = append(got, string(e.message))
		}
		if want := []string{"first", "", "second"}; !slices.Equal(got, want) {
			t.Errorf("in pieces of %d: got %q, want %q", size, got, want)
		}
	}
}

// TestTappedUDP records each datagram as it is.
func TestTappedUDP(t *testing.T) {
	ours, theirs := net.Pipe()
	tape := new(tape)
	c := &tapped{Conn: ours, tape: tape, network: "udp"}
	go theirs.Read(make([]byte, 64))
	if _, err := c.Write([]byte("\x00\x00\x00\x01as it is")); err != nil {
		t.Fatal(err)
	}
	c.Close()
	theirs.Close()
	if got := tape.take(); len(got) != 1 || string(got[0].message) != "\x00\x00\x00\x01as it is" || got[0].incoming {
		t.Errorf("recorded %+v", got)
	}
}

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"":                "''",
		"/tmp/krb5.conf":  "/tmp/krb5.conf",
		"FILE:/tmp/a_b-1": "FILE:/tmp/a_b-1",
		"/tmp/a b":        "'/tmp/a b'",
		"it's $HOME;":     `'it'\''s $HOME;'`,
	} {
		if got := quoted(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}
