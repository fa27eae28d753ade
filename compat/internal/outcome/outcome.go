// Package outcome reads what became of an authentication for packages whose
// callers expect an error where this module returns the server's 401.
package outcome

import (
	"errors"
	"io"
	"net/http"

	"github.com/go-negotiate/negotiate"
)

// OwnFault is why the client's side had no token for a server that insists on
// one; nil if it had one, or the server does not insist. With an error, the body
// of the response is closed.
func OwnFault(resp *http.Response) error {
	ex, ok := negotiate.ExchangeFrom(resp)
	if !ok || resp.StatusCode != http.StatusUnauthorized {
		return nil
	}
	failed, ok := errors.AsType[*negotiate.ExchangeError](ex.Err)
	if !ok {
		return nil
	}
	switch failed.Stage {
	case negotiate.StageCredential, negotiate.StageTarget, negotiate.StageInitiate:
		io.CopyN(io.Discard, resp.Body, maxDrain)
		resp.Body.Close()
		return failed
	}
	return nil
}

// maxDrain is how much of a body is read for the connection to be used again.
const maxDrain = 64 << 10
