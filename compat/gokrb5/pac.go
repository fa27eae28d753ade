package spnego

import (
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/credentials"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/pac"
)

// Types of authorization data (RFC 4120, section 7.5.4).
const (
	adIfRelevant = 1
	adWin2kPAC   = 128
)

// addPAC adds to creds what the PAC among the authorization data of a ticket
// tells of the user: groups above all. Without one nothing is added. key is what
// the ticket was encrypted with.
func addPAC(creds *credentials.Credentials, data []krbmsg.TypedData, key *etype.Key) error {
	b, err := findPAC(data)
	if err != nil || b == nil {
		return err
	}
	info, err := readPAC(b, key)
	if err != nil {
		return fmt.Errorf("the ticket's PAC: %w", err)
	}
	creds.SetADCredentials(credentials.ADCredentials{
		GroupMembershipSIDs: groupsOf(info),
		LogOnTime:           info.LogonTime,
		LogOffTime:          info.LogoffTime,
		PasswordLastSet:     info.PasswordLastSet,
		EffectiveName:       info.EffectiveName,
		FullName:            info.FullName,
		UserID:              int(info.UserID),
		PrimaryGroupID:      int(info.PrimaryGroup),
		LogonServer:         info.LogonServer,
		LogonDomainName:     info.LogonDomain,
		LogonDomainID:       info.Domain.String(),
	})
	return nil
}

// readPAC reads the logon information, once the server's signature is verified.
func readPAC(b []byte, key *etype.Key) (*pac.Logon, error) {
	p, err := pac.Parse(b)
	if err != nil {
		return nil, err
	}
	if err := p.VerifyServer(key); err != nil {
		return nil, err
	}
	info, err := p.Logon()
	if err == nil && info == nil {
		err = errors.New("it has no logon information")
	}
	return info, err
}

// groupsOf lists each group once, as gokrb5 does: those of the domain, others,
// and those of the service's domain. It leaves out those that only deny.
func groupsOf(info *pac.Logon) []string {
	var out []string
	seen := map[string]bool{}
	add := func(sid pac.SID, attributes uint32) {
		if text := sid.String(); text != "" && !seen[text] && attributes&pac.DenyOnly == 0 {
			seen[text] = true
			out = append(out, text)
		}
	}
	for _, g := range info.Groups {
		add(info.Domain.With(g.RID), g.Attributes)
	}
	for _, g := range info.Extra {
		add(g.SID, g.Attributes)
	}
	for _, g := range info.Resource {
		add(info.ResourceDomain.With(g.RID), g.Attributes)
	}
	return out
}

// findPAC returns the PAC; nil if there is none.
func findPAC(data []krbmsg.TypedData) ([]byte, error) {
	for _, outer := range data {
		if outer.Type != adIfRelevant {
			continue
		}
		inner, err := krbmsg.ParseTypedData(outer.Data)
		if err != nil {
			return nil, fmt.Errorf("the ticket's authorization data: %w", err)
		}
		for _, d := range inner {
			if d.Type == adWin2kPAC {
				return d.Data, nil
			}
		}
	}
	return nil, nil
}
