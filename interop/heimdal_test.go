//go:build interop

package interop_test

import (
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

func TestHeimdal(t *testing.T) {
	leavesNothing(t)
	heimdal := interop.NewHeimdal(t, interop.HeimdalOptions{})
	heimdal.AddUser(t, "alice", "alice's password")
	keytab := heimdal.AddService(t, "HTTP/web.heim.test", "+ok-as-delegate")
	ccache := heimdal.Kinit(t, "alice", "alice's password")
	got := interop.Python(t, heimdal.MITEnv(ccache), pythonContext, "HTTP@web.heim.test", keytab)
	if want := "alice@HEIM.TEST\n"; got != want {
		t.Errorf("MIT's library accepts a ticket of Heimdal as %q, want %q", got, want)
	}
}

func TestHeimdalSHA2(t *testing.T) {
	leavesNothing(t)
	heimdal := interop.NewHeimdal(t, interop.HeimdalOptions{Realm: "SHA2.TEST", DefaultKeys: "aes256-cts-hmac-sha384-192:pw-salt"})
	heimdal.AddUser(t, "alice", "pw")
	if out := heimdal.Admin(t, "get", "alice"); !strings.Contains(out, "aes256-cts-hmac-sha384-192(pw-salt") {
		t.Errorf("alice has no key of aes256-cts-hmac-sha384-192:\n%s", out)
	}
	heimdal.Kinit(t, "alice", "pw")
}

// pythonContext establishes a context between both ends of MIT's library and
// prints the name that the acceptor has got.
const pythonContext = `
import sys, gssapi
target, keytab = sys.argv[1:3]
name = gssapi.Name(target, gssapi.NameType.hostbased_service)
client = gssapi.SecurityContext(name=name, usage="initiate")
creds = gssapi.Credentials(usage="accept", store={"keytab": keytab})
server = gssapi.SecurityContext(creds=creds, usage="accept")
token = client.step()
client.step(server.step(token))
print(server.initiator_name)
`
