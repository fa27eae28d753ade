// Package pac reads and writes the privilege attribute certificate (MS-PAC), by
// which Active Directory tells a service in a ticket who the user is and which
// groups it is in: identifiers, names, and two signatures. It does not trust what
// it reads; whoever uses a PAC verifies the server's signature first.
package pac
