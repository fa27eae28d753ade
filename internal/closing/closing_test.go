package closing

import "testing"

func TestNotice(t *testing.T) {
	var n Notice
	var kept, stopped int
	if _, open := n.OnClose(func() { kept++ }); !open {
		t.Error("it is closed from the beginning")
	}
	stop, _ := n.OnClose(func() { stopped++ })
	stop()
	stop()
	if kept != 0 {
		t.Error("it was told before it was closed")
	}
	n.Close()
	if kept != 1 || stopped != 0 {
		t.Errorf("told %d times, and %d times after it was called off; want 1 and 0", kept, stopped)
	}
	n.Close()
	if kept != 1 {
		t.Error("it was told again")
	}
	if stop, open := n.OnClose(func() { t.Error("told of a close before") }); open {
		t.Error("it is open after Close")
	} else {
		stop()
	}
}

// TestNoticeWithinItself has a hook use the notice that it hears.
func TestNoticeWithinItself(t *testing.T) {
	var n Notice
	var stop func()
	stop, _ = n.OnClose(func() {
		stop()
		n.Close()
		if _, open := n.OnClose(func() {}); open {
			t.Error("it is open while it is being closed")
		}
	})
	n.Close()
}

func TestNoNotice(t *testing.T) {
	var n *Notice
	n.Close()
	stop, open := n.OnClose(func() { t.Error("told") })
	if !open {
		t.Error("none at all is closed")
	}
	n.Close()
	stop()
}
