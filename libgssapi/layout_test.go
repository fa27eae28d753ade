package libgssapi

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/go-negotiate/negotiate/gss"
)

// channelBindings is gss_channel_bindings_struct as a C compiler lays it out
// where nothing is packed.
type channelBindings struct {
	initiatorType    uint32
	initiatorAddress buffer
	acceptorType     uint32
	acceptorAddress  buffer
	applicationData  buffer
}

func TestLayout(t *testing.T) {
	if pointerSize != 8 {
		t.Skip("the numbers are those of 64-bit systems")
	}
	for _, test := range []struct {
		goos, goarch      string
		elements, oidSize uintptr
		bindings          bindingsLayout
	}{
		{"linux", "amd64", 8, 16, bindingsLayout{0, 8, 24, 32, 48, 64}},
		{"freebsd", "arm64", 8, 16, bindingsLayout{0, 8, 24, 32, 48, 64}},
		{"darwin", "arm64", 8, 16, bindingsLayout{0, 8, 24, 32, 48, 64}},
		// #pragma pack(push,2) in Apple's gssapi.h.
		{"darwin", "amd64", 4, 12, bindingsLayout{0, 4, 20, 24, 40, 56}},
	} {
		l := layoutOf(test.goos, test.goarch)
		if l.oidElements() != test.elements || l.oidSize() != test.oidSize {
			t.Errorf("%s/%s: an object identifier has elements at %d and size %d, want %d and %d", test.goos, test.goarch, l.oidElements(), l.oidSize(), test.elements, test.oidSize)
		}
		if got := l.bindings(); got != test.bindings {
			t.Errorf("%s/%s: channel bindings are %+v, want %+v", test.goos, test.goarch, got, test.bindings)
		}
	}
}

func TestBindingsMatchC(t *testing.T) {
	cb := &gss.ChannelBindings{
		InitiatorAddrType: 2, InitiatorAddress: []byte("initiator"),
		AcceptorAddrType: 24, AcceptorAddress: []byte("the acceptor"),
		ApplicationData: []byte("tls-server-end-point:hash"),
	}
	var m memory
	defer m.release()
	c := (*channelBindings)(pointerTo(m.bindings(layout{}, cb)))
	if c.initiatorType != 2 || c.acceptorType != 24 {
		t.Errorf("address types are %d and %d, want 2 and 24", c.initiatorType, c.acceptorType)
	}
	for _, pair := range [][2][]byte{
		{goBytes(&c.initiatorAddress), cb.InitiatorAddress},
		{goBytes(&c.acceptorAddress), cb.AcceptorAddress},
		{goBytes(&c.applicationData), cb.ApplicationData},
	} {
		if !bytes.Equal(pair[0], pair[1]) {
			t.Errorf("C reads %q, want %q", pair[0], pair[1])
		}
	}
	if m.bindings(layout{}, nil) != 0 {
		t.Error("nil bindings are no null pointer")
	}
}

func TestOIDs(t *testing.T) {
	for _, l := range []layout{{}, {packed: true}} {
		memory := make([]uint64, 16)
		p := unsafe.Pointer(&memory[0])
		l.writeOID(p, gss.MechKRB5)
		if got := l.readOID(p); got != gss.MechKRB5 {
			t.Errorf("packed %t: read %s, want krb5", l.packed, got.Describe())
		}
		*(*uint32)(p) = 1 << 30
		if got := l.readOID(p); got != "" {
			t.Errorf("packed %t: an object identifier of a gigabyte was read", l.packed)
		}
	}
	if (layout{}).readOID(nil) != "" {
		t.Error("no object identifier is not empty")
	}
}
