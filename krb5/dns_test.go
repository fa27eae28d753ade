package krb5_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is a DNS: record data by type and name, such as "A web.krb.test". It
// remembers what it was asked.
type zone struct {
	records map[string][]string

	mu    sync.Mutex
	asked []string
}

// resolver returns one that knows the zone and nothing else.
func (z *zone) resolver(t *testing.T) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				for z.answer(t, server) == nil {
				}
			}()
			return client, nil
		},
	}
}

// answer reads one question, behind its length as over TCP, and answers it.
func (z *zone) answer(t *testing.T, conn net.Conn) error {
	var n [2]byte
	if _, err := io.ReadFull(conn, n[:]); err != nil {
		return err
	}
	buf := make([]byte, binary.BigEndian.Uint16(n[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(buf); err != nil {
		return err
	}
	m.Header.Response = true
	m.Additionals = nil
	q := m.Questions[0]
	m.Answers = z.find(t, q)
	if len(m.Answers) == 0 && !z.has(q.Name.String()) {
		m.Header.RCode = dnsmessage.RCodeNameError
	}
	out, err := m.Pack()
	if err != nil {
		t.Error(err)
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
	return err
}

func (z *zone) has(name string) bool {
	for key := range z.records {
		if _, known, _ := strings.Cut(key, " "); known == strings.ToLower(strings.TrimSuffix(name, ".")) {
			return true
		}
	}
	return false
}

// find follows aliases.
func (z *zone) find(t *testing.T, q dnsmessage.Question) (answers []dnsmessage.Resource) {
	typ := strings.TrimPrefix(q.Type.String(), "Type")
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	z.mu.Lock()
	z.asked = append(z.asked, typ+" "+name)
	z.mu.Unlock()
	for {
		target := z.records["CNAME "+name]
		if len(target) == 0 || typ == "CNAME" {
			break
		}
		answers = append(answers, resource(t, "CNAME", name, target[0]))
		name = target[0]
	}
	for _, data := range z.records[typ+" "+name] {
		answers = append(answers, resource(t, typ, name, data))
	}
	return answers
}

func resource(t *testing.T, typ, name, data string) dnsmessage.Resource {
	t.Helper()
	fqdn := func(s string) dnsmessage.Name { return dnsmessage.MustNewName(s + ".") }
	r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: fqdn(name), Class: dnsmessage.ClassINET, TTL: 60}}
	switch typ {
	case "A":
		r.Body = &dnsmessage.AResource{A: [4]byte(net.ParseIP(data).To4())}
	case "CNAME":
		r.Body = &dnsmessage.CNAMEResource{CNAME: fqdn(data)}
	case "PTR":
		r.Body = &dnsmessage.PTRResource{PTR: fqdn(data)}
	case "TXT":
		r.Body = &dnsmessage.TXTResource{TXT: []string{data}}
	case "SRV":
		host, port, err := net.SplitHostPort(data)
		if err != nil {
			t.Fatal(err)
		}
		n, err := net.LookupPort("udp", port)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = &dnsmessage.SRVResource{Priority: 1, Weight: 1, Port: uint16(n), Target: fqdn(host)}
	}
	return r
}

func (z *zone) questions() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return append([]string(nil), z.asked...)
}
