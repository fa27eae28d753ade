package gsstest_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// flawed is a provider with one flaw. Nil fields are without flaw.
type flawed struct {
	*gsstest.Provider
	acquire  func(context.Context, gss.CredentialOptions) (gss.Credential, error)
	initiate func(context.Context, gss.InitiateOptions) (gss.SecContext, error)
	accept   func(context.Context, gss.AcceptOptions) (gss.SecContext, error)
}

func (f *flawed) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	if f.acquire != nil {
		return f.acquire(ctx, o)
	}
	return f.Provider.Acquire(ctx, o)
}

func (f *flawed) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	if f.initiate != nil {
		return f.initiate(ctx, o)
	}
	return f.Provider.Initiate(ctx, o)
}

func (f *flawed) Accept(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	if f.accept != nil {
		return f.accept(ctx, o)
	}
	return f.Provider.Accept(ctx, o)
}

// flawedContext changes what a context says. Nil fields change nothing.
type flawedContext struct {
	gss.SecContext
	step func(ctx context.Context, in []byte, steps int) (out []byte, done bool, err error)
	info func(*gss.ContextInfo)

	steps int
}

func (c *flawedContext) Step(ctx context.Context, in []byte) ([]byte, bool, error) {
	c.steps++
	if c.step != nil {
		return c.step(ctx, in, c.steps)
	}
	return c.SecContext.Step(ctx, in)
}

func (c *flawedContext) Info() gss.ContextInfo {
	info := c.SecContext.Info()
	if c.info != nil {
		c.info(&info)
	}
	return info
}

// silent never tells of its end.
type silent struct{ gss.Credential }

func (silent) OnClose(func()) (stop func(), open bool) { return func() {}, true }

// gullible takes any message and signature.
type gullible struct{ *flawedContext }

func (gullible) Wrap(_ bool, msg []byte) ([]byte, error)   { return msg, nil }
func (gullible) Unwrap(token []byte) ([]byte, bool, error) { return token, false, nil }
func (gullible) GetMIC([]byte) ([]byte, error)             { return []byte("signed"), nil }
func (gullible) VerifyMIC([]byte, []byte) error            { return nil }
func knownMechanisms() gsstest.Options                     { return gsstest.Options{Mechanisms: []gss.OID{gss.MechKRB5}} }

// flaws are providers that the suite must not pass, by the subtest that has to
// say so.
var flaws = map[string]func(*flawed){
	"refused options/unknown mechanism": func(f *flawed) {
		f.initiate = func(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
			o.Mechanism = gss.MechKRB5
			return f.Provider.Initiate(ctx, o)
		}
	},
	"credential": func(f *flawed) {
		f.acquire = func(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
			c, err := f.Provider.Acquire(ctx, o)
			return silent{c}, err
		}
	},
	"krb5/establish": func(f *flawed) {
		f.accept = func(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
			sc, err := f.Provider.Accept(ctx, o)
			return &flawedContext{SecContext: sc, info: func(i *gss.ContextInfo) { i.Initiator.Value = strings.TrimSuffix(i.Initiator.Value, "@EXAMPLE.TEST") }}, err
		}
	},
	"krb5/no identity before done": func(f *flawed) {
		f.initiate = func(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
			sc, err := f.Provider.Initiate(ctx, o)
			return &flawedContext{SecContext: sc, info: func(i *gss.ContextInfo) { i.Acceptor = o.Target }}, err
		}
	},
	"krb5/garbage": func(f *flawed) { // it shows the token
		f.accept = func(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
			sc, err := f.Provider.Accept(ctx, o)
			return &flawedContext{SecContext: sc, step: func(ctx context.Context, in []byte, _ int) ([]byte, bool, error) {
				out, done, err := sc.Step(ctx, in)
				if err != nil {
					err = fmt.Errorf("%w in %s", err, hex.EncodeToString(in))
				}
				return out, done, err
			}}, err
		}
	},
	"krb5/altered token": func(f *flawed) { // it takes anything for the true token
		tok := []byte(nil)
		f.initiate = func(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
			sc, err := f.Provider.Initiate(ctx, o)
			return &flawedContext{SecContext: sc, step: func(ctx context.Context, in []byte, _ int) ([]byte, bool, error) {
				out, done, err := sc.Step(ctx, in)
				tok = out
				return out, done, err
			}}, err
		}
		f.accept = func(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
			sc, err := f.Provider.Accept(ctx, o)
			return &flawedContext{SecContext: sc, step: func(ctx context.Context, _ []byte, _ int) ([]byte, bool, error) {
				return sc.Step(ctx, tok)
			}}, err
		}
	},
	"krb5/altered reply":            believing,
	"krb5/reply of another context": believing,
	"krb5/replay": func(f *flawed) { // each acceptor has a replay cache of its own
		f.accept = func(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
			return gsstest.New(knownMechanisms()).Accept(ctx, o)
		}
	},
	"krb5/step after end": func(f *flawed) {
		f.accept = func(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
			sc, err := f.Provider.Accept(ctx, o)
			return &flawedContext{SecContext: sc, step: func(ctx context.Context, in []byte, steps int) ([]byte, bool, error) {
				if steps > 1 {
					return nil, true, nil
				}
				return sc.Step(ctx, in)
			}}, err
		}
	},
	"krb5/cancelled": func(f *flawed) {
		f.initiate = func(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
			ctx = context.WithoutCancel(ctx)
			sc, err := f.Provider.Initiate(ctx, o)
			return &flawedContext{SecContext: sc, step: func(_ context.Context, in []byte, _ int) ([]byte, bool, error) { return sc.Step(ctx, in) }}, err
		}
	},
	"krb5/channel bindings": func(f *flawed) {
		f.accept = func(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
			o.ChannelBindings = nil
			return f.Provider.Accept(ctx, o)
		}
	},
	"krb5/delegation": func(f *flawed) {
		f.initiate = func(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
			o.Flags &^= gss.FlagDelegate
			return f.Provider.Initiate(ctx, o)
		}
	},
	"krb5/no delegation unasked": func(f *flawed) {
		f.initiate = func(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
			o.Flags |= gss.FlagDelegate
			return f.Provider.Initiate(ctx, o)
		}
	},
	"krb5/messages": func(f *flawed) {
		f.initiate = func(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
			sc, err := f.Provider.Initiate(ctx, o)
			return gullible{&flawedContext{SecContext: sc}}, err
		}
		f.accept = func(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
			sc, err := f.Provider.Accept(ctx, o)
			return gullible{&flawedContext{SecContext: sc}}, err
		}
	},
}

// believing makes an initiator that takes any reply for the acceptor's proof.
func believing(f *flawed) {
	f.initiate = func(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
		sc, err := f.Provider.Initiate(ctx, o)
		return &flawedContext{SecContext: sc, step: func(ctx context.Context, in []byte, steps int) ([]byte, bool, error) {
			if steps == 1 {
				return sc.Step(ctx, in)
			}
			return nil, true, nil
		}}, err
	}
}

const flawVariable = "GSSTEST_FLAW"

// TestSuiteFindsFlaws runs the subtest on each flawed provider, in a process of its
// own since it has to fail.
func TestSuiteFindsFlaws(t *testing.T) {
	for name := range flaws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subtest := strings.ReplaceAll(name, " ", "_")
			pattern := "^TestFlawed$/^" + strings.ReplaceAll(subtest, "/", "$/^") + "$"
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern)
			cmd.Env = append(os.Environ(), flawVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if _, ok := errors.AsType[*exec.ExitError](err); !ok {
				t.Fatalf("the suite passed the flawed provider: %v\n%s", err, out)
			}
			if want := "--- FAIL: TestFlawed/" + subtest; !strings.Contains(string(out), want) {
				t.Errorf("the suite failed without %q:\n%s", want, out)
			}
		})
	}
}

// TestFlawed is the child of TestSuiteFindsFlaws.
func TestFlawed(t *testing.T) {
	flaw, ok := flaws[os.Getenv(flawVariable)]
	if !ok {
		return // it runs in a process of its own only
	}
	f := &flawed{Provider: gsstest.New(knownMechanisms())}
	flaw(f)
	gsstest.Run(t, gsstest.Suite{Provider: f, Target: web, Principal: "alice@EXAMPLE.TEST", Delegation: true})
}
