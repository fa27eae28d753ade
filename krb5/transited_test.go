package krb5

import (
	"slices"
	"strings"
	"testing"
)

func TestTransitedRealms(t *testing.T) {
	for _, test := range []struct {
		list string
		want string // realms separated by blanks; "-": not understood
	}{
		{"B.TEST", "B.TEST"},
		{"B.TEST,C.TEST", "B.TEST C.TEST"},
		{"EDU,MIT.,ATHENA.", "EDU MIT.EDU ATHENA.MIT.EDU"}, // RFC 4120, section 3.3.3.2
		{"/COM/HP,/APOLLO, /COM/DEC", "/COM/HP /COM/HP/APOLLO /COM/DEC"},
		{`A\,B.TEST`, "A,B.TEST"},
		{`A\\B.TEST`, `A\B.TEST`},
		{"", "-"},
		{",EDU", "-"},
		{"EDU,", "-"},
		{strings.Repeat("A,", 100) + "A", "-"},
	} {
		got, ok := transitedRealms([]byte(test.list))
		if want := strings.Fields(test.want); ok == (test.want == "-") || ok && !slices.Equal(got, want) {
			t.Errorf("%q: %q, %t, want %q", test.list, got, ok, test.want)
		}
	}
}

func TestHierarchy(t *testing.T) {
	for _, test := range [][3]string{
		{"A.B.C", "X.B.C", "A.B.C X.B.C B.C"},
		{"B.C", "X.Y.B.C", "X.Y.B.C Y.B.C B.C"},
		{"A.B.C", "B.C", "A.B.C B.C"},
		{"A.B", "A.B", "A.B"},
		{"A.B", "C.D", ""},
		{"AB.C", "B.C", "AB.C B.C C"},
		{"A", "B", ""},
	} {
		if got := strings.Join(hierarchy(test[0], test[1]), " "); got != test[2] {
			t.Errorf("from %s to %s: %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

// FuzzTransited takes whatever a KDC of another realm may write.
func FuzzTransited(f *testing.F) {
	for _, s := range []string{"", "B.TEST", "EDU,MIT.,ATHENA.", "/COM/HP,/APOLLO, /COM/DEC", `A\,B`, `\`, ",", "."} {
		f.Add([]byte(s), "A.TEST", "B.TEST")
	}
	f.Fuzz(func(t *testing.T, list []byte, from, to string) {
		if realms, ok := transitedRealms(list); ok && (len(realms) == 0 || len(realms) > maxTransited) {
			t.Errorf("%d realms", len(realms))
		}
		hierarchy(from, to)
	})
}
