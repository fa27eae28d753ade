package gss_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

var sentinels = []gss.Major{
	gss.ErrBadMech, gss.ErrInvalidName, gss.ErrBadNameType, gss.ErrBadBindings, gss.ErrBadStatus, gss.ErrBadMIC,
	gss.ErrNoCred, gss.ErrNoContext, gss.ErrDefectiveToken, gss.ErrDefectiveCredential, gss.ErrCredentialsExpired,
	gss.ErrContextExpired, gss.ErrFailure, gss.ErrBadQOP, gss.ErrUnauthorized, gss.ErrUnavailable,
	gss.ErrDuplicateElement, gss.ErrNameNotMN, gss.ErrDuplicateToken, gss.ErrOldToken, gss.ErrUnseqToken, gss.ErrGapToken,
}

func TestErrorIsItsMajor(t *testing.T) {
	for _, m := range sentinels {
		err := fmt.Errorf("step 1: %w", &gss.Error{Major: m, Op: "accept"})
		for _, target := range sentinels {
			if got := errors.Is(err, target); got != (m == target) {
				t.Errorf("errors.Is(%q, %q) = %v", m, target, got)
			}
		}
	}
}

func TestErrorIsWithSupplementaryBits(t *testing.T) {
	both := gss.ErrFailure | gss.ErrDuplicateToken | gss.ErrOldToken
	for name, err := range map[string]error{"Error": &gss.Error{Major: both}, "Major": both} {
		for target, want := range map[error]bool{
			gss.ErrFailure: true, gss.ErrDuplicateToken: true, gss.ErrOldToken: true, both: true,
			gss.ErrDuplicateToken | gss.ErrOldToken: true, gss.ErrFailure | gss.ErrOldToken: true,
			gss.ErrGapToken: false, gss.ErrBadMIC: false, gss.ErrBadMIC | gss.ErrOldToken: false,
			gss.ErrFailure | gss.ErrGapToken: false, gss.ErrOldToken | gss.ErrGapToken: false,
			gss.Major(0): false, io.EOF: false,
		} {
			if got := errors.Is(err, target); got != want {
				t.Errorf("%s: errors.Is(%v, %v) = %v", name, err, target, got)
			}
		}
	}
	if errors.Is(&gss.Error{Major: gss.ErrDuplicateToken}, gss.ErrFailure) {
		t.Error("a supplementary bit alone is taken for a failure")
	}
}

// What has no code is shown as a failure, and is one.
func TestErrorWithoutMajor(t *testing.T) {
	err := &gss.Error{Op: "initiate", Err: io.ErrUnexpectedEOF}
	if got, want := err.Error(), "initiate: unexpected EOF"; got != want {
		t.Errorf("it reads %q, want %q", got, want)
	}
	if !errors.Is(err, gss.ErrFailure) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gss.ErrNoCred) {
		t.Error("it is no failure with its cause, or something else")
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{
			&gss.Error{Major: gss.ErrNoCred, Mech: gss.MechKRB5, Op: "initiate", Err: errors.New("no ticket: run kinit")},
			"initiate (krb5): no usable credential: no ticket: run kinit",
		},
		{&gss.Error{Major: gss.ErrBadMIC}, "token has an invalid signature"},
		{&gss.Error{Major: gss.ErrDuplicateToken, Op: "unwrap"}, "unwrap: token is a duplicate"},
		{
			&gss.Error{Major: gss.ErrFailure | gss.ErrOldToken | gss.ErrGapToken},
			"failure in the mechanism, token is too old, an earlier token is missing",
		},
		{gss.Major(99 << 16), "GSS-API status 0x630000"},
		{gss.Major(0), "GSS-API status 0x0"},
		{&gss.Error{Mech: "\x80", Op: "accept"}, "accept (invalid OID): failure in the mechanism"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("it reads %q, want %q", got, tt.want)
		}
	}
	seen := map[string]gss.Major{}
	for _, m := range sentinels {
		if other, ok := seen[m.Error()]; ok {
			t.Errorf("%#x and %#x read alike: %v", uint32(m), uint32(other), m)
		}
		seen[m.Error()] = m
	}
}

func TestMajorOf(t *testing.T) {
	noCred := &gss.Error{Major: gss.ErrNoCred}
	for _, tt := range []struct {
		name string
		err  error
		want gss.Major
	}{
		{"nil", nil, 0},
		{"another error", io.EOF, gss.ErrFailure},
		{"a Major", gss.ErrBadMIC, gss.ErrBadMIC},
		{"an Error", noCred, gss.ErrNoCred},
		{"a wrapped Error", fmt.Errorf("x: %w", noCred), gss.ErrNoCred},
		{"an Error around another", &gss.Error{Major: gss.ErrDefectiveToken, Err: noCred}, gss.ErrDefectiveToken},
		{"an Error without a code", &gss.Error{Err: io.EOF}, gss.ErrFailure},
		{"an Error without a code or cause", &gss.Error{}, gss.ErrFailure},
		{"an Error without a code around one with", &gss.Error{Err: fmt.Errorf("x: %w", noCred)}, gss.ErrNoCred},
		{"an Error without a code around a Major", &gss.Error{Err: gss.ErrBadMIC}, gss.ErrBadMIC},
		{"a Major before an Error", fmt.Errorf("%w: %w", gss.ErrUnauthorized, noCred), gss.ErrUnauthorized},
		{"joined", errors.Join(io.EOF, &gss.Error{}, noCred, gss.ErrBadMIC), gss.ErrNoCred},
		{"with supplementary bits", &gss.Error{Major: gss.ErrFailure | gss.ErrOldToken}, gss.ErrFailure | gss.ErrOldToken},
	} {
		if got := gss.MajorOf(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
