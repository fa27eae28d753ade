// Package krbtest provides a Kerberos KDC for tests, as net/http/httptest
// provides a server: a realm that is up on loopback in a fraction of a
// millisecond, and gone when the test ends. It needs no network, no root and no
// installed Kerberos, and MIT Kerberos, Heimdal and other clients take it for a
// real one.
//
//	func TestReport(t *testing.T) {
//		kdc := krbtest.NewKDC(t)
//		kdc.AddPrincipal("alice", "secret")
//		kdc.AddService("HTTP/127.0.0.1")
//		t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
//		t.Setenv("KRB5_KTNAME", kdc.Keytab("HTTP/127.0.0.1"))
//		t.Setenv("KRB5CCNAME", kdc.CCache("alice"))
//		server := httptest.NewServer(&negotiate.Handler{Next: reports})
//		defer server.Close()
//		client := &http.Client{Transport: &negotiate.Transport{}}
//		resp, err := client.Get(server.URL) // alice is logged in
//		...
//	}
//
// [KDC.Requests] tells what the clients asked for, so that a test can assert
// that ten requests cost one ticket. [KDC.SetFault] makes the KDC fail, and
// [WithClock] moves it in time. [KDC.Trust] makes two KDCs trust each other.
// [KDC.Proxy] is a way to it by HTTPS.
//
// Keys are derived when they are first needed. Deriving one from a password
// takes milliseconds, since that is its purpose; random keys, which services
// have, and principals that only use [KDC.CCache] cost nothing.
package krbtest
