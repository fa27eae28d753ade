package spnego

import (
	"context"
	"errors"
	"fmt"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/service"

	"github.com/go-negotiate/negotiate/compat/internal/deprecated"
	"github.com/go-negotiate/negotiate/gss"
)

// SPNEGO is the mechanism of RFC 4178 for one side. [SPNEGOClient] and
// [SPNEGOService] make it.
//
// Deprecated: use Initiate and Accept of a gss.Provider.
type SPNEGO struct {
	initiators *initiators // nil for a service
	spn        string
	acceptors  *acceptors // nil for a client
	notice     deprecated.Notice
}

// SPNEGOClient returns the client's side, for the service spn.
//
// Deprecated: use Initiate of a gss.Provider.
func SPNEGOClient(cl *client.Client, spn string) *SPNEGO {
	return &SPNEGO{initiators: newInitiators(cl), spn: spn}
}

// SPNEGOService returns the service's side. The settings are those of
// [SPNEGOKRB5Authenticate].
//
// Deprecated: use Accept of a gss.Provider.
func SPNEGOService(kt *keytab.Keytab, options ...func(*service.Settings)) *SPNEGO {
	return &SPNEGO{acceptors: newAcceptors(service.NewSettings(kt, options...))}
}

// OID returns the mechanism's number.
func (s *SPNEGO) OID() asn1.ObjectIdentifier { return gssapi.OIDSPNEGO.OID() }

// AcquireCred logs the client in, unless it is.
func (s *SPNEGO) AcquireCred() error {
	if s.initiators == nil {
		return errors.New("a service has no client to log in: use SPNEGOClient")
	}
	s.log(context.Background())
	return s.initiators.tickets.cl.AffirmLogin()
}

// InitSecContext makes a token for the service, an *[SPNEGOToken]. It waits for
// the KDC as long as gokrb5's client does. There is no way to give it the
// service's answer.
func (s *SPNEGO) InitSecContext() (gssapi.ContextToken, error) {
	token := &SPNEGOToken{}
	if s.initiators == nil {
		return token, errors.New("a service does not initiate: use SPNEGOClient")
	}
	ctx := context.Background()
	s.log(ctx)
	b, err := s.initiators.token(ctx, gss.Principal(s.spn))
	if err != nil {
		return token, err
	}
	if err := token.Unmarshal(b); err != nil {
		return &SPNEGOToken{}, err
	}
	return token, nil
}

// AcceptSecContext verifies a client's token, an *[SPNEGOToken]. With true, the
// context has the client's *credentials.Credentials under the key
// "github.com/jcmturner/gokrb5/v8/ctxCredentials". There is no way to get the
// answer that proves the service's identity.
func (s *SPNEGO) AcceptSecContext(ct gssapi.ContextToken) (bool, context.Context, gssapi.Status) {
	if s.acceptors == nil {
		return false, nil, gssapi.Status{Code: gssapi.StatusFailure, Message: "a client does not accept: use SPNEGOService"}
	}
	token, ok := ct.(*SPNEGOToken)
	if !ok || token == nil {
		return false, nil, gssapi.Status{Code: gssapi.StatusDefectiveToken, Message: fmt.Sprintf("a context token of type %T, want *SPNEGOToken", ct)}
	}
	v := &visit{}
	ctx := context.WithValue(context.Background(), visitKey{}, v)
	s.log(ctx)
	b, err := token.Marshal()
	if err != nil {
		return false, nil, gssapi.Status{Code: gssapi.StatusDefectiveToken, Message: err.Error()}
	}
	done, err := s.acceptors.verify(ctx, b)
	switch {
	case err != nil:
		return false, nil, statusOf(err)
	case !done:
		return false, nil, gssapi.Status{Code: gssapi.StatusContinueNeeded}
	}
	//lint:ignore SA1029 the original's key is a string
	ctx = context.WithValue(context.Background(), ctxCredentials, v.creds)
	return true, ctx, gssapi.Status{Code: gssapi.StatusComplete}
}

// ctxCredentials is a key of the original, which programs spell out since it
// does not export it.
const ctxCredentials = "github.com/jcmturner/gokrb5/v8/ctxCredentials"

// statusOf is an error as the original tells it.
func statusOf(err error) gssapi.Status {
	code := gssapi.StatusFailure
	switch gss.MajorOf(err) {
	case gss.ErrBadMech:
		code = gssapi.StatusBadMech
	case gss.ErrDefectiveToken:
		code = gssapi.StatusDefectiveToken
	case gss.ErrBadMIC:
		code = gssapi.StatusBadSig
	case gss.ErrNoCred:
		code = gssapi.StatusNoCred
	case gss.ErrCredentialsExpired:
		code = gssapi.StatusCredentialsExpired
	case gss.ErrUnauthorized:
		code = gssapi.StatusUnauthorized
	case gss.ErrDuplicateToken:
		code = gssapi.StatusDuplicateToken
	}
	return gssapi.Status{Code: code, Message: err.Error()}
}

// Log writes to the logger of the settings, if there is one.
func (s *SPNEGO) Log(format string, v ...any) {
	if s.acceptors != nil && s.acceptors.settings.Logger() != nil {
		s.acceptors.settings.Logger().Output(2, fmt.Sprintf(format, v...))
	}
}

func (s *SPNEGO) log(ctx context.Context) {
	s.notice.Log(ctx, nil, "compat/gokrb5 SPNEGO", "a gss.Provider, see the documentation of compat/gokrb5")
}
