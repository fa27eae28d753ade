package spnego

import (
	"errors"
	"net/http"

	"github.com/jcmturner/gokrb5/v8/credentials"
)

// sessionCredentials is the original's key of the client in a session, so that
// sessions survive the change of the import.
const sessionCredentials = "github.com/jcmturner/gokrb5/v8/sessionCredentials"

// session returns who has authenticated before in the session of a request; nil
// for nobody.
func (h *handler) session(r *http.Request) *credentials.Credentials {
	m := h.settings.SessionManager()
	if m == nil {
		return nil
	}
	b, err := m.Get(r, sessionCredentials)
	if err != nil || len(b) == 0 {
		return nil
	}
	creds, err := unmarshal(b)
	if err != nil || !creds.Authenticated() || creds.UserName() == "" || creds.ValidUntil().IsZero() || creds.Expired() {
		return nil
	}
	return creds
}

func unmarshal(b []byte) (creds *credentials.Credentials, err error) {
	defer func() {
		if recover() != nil {
			creds, err = nil, errors.New("the session's content is malformed")
		}
	}()
	creds = new(credentials.Credentials)
	return creds, creds.Unmarshal(b)
}

// begin makes a session for a client, if there are sessions.
func (h *handler) begin(w http.ResponseWriter, r *http.Request, creds *credentials.Credentials) error {
	m := h.settings.SessionManager()
	if m == nil {
		return nil
	}
	b, err := creds.Marshal()
	if err != nil {
		return err
	}
	return m.New(w, r, sessionCredentials, b)
}
