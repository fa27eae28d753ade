package gsstest

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// testCredential closes a default credential.
func (s Suite) testCredential(t *testing.T) {
	if s.Initiator != nil {
		t.Skip("the provider may have no default credential")
	}
	c, err := s.Provider.Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	checkClose(t, c)
}

// checkClose closes a credential, which has to tell of it if it says that it does.
func checkClose(t *testing.T, c gss.Credential) {
	t.Helper()
	n, notifies := c.(gss.CloseNotifier)
	told, off := 0, 0
	if notifies {
		var first func()
		first, open := n.OnClose(func() {
			told++
			first() // a provider that holds a lock here, which this takes, hangs
			if _, open := n.OnClose(func() {}); open {
				t.Error("the credential is being closed, and OnClose says that it is open")
			}
		})
		stop, _ := n.OnClose(func() { off++ })
		stop()
		stop()
		if !open || told != 0 {
			t.Errorf("before it is closed the credential is open: %t, and has told of its end %d times", open, told)
		}
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("closing the credential: %v", err)
		}
	}
	if !notifies {
		return
	}
	if told != 1 || off != 0 {
		t.Errorf("the credential told of its end %d times, and %d times where that was called off; want 1 and 0", told, off)
	}
	stop, open := n.OnClose(func() { t.Error("the credential told of its end when it had ended") })
	stop()
	if open {
		t.Error("the credential is closed, and OnClose says that it is open")
	}
}
