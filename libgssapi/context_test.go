package libgssapi

import (
	"math"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// What the initiator writes into its token must not become a finding of the
// acceptor.
func TestBelieved(t *testing.T) {
	claimed := gss.Flags(0xffffffff)
	bindings := &gss.ChannelBindings{ApplicationData: []byte("x")}
	delegated := &credHandle{}
	for _, test := range []struct {
		name             string
		context          Context
		vendor           vendor
		bound, delegated bool
	}{
		{"Heimdal, bindings", Context{bindings: bindings}, vendorHeimdal, false, false},
		{"Apple, bindings", Context{bindings: bindings}, vendorApple, false, false},
		{"unknown, bindings", Context{bindings: bindings}, vendorUnknown, false, false},
		{"MIT, bindings", Context{bindings: bindings}, vendorMIT, true, false},
		{"MIT, none", Context{}, vendorMIT, false, false},
		{"MIT, delegated", Context{res: &resources{delegated: delegated}}, vendorMIT, false, true},
	} {
		c := &test.context
		c.lib = &library{vendor: test.vendor}
		if c.res == nil {
			c.res = &resources{}
		}
		got := c.believed(claimed)
		if got.Has(gss.FlagChannelBound) != test.bound || got.Has(gss.FlagDelegate) != test.delegated {
			t.Errorf("%s: flags %s; want channel-bound %t, delegate %t", test.name, got, test.bound, test.delegated)
		}
		if got&^knownFlags != 0 {
			t.Errorf("%s: flags %s that have no meaning here", test.name, got)
		}
	}
}

func TestNameOf(t *testing.T) {
	for _, test := range []struct {
		text string
		typ  gss.OID
		want gss.Name
	}{
		{"alice@BED.TEST", oidPrincipal, gss.User("alice@BED.TEST")},
		{"HTTP/web@BED.TEST", oidPrincipal, gss.Principal("HTTP/web@BED.TEST")},
		{`a\/b@BED.TEST`, oidPrincipal, gss.User(`a\/b@BED.TEST`)},
		{"alice@A/B", oidPrincipal, gss.User("alice@A/B")},
		{"HTTP@web", oidHostBased, gss.HostBased("HTTP", "web")},
		{"HTTP@web", oidHostBasedX, gss.HostBased("HTTP", "web")},
		{`DOMAIN\alice`, "", gss.User(`DOMAIN\alice`)},
		{"", oidPrincipal, gss.Name{}},
	} {
		if got := nameOf(test.text, test.typ); got != test.want {
			t.Errorf("%q of type %s: got %v, want %v", test.text, test.typ, got, test.want)
		}
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"KRB5_BRAND: krb5-1.20.1-final 1.20.1 20221111\x00more": "1.20.1",
		"KRB5_BRAND: krb5-master-final":                         "",
		"nothing":                                               "",
	} {
		if got := mitBrand([]byte("\x7fELF" + text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"Heimdal 7.8.0": "7.8.0", "Heimdal 7.99.1git": "7.99.1", "other": ""} {
		if got := heimdalVersion(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// A status that is printed stays as it is: several goroutines may print one error.
func TestStatusStays(t *testing.T) {
	s := &Status{Major: []string{"The token was malformed. "}}
	if got, want := s.Error(), "The token was malformed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.Major[0], "The token was malformed. "; got != want {
		t.Errorf("printed, the status has %q, want %q", got, want)
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]uint32{
		-1: 0, 0: 0, 1: 1, time.Second: 1, time.Second + 1: 2,
		indefinite * time.Second: indefinite, math.MaxInt64: indefinite,
	} {
		if got := seconds(d); got != want {
			t.Errorf("%s are %d seconds, want %d", d, got, want)
		}
	}
}
