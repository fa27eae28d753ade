// Package interop proves the module against real peers: MIT Kerberos, Heimdal,
// Samba as Active Directory, Apache with mod_auth_gssapi, lighttpd, Squid, curl
// and Python's clients, and the daemons and the kernel that keep credential caches.
//
// Everything but this page carries the build tag "interop":
//
//	interop/peers.sh all            # as root: install what the tests start
//	go test -tags interop ./interop/
//
// The fixtures are not test files, so that tests of other packages may use
// them too. They import no package of the module: what reads a ticket with the
// code under test cannot contradict it.
//
// # How a peer lives
//
// Each fixture starts a peer as child processes of the test, on loopback and
// on ports that were free, with configuration, database and logs in a folder of
// its own. It ends them by process group when the test ends, and the kernel
// ends them when the test binary dies. A peer that is not installed fails the
// test and names the Debian package; nothing is skipped.
//
// Shared is one bed for all tests of a binary: an MIT realm BED.TEST and an
// Apache web.bed.test in it. A package that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(interop.Main(m)) }
//
// Tests that change a realm or stop a server take one of their own:
// NewMIT, NewApache, NewHeimdal, NewSamba, NewSquid, NewLighttpd and NewAcceptor,
// a server over MIT's library that checks channel bindings. NewSSSDKCM and
// NewHeimdalKCM keep credential caches.
//
// # Providers in processes of their own
//
// TestMatrix has each provider meet each, and docs/interop.md shows what came of
// it. A provider runs in the program gsspeer, on this system or as a Windows
// program under Wine, and the test talks to it by package remote, whose
// documentation has the protocol. A further provider is a line in sides, and in
// gsspeer's makers.
//
// # Environment
//
//	INTEROP_KEEP=1      keep the folders and print where they are
//	INTEROP_PEERS=DIR   where peers.sh has unpacked the peers whose packages
//	                    conflict with others; /var/cache/negotiate-interop
//	                    unless set
//
// The tests run as root, where the servers drop to www-data or nobody, or as
// an ordinary user once web.bed.test and its like stand in /etc/hosts; Samba
// needs root.
package interop
