package spnego

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jcmturner/goidentity/v6"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/pac"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/test/testdata"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/krb5"
)

// domainKeys are of a service in a domain of Active Directory, with which the
// recorded PAC is signed.
func domainKeys(tb testing.TB) (*keytab.Keytab, *etype.Key) {
	tb.Helper()
	b, err := hex.DecodeString(testdata.KEYTAB_SYSHTTP_TEST_GOKRB5)
	if err != nil {
		tb.Fatal(err)
	}
	kt := keytab.New()
	if err := kt.Unmarshal(b); err != nil {
		tb.Fatal(err)
	}
	const aes256 = 18
	found, _, err := kt.GetEncryptionKey(types.PrincipalName{NameString: []string{"sysHTTP"}}, "TEST.GOKRB5", 2, aes256)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := etype.NewKey(aes256, found.KeyValue)
	if err != nil {
		tb.Fatal(err)
	}
	return kt, key
}

func recordedPAC(tb testing.TB) []byte {
	tb.Helper()
	b, err := hex.DecodeString(testdata.MarshaledPAC_AD_WIN2K_PAC)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func ifRelevant(data ...krbmsg.TypedData) krbmsg.TypedData {
	return krbmsg.TypedData{Type: adIfRelevant, Data: krbmsg.AppendTypedData(nil, data)}
}

// asTheKDC answers a request to the domain's service with a ticket as its KDC
// could have made it.
func asTheKDC(t *testing.T, url string, key *etype.Key, change func(*krbmsg.EncTicketPart)) (*http.Response, string) {
	t.Helper()
	session, err := etype.RandomKey(etype.AES256SHA1)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	user := principal.New("TEST.GOKRB5", "testuser1")
	part := krbmsg.EncTicketPart{
		Key: krbmsg.EncryptionKey{Type: int32(session.Type()), Value: session.Bytes()}, Client: user, AuthTime: now, EndTime: now.Add(time.Hour),
	}
	if change != nil {
		change(&part)
	}
	cipher, err := key.AppendEncrypt(nil, krbmsg.UsageTicket, part.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	ticket := krbmsg.Ticket{
		Server: principal.Service("TEST.GOKRB5", "HTTP", "127.0.0.1"),
		Enc:    krbmsg.EncryptedData{EType: int32(key.Type()), KVNO: 2, Cipher: cipher},
	}
	cache := ccache.Cache{Principal: user, Creds: []ccache.Credential{{
		Client: user, Server: ticket.Server, KeyType: int32(session.Type()), Key: session.Bytes(),
		AuthTime: now, EndTime: part.EndTime, Ticket: ticket.Append(nil),
	}}}
	provider, err := krb5.New(krb5.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cred, err := provider.FromCCacheBytes(cache.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	tr := &negotiate.Transport{Provider: provider, Credential: cred, Mutual: negotiate.MutualOptional}
	t.Cleanup(tr.CloseIdleConnections)
	return do(t, &http.Client{Transport: tr}, http.MethodGet, url, "")
}

// domainSite is a server of the domain, which tells of its clients what the PAC
// says.
func domainSite(t *testing.T, settings ...func(*service.Settings)) (url string, key *etype.Key) {
	t.Helper()
	kt, key := domainKeys(t)
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		creds := goidentity.FromHTTPRequestContext(r).(*credentials.Credentials)
		ad := creds.GetADCredentials()
		groups := creds.AuthzAttributes()
		slices.Sort(groups)
		fmt.Fprintf(w, "%s %q %q %d groups %t", creds.UserName(), creds.DisplayName(), ad.LogonDomainName, len(groups),
			creds.Authorized("S-1-5-21-3167651404-3865080224-2280184895-1114"))
	})
	settings = append(settings, service.Logger(discardLogger), service.KeytabPrincipal("sysHTTP"))
	s := httptest.NewServer(SPNEGOKRB5Authenticate(app, kt, settings...))
	t.Cleanup(s.Close)
	return s.URL, key
}

const (
	withPAC    = `testuser1 "Test1 User1" "TEST" 7 groups true`
	withoutPAC = `testuser1 "testuser1" "" 0 groups false`
)

func TestPAC(t *testing.T) {
	pac := krbmsg.TypedData{Type: adWin2kPAC, Data: recordedPAC(t)}
	forged := krbmsg.TypedData{Type: adWin2kPAC, Data: bytes.Clone(pac.Data)}
	forged.Data[len(forged.Data)/2] ^= 1
	other := krbmsg.TypedData{Type: 99, Data: []byte("something")}
	for _, tt := range []struct {
		name     string
		data     []krbmsg.TypedData
		settings []func(*service.Settings)
		want     string // "" is a refusal
	}{
		{"none", nil, nil, withoutPAC},
		{"a PAC", []krbmsg.TypedData{ifRelevant(pac)}, nil, withPAC},
		{"a PAC among others", []krbmsg.TypedData{ifRelevant(other), other, ifRelevant(other, pac)}, nil, withPAC},
		{"one that does not count", []krbmsg.TypedData{pac}, nil, withoutPAC},
		{"one that is not to be decoded", []krbmsg.TypedData{ifRelevant(pac)}, []func(*service.Settings){service.DecodePAC(false)}, withoutPAC},
		{"a forged one", []krbmsg.TypedData{ifRelevant(forged)}, nil, ""},
		{"a forged one that is not to be decoded", []krbmsg.TypedData{ifRelevant(forged)}, []func(*service.Settings){service.DecodePAC(false)}, withoutPAC},
		{"malformed authorization data", []krbmsg.TypedData{{Type: adIfRelevant, Data: []byte("garbage")}}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, key := domainSite(t, tt.settings...)
			resp, body := asTheKDC(t, url, key, func(part *krbmsg.EncTicketPart) { part.AuthData = tt.data })
			if tt.want == "" {
				if resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("%d %s; want 401", resp.StatusCode, body)
				}
				return
			}
			if body != tt.want {
				t.Errorf("%d %s; want %s", resp.StatusCode, body, tt.want)
			}
		})
	}
}

// TestPACIsCheckedFirst shows that the decoder does not see what is not signed.
func TestPACIsCheckedFirst(t *testing.T) {
	_, key := domainKeys(t)
	b := recordedPAC(t)
	b[len(b)/2] ^= 1
	creds := credentials.New("testuser1", "TEST.GOKRB5")
	err := addPAC(creds, []krbmsg.TypedData{ifRelevant(krbmsg.TypedData{Type: adWin2kPAC, Data: b})}, key)
	if !errors.Is(err, etype.ErrIntegrity) || len(creds.AuthzAttributes()) != 0 {
		t.Errorf("%v, groups %q; want a wrong signature and no group", err, creds.AuthzAttributes())
	}
}

// TestPACAsGokrb5 reads a PAC of Windows as gokrb5 does.
func TestPACAsGokrb5(t *testing.T) {
	_, key := domainKeys(t)
	creds := credentials.New("testuser1", "TEST.GOKRB5")
	if err := addPAC(creds, []krbmsg.TypedData{ifRelevant(krbmsg.TypedData{Type: adWin2kPAC, Data: recordedPAC(t)})}, key); err != nil {
		t.Fatal(err)
	}
	var p pac.PACType
	if err := p.Unmarshal(recordedPAC(t)); err != nil {
		t.Fatal(err)
	}
	if err := p.ProcessPACInfoBuffers(types.EncryptionKey{KeyType: int32(key.Type()), KeyValue: key.Bytes()}, discardLogger); err != nil {
		t.Fatal(err)
	}
	k, got := p.KerbValidationInfo, creds.GetADCredentials()
	got.LogOnTime, got.PasswordLastSet = got.LogOnTime.Truncate(time.Second), got.PasswordLastSet.Truncate(time.Second)
	want := credentials.ADCredentials{
		GroupMembershipSIDs: k.GetGroupMembershipSIDs(), LogOnTime: k.LogOnTime.Time().Truncate(time.Second), PasswordLastSet: k.PasswordLastSet.Time().Truncate(time.Second),
		EffectiveName: k.EffectiveName.Value, FullName: k.FullName.Value, UserID: int(k.UserID), PrimaryGroupID: int(k.PrimaryGroupID),
		LogonServer: k.LogonServer.Value, LogonDomainName: k.LogonDomainName.Value, LogonDomainID: k.LogonDomainID.String(),
	}
	got.LogOffTime = time.Time{} // never, for which gokrb5 has a date
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestAddresses(t *testing.T) {
	here := krbmsg.TypedData{Type: 2, Data: []byte{127, 0, 0, 1}}
	there := krbmsg.TypedData{Type: 2, Data: []byte{192, 0, 2, 1}}
	required := []func(*service.Settings){service.RequireHostAddr(true)}
	for _, tt := range []struct {
		name     string
		bound    []krbmsg.TypedData
		settings []func(*service.Settings)
		ok       bool
	}{
		{"any", nil, nil, true},
		{"the client's", []krbmsg.TypedData{there, here}, nil, true},
		{"another's", []krbmsg.TypedData{there}, nil, false},
		{"none where one is required", nil, required, false},
		{"the client's where one is required", []krbmsg.TypedData{here}, required, true},
		{"another's where the setting says it is the client's", []krbmsg.TypedData{there}, []func(*service.Settings){
			service.ClientAddress(types.HostAddress{AddrType: 2, Address: []byte{192, 0, 2, 1}}),
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, key := domainSite(t, tt.settings...)
			resp, body := asTheKDC(t, url, key, func(part *krbmsg.EncTicketPart) { part.Addresses = tt.bound })
			if (resp.StatusCode == http.StatusOK) != tt.ok {
				t.Errorf("%d %s; want that it succeeds: %t", resp.StatusCode, body, tt.ok)
			}
		})
	}
}

// FuzzFindAPReq looks for AP-REQs in what comes from the network.
func FuzzFindAPReq(f *testing.F) {
	f.Add([]byte("\x60\x10\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x06\x30\x04\xa0\x02\x30\x00"))
	f.Add([]byte("\x60\x10\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00\x6e\x01\x00"))
	f.Add([]byte("\xa1\x14\x30\x12\xa0\x03\x0a\x01\x00\xa1\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"))
	f.Fuzz(func(t *testing.T, token []byte) {
		if b := findAPReq(token); len(b) > len(token) {
			t.Errorf("an AP-REQ of %d octets in a token of %d", len(b), len(token))
		}
	})
}
