package sspi

import (
	"encoding/hex"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

func TestNotWindows(t *testing.T) {
	p, err := New(Options{})
	if runtime.GOOS == "windows" {
		if err != nil || p.String() != "sspi" {
			t.Errorf("got %v, %v", p, err)
		}
		return
	}
	if !errors.Is(err, ErrNotWindows) || !strings.Contains(err.Error(), "use package krb5 or libgssapi") {
		t.Errorf("got %v, want ErrNotWindows, and what to use", err)
	}
}

// TestBindingsLayout checks the octets of SEC_CHANNEL_BINDINGS of sspi.h.
func TestBindingsLayout(t *testing.T) {
	for name, test := range map[string]struct {
		cb   *gss.ChannelBindings
		want string
	}{
		"none":  {nil, ""},
		"empty": {&gss.ChannelBindings{}, strings.Repeat("00000000", 8)},
		"TLS": {
			&gss.ChannelBindings{ApplicationData: []byte("tls-unique:z")},
			"00000000 00000000 00000000" + "00000000 00000000 00000000" + "0c000000 20000000" + "746c732d756e697175653a7a",
		},
		"all": {
			&gss.ChannelBindings{InitiatorAddrType: 2, InitiatorAddress: []byte{1, 2, 3, 4}, AcceptorAddrType: 24, AcceptorAddress: []byte{5}, ApplicationData: []byte{6, 7}},
			"02000000 04000000 20000000" + "18000000 01000000 24000000" + "02000000 25000000" + "01020304 05 0607",
		},
	} {
		if got, want := hex.EncodeToString(encodeBindings(test.cb)), strings.ReplaceAll(test.want, " ", ""); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestFlags checks both directions against the numbers of sspi.h.
func TestFlags(t *testing.T) {
	all := gss.FlagDelegate | gss.FlagMutual | gss.FlagReplay | gss.FlagSequence | gss.FlagConfidentiality | gss.FlagIntegrity
	for _, test := range []struct {
		flags gss.Flags
		isc   uint32
	}{
		{0, 0},
		{gss.FlagDelegate, 0x1},
		{gss.FlagDelegatePolicy, 0x1},
		{gss.FlagMutual, 0x2},
		{gss.FlagReplay, 0x4},
		{gss.FlagSequence, 0x8},
		{gss.FlagConfidentiality, 0x10},
		{gss.FlagIntegrity, 0x10000},
		{gss.FlagAnonymous, 0x40000},
		{all, 0x1001f},
	} {
		if got := initiatorRequest(test.flags); got != test.isc {
			t.Errorf("%s asks for %#x, want %#x", test.flags, got, test.isc)
		}
	}
	if got := initiatorFlags(0x1001f | 0x800); got != all {
		t.Errorf("an initiator has %s, want %s", got, all)
	}
	if got := acceptorFlags(0x2001f | 0x10000); got != all {
		t.Errorf("an acceptor has %s, want %s", got, all)
	}
	if got := acceptorFlags(0x100000); got != gss.FlagAnonymous {
		t.Errorf("a null session is %s, want anonymous", got)
	}
	if acceptorRequest != 0x2001f {
		t.Errorf("an acceptor asks for %#x", acceptorRequest)
	}
}

func TestTargetName(t *testing.T) {
	for _, test := range []struct {
		name gss.Name
		want string
	}{
		{gss.HostBased("HTTP", "web.example.com"), "HTTP/web.example.com"},
		{gss.Principal("HTTP/web.example.com@EXAMPLE.COM"), "HTTP/web.example.com@EXAMPLE.COM"},
		{gss.User("svc@EXAMPLE.COM"), "svc@EXAMPLE.COM"},
		{gss.Name{}, ""},
		{gss.Principal("HTTP/web\x00"), ""},
		{gss.Name{Type: gss.NameHostBased, Value: "HTTP"}, ""},
		{gss.HostBased("HTTP", ""), ""},
	} {
		got, err := targetName(test.name)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%q: got %q, %v; want %q", test.name, got, err, test.want)
		}
		if err != nil && !errors.Is(err, gss.ErrInvalidName) {
			t.Errorf("%q: %v is no ErrInvalidName", test.name, err)
		}
	}
}

func TestUserNames(t *testing.T) {
	for name, want := range map[string][2]string{
		"alice":               {"alice", ""},
		"alice@EXAMPLE.COM":   {"alice", "EXAMPLE.COM"},
		`EXAMPLE\alice`:       {"alice", "EXAMPLE"},
		`EXAMPLE\alice@x`:     {"alice@x", "EXAMPLE"},
		"a@b.example@EXAMPLE": {"a@b.example", "EXAMPLE"},
	} {
		if user, domain := splitUser(name); user != want[0] || domain != want[1] {
			t.Errorf("%q is %q of %q, want %q", name, user, domain, want)
		}
	}
}

func TestLocalTime(t *testing.T) {
	zone := time.FixedZone("two hours east", 7200)
	// 2023-11-14 22:13:20 on the wall is 1700000000 s after 1970 as UTC.
	stamp := int64(1700000000+11644473600) * 1e7
	if got, want := localTime(stamp, zone), time.Unix(1700000000-7200, 0); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for name, stamp := range map[string]int64{"zero": 0, "never": 0x7fffffffffffffff, "far": 0x7fffff36d5969fff, "negative": -1} {
		if got := localTime(stamp, zone); !got.IsZero() {
			t.Errorf("%s is %v, want the zero time", name, got)
		}
	}
}

// TestStatuses checks numbers of winerror.h, and that each status says something.
func TestStatuses(t *testing.T) {
	for number, name := range map[status]string{
		0x80090302: "SEC_E_UNSUPPORTED_FUNCTION", 0x80090303: "SEC_E_TARGET_UNKNOWN", 0x80090304: "SEC_E_INTERNAL_ERROR",
		0x80090305: "SEC_E_SECPKG_NOT_FOUND", 0x80090308: "SEC_E_INVALID_TOKEN", 0x8009030C: "SEC_E_LOGON_DENIED",
		0x8009030E: "SEC_E_NO_CREDENTIALS", 0x8009030F: "SEC_E_MESSAGE_ALTERED", 0x80090310: "SEC_E_OUT_OF_SEQUENCE",
		0x80090311: "SEC_E_NO_AUTHENTICATING_AUTHORITY", 0x80090317: "SEC_E_CONTEXT_EXPIRED", 0x80090322: "SEC_E_WRONG_PRINCIPAL",
		0x80090324: "SEC_E_TIME_SKEW", 0x80090342: "SEC_E_KDC_UNKNOWN_ETYPE", 0x80090346: "SEC_E_BAD_BINDINGS",
		0x80090350: "SEC_E_DOWNGRADE_DETECTED", 0x8009035F: "SEC_E_POLICY_NLTM_ONLY", 0x80090361: "SEC_E_NO_CONTEXT",
		0x80090363: "SEC_E_MUTUAL_AUTH_FAILED", 0x80090365: "SEC_E_ONLY_HTTPS_ALLOWED",
	} {
		if got := number.info().name; got != name {
			t.Errorf("%#x is %q, want %q", uint32(number), got, name)
		}
	}
	names := map[string]status{}
	for number, info := range statuses {
		if other, ok := names[info.name]; ok || !strings.HasPrefix(info.name, "SEC_E_") || info.major == 0 || info.text == "" || !number.failed() {
			t.Errorf("%#x (%#x): %+v", uint32(number), uint32(other), info)
		}
		names[info.name] = number
	}
}
