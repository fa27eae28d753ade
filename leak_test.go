package negotiate

import (
	"testing"

	"github.com/go-negotiate/negotiate/internal/leaktest"
)

// leavesNothing has the test fail if goroutines or sockets are left when it is
// over, and all that it cleans up from here on.
func leavesNothing(t testing.TB) {
	t.Helper()
	leaktest.LeavesNothing(t)
}

// LeavesNothing is leavesNothing for the tests outside the package.
var LeavesNothing = leavesNothing

// connectionTests are the files whose tests are about connections.
var connectionTests = []string{
	"allow", "authorization_krb5", "binding", "bindingchannel", "bindingpolicy", "body", "challenge", "conn",
	"cost", "cve", "default", "ending", "expect", "h2proxy", "handler", "handler_krb5", "identity_cross",
	"impersonate", "isolation", "leak", "learned", "legs", "mutual", "mutual_krb5", "opportunism", "pool",
	"principal", "protection", "proxy_krb5", "proxyforward", "proxylogin", "rejected", "requestsapi",
	"serverconn", "targethost", "timeout", "transport", "transportlog", "tunnel", "uploads",
}

// TestEachTestLeavesNothing sees that each of them begins with leavesNothing.
func TestEachTestLeavesNothing(t *testing.T) {
	leavesNothing(t)
	for _, name := range connectionTests {
		path := name + "_test.go"
		lacking, err := leaktest.Lacking(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range lacking {
			t.Errorf("%s: %s does not begin with leavesNothing(t)", path, test)
		}
	}
}
