// Package kerberos has the options of HTTPKerberosAuth, which Python programs
// know from requests-kerberos and from the shim of that name in requests-gssapi.
// It is here for programs that are carried over line by line, and is deprecated
// from the start.
//
//	client := &http.Client{Transport: &kerberos.HTTPKerberosAuth{
//		MutualAuthentication: kerberos.Optional,
//		Principal:            "alice@EXAMPLE.COM",
//	}}
//
// The defaults are those of requests-gssapi 1.4. requests-kerberos itself has
// REQUIRED as its default of mutual_authentication.
//
// What to write instead, in a [negotiate.Transport]:
//
//	MutualAuthentication: Required         Mutual: negotiate.MutualRequired
//	MutualAuthentication: Optional         Mutual: negotiate.MutualOptional
//	SanitizeMutualErrorResponse: false     KeepUnverifiedErrors: true
//	Service: "host"                        Target: negotiate.ServiceTarget("host")
//	HostnameOverride: "web.example.com"    Target: negotiate.HostTarget("web.example.com")
//	both                                   Target: negotiate.FixedTarget(gss.HostBased("host", "web.example.com"))
//	Delegate: true                         Delegation: negotiate.DelegateAlways, or better DelegateIfTrusted
//	ForcePreemptive: true                  Opportunistic: negotiate.OpportunisticAlways, or better OpportunisticLearned
//	Principal: "alice@EXAMPLE.COM"         Credential: of krb5.Provider.Acquire with that Name
//
// Deprecated: use negotiate.Transport.
package kerberos
