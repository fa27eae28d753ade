package gss_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

func TestFlagsString(t *testing.T) {
	for f, want := range map[gss.Flags]string{
		0:                                  "none",
		gss.FlagMutual:                     "mutual",
		gss.FlagIntegrity | gss.FlagMutual: "mutual|integrity",
		gss.FlagDelegate | 1<<30:           "delegate|0x40000000",
		1 << 31:                            "0x80000000",
		gss.FlagDelegate | gss.FlagReplay | gss.FlagSequence | gss.FlagConfidentiality | gss.FlagAnonymous |
			gss.FlagChannelBound | gss.FlagDelegatePolicy: "delegate|replay|sequence|confidentiality|anonymous|channel-bound|delegate-policy",
	} {
		if got := f.String(); got != want {
			t.Errorf("%#x reads %q, want %q", uint32(f), got, want)
		}
	}
}

// The numbers are those of RFC 2744, RFC 5896 and MIT's gssapi_ext.h, since
// they go through libgssapi and into tokens.
func TestFlagsHaveTheirNumbers(t *testing.T) {
	for f, want := range map[gss.Flags]uint32{
		gss.FlagDelegate: 1, gss.FlagMutual: 2, gss.FlagReplay: 4, gss.FlagSequence: 8, gss.FlagConfidentiality: 16,
		gss.FlagIntegrity: 32, gss.FlagAnonymous: 64, gss.FlagChannelBound: 2048, gss.FlagDelegatePolicy: 32768,
	} {
		if uint32(f) != want {
			t.Errorf("%v is %d, want %d", f, uint32(f), want)
		}
	}
}

func TestFlagsHas(t *testing.T) {
	f := gss.FlagMutual | gss.FlagIntegrity
	if !f.Has(gss.FlagMutual) || !f.Has(f) || !f.Has(0) {
		t.Error("flags that are set are not found")
	}
	if f.Has(gss.FlagDelegate) || f.Has(gss.FlagMutual|gss.FlagDelegate) {
		t.Error("a flag that is not set is found")
	}
}
