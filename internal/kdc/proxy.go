package kdc

import (
	"errors"
	"io"
	"net/http"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Proxy is a KDC proxy (MS-KKDCP): it passes on to KDCs what clients post, as
// over TCP. Find returns the server of a realm, nil if there is none; an empty
// realm is that of a client that does not name any.
type Proxy struct {
	Find func(realm string) *Server
}

// maxPosted bounds what a client may post, in octets.
const maxPosted = maxMessage + 1024

// ServeHTTP answers 405 to what is no POST, 400 to what is no KDC-PROXY-MESSAGE
// with a request, and 503 where no KDC answers.
func (p Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "a KDC proxy takes POST only", http.StatusMethodNotAllowed)
		return
	}
	posted, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPosted))
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		http.Error(w, tooLong.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	message, merr := krbmsg.ParseProxyMessage(posted)
	if err != nil || merr != nil {
		http.Error(w, "want a KDC-PROXY-MESSAGE", http.StatusBadRequest)
		return
	}
	s := p.Find(message.Realm)
	if s == nil || !s.isOpen() {
		http.Error(w, "no KDC of the realm can be reached", http.StatusServiceUnavailable)
		return
	}
	answer := s.serve(TCP, message.Message, r.Context().Done())
	if answer.silent {
		<-r.Context().Done()
	}
	if answer.cut == 0 {
		http.Error(w, "the KDC did not answer", http.StatusServiceUnavailable)
		return
	}
	reply := krbmsg.ProxyMessage{Message: answer.message[:answer.cut]}
	w.Header().Set("Content-Type", "application/kerberos")
	_, _ = w.Write(reply.Append(nil)) // a client that is gone is no concern of the KDC
}

func (s *Server) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sockets != nil
}
