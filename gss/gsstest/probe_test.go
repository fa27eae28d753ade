package gsstest_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

func TestProbe(t *testing.T) {
	suite := gsstest.Suite{Target: gss.HostBased("HTTP", "web.example.test"), Principal: "alice@EXAMPLE.TEST"}
	for _, test := range []struct {
		name      string
		initiator gsstest.Options
		acceptor  gsstest.Options
		principal string
		want      string // of all but the next
		different string
	}{
		{name: "one provider", want: "yes", different: "yes"},
		{name: "two realms", acceptor: gsstest.Options{Secret: "another"}, want: "no", different: "no"},
		{name: "another initiator", principal: "bob@EXAMPLE.TEST", want: "no", different: "yes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := suite
			s.Provider, s.AcceptorProvider = gsstest.New(test.initiator), gsstest.New(test.acceptor)
			if test.principal != "" {
				s.Principal = test.principal
			}
			findings := gsstest.Probe(t.Context(), s, gss.MechSPNEGO)
			if len(findings) != 7 {
				t.Fatalf("there are %d findings, want 7", len(findings))
			}
			for _, f := range findings {
				want := test.want
				switch f.Property {
				case "bindings different":
					want = test.different
				case "integrity", "confidentiality", "MIC": // say nothing of who it is
					if test.principal != "" {
						want = "yes"
					}
				}
				if f.Result != want || (f.Err == nil) != (want == "yes") {
					t.Errorf("%s: got %s (%v), want %s", f.Property, f.Result, f.Err, want)
				}
			}
		})
	}
}
