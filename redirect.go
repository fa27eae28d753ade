package negotiate

import (
	"net/http"
	"net/url"
)

// unasked reports whether a request may carry a token that the server has not
// asked for, or a delegated credential, as far as redirects are concerned: a
// server must not get either because another one sent the client there. allow
// tells that the caller has vouched for the request.
func unasked(req *http.Request, allow bool) bool {
	for r := req; r.Response != nil && r.Response.Request != nil; r = r.Response.Request {
		from, to := r.Response.Request.URL, r.URL
		if from == nil {
			return false
		}
		if from.Scheme == "https" && to.Scheme != "https" {
			return false
		}
		if origin(from) != origin(to) && !allow {
			return false
		}
	}
	return true
}

// mayDelegate reports whether the server may be given the credential. What says
// yes to the request vouches for it after a redirect, too.
func (n *negotiation) mayDelegate() bool {
	allow := n.t.AllowDelegation
	if n.t.Delegation == DelegateNever || allow != nil && !allow(n.req) {
		return false
	}
	return unasked(n.req, n.t.Allow != nil || allow != nil)
}

// origin is the origin of u.
func origin(u *url.URL) string { return directRoute(u).origin() }
