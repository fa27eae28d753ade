package inspect

import (
	"encoding/binary"
	"fmt"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Message describes a message between a client and a KDC. It takes anything, and
// says so if it is none.
func Message(b []byte) Node {
	if len(b) == 0 {
		return leaf("nothing")
	}
	switch int(b[0]) - 0x60 { // constructed, of class application
	case krbmsg.TypeASReq:
		return kdcReq("AS-REQ", b)
	case krbmsg.TypeTGSReq:
		return kdcReq("TGS-REQ", b)
	case krbmsg.TypeASRep:
		return kdcRep("AS-REP", krbmsg.TypeASRep, b)
	case krbmsg.TypeTGSRep:
		return kdcRep("TGS-REP", krbmsg.TypeTGSRep, b)
	case krbmsg.TypeError:
		return krbError("KRB-ERROR", b)
	}
	return leaf("%d octets that are no message of a KDC", len(b))
}

func kdcReq(what string, b []byte) Node {
	m, err := krbmsg.ParseKDCReq(b)
	if err != nil {
		return broken(what, b, err)
	}
	n := leaf("%s, %d octets", what, len(b))
	server := m.Body.Server
	server.Realm = m.Body.Realm
	if len(m.Body.Client.Components) > 0 {
		client := m.Body.Client
		client.Realm = m.Body.Realm
		n.add(leaf("%s asks for %s", client, server))
	} else {
		n.add(leaf("asks for %s", server))
	}
	n.add(proofs(m.PAData)...)
	n.add(leaf("encryption types: %s", etypeNames(m.Body.ETypes)))
	if options := names(m.Body.Options, optionNames[:]); len(options) > 0 {
		n.add(leaf("options: %s", list(options, len(options))))
	}
	return n
}

// proofs are the elements of pre-authentication data that prove who asks.
func proofs(data []krbmsg.PAData) []Node {
	var nodes []Node
	if b, ok := krbmsg.FindPAData(data, krbmsg.PAEncTimestamp); ok {
		e, err := krbmsg.ParseEncryptedData(b)
		if err != nil {
			nodes = append(nodes, broken("pre-authentication", b, err))
		} else {
			nodes = append(nodes, sealed("pre-authentication by timestamp", &e))
		}
	}
	if b, ok := krbmsg.FindPAData(data, krbmsg.PATGSReq); ok {
		nodes = append(nodes, apReq("AP-REQ", b))
	}
	if len(nodes) == 0 {
		nodes = append(nodes, leaf("no pre-authentication"))
	}
	return nodes
}

func kdcRep(what string, typ int, b []byte) Node {
	m, err := krbmsg.ParseKDCRep(typ, b)
	if err != nil {
		return broken(what, b, err)
	}
	n := leaf("%s, %d octets", what, len(b))
	n.add(leaf("for %s", m.Client), ticket(&m.Ticket), sealed("session key and lifetime", &m.Enc))
	return n
}

func krbError(what string, b []byte) Node {
	m, err := krbmsg.ParseKRBError(b)
	if err != nil {
		return broken(what, b, err)
	}
	n := leaf("%s, %d octets", what, len(b))
	n.add(leaf("%v", m))
	if m.Code != krbmsg.ErrPreauthRequired {
		return n
	}
	data, err := krbmsg.ParseMethodData(m.Data)
	if err != nil {
		return n
	}
	if info, ok := krbmsg.FindPAData(data, krbmsg.PAETypeInfo2); ok {
		n.add(keyInfo(info)...)
	}
	return n
}

// keyInfo tells how a password becomes a key.
func keyInfo(b []byte) []Node {
	entries, err := krbmsg.ParseETypeInfo2(b)
	if err != nil {
		return []Node{broken("ETYPE-INFO2", b, err)}
	}
	var nodes []Node
	for _, e := range entries[:min(len(entries), maxNames)] {
		n := leaf("key of the password: %s", etype.ID(e.EType))
		if e.HasSalt {
			n.Text += fmt.Sprintf(", salt %q", e.Salt)
		}
		if len(e.Params) == 4 {
			n.Text += fmt.Sprintf(", %d iterations", binary.BigEndian.Uint32(e.Params))
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func ticket(t *krbmsg.Ticket) Node {
	return leaf("ticket for %s: %s, %d octets", t.Server, keyOf(&t.Enc), len(t.Enc.Cipher))
}

func sealed(what string, e *krbmsg.EncryptedData) Node {
	return leaf("%s: %s, %d octets", what, keyOf(e), len(e.Cipher))
}

func keyOf(e *krbmsg.EncryptedData) string {
	s := etype.ID(e.EType).String()
	if e.KVNO != 0 {
		s += fmt.Sprintf(", key version %d", e.KVNO)
	}
	return s
}

func etypeNames(ids []int32) string {
	names := make([]string, min(len(ids), maxNames))
	for i := range names {
		names[i] = etype.ID(ids[i]).String()
	}
	return list(names, len(ids))
}

type bitName struct {
	bit  uint32
	name string
}

var optionNames = [...]bitName{
	{krbmsg.OptForwardable, "forwardable"}, {krbmsg.OptForwarded, "forwarded"},
	{krbmsg.OptProxiable, "proxiable"}, {krbmsg.OptProxy, "proxy"},
	{krbmsg.OptAllowPostdate, "allow-postdate"}, {krbmsg.OptPostdated, "postdated"},
	{krbmsg.OptRenewable, "renewable"}, {krbmsg.OptCNameInAddlTkt, "constrained-delegation"},
	{krbmsg.OptRequestAnonymous, "anonymous"}, {krbmsg.OptCanonicalize, "canonicalize"},
	{krbmsg.OptDisableTransited, "disable-transited-check"}, {krbmsg.OptRenewableOK, "renewable-ok"},
	{krbmsg.OptEncTktInSKey, "user-to-user"}, {krbmsg.OptRenew, "renew"}, {krbmsg.OptValidate, "validate"},
}

func names(bits uint32, all []bitName) []string {
	var found []string
	for _, n := range all {
		if bits&n.bit != 0 {
			found = append(found, n.name)
		}
	}
	return found
}
