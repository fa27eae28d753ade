// Package negotiate gives net/http the authentication scheme Negotiate
// (RFC 4559): SPNEGO (RFC 4178) and Kerberos 5 (RFC 4121) over HTTP.
//
// [Transport] is the client's side, an http.RoundTripper that answers the
// servers that ask for it:
//
//	client := &http.Client{Transport: &negotiate.Transport{}}
//	resp, err := client.Get("https://web.example.com/")
//
// [Handler] is the server's side, an http.Handler that lets authenticated requests
// through, and [IdentityFrom] tells who made them:
//
//	http.ListenAndServe(":8080", &negotiate.Handler{Next: app})
//
// Whom the client is, and with which mechanism it proves that, is the business
// of a provider of package gss; the default is package krb5, in pure Go, with the
// credential cache of the process.
package negotiate
