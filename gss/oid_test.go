package gss_test

import (
	"encoding/asn1"
	"errors"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

func TestOIDRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		dotted string
		oid    gss.OID
	}{
		{"1.3.6.1.5.5.2", gss.MechSPNEGO},
		{"1.2.840.113554.1.2.2", gss.MechKRB5},
		{"1.2.840.48018.1.2.2", gss.MechMSKRB5},
		{"1.3.6.1.4.1.311.2.2.10", gss.MechNTLM},
		{"0.0", "\x00"},
		{"0.39", "\x27"},
		{"1.0", "\x28"},
		{"1.39", "\x4f"},
		{"2.0", "\x50"},
		{"2.47", "\x7f"},
		{"2.48", "\x81\x00"},
		{"2.999.3", "\x88\x37\x03"},
		{"1.2.127.128.16383.16384", "\x2a\x7f\x81\x00\xff\x7f\x81\x80\x00"},
		{"1.2.4294967296", "\x2a\x90\x80\x80\x80\x00"},
		{"1.2.72057594037927935", "\x2a\xff\xff\xff\xff\xff\xff\xff\x7f"},
		{"2.72057594037927855", "\xff\xff\xff\xff\xff\xff\xff\x7f"},
	} {
		got, err := gss.ParseOID(tt.dotted)
		if err != nil || got != tt.oid {
			t.Errorf("ParseOID(%q) = %x, %v; want %x", tt.dotted, string(got), err, string(tt.oid))
		}
		if got := tt.oid.String(); got != tt.dotted {
			t.Errorf("%x reads %q, want %q", string(tt.oid), got, tt.dotted)
		}
	}
}

func TestParseOIDRefuses(t *testing.T) {
	for _, s := range []string{
		"", "1", "1.", ".1", "1..2", "a.b", "1.2.x", "1.2.-3", "1.2.+3", "1.2.0x3", "1.2.03", "1.2.1_0", " 1.2", "1.2 ",
		"1.40", "0.40", "3.1", "4.5.6", "1.2.72057594037927936", "2.72057594037927856", "1.2.18446744073709551616",
		"1.2" + strings.Repeat(".1", 128), "1.2" + strings.Repeat(".16384", 43), strings.Repeat("1.", 1<<20), "１.２",
	} {
		oid, err := gss.ParseOID(s)
		if !errors.Is(err, gss.ErrBadOID) || oid != "" {
			t.Errorf("ParseOID(%.40q) = %x, %v; want ErrBadOID", s, string(oid), err)
		} else if len(err.Error()) > 700 {
			t.Errorf("ParseOID(%.40q): the error has %d octets", s, len(err.Error()))
		}
	}
}

func TestOIDStringOfOctetsOfAPeer(t *testing.T) {
	for _, o := range []gss.OID{
		"\x80", "\x2a\x80\x01", "\x2a\x86", "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\x2a\x81\x80\x80\x80\x80\x80\x80\x80\x00",
		gss.OID(strings.Repeat("\x01", 129)),
	} {
		if got := o.String(); got != "invalid OID" {
			t.Errorf("%x reads %q", string(o), got)
		}
	}
	if got := gss.OID("").String(); got != "" {
		t.Errorf("the empty OID reads %q", got)
	}
}

func TestOIDDescribe(t *testing.T) {
	for o, want := range map[gss.OID]string{
		gss.MechSPNEGO: "SPNEGO", gss.MechKRB5: "krb5", gss.MechMSKRB5: "krb5 (Microsoft)", gss.MechNTLM: "NTLM",
		"\x2b\x06": "1.3.6", "\x80": "invalid OID", "": "",
	} {
		if got := o.Describe(); got != want {
			t.Errorf("%x is described as %q, want %q", string(o), got, want)
		}
	}
}

// FuzzParseOID reads its input as text and as the octets of a peer: what is
// taken comes back the same, and the standard library reads it alike.
func FuzzParseOID(f *testing.F) {
	for _, s := range []string{
		"1.3.6.1.5.5.2", "2.999.3", "1.2.72057594037927935", "0.0", "1.40", "1.2.03", "1..2", string(gss.MechKRB5), "\x80\x01", "\xff\x7f",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if o, err := gss.ParseOID(s); err == nil {
			if got := o.String(); got != s {
				t.Errorf("ParseOID(%q).String() = %q", s, got)
			}
		} else if !errors.Is(err, gss.ErrBadOID) || o != "" {
			t.Errorf("ParseOID(%q) = %x, %v", s, string(o), err)
		}

		dotted := gss.OID(s).String()
		if dotted == "" || dotted == "invalid OID" {
			return
		}
		if o, err := gss.ParseOID(dotted); err != nil || string(o) != s {
			t.Errorf("%x reads %q, which is parsed as %x, %v", s, dotted, string(o), err)
		}
		var std asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(append([]byte{6, byte(len(s))}, s...), &std); len(s) < 128 && err == nil && std.String() != dotted {
			t.Errorf("%x reads %q, in encoding/asn1 %q", s, dotted, std)
		}
	})
}
