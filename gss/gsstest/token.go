package gsstest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

const (
	magic    = "GSSTEST1"
	maxLegs  = 16
	maxToken = 64 << 10
)

// token is what travels: magic, JSON, and an HMAC of both under the key of the
// context.
type token struct {
	// Kind is "init" for the initiator's tokens, "continue" and "reply" for the
	// acceptor's.
	Kind    string
	Context []byte // the ID of the context
	Leg     int    // counted from 1, on each side

	// The rest is in the first token only.
	Initiator string    `json:",omitempty"`
	Target    string    `json:",omitempty"`
	Mech      []byte    `json:",omitempty"`
	Legs      int       `json:",omitempty"`
	Flags     gss.Flags `json:",omitempty"`
	Bindings  []byte    `json:",omitempty"`
	Expires   time.Time `json:",omitzero"`
}

func (t *token) marshal(key []byte) []byte {
	body, err := json.Marshal(t)
	if err != nil {
		panic(err) // the type has nothing that fails
	}
	b := append([]byte(magic), body...)
	return append(b, mac(key, b)...)
}

// parse reads a token without trusting it; verify follows.
func parse(b []byte) (*token, error) {
	var t token
	if len(b) > maxToken || len(b) < len(magic)+sha256.Size || !bytes.HasPrefix(b, []byte(magic)) {
		return nil, fail(gss.ErrDefectiveToken, "%d bytes that are no token of this mechanism", len(b))
	}
	if err := json.Unmarshal(b[len(magic):len(b)-sha256.Size], &t); err != nil {
		return nil, fail(gss.ErrDefectiveToken, "the token is damaged")
	}
	return &t, nil
}

func verify(key, b []byte) error {
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(sum, mac(key, body)) {
		return fail(gss.ErrBadMIC, "the token was altered, or is of another context or realm")
	}
	return nil
}

// contextKey is known to whoever knows the service's key, and differs in each
// context.
func (p *Provider) contextKey(target string, id []byte) []byte {
	realm := mac([]byte(p.opts.Secret), []byte(p.opts.Realm))
	return mac(mac(realm, []byte(target)), id)
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// hashBindings is nil for no bindings.
func hashBindings(cb *gss.ChannelBindings) []byte {
	if cb == nil {
		return nil
	}
	var b []byte
	for _, f := range [][]byte{
		[]byte(strconv.Itoa(int(cb.InitiatorAddrType))), cb.InitiatorAddress,
		[]byte(strconv.Itoa(int(cb.AcceptorAddrType))), cb.AcceptorAddress,
		cb.ApplicationData,
	} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(f)))
		b = append(b, f...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}
