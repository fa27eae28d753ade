//go:build interop

// Package remote has a gss.Provider in another process, so that providers can
// meet that cannot be in one: two C libraries with one environment each, or a
// Windows program under Wine.
//
// The other process calls [Serve], as the program gsspeer does, and the test
// makes a [Provider] of its standard input and output. Everything that a provider
// can do goes over that pipe, so that gsstest.Run and gsstest.Probe take it as
// either side.
//
// # Protocol
//
// Request and answer are one line of JSON each, in turn; octets are in base64,
// object identifiers are their DER octets. A request has an op:
//
//	hello                                  -> text, mechanisms
//	acquire {options}                      -> handle, name, usage, expires
//	resolve {handle}                       -> handle, name, usage, expires
//	initiate {credential, target, mechanism, flags, bindings} -> handle
//	accept {credential, bindings}          -> handle
//	step {handle, data}                    -> data, done
//	info {handle}                          -> info; info.delegated is a handle
//	wrap {handle, data, conf}              -> data
//	unwrap {handle, data}                  -> data, conf
//	mic {handle, data}                     -> data
//	verify {handle, data, mic}             -> nothing
//	close {handle}                         -> nothing
//
// Handles are numbers above zero for contexts and credentials; credential 0 is
// the default. cancelled has the op made with a context that has ended. An error
// stands beside whatever else the answer has. The process ends with its input.
package remote

import (
	"context"
	"errors"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

type request struct {
	Op         string               `json:"op"`
	Handle     int                  `json:"handle,omitempty"`
	Credential int                  `json:"credential,omitempty"`
	Options    *options             `json:"options,omitempty"`
	Target     gss.Name             `json:"target,omitzero"`
	Mechanism  []byte               `json:"mechanism,omitempty"`
	Flags      gss.Flags            `json:"flags,omitempty"`
	Bindings   *gss.ChannelBindings `json:"bindings,omitempty"`
	Data       []byte               `json:"data,omitempty"`
	MIC        []byte               `json:"mic,omitempty"`
	Conf       bool                 `json:"conf,omitempty"`
	Cancelled  bool                 `json:"cancelled,omitempty"`
}

// options are gss.CredentialOptions with the password, which is a test's.
type options struct {
	Name      gss.Name  `json:"name,omitzero"`
	Usage     gss.Usage `json:"usage,omitempty"`
	Mechanism []byte    `json:"mechanism,omitempty"`
	CCache    string    `json:"ccache,omitempty"`
	Keytab    string    `json:"keytab,omitempty"`
	Password  string    `json:"password,omitempty"`
}

type answer struct {
	Text       string    `json:"text,omitempty"`
	Mechanisms [][]byte  `json:"mechanisms,omitempty"`
	Handle     int       `json:"handle,omitempty"`
	Name       gss.Name  `json:"name,omitzero"`
	Usage      gss.Usage `json:"usage,omitempty"`
	Expires    time.Time `json:"expires,omitzero"`
	Resolver   bool      `json:"resolver,omitempty"`
	Data       []byte    `json:"data,omitempty"`
	Done       bool      `json:"done,omitempty"`
	Conf       bool      `json:"conf,omitempty"`
	Info       *info     `json:"info,omitempty"`
	Error      *failure  `json:"error,omitempty"`
}

type info struct {
	Mechanism []byte    `json:"mechanism,omitempty"`
	Initiator gss.Name  `json:"initiator,omitzero"`
	Acceptor  gss.Name  `json:"acceptor,omitzero"`
	Flags     gss.Flags `json:"flags"`
	Expires   time.Time `json:"expires,omitzero"`
	// Delegated is a handle, described as a credential is.
	Delegated *answer `json:"delegated,omitempty"`
}

// failure is an error: a *gss.Error unless Plain says that it is none.
type failure struct {
	Text      string    `json:"text,omitempty"`
	Major     gss.Major `json:"major,omitempty"`
	Minor     uint32    `json:"minor,omitempty"`
	Mechanism []byte    `json:"mechanism,omitempty"`
	Op        string    `json:"op,omitempty"`
	Plain     bool      `json:"plain,omitempty"`
	Cancelled bool      `json:"cancelled,omitempty"`
}

func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*gss.Error](err)
	if !ok {
		return &failure{Text: err.Error(), Plain: true, Cancelled: errors.Is(err, context.Canceled)}
	}
	f := &failure{Major: e.Major, Minor: e.Minor, Mechanism: []byte(e.Mech), Op: e.Op, Cancelled: errors.Is(err, context.Canceled)}
	if e.Err != nil {
		f.Text = e.Err.Error()
	}
	return f
}

// err is the error again, as far as one can tell from outside.
func (f *failure) err() error {
	switch {
	case f == nil:
		return nil
	case f.Cancelled:
		return context.Canceled
	case f.Plain:
		return errors.New(f.Text)
	}
	e := &gss.Error{Major: f.Major, Minor: f.Minor, Mech: gss.OID(f.Mechanism), Op: f.Op}
	if f.Text != "" {
		e.Err = errors.New(f.Text)
	}
	return e
}
