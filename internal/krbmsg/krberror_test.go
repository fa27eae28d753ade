package krbmsg

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
)

// The text is the peer's: it is shown, but it cannot disturb a terminal, pass
// for ours or fill the screen.
func TestKRBErrorText(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
	}{
		{"none", "", `the clocks differ too much (KRB_AP_ERR_SKEW)`},
		{"some", "ask later", `the clocks differ too much (KRB_AP_ERR_SKEW), saying "ask later"`},
		{"a C string", "ask later\x00", `the clocks differ too much (KRB_AP_ERR_SKEW), saying "ask later"`},
		{"the end of a C string", "\x00", `the clocks differ too much (KRB_AP_ERR_SKEW)`},
		{"colours", "\x1b[31mred", `the clocks differ too much (KRB_AP_ERR_SKEW), saying "\x1b[31mred"`},
		{"quotes", `", said nobody`, `the clocks differ too much (KRB_AP_ERR_SKEW), saying "\", said nobody"`},
		{"text that runs backwards", "\u202egnp", `the clocks differ too much (KRB_AP_ERR_SKEW), saying "\u202egnp"`},
		{"no UTF-8", "\xff\x9b", `the clocks differ too much (KRB_AP_ERR_SKEW), saying "\xff\x9b"`},
		{
			"256 octets", strings.Repeat("x", 256),
			`the clocks differ too much (KRB_AP_ERR_SKEW), saying "` + strings.Repeat("x", 256) + `"`,
		},
		{
			"65536 octets", strings.Repeat("x", 65536),
			`the clocks differ too much (KRB_AP_ERR_SKEW), saying "` + strings.Repeat("x", 256) + `" (and 65280 octets more)`,
		},
	} {
		m := &KRBError{Code: ErrSkew, Text: tt.text}
		if got := m.Error(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	worst := &KRBError{Code: ErrSkew, Text: strings.Repeat("\x00\U000e0001", 1<<14)}
	if n := len(worst.Error()); n > 4*256+200 {
		t.Errorf("an error text of %d octets is shown as %d", len(worst.Text), n)
	}
}

func TestKRBErrorIsItsCode(t *testing.T) {
	err := fmt.Errorf("logging in: %w", &KRBError{Code: ErrPreauthFailed, ServerTime: time.Unix(0, 0)})
	if !errors.Is(err, ErrPreauthFailed) || errors.Is(err, ErrPreauthRequired) {
		t.Error("errors.Is does not find the code of a KRB-ERROR, or finds another")
	}
	if got, want := ErrorCode(-7).Error(), "Kerberos error -7"; got != want {
		t.Errorf("a code without a text reads %q, want %q", got, want)
	}
	if got, want := ErrorCode(999).Name(), "error 999"; got != want {
		t.Errorf("a code without a name is called %q, want %q", got, want)
	}
}

// The numbers and names are compared with gokrb5's table.
func TestErrorCodesAreThoseOfTheRFC(t *testing.T) {
	for code, text := range codeTexts {
		// Theirs reads "(37) KRB_AP_ERR_SKEW Clock skew too great".
		if theirs := errorcode.Lookup(int32(code)); !strings.Contains(theirs, fmt.Sprintf("(%d) %s ", code, text[0])) {
			t.Errorf("%d is called %s here and %q by gokrb5", int32(code), text[0], theirs)
		}
		if got := code.Error(); got != text[1]+" ("+text[0]+")" {
			t.Errorf("%d reads %q", int32(code), got)
		}
	}
}
